// Runs inside a private mount namespace (see ../fuse-native.mjs). Serves one file whose read is answered
// after ANSWER_MS, whatever happens, so that no process stays stuck: a reader in D state cannot be killed.

import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say, sleep } from '../kit.mjs';

const ANSWER_MS = 3000;
const KILL_MS = 500;

const dir = process.argv[2];
const Fuse = createRequire(join(dir, 'package.json'))('fuse-native');

// If anything below hangs, leaving closes /dev/fuse, and the kernel fails what is still waiting on it.
setTimeout(() => process.exit(3), 12_000);

const DIRECTORY = { mode: 0o40755, size: 0 };
const FILE = { mode: 0o100666, size: 4096 };

/** Options that the package has no name for can be passed on behind a comma in one that it has. */
function mount(name, options) {
  const path = join(dir, name);
  mkdirSync(path);
  const arrived = Promise.withResolvers?.() ?? withResolvers();
  const since = new Date(0);
  const stat = kind => ({ ...kind, mtime: since, atime: since, ctime: since, nlink: 1, uid: 0, gid: 0 });
  const server = new Fuse(
    path,
    {
      readdir: (_path, reply) => reply(0, ['data']),
      getattr: (file, reply) => {
        if (file === '/') return reply(0, stat(DIRECTORY));
        return file === '/data' ? reply(0, stat(FILE)) : reply(Fuse.ENOENT);
      },
      open: (_path, _flags, reply) => reply(0, 1),
      read: (_path, _fd, buffer, _length, offset, reply) => {
        arrived.resolve();
        if (offset > 0) return reply(0, 0);
        setTimeout(() => reply(0, buffer.write('late\n')), ANSWER_MS);
      },
      write: (_path, _fd, _buffer, length, _offset, reply) => reply(0, length),
      truncate: (_path, _size, reply) => reply(0),
    },
    { fsname: `slashnet-probe${options}`, timeout: false },
  );
  return new Promise((resolve, reject) => {
    server.mount(error => (error ? reject(error) : resolve({ path, arrived: arrived.promise })));
  });
}

function withResolvers() {
  const all = {};
  all.promise = new Promise((resolve, reject) => Object.assign(all, { resolve, reject }));
  return all;
}

/** The state letter of a process: D is the sleep that no signal ends. */
function stateOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1][0];
  } catch {
    return '-';
  }
}

/** One cat on the file; SIGKILL as soon as its read has reached the server. */
async function killBlockedReader(name, options) {
  const { path, arrived } = await mount(name, options);
  const reader = spawn('cat', [join(path, 'data')], { stdio: 'ignore' });
  const exited = new Promise(resolve => reader.once('exit', resolve));
  await arrived;
  const answered = performance.now() + ANSWER_MS;
  await sleep(KILL_MS);
  const before = stateOf(reader.pid);
  const killed = performance.now();
  reader.kill('SIGKILL');
  await sleep(1000);
  const after = stateOf(reader.pid);
  await exited;
  const took = performance.now();
  const outcome =
    took < answered - 500
      ? `dies ${Math.round(took - killed)} ms after SIGKILL`
      : `${before} before and ${after} 1 s after SIGKILL, dies ${Math.round(took - killed)} ms after it, when answered`;
  say(`blocked cat, ${name}`, outcome);
  execFileSync('umount', ['--lazy', path], { timeout: 2000 });
}

/** One descriptor, a thread that reads and a thread that writes, as a program does on a dialled connection. */
async function duplex() {
  const { path } = await mount('duplex', ',direct_io');
  const script = fileURLToPath(new URL('./duplex.mjs', import.meta.url));
  const client = spawn(process.execPath, [script, join(path, 'data')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  client.stdout.on('data', chunk => (output += chunk));
  await new Promise(resolve => client.once('close', resolve));
  say('write while a read waits on the same fd', output.trim());
  execFileSync('umount', ['--lazy', path], { timeout: 2000 });
}

await Promise.all([
  killBlockedReader('as it mounts', ''),
  killBlockedReader('direct_io', ',direct_io'),
  killBlockedReader('direct_io and intr', ',direct_io,intr'),
  duplex(),
]);
process.exit(0);
