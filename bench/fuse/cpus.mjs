// Which CPU runs what. A server and the program that waits for it take turns, and it makes a difference of
// several times whether they share a CPU or wake each other up across two. Left to itself the scheduler does
// now this, now that, and figures are about its choice. So each path gets the same places.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

/** The CPUs that this process may use: `near` for load and server, `far` for the peer; one may be both. */
export function places() {
  const status = fs.readFileSync('/proc/self/status', 'utf8');
  const [, list] = /^Cpus_allowed_list:\s*(.*)$/m.exec(status);
  const numbers = list.split(/[-,]/).map(Number);
  return { near: numbers.at(-1), far: numbers[0] };
}

/** A command and its arguments, to be run on one CPU; anywhere if that is undefined. */
export function on(cpu, [command, args]) {
  if (cpu === undefined) return [command, args];
  return ['taskset', ['--cpu-list', String(cpu), command, ...args]];
}

/** Moves a process that runs, with all its threads. */
export function move({ pid }, cpu) {
  if (cpu === undefined) return;
  execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', String(cpu), String(pid)], {
    stdio: 'ignore',
  });
}
