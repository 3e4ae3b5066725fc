/** What /proc says: proc_pid_status(5), proc_pid_fd(5), proc_pid_net(5). */
import { readdirSync, readFileSync } from 'node:fs';
import { closeOnExec } from './mount.ts';

/** The status of a thread; throws when it is gone or hidden. */
export function statusOf(pid: number | 'self'): string {
  return readFileSync(`/proc/${pid}/status`, 'latin1');
}

/**
 * A field of it, without the blanks around. Only a newline ends a line: the first one has the program's
 * name, whose owner may have put anything into it but that.
 */
export function statusField(status: string, field: string): string | undefined {
  const [, ...lines] = status.split('\n');
  return lines
    .find(line => line.startsWith(`${field}:`))
    ?.slice(field.length + 1)
    .trim();
}

/** A file of counters or tables; empty where the kernel has none. */
export function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** No program that is started from now on inherits a descriptor but 0, 1, 2 and these. */
export function inheritOnly(passed: readonly number[]): void {
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    if (fd <= 2 || passed.includes(fd)) continue;
    try {
      closeOnExec(fd);
    } catch {
      // The one that listed them.
    }
  }
}
