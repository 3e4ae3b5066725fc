/** One command on many paths: a path that fails is told, and the others are done all the same. */
import { TransportError } from '../client/index.ts';
import { report } from './failure.ts';
import { treePath } from './path.ts';
import { OutputClosed } from './stdio.ts';

/** Runs `use` on each path in turn, with its path in the tree and as it was written. */
export async function eachPath(
  command: string,
  paths: readonly string[],
  use: (path: string, written: string) => Promise<void>,
): Promise<void> {
  for (const written of paths) {
    try {
      await use(treePath(written), written);
    } catch (error) {
      if (error instanceof OutputClosed) throw error;
      report(`${command} ${written}`, error);
      if (error instanceof TransportError) return;
    }
  }
}
