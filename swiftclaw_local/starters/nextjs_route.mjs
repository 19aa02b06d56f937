// A receiver of SwiftClaw's webhooks in Next.js, as a route handler of the App Router.
//
// npx create-next-app@latest my-app           # or a project of yours; save this as app/webhooks/swiftclaw/route.js
// export SWIFTCLAW_WEBHOOK_SECRET=scsec_...   # swiftclaw webhooks secret my-agent webhook-123 --env
// npx next dev --hostname 127.0.0.1           # http://127.0.0.1:3000/webhooks/swiftclaw

import crypto from 'node:crypto';

export const runtime = 'nodejs'; // node:crypto is not in the edge runtime

const secret = process.env.SWIFTCLAW_WEBHOOK_SECRET;

// Kept by this one process until it ends; on globalThis, because Next.js loads this file again when you change it.
// With several processes, as on serverless hosts, or to last: a table of your database, the id its unique key.
const kept = (globalThis.swiftclawWebhooks ??= { processedEvents: new Set(), working: new Map() });
const { processedEvents, working } = kept;

// Do your work. Whatever it throws is answered 500, and SwiftClaw sends the event again.
async function processEvent(event) {
  console.log('processed', event.id, event.type);
}

export async function POST(request) {
  const payload = Buffer.from(await request.arrayBuffer()); // the raw bytes; the page's req.rawBody does not exist here
  if (!secret) return answer(500, { error: 'SWIFTCLAW_WEBHOOK_SECRET is not set' });
  if (!verifyWebhook(payload, request.headers.get('x-swiftclaw-signature') ?? '', secret)) {
    return answer(401, { error: 'Invalid signature' });
  }
  let event;
  try {
    event = JSON.parse(payload);
  } catch {
    return answer(400, { error: 'Invalid JSON' });
  }
  if (typeof event?.id !== 'string') return answer(400, { error: 'Invalid event' });
  try {
    return answer(200, { status: await processOnce(event) });
  } catch (error) {
    console.error(`Processing ${event.id} failed`, error);
    return answer(500, { error: 'Processing failed' });
  }
}

function answer(status, body) {
  return Response.json(body, { status });
}

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
