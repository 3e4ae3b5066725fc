/** The terminal that controls this process: tty(4). */
import { closeSync, openSync } from 'node:fs';

/** Whether there is one; not in the background, and not when it was hung up. */
export function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}
