// Calls a route handler as Next.js does: with a web Request, answering with the Response that it returns.
import http from 'node:http';
import { Readable } from 'node:stream';
import { POST } from './route.mjs';

const server = http.createServer(async (req, res) => {
  const { method, headers } = req;
  const request = new Request(`http://${headers.host}${req.url}`, { method, headers, body: Readable.toWeb(req), duplex: 'half' });
  const response = await POST(request);
  res.writeHead(response.status, Object.fromEntries(response.headers)).end(Buffer.from(await response.arrayBuffer()));
});
server.listen(process.env.PORT, '127.0.0.1');
