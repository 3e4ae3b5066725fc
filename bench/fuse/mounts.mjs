// Servers with a mount each. Whoever waits for a FUSE server that does not answer cannot be killed
// before the server is, and a look at its mount point is enough to wait: so this program never touches
// one, whoever does has a time limit, and the server goes first.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import * as procs from '../datapath/procs.mjs';

const READY_SECONDS = 15;
const UMOUNT_MS = 5000;
const CLOCK_TICKS = 100; // USER_HZ

const isMounted = dir => fs.readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${dir} `);

export const isRunning = ({ child }) => child.exitCode === null && child.signalCode === null;

/** The one line that says what went wrong, if there is one; else the end of it all. */
function complaint({ child, log }) {
  const said = fs.readFileSync(log, 'utf8').trim();
  const line = said.split('\n').find(line => /error/i.test(line)) ?? said.slice(-500);
  return `ended (${child.signalCode ?? `exit ${child.exitCode}`}): ${line.trim()}`;
}

/** Starts a server that mounts itself on `tmp`/`name`; `command(dir)` is how, and waits until it has. */
export async function startMounted(name, tmp, command, options = {}) {
  const dir = path.join(tmp, name);
  fs.mkdirSync(dir, { recursive: true });
  const log = path.join(tmp, `${name}.log`);
  const out = fs.openSync(log, 'w');
  const child = procs.start(...command(dir), { stdio: ['ignore', out, out], ...options });
  fs.closeSync(out);
  const server = { name, pid: child.pid, child, log, dir };
  const deadline = Date.now() + READY_SECONDS * 1000;
  while (!isMounted(dir)) {
    if (!isRunning(server)) throw new Error(complaint(server));
    if (Date.now() > deadline) {
      await procs.end(child);
      throw new Error(`nothing is mounted after ${READY_SECONDS} s`);
    }
    await sleep(20);
  }
  return server;
}

function unmountLeft({ dir }) {
  if (!isMounted(dir)) return;
  try {
    execFileSync('umount', ['--lazy', dir], { timeout: UMOUNT_MS, stdio: 'ignore' });
  } catch {
    // somebody else was quicker, or the namespace ends it
  }
}

export async function endMounted(server) {
  await procs.end(server.child);
  unmountLeft(server);
}

/** Ends a server that no longer answers, and with it all who wait for it. */
async function killMounted(server) {
  server.child.kill('SIGKILL');
  await server.child.exited;
  unmountLeft(server);
}

/** User and system seconds of all children that have ended. */
export function childSeconds() {
  const stat = fs.readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / CLOCK_TICKS;
}

/**
 * Runs a program to its end and gives its output. If that takes longer than `seconds`, the program is
 * killed, and so is the server that it is supposed to wait for.
 */
export async function runLimited(command, args, seconds, server) {
  const child = procs.start(command, args.map(String), { env: { ...process.env, LC_ALL: 'C' } });
  const output = Promise.all([text(child.stdout), text(child.stderr), child.exited]);
  const late = Symbol('late');
  const timer = new AbortController();
  const limit = sleep(seconds * 1000, late, { signal: timer.signal });
  limit.catch(() => {});
  const ended = await Promise.race([output, limit]);
  timer.abort();
  if (ended === late) {
    child.kill('SIGKILL');
    if (server?.dir) await killMounted(server);
    await Promise.race([child.exited, sleep(UMOUNT_MS, null, { ref: false })]);
    throw new Error(`took more than ${seconds} s and was killed`);
  }
  const [stdout, stderr] = ended;
  if (child.exitCode !== 0) throw new Error(stderr.trim() || `${command} ended with ${child.signalCode}`);
  return { stdout, stderr };
}
