// A receiver of SwiftClaw's webhooks in Fastify.
//
// npm install fastify
// export SWIFTCLAW_WEBHOOK_SECRET=scsec_...   # swiftclaw webhooks secret my-agent webhook-123 --env
// node receiver.mjs                           # http://127.0.0.1:3000/webhooks/swiftclaw

import crypto from 'node:crypto';
import Fastify from 'fastify';

const secret = process.env.SWIFTCLAW_WEBHOOK_SECRET;
if (!secret) throw new Error('SWIFTCLAW_WEBHOOK_SECRET is not set');

// Kept in this process, until it ends. With several, or to last: a table of your database, the id its unique key.
const processedEvents = new Set();
const working = new Map();

// Do your work. Whatever it throws is answered 500, and SwiftClaw sends the event again.
async function processEvent(event) {
  console.log('processed', event.id, event.type);
}

// Fastify's own limit, 1 MiB, would refuse a large event with 413, for good.
const app = Fastify({ bodyLimit: 5 * 1024 * 1024 });

// In a plugin, so that the parsers of your other routes stay as they are.
app.register(async (webhooks) => {
  // The page reads req.rawBody, which Fastify does not set. This gives the raw bytes as request.body, of any type.
  webhooks.removeAllContentTypeParsers();
  webhooks.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => done(null, body));

  webhooks.post('/webhooks/swiftclaw', async (request, reply) => {
    const payload = request.body ?? Buffer.alloc(0);
    if (!verifyWebhook(payload, request.headers['x-swiftclaw-signature'] ?? '', secret)) {
      return reply.code(401).send({ error: 'Invalid signature' });
    }
    let event;
    try {
      event = JSON.parse(payload);
    } catch {
      return reply.code(400).send({ error: 'Invalid JSON' });
    }
    if (typeof event?.id !== 'string') return reply.code(400).send({ error: 'Invalid event' });
    try {
      return { status: await processOnce(event) };
    } catch (error) {
      console.error(`Processing ${event.id} failed`, error);
      return reply.code(500).send({ error: 'Processing failed' });
    }
  });
});

function verifyWebhook(payload, signature, secret) {
  const expected = Buffer.from(crypto.createHmac('sha256', secret).update(payload).digest('hex'));
  const sent = Buffer.from(signature); // the page's Buffer.from(undefined) throws when the header is missing: 500
  // timingSafeEqual throws unless both are of one length; the page does not look
  return sent.length === expected.length && crypto.timingSafeEqual(sent, expected);
}

// The page checks, processes, then marks: copies that arrive at once would all pass its check. Here they share one processing.
async function processOnce(event) {
  if (processedEvents.has(event.id)) return 'already_processed';
  const first = !working.has(event.id);
  if (first) {
    const work = processEvent(event)
      .then(() => processedEvents.add(event.id)) // only now: after a failure, the next copy does the work
      .finally(() => working.delete(event.id));
    working.set(event.id, work);
  }
  await working.get(event.id);
  return first ? 'processed' : 'already_processed';
}

await app.listen({ port: Number(process.env.PORT ?? 3000), host: '127.0.0.1' });
