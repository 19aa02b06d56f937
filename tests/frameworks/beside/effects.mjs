// Stands beside a receiver under test: what its work does, where the test can see it, and how it breaks.
import fs from 'node:fs';
import { setTimeout } from 'node:timers/promises';

const folder = process.env.EFFECTS;

export async function act(event) {
  await setTimeout(50); // long enough for copies that arrive at once to meet
  if (fs.existsSync(`${folder}/broken`)) throw new Error('broken on purpose');
  fs.appendFileSync(`${folder}/processed`, `${event.id}\n`);
}
