// What the zones add to a dial: the same dials where `all` is the only zone, and where a thousand zones have
// a hundred lines each besides; by the server's owner, and by another user, whose groups are asked for.
import { copyFileSync } from 'node:fs';
import path from 'node:path';
import { startPeers, assertDialled } from '../datapath/stage.mjs';
import { move, on } from '../fuse/cpus.mjs';
import * as procs from '../datapath/procs.mjs';
import { drive } from '../fuse/stage.mjs';
import { endServer, hasOthers, OTHER, startServer, writeZone } from './stage.mjs';

export const PATHS = ['all', 'thousand'];
const ZONES = 1000;
const LINES = 100;
const MOST_DIALS = 1500;

const dials = (name, door, kind, other = false) => ({
  name,
  unit: 'dial/s',
  cost: { unit: 'µs/op', per: 'ops', scale: 1e6 },
  door,
  kind,
  other,
});

export const workloads = [
  dials('9p-clone', '9p', 'clone'),
  dials('9p-open', '9p', 'open'),
  dials('fuse-clone', 'fuse', 'clone'),
  dials('fuse-open', 'fuse', 'open'),
  dials('fuse-clone-other', 'fuse', 'clone', true),
  dials('fuse-open-other', 'fuse', 'open', true),
].filter(({ other }) => !other || hasOthers());

/** Networks all around where is dialled, and elsewhere. */
function linesOf(zone) {
  const each = i =>
    `connect tcp!${i % 10 === 0 ? '127' : 1 + (zone % 126)}.${i}.${zone % 256}.0/24!${1 + i * 600}-65535\n`;
  return Array.from({ length: LINES }, (_, i) => each(i)).join('');
}

/** `compiled` is ../net's driver, which another user could not run where it is. */
export async function setDials(options, compiled) {
  const driver = path.join(options.tmp, 'driver');
  copyFileSync(compiled, driver);
  const servers = {};
  for (const name of PATHS) servers[name] = await startServer(options, name);
  for (let i = 0; i < ZONES; i++)
    await writeZone(servers.thousand, `z${i}`, linesOf(i), i % 2 === 0 ? 0o755 : 0o700);
  const peers = await startPeers(PATHS.map(() => 'hold'));
  move(peers, options.cpus.far);
  return { options, servers, peers, driver };
}

export async function clearDials({ servers, peers }) {
  for (const server of Object.values(servers)) await endServer(server);
  await procs.end(peers.child);
}

const as = (other, [command, args]) =>
  other
    ? ['setpriv', ['--reuid', OTHER, '--regid', OTHER, '--clear-groups', command, ...args].map(String)]
    : [command, args];

export async function measureDials(
  { options, servers, peers, driver },
  { door, kind, other },
  where,
  seconds,
) {
  const server = servers[where];
  const index = PATHS.indexOf(where);
  const reached = async () => (await peers.ask())[index];
  try {
    const way = door === 'fuse' ? ['-m', server.dir] : ['-s', server.listen];
    const args = [...way, '-n', seconds, '-c', MOST_DIALS, kind, `tcp!127.0.0.1!${peers.ports[index]}`];
    const before = { used: procs.cpuSeconds(server.pid), calls: await reached() };
    const result = await drive(on(options.cpus.near, as(other, [driver, args])), seconds, server);
    await assertDialled(reached, before.calls, result.ops);
    const cpuSeconds = procs.cpuSeconds(server.pid) - before.used;
    return { ...result, figure: result.ops / result.seconds, cpuSeconds };
  } catch (e) {
    return { error: e.message };
  }
}
