// An edit of a zone of 100,000 lines: one line is put behind them through 9P, by what an editor or `slashnet
// write --append` does. How long until that has come into force, until a dial that it allows is let
// through, and how long the server answers nobody meanwhile.
import { connect } from '../../dist/client/index.js';
import * as procs from '../datapath/procs.mjs';
import { clock, far, writeZone } from './stage.mjs';

export const LINES = 100_000;

const line = i => `connect tcp!10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}!${1 + (i % 60_000)}\n`;

const text = Array.from({ length: LINES }, (_, i) => line(i)).join('');

export async function setEdit(options, server) {
  const peer = await far(options.cpus.far, 'peer');
  await writeZone(server, 'large', text, 0o755);
  // Nothing but a line behind `large`'s allows these: a longer network than `*`, and nobody's to pass.
  await writeZone(server, 'none', 'connect tcp!127.0.0.2/32!*\n', 0o750);
  const stage = { server, peer, other: await connect(server.listen) };
  // The first question after a zone was written puts its lines where they are found: not what an edit takes.
  await measureEdit(stage, 0);
  return stage;
}

export async function clearEdit({ other, peer, server }) {
  other.close();
  await procs.end(peer.child);
  for (const name of ['large', 'none']) await server.client.remove(`zone/${name}`);
}

/** Asks again and again until `over`, and gives the longest time in which there was no answer. */
async function longestSilence(client, over) {
  let longest = 0;
  while (!over.now) {
    const start = clock();
    await client.stat('');
    longest = Math.max(longest, clock() - start);
  }
  return longest;
}

/** Milliseconds. */
export async function measureEdit({ server, peer, other }, round) {
  const { client } = server;
  const over = { now: false };
  const silence = longestSilence(other, over);
  const start = clock();
  const zone = await client.open('zone/large', 'w');
  await zone.write(`connect tcp!127.0.0.2!${peer.ports[round % 2]}\n`, (await zone.stat()).length);
  await zone.finish();
  const committed = clock() - start;
  // The first question after it puts the new line where it is found.
  const call = await client.open(`dial/tcp!127.0.0.2!${peer.ports[round % 2]}`, 'rw').catch(error => error);
  const decided = clock() - start;
  over.now = true;
  await call.close?.();
  return { committed, decided, silence: await silence };
}
