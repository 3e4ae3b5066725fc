/** Hears of changes in the files of users and groups. What other sources of NSS say, no file tells. */
import { watch } from 'node:fs';
import { silent, type Log } from '../log.ts';

/** group(5); and passwd(5), which has the primary groups. */
const FILES: readonly string[] = ['group', 'passwd'];

/** usermod(8) and others replace several files, one after the other; one call is for all of so short a time. */
const TOGETHER_MS = 20;

export interface GroupWatch {
  close(): void;
}

export interface GroupWatchOptions {
  /** The directory of the files. */
  readonly dir?: string;
  readonly log?: Log;
}

/**
 * Calls back after the files were changed, until it is closed; it keeps no process alive. The directory
 * is watched, since the files are replaced by others of their names. Where that cannot be, nobody is told
 * of a change; the log says so.
 */
export function watchGroups(changed: () => void, options: GroupWatchOptions = {}): GroupWatch {
  const { dir = '/etc', log = silent } = options;
  let timer: NodeJS.Timeout | undefined;
  const later = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      changed();
    }, TOGETHER_MS).unref();
  };
  const cannot = (error: unknown): void =>
    log.warn(
      { dir, error: (error as Error).message },
      'changes of groups are not noticed; SIGHUP tells of them',
    );
  try {
    const watcher = watch(dir, { persistent: false }, (_event, name) => {
      // Without a name it may be any of them.
      if (name === null || FILES.includes(name)) later();
    });
    watcher.on('error', cannot);
    return {
      close() {
        clearTimeout(timer);
        watcher.close();
      },
    };
  } catch (error) {
    cannot(error);
    return { close() {} };
  }
}
