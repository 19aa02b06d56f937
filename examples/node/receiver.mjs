// A receiver as SwiftClaw's page asks for it, with nothing but Node: it checks the signature over the raw bytes, and goes by the event's id.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

export function receiver({ secret, handle }) {
  const done = new Set();
  return createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const sent = Buffer.from(request.headers['x-swiftclaw-signature'] ?? '');
    const good = Buffer.from(createHmac('sha256', secret).update(body).digest('hex'));
    if (sent.length !== good.length || !timingSafeEqual(sent, good)) return answer(response, 401, { error: 'Invalid signature' });
    const event = JSON.parse(body);
    if (done.has(event.id)) return answer(response, 200, { status: 'already_processed' });
    try {
      await handle(event);
    } catch {
      return answer(response, 500, { error: 'Processing failed' }); // SwiftClaw sends it again
    }
    done.add(event.id);
    return answer(response, 200, { received: true });
  });
}

function answer(response, status, document) {
  response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(document));
}
