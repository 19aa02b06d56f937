// Tests the receiver with SwiftClaw local and Node's own test runner. Type: node --test
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, beforeEach, test } from 'node:test';
import { receiver } from './receiver.mjs';

const secret = 'scsec_test';
let swiftclaw, api, app, url, handled, broken;

async function call(method, path, body) {
  const response = await fetch(api + path, { method, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

const emit = async (type, data) => (await call('POST', '/v1/agents/my-agent/events?wait=first', { type, data })).deliveries[0];

before(async () => {
  // --until-eof: it goes when these tests go, even if they are killed
  const flags = ['serve', '--json', '--ephemeral', '--clock', 'manual', '--port', '0', '--secret', secret, '--until-eof'];
  swiftclaw = spawn('swiftclaw', [...flags, '--log-level', 'error'], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [banner] = await once(createInterface({ input: swiftclaw.stdout }), 'line');
  api = JSON.parse(banner).url;
  app = receiver({
    secret,
    handle: (event) => {
      if (broken-- > 0) throw new Error('the database is down');
      handled.push(event.id);
    },
  });
  app.listen(0, '127.0.0.1');
  await once(app, 'listening');
  url = `http://127.0.0.1:${app.address().port}/webhooks/swiftclaw`;
});

after(async () => {
  app.close();
  app.closeAllConnections();
  swiftclaw.stdin.end();
  await once(swiftclaw, 'exit');
});

beforeEach(async () => {
  [handled, broken] = [[], 0];
  await call('POST', '/_local/reset', {});
  await call('POST', '/v1/agents/my-agent/webhooks', { url });
});

test('an event comes through after an outage', async () => {
  broken = 2;
  const { id, event_id } = await emit('agent.completed', { tokens_used: 450 });
  const moved = await call('POST', '/_local/clock/advance', { by: '6m' }); // the retries after 1m and 5m more
  assert.deepEqual(moved.sends.map((send) => send.status), [500, 200]);
  assert.equal((await call('GET', `/v1/deliveries/${id}`)).state, 'delivered');
  assert.deepEqual(handled, [event_id]);
});

test('an event that comes twice is handled once', async () => {
  const { id, event_id } = await emit('agent.failed');
  const again = await call('POST', `/v1/deliveries/${id}/replay`, {});
  const replayed = await call('GET', `/v1/deliveries/${again.id}?wait=settled`);
  assert.equal(JSON.parse(replayed.attempts[0].response.body).status, 'already_processed');
  assert.deepEqual(handled, [event_id]);
});

test('what somebody else signed is refused', async () => {
  await call('POST', '/v1/agents/my-agent/webhooks/webhook-123/secret/rotate', { secret: 'scsec_of_somebody_else' });
  const delivery = await emit('agent.failed');
  assert.equal(delivery.last_status, 401);
  assert.deepEqual(handled, []);
});
