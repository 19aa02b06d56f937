// A receiver of SwiftClaw's webhooks in Express.
//
// npm install express
// export SWIFTCLAW_WEBHOOK_SECRET=scsec_...   # swiftclaw webhooks secret my-agent webhook-123 --env
// node receiver.mjs                           # http://127.0.0.1:3000/webhooks/swiftclaw

import crypto from 'node:crypto';
import express from 'express';

const secret = process.env.SWIFTCLAW_WEBHOOK_SECRET;
if (!secret) throw new Error('SWIFTCLAW_WEBHOOK_SECRET is not set');

// Kept in this process, until it ends. With several, or to last: a table of your database, the id its unique key.
const processedEvents = new Set();
const working = new Map();

// Do your work. Whatever it throws is answered 500, and SwiftClaw sends the event again.
async function processEvent(event) {
  console.log('processed', event.id, event.type);
}

// The page reads req.rawBody, which Express never sets. express.raw() gives the raw bytes as req.body, on this route;
// put app.use(express.json()) for your other routes after it. Its own limit, 100 kB, would refuse a large event for good.
const raw = express.raw({ type: () => true, limit: '5mb' });

const app = express();
app.post('/webhooks/swiftclaw', raw, async (req, res) => {
  const payload = Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0);
  if (!verifyWebhook(payload, req.get('X-SwiftClaw-Signature') ?? '', secret)) {
    return res.status(401).json({ error: 'Invalid signature' });
  }
  let event;
  try {
    event = JSON.parse(payload);
  } catch {
    return res.status(400).json({ error: 'Invalid JSON' });
  }
  if (typeof event?.id !== 'string') return res.status(400).json({ error: 'Invalid event' });
  try {
    return res.json({ status: await processOnce(event) });
  } catch (error) {
    console.error(`Processing ${event.id} failed`, error);
    return res.status(500).json({ error: 'Processing failed' });
  }
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

app.listen(process.env.PORT ?? 3000, '127.0.0.1');
