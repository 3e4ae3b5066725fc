// The stage of a run: the compiled client, the peers, the relay and the servers; and the one
// act that is played on it, a measurement.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import * as procs from './procs.mjs';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const root = path.join(here, '../..');
const client = path.join(here, 'build/client');
const peer = path.join(here, 'build/peer');

export const PATHS = ['direct', 'relay', 'unix', 'tcp'];

export function compile() {
  const cc = (out, ...args) =>
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', path.join('build', out), ...args], {
      cwd: here,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  fs.mkdirSync(path.join(here, 'build'), { recursive: true });
  try {
    cc('client', 'client.c', 'ninep.c', 'sock.c');
    cc('peer', '-pthread', 'peer.c', 'sock.c');
  } catch (e) {
    if (e.code === 'ENOENT') throw new Error("the benchmark's client is C: apt-get install gcc libc6-dev");
    throw e;
  }
}

// Each path dials a port of its own, so that one path's ports in TIME_WAIT do not slow the
// next, and so that the peer's count of accepted calls belongs to one path. The relay's
// target greets: see established() in client.c.
const PEERS = ['echo', 'sink', 'source', 'hold', 'greet', 'hold', 'hold'];
const HOLD = { direct: 3, relay: 4, unix: 5, tcp: 6 };
const RELAYED = { echo: 0, sink: 1, source: 2, hold: 3 };

export const startPeers = (modes = PEERS) => procs.startHelper('the peer', peer, modes);

export function startRelay(peers) {
  const [echo, sink, source] = peers.ports;
  const targets = [echo, sink, source, peers.ports[HOLD.relay]];
  const script = path.join(here, 'relay.mjs');
  return procs.startHelper('the relay', ...procs.withManyFiles(process.execPath, [script, ...targets]));
}

/** Starts slashnet for `where` ('unix' or 'tcp'); `script` is the program, `nodeArgs` go before it. */
export async function startSlashnet(where, { script, tmp, nodeArgs = [] }) {
  const listen =
    where === 'unix' ? `unix!${path.join(tmp, 'slashnet.sock')}` : `tcp!127.0.0.1!${await procs.freePort()}`;
  if (where === 'unix') fs.rmSync(path.join(tmp, 'slashnet.sock'), { force: true });
  const args = [...nodeArgs, path.resolve(root, script), 'serve', '--listen', listen];
  if (where === 'tcp') args.push('--trust-tcp');
  return procs.startServer(`slashnet on ${where}`, listen, args, path.join(tmp, `slashnet-${where}.log`));
}

/** Where a path's client connects, and what it asks for. */
export function addresses(stage, where, target) {
  const index = target === 'hold' ? HOLD[where] : PEERS.indexOf(target);
  const port = where === 'relay' ? stage.relay.ports[RELAYED[target]] : stage.peers.ports[index];
  const args = ['-t', `tcp!127.0.0.1!${port}`];
  if (where === 'relay' && target === 'hold') args.push('-g');
  if (stage[where]?.listen) args.push('-s', stage[where].listen);
  return args;
}

export const startClient = args => procs.start(client, args.map(String));

async function runClient(args) {
  const child = startClient(args);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), child.exited]);
  if (child.exitCode !== 0) throw new Error(err.trim() || `the client ended with ${child.signalCode}`);
  return JSON.parse(out);
}

const acceptedOn = async (stage, where) => (await stage.peers.ask())[HOLD[where]];

/** Every dial that was counted must have reached the peer; `accepted` gives how many have. */
export async function assertDialled(accepted, before, ops) {
  let reached = 0;
  for (let tries = 0; tries < 40; tries++) {
    reached = (await accepted()) - before;
    if (reached >= ops) return;
    await sleep(50);
  }
  throw new Error(`${ops} dials were reported, ${reached} calls reached the target`);
}

/** One measurement. Failures are results too: the other figures still count. */
export async function measure(stage, workload, where, seconds) {
  const server = stage[where]; // none for direct
  const dials = workload.target === 'hold';
  const before = dials ? await acceptedOn(stage, where) : 0;
  const cpu = server ? procs.cpuSeconds(server.pid) : 0;
  try {
    const args = addresses(stage, where, workload.target);
    const result = await runClient([...args, '-n', seconds, ...workload.client]);
    if (dials) await assertDialled(() => acceptedOn(stage, where), before, result.ops);
    const cpuSeconds = server ? procs.cpuSeconds(server.pid) - cpu : null;
    return { ...result, figure: workload.figure(result), cpuSeconds };
  } catch (e) {
    if (server?.log) procs.assertRunning(server);
    return { error: e.message };
  }
}
