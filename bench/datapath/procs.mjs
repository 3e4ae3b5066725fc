// The processes of a run: start them, ask the kernel about them, and end each by its pid,
// however the run ends.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const CLOCK_TICKS = 100; // USER_HZ, the unit of /proc/PID/stat: 100 on every Linux that Node runs on
const READY_SECONDS = 15;
const END_SECONDS = 5;
const children = new Set();

// The last resort: 'exit' handlers cannot wait.
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

const isRunning = child => child.exitCode === null && child.signalCode === null;

export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  children.add(child);
  child.exited = new Promise(resolve => {
    child.once('exit', resolve);
    child.once('error', resolve);
  });
  child.exited.then(() => children.delete(child));
  child.stdin?.on('error', () => {}); // it went before we closed its input
  return child;
}

/** Ends a child: politely, then not. */
export async function end(child) {
  if (!isRunning(child)) return;
  child.kill('SIGTERM');
  await Promise.race([child.exited, sleep(END_SECONDS * 1000, null, { ref: false })]);
  if (isRunning(child)) child.kill('SIGKILL');
  await child.exited;
}

export const endAll = () => Promise.all([...children].map(end));

/** Starts a helper that prints a JSON array, of ports mostly, and answers input lines with one more line each. */
export async function startHelper(name, command, args) {
  const child = start(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name} ended before it answered`);
    return JSON.parse(value);
  };
  const ask = (line = '') => {
    child.stdin.write(`${line}\n`);
    return next();
  };
  return { pid: child.pid, child, ports: await next(), ask };
}

/** Ten thousand conversations need as many files: raise the limit as far as this user may. */
const RAISE_FDS = 'ulimit -n 262144 2>/dev/null || ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"';
export const withManyFiles = (command, args) => ['/bin/sh', ['-c', RAISE_FDS, command, ...args]];

/** How many files a process may have open. */
export function fileLimit(pid) {
  const limits = fs.readFileSync(`/proc/${pid}/limits`, 'utf8');
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
}

const connectOptions = listen => {
  const [net, where, port] = listen.split('!');
  return net === 'unix' ? { path: where } : { host: where, port: Number(port) };
};

async function accepts(listen) {
  const socket = net.connect(connectOptions(listen));
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Starts a server whose output goes to `log`, and waits until connecting to `listen` works. */
export async function startServer(name, listen, args, log) {
  const out = fs.openSync(log, 'w');
  const child = start(...withManyFiles(process.execPath, args), { stdio: ['ignore', out, out] });
  fs.closeSync(out);
  const server = { name, pid: child.pid, child, listen, log };
  const deadline = Date.now() + READY_SECONDS * 1000;
  while (!(await accepts(listen))) {
    assertRunning(server);
    if (Date.now() > deadline)
      throw new Error(`${name}: nothing listens at ${listen} after ${READY_SECONDS} s`);
    await sleep(50);
  }
  return server;
}

export function assertRunning({ name, child, log }) {
  if (isRunning(child)) return;
  const tail = fs.readFileSync(log, 'utf8').slice(-2000);
  throw new Error(`${name} ended (${child.signalCode ?? `exit ${child.exitCode}`}); it said:\n${tail}`);
}

export async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/** User and system seconds a process has used so far, all its threads together. */
export function cpuSeconds(pid) {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the name may hold blanks
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

/** Resident bytes of a process. */
export function residentBytes(pid) {
  const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Rss: +(\d+) kB/m.exec(rollup)[1]) * 1024;
}
