/** What /proc says: proc_pid_status(5), proc_pid_fd(5), proc_pid_net(5). */
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { closeOnExec } from './mount.ts';

/** More than the status of nearly every thread; that of one in hundreds of groups is longer. */
const USUAL = Buffer.allocUnsafeSlow(4096);

/** The status of a thread; throws when it is gone or hidden. Each dial by FUSE may ask: it is read in one go. */
export function statusOf(pid: number | 'self'): string {
  const path = `/proc/${pid}/status`;
  const fd = openSync(path, 'r');
  try {
    const n = readSync(fd, USUAL, 0, USUAL.length, 0);
    if (n < USUAL.length) return USUAL.toString('latin1', 0, n);
  } finally {
    closeSync(fd);
  }
  return readFileSync(path, 'latin1');
}

/**
 * A field of it, without the blanks around. Only a newline ends a line: the first one has the program's
 * name, whose owner may have put anything into it but that.
 */
export function statusField(status: string, field: string): string | undefined {
  const line = `\n${field}:`;
  const at = status.indexOf(line);
  if (at < 0) return undefined;
  const end = status.indexOf('\n', at + line.length);
  return status.slice(at + line.length, end < 0 ? undefined : end).trim();
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
