// The stage of a run: the compiled programs, the doors and their mounts, the peers; and the one act
// that is played on it, a measurement.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import * as procs from '../datapath/procs.mjs';
import { addresses, compile as compilePeers, startPeers, startRelay } from '../datapath/stage.mjs';
import { move, on } from './cpus.mjs';
import { installFuseNative } from './fuse-native.mjs';
import { childSeconds, endMounted, isRunning, runLimited, startMounted } from './mounts.mjs';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const root = path.join(here, '../..');
const built = name => path.join(here, 'build', name);
const beside = name => path.join(here, name);

/** How long the kernel may keep a name, at every door: as long as slashnet lets it. */
const NAME_SECONDS = 86_400;
/** What a measurement may take beyond its own time before it counts as hung. */
const PATIENCE_SECONDS = 15;
/** What dd is given to do for each second that others measure. */
const DD_MIB_PER_SECOND = 2000;
const MIB = 1 << 20;

export const DOORS = ['libfuse3', 'slashnet', 'fuse-native'];
export const WAYS = ['plain', 'relay', 'net'];

function pkgConfig(...args) {
  const found = execFileSync('pkg-config', [...args, 'fuse3'], { encoding: 'utf8' });
  return found.trim().split(/\s+/).filter(Boolean);
}

export function compile() {
  const cc = (out, ...args) =>
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', '-o', built(out), ...args], {
      cwd: here,
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  fs.mkdirSync(path.join(here, 'build'), { recursive: true });
  compilePeers();
  cc('driver', 'driver.c', 'netfiles.c', '../datapath/sock.c');
  try {
    cc('yardstick', 'yardstick.c', ...pkgConfig('--cflags', '--libs'));
  } catch {
    throw new Error('the yardstick does not compile: apt-get install gcc pkg-config libfuse3-dev');
  }
}

// ---- the servers --------------------------------------------------------------------------------

const node = (args, nodeArgs = []) => [process.execPath, [...nodeArgs, ...args]];

/** A mount by the server that `command(dir)` starts. */
const startNear = ({ tmp, cpus }, name, command, options) =>
  startMounted(name, tmp, dir => on(cpus.near, command(dir)), options);

const startYardstick = options =>
  startNear(options, 'libfuse3', dir => [built('yardstick'), [dir, String(NAME_SECONDS)]]);

const startTree = options =>
  startNear(options, 'slashnet', dir => node([beside('tree.mjs'), dir], options.nodeArgs));

async function startNative(options) {
  options.native ??= await installFuseNative(options.tmp);
  const { packages, env } = options.native;
  const command = dir => node([beside('native.mjs'), packages, dir, String(NAME_SECONDS)]);
  return startNear(options, 'fuse-native', command, { env });
}

/** The real server, with /net on its mount and on a unix socket; `serveArgs` are put behind its own. */
export async function startNet(options) {
  const { tmp, script, nodeArgs, serveArgs = [] } = options;
  const listen = `unix!${path.join(tmp, 'net.sock')}`;
  const args = dir => [path.resolve(root, script), 'serve', '--listen', listen, '--mount', dir, ...serveArgs];
  const server = await startNear(options, 'net', dir => procs.withManyFiles(...node(args(dir), nodeArgs)));
  return { ...server, listen };
}

const STARTERS = {
  libfuse3: startYardstick,
  slashnet: startTree,
  'fuse-native': startNative,
  net: startNet,
};

/** Starts a server or notes why it cannot; the others are measured all the same. */
async function startServer(stage, name) {
  try {
    stage.servers[name] = await STARTERS[name](stage.options);
  } catch (e) {
    delete stage.servers[name];
    stage.notes.add(`${name}: ${e.message}`);
  }
}

/** Starts the servers of these names, and the peers if the net is among them. */
export async function setStage(names, options) {
  const stage = { servers: {}, notes: new Set(), options };
  if (names.includes('net')) {
    stage.peers = await startPeers();
    stage.relay = await startRelay(stage.peers);
    move(stage.peers, options.cpus.far);
    move(stage.relay, options.cpus.near);
  }
  for (const name of names) await startServer(stage, name);
  return stage;
}

export async function clearStage({ servers, relay }) {
  for (const server of Object.values(servers)) await endMounted(server);
  if (relay) await procs.end(relay.child);
}

// ---- one measurement ----------------------------------------------------------------------------

/** Of datapath's peers: each way dials a port of its own where connections are counted by the thousand. */
const PEER_OF = { plain: 'direct', relay: 'relay', net: 'unix' };

function dialled(stage, way, target) {
  const args = addresses(stage, PEER_OF[way], target);
  return args[args.indexOf('-t') + 1];
}

export async function drive(command, seconds, server) {
  const { stdout } = await runLimited(...command, seconds + PATIENCE_SECONDS, server);
  return JSON.parse(stdout);
}

const driver = (seconds, ...args) => [built('driver'), ['-n', seconds, ...args]];

async function copy(command, seconds, server) {
  const before = childSeconds();
  const { stderr } = await runLimited(...command, seconds + PATIENCE_SECONDS, server);
  const [, mib, bytes, took] =
    /^(\d+)\+0 records out\n(\d+) bytes .* copied, ([\d.e+-]+) s/m.exec(stderr) ?? [];
  if (Number(bytes) !== mib * MIB) throw new Error(`dd: ${stderr.trim()}`);
  const loadSeconds = childSeconds() - before;
  return { ops: Number(mib), bytes: Number(bytes), seconds: Number(took), loadSeconds };
}

function dd(side, file, seconds) {
  const other = side === 'of' ? 'if=/dev/zero' : 'of=/dev/null';
  return ['dd', [other, `${side}=${file}`, 'bs=1M', `count=${Math.ceil(seconds * DD_MIB_PER_SECOND)}`]];
}

function play(stage, workload, where, seconds) {
  const { load, target } = workload;
  const { near } = stage.options.cpus;
  const server = stage.servers[where];
  if (target !== undefined) {
    const mount = server ? ['-m', server.dir] : [];
    return drive(
      on(near, driver(seconds, ...mount, ...load, dialled(stage, where, target))),
      seconds,
      server,
    );
  }
  const file = path.join(server.dir, workload.file);
  if (workload.dd) return copy(on(near, dd(workload.dd, file, seconds)), seconds, server);
  return drive(on(near, driver(seconds, ...load, file)), seconds, server);
}

/** One measurement at one door or one way. Failures are results too: the other figures still count. */
export async function measure(stage, workload, where, seconds) {
  const server = where === 'relay' ? stage.relay : stage.servers[where];
  const used = () => (server ? procs.cpuSeconds(server.pid) : null);
  try {
    const before = used();
    const result = await play(stage, workload, where, seconds);
    return { ...result, figure: workload.figure(result), cpuSeconds: used() - before };
  } catch (e) {
    // What did not answer was killed: a fresh one for the next measurement.
    if (server?.dir && !isRunning(server)) await startServer(stage, where);
    return { error: e.message };
  }
}
