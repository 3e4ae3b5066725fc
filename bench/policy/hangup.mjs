// From chmod to hang-up: another user holds conversations that one zone allows and as many that a second one
// does; the owner takes the x bit for others off the first. Who lives on is asked of the far end.
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as procs from '../datapath/procs.mjs';
import { on } from '../fuse/cpus.mjs';
import { beside, clock, far, OTHER, startServer, writeZone } from './stage.mjs';

const OPEN = 0o755;
const SHUT = 0o750;
const PATIENCE_MS = 15_000;

export const CONVERSATIONS = 10_000;

/** Each zone has half of them; both are within the reach of `all`, which says less. */
async function writeZones(server, ports) {
  for (const [i, port] of ports.entries())
    await writeZone(server, `port${i}`, `connect tcp!127.0.0.1!${port}\n`, OPEN);
}

function startHolder({ cpus }, server, door, count, ports) {
  const at = door === '9p' ? server.listen : server.dir;
  const script = [beside('holder.mjs'), OTHER, door, at, count, ...ports].map(String);
  const command = procs.withManyFiles(process.execPath, script);
  return procs.startHelper('the holder', ...on(cpus.far, command));
}

/** Who changes the mode, and says when he began and was done. */
async function startOwner(server, door, cpu) {
  const zone = 'zone/port0';
  if (door === '9p') {
    const fid = await server.client.walk(zone);
    const chmod = async mode => {
      const start = clock();
      await fid.setStat({ mode });
      return [start, clock()];
    };
    return { chmod };
  }
  const helper = await far(cpu, 'chmod', path.join(server.dir, zone));
  return { chmod: mode => helper.ask(mode.toString(8)), child: helper.child };
}

export async function setHangup(options, door, conversations = CONVERSATIONS) {
  const server = await startServer(options, `hangup-${door}`);
  const peer = await far(options.cpus.far, 'peer');
  await writeZones(server, peer.ports);
  const half = conversations / 2;
  const holder = await startHolder(options, server, door, half, peer.ports);
  const owner = await startOwner(server, door, options.cpus.far);
  return { server, peer, holder, owner, half };
}

export async function clearHangup({ holder, owner, peer }) {
  for (const { child } of [holder, owner, peer]) if (child) await procs.end(child);
}

async function until(peer, holds) {
  const deadline = clock() + PATIENCE_MS;
  for (;;) {
    const seen = await peer.ask();
    if (holds(seen)) return seen;
    if (clock() > deadline) throw new Error(`the far end has seen ${JSON.stringify(seen)}`);
    await sleep(5);
  }
}

/** One time: how long the chmod took, and until the last reset was seen; then all is as it was before. */
export async function measureHangup({ peer, holder, owner, half }) {
  const [before, kept] = await peer.ask();
  const [start, done] = await owner.chmod(SHUT);
  const [after, others] = await until(peer, ([first]) => first.ended - before.ended >= half);
  if (after.reset - before.reset !== half || others.ended !== kept.ended)
    throw new Error(
      `of ${half} ${after.reset - before.reset} were reset, of the others ${others.ended - kept.ended}`,
    );
  await owner.chmod(OPEN);
  await holder.ask();
  // Nobody is turned out by a change that changes nothing for him.
  const [from, to] = await owner.chmod(OPEN);
  return { chmod: done - start, hangup: after.last - start, nothing: to - from };
}

/** The same without /net: a program that resets as many sockets of its own. */
export async function measurePlain({ cpus }, half) {
  const peer = await far(cpus.far, 'peer');
  const plain = await far(cpus.near, 'plain', peer.ports[0], half);
  await until(peer, ([first]) => first.accepted === half);
  const [start, done] = await plain.ask();
  const [{ last }] = await until(peer, ([first]) => first.ended === half);
  for (const { child } of [plain, peer]) await procs.end(child);
  return { chmod: done - start, hangup: last - start };
}
