// The stage of a run: the compiled load and peers, the relay, the name server, slashnet with a mount and
// a 9P socket; and the one act that is played on it, a measurement.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as procs from '../datapath/procs.mjs';
import { assertDialled, compile as compileDatapath, startPeers } from '../datapath/stage.mjs';
import { move, on } from '../fuse/cpus.mjs';
import { endMounted, isRunning } from '../fuse/mounts.mjs';
import { drive, startNet } from '../fuse/stage.mjs';
import { depthOf } from './workloads.mjs';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
export const built = name => path.join(here, 'build', name);
const beside = name => path.join(here, name);

export function compile() {
  const cc = (out, ...args) =>
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-pthread', '-o', built(out), ...args], {
      cwd: here,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  fs.mkdirSync(path.join(here, 'build'), { recursive: true });
  compileDatapath();
  const shared = ['../fuse/netfiles.c', '../datapath/ninep.c', '../datapath/sock.c'];
  cc('driver', 'driver.c', 'udp.c', 'names.c', 'ninejobs.c', ...shared, '-lresolv');
  cc('peer', 'peer.c', '../datapath/sock.c');
}

// ---- who takes part ---------------------------------------------------------------------------------

const PEERS = ['sink', 'source', 'echo'];

/** Each way of dialling has a port of its own, so that connections are counted apart. */
const DIALLED = ['plain', 'clone', 'open'];

const helper = (name, cpu, command, args) => procs.startHelper(name, ...on(cpu, [command, args]));
const script = (name, cpu, file, ...args) => helper(name, cpu, process.execPath, [beside(file), ...args]);

async function startNameServer({ tmp, cpus }) {
  // Its zones go with the run's folder.
  const command = [`TMPDIR=${tmp}`, process.execPath, beside('nameserver.mjs')];
  const server = await helper('the name server', cpus.far, 'env', command);
  // It is a grandchild: when there is no time to be polite, nobody else would end it.
  process.on('exit', () => {
    try {
      process.kill(server.ports[1], 'SIGTERM');
    } catch {
      // it has ended
    }
  });
  return server;
}

const startServer = async stage => {
  const { nameServer } = stage.where;
  stage.server = await startNet({ ...stage.options, serveArgs: ['--dns', nameServer] });
};

export async function setStage(options) {
  const { near, far } = options.cpus;
  const names = await startNameServer(options);
  const peers = await helper('the peer', far, built('peer'), PEERS);
  const relay = await script('the relay', near, 'relay.mjs', ...peers.ports);
  const dialled = await startPeers(DIALLED.map(() => 'hold'));
  move(dialled, far);
  const where = {
    udp: peer => `udp!127.0.0.1!${peers.ports[PEERS.indexOf(peer)]}`,
    relayed: peer => `udp!127.0.0.1!${relay.ports[PEERS.indexOf(peer)]}`,
    tcp: way => `tcp!127.0.0.1!${dialled.ports[DIALLED.indexOf(way)]}`,
    nameServer: `127.0.0.1!${names.ports[0]}`,
  };
  const stage = { options, names, peers, relay, dialled, where };
  await startServer(stage);
  return stage;
}

export async function clearStage({ server, names }) {
  await endMounted(server);
  await procs.end(names.child);
}

// ---- one measurement --------------------------------------------------------------------------------

/** The process whose CPU time counts: none on the plain ways. */
function servant({ server, relay }, workload, path) {
  if (path === 'plain' || path === 'libc') return undefined;
  return path === 'relay' ? relay : server;
}

/** The driver's arguments that say which way it goes. */
function way({ server }, { door }, path) {
  const taken = path === 'plain' || path === 'libc' || path === 'relay' ? path : (door ?? path);
  if (taken === 'fuse') return ['-m', server.dir];
  if (!taken.startsWith('9p')) return [];
  return ['-s', server.listen, ...(door ? [] : ['-d', depthOf(path)])];
}

function play(stage, workload, path, seconds) {
  const where = path === 'relay' ? { ...stage.where, udp: stage.where.relayed } : stage.where;
  const args = [...way(stage, workload, path), '-n', seconds, ...workload.load(where, path)];
  const command = on(stage.options.cpus.near, [built('driver'), args]);
  return drive(command, seconds, servant(stage, workload, path));
}

const reached = async ({ dialled }, path) => (await dialled.ask())[DIALLED.indexOf(path)];

/** One measurement on one path. Failures are results too: the other figures still count. */
export async function measure(stage, workload, path, seconds) {
  const server = servant(stage, workload, path);
  const used = () => (server ? procs.cpuSeconds(server.pid) : 0);
  try {
    const before = { used: used(), calls: workload.dials ? await reached(stage, path) : 0 };
    const result = await play(stage, workload, path, seconds);
    if (workload.dials) await assertDialled(() => reached(stage, path), before.calls, result.ops);
    return { ...result, figure: workload.figure(result), cpuSeconds: used() - before.used };
  } catch (e) {
    // What did not answer was killed: a fresh one for the next measurement.
    if (!isRunning(stage.server)) await startServer(stage);
    return { error: e.message };
  }
}
