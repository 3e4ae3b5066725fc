// `mounted.mjs DIR`, run inside a private mount namespace by ../fuse-native.mjs: starts one server per
// question, is the reader's parent, and takes everything down again.

import { execFileSync, fork, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say, sleep } from '../kit.mjs';

const KILL_AFTER_MS = 500;

const dir = process.argv[2];
const beside = name => fileURLToPath(new URL(name, import.meta.url));

setTimeout(() => process.exit(3), 8_000);

/** Runs `ask` on a mount of its own; the mount and its server are gone afterwards. */
async function onMount(name, options, ask) {
  const path = join(dir, name);
  mkdirSync(path);
  // Port 0: a server that is talked into its debugger must not take the port of somebody's real one.
  const server = fork(beside('server.mjs'), [dir, path, options], {
    execArgv: ['--inspect-port=0'],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const mount = { path, server, stderr: '' };
  server.stderr.on('data', chunk => (mount.stderr += chunk));
  const exited = new Promise(resolve => server.once('exit', resolve));
  await Promise.race([next(server, 'mounted'), exited]);
  try {
    await ask(mount);
  } finally {
    execFileSync('umount', ['--lazy', path], { timeout: 2000 });
    server.kill('SIGKILL');
    await exited;
  }
}

function next(server, event) {
  return new Promise((resolve, reject) => {
    server.on('message', message => {
      if ('failed' in message) reject(new Error(message.failed));
      if (event in message) resolve(message[event]);
    });
  });
}

/** The state letter of a process: D is the sleep that no signal ends. */
function stateOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0];
  } catch {
    return '-';
  }
}

/** One cat on the file; SIGKILL when its read has reached the server. */
const killBlockedReader = name => async mount => {
  const arrived = next(mount.server, 'read');
  const reader = spawn('cat', [join(mount.path, 'blocked')], { stdio: 'ignore' });
  const exited = new Promise(resolve => reader.once('exit', () => resolve(performance.now())));
  const answerMs = await arrived;
  await sleep(KILL_AFTER_MS);
  const before = stateOf(reader.pid);
  const killed = performance.now();
  reader.kill('SIGKILL');
  await sleep(1000);
  const after = stateOf(reader.pid);
  const took = Math.round((await exited) - killed);
  const states = after === '-' ? `state ${before}` : `state ${before}, ${after} 1 s after SIGKILL`;
  const cause = took > answerMs - KILL_AFTER_MS - 300 ? ', when the server answers' : '';
  say(`blocked cat, ${name}`, `${states}, dies ${took} ms after SIGKILL${cause}`);
};

/** intr makes libfuse send SIGUSR1 to its threads, which is how one asks Node for its debugger. */
const killWithIntr = async mount => {
  await killBlockedReader('direct_io and intr')(mount);
  say('intr makes Node open its debugger port', mount.stderr.includes('Debugger listening') ? 'yes' : 'no');
};

function output(command, args) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', chunk => (text += chunk));
  return new Promise(resolve => child.once('close', () => resolve(text)));
}

/** One descriptor, a thread that reads and a thread that writes, as a program does on a dialled connection. */
const duplex = async ({ path }) => {
  const report = await output(process.execPath, [beside('duplex.mjs'), join(path, 'blocked')]);
  say('write while a read waits on the same fd', report.trim());
};

/** A connection's data has no size to declare. */
const sizeless =
  name =>
  async ({ path }) => {
    const text = await output('cat', [join(path, 'sizeless')]);
    say(`4 bytes in a file of size 0, ${name}`, `cat gets ${text.length}`);
  };

/** Without close-on-exec a child of the server outlives it with the connection in its hand. */
const closeOnExec = async ({ server }) => {
  const fds = readdirSync(`/proc/${server.pid}/fd`);
  const fd = fds.find(fd => readlinkSync(`/proc/${server.pid}/fd/${fd}`) === '/dev/fuse');
  const info = readFileSync(`/proc/${server.pid}/fdinfo/${fd}`, 'utf8');
  const flags = parseInt(/^flags:\s*([0-7]+)$/m.exec(info)[1], 8);
  say('children of the server inherit /dev/fuse', (flags & 0o2000000) === 0 ? 'yes' : 'no');
};

await onMount('sizeless', '', sizeless('as it mounts'));
await onMount('sizeless-direct', ',direct_io', sizeless('direct_io'));
await onMount('inherit', '', closeOnExec);
await Promise.all([
  onMount('plain', '', killBlockedReader('as it mounts')),
  onMount('direct', ',direct_io', killBlockedReader('direct_io')),
  onMount('duplex', ',direct_io', duplex),
  onMount('intr', ',direct_io,intr', killWithIntr),
]);
process.exit(0);
