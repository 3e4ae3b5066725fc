/**
 * The directory to mount on: what it must be, and what may be in its way.
 *
 * A file system whose server hangs blocks whoever asks it for anything, for as long as it likes. So
 * mountinfo is read before a path is touched, and FUSE mounts are asked by a child, which may hang.
 */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readlinkSync } from 'node:fs';
import { access, constants, open, readdir, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { tryLock } from '../../host/mount.ts';
import { hostUsers } from '../../host/users.ts';
import { DoorError } from '../transport/door.ts';
import { mountAbove, mountAt, type MountEntry } from './mountinfo.ts';

export const FSTYPE = 'fuse.slashnet';

/** How long a file system has to answer. */
const PATIENCE_MS = 2000;

/** Where `dir` is, without symbolic links. */
export async function locate(dir: string): Promise<string> {
  const path = resolve(dir);
  const above = await mountAbove(path);
  if (above !== undefined && isFuse(above) && (await ask(above.at)) === 'silent') {
    throw new DoorError(`${path} is in ${above.at}, a file system (${above.type}) that does not answer`);
  }
  // This asks the directories above, but not what is mounted on the last.
  return realpath(path).catch((error: unknown) => {
    throw cannotUse(path, error);
  });
}

/** Makes sure that `path` can be mounted on; a dead mount of ours is taken away by `detach`. */
export async function clear(path: string, detach: (path: string) => Promise<void>): Promise<void> {
  for (;;) {
    const inTheWay = await mountAt(path);
    if (inTheWay === undefined) break;
    await removeDead(inTheWay, detach);
  }
}

/** <fcntl.h>: only to name it, not to read it */
const O_PATH = 0o10000000;

/**
 * The directory itself, which must be empty; the caller closes it. Who may write above it can make its path
 * lead anywhere between two looks, so from here on it is the descriptor that counts.
 */
export async function openTarget(path: string): Promise<number> {
  let fd: number | undefined;
  try {
    fd = openSync(path, O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const itself = `/proc/self/fd/${fd}`;
    if (readlinkSync(itself) !== path)
      throw new DoorError(`${path} is being moved about; name a directory that stays`);
    await checkEmpty(path, itself);
    return fd;
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw cannotUse(path, error);
  }
}

/** Removes what a killed server left; all else is told. */
async function removeDead(entry: MountEntry, detach: (path: string) => Promise<void>): Promise<void> {
  const { at, type, userId } = entry;
  const answer = isFuse(entry) ? await ask(at) : 'alive';
  if (answer !== 'dead') throw occupied(entry, answer);
  if (type !== FSTYPE) {
    throw new DoorError(
      `${at} is a dead mount of ${type}; unmount it (umount -l ${at}), or name another directory`,
    );
  }
  const me = process.getuid!();
  if (me !== 0 && userId !== me) {
    throw new DoorError(
      `${at} is a dead mount of ${hostUsers().userName(userId ?? 0)}, whose server was killed; ` +
        `to be rid of it, as root: umount -l ${at}`,
    );
  }
  await detach(at).catch((error: unknown) => {
    throw new DoorError(
      `${at} is a dead mount of a server that was killed, and cannot be removed from here: ` +
        `${(error as Error).message}; as root, outside of this namespace: umount -l ${at}`,
    );
  });
}

function occupied({ at, type, source, userId }: MountEntry, answer: 'alive' | 'silent'): DoorError {
  if (type !== FSTYPE) {
    const silence = answer === 'silent' ? ' that does not answer' : '';
    return new DoorError(
      `${source} (${type}) is mounted on ${at} already${silence}; name another directory, or unmount it: umount ${at}`,
    );
  }
  const whose = `a slashnet of ${hostUsers().userName(userId ?? 0)}`;
  if (answer === 'alive') {
    return new DoorError(`${whose} is running on ${at} already; stop it, or name another directory`);
  }
  return new DoorError(
    `${whose} is mounted on ${at} already and does not answer; kill it, or name another directory`,
  );
}

async function checkEmpty(path: string, itself: string): Promise<void> {
  const [first, ...more] = await readdir(itself);
  if (first === undefined) return;
  const rest = more.length === 0 ? '' : ` and ${more.length} more`;
  throw new DoorError(
    `${path} is not empty, and a mount would hide what is in it (${first}${rest}); name an empty directory`,
  );
}

function cannotUse(path: string, error: unknown): Error {
  if (error instanceof DoorError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'ENOENT':
      return new DoorError(`${path} does not exist; make it: mkdir -p ${path}`);
    case 'ENOTDIR':
      return new DoorError(`${path} is not a directory; name one, empty, to mount on`);
    case 'EACCES':
      return new DoorError(
        `${path} is closed to ${hostUsers().userName(process.getuid!())}; name a directory that you may read`,
      );
    default:
      return new DoorError(`${path} cannot be mounted on: ${message}`);
  }
}

const isFuse = ({ type }: MountEntry): boolean => /^fuse(blk)?(\.|$)/.test(type);

/**
 * How the file system at `path` answers statfs, which the kernel never answers for it - but to those
 * who may not come in, who are told nothing. In a child: it may be stuck there for ever.
 */
function ask(path: string): Promise<'alive' | 'dead' | 'silent'> {
  return new Promise(resolve => {
    const env = { ...process.env, LC_ALL: 'C' };
    const child = spawn('stat', ['-f', '--', path], { stdio: ['ignore', 'ignore', 'pipe'], env });
    const { stderr } = child;
    const timer = setTimeout(() => {
      // Even this may not end it, if its request has been read.
      child.kill('SIGKILL');
      child.unref();
      stderr.destroy();
      resolve('silent');
    }, PATIENCE_MS);
    let said = '';
    stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', () => resolve('silent'));
    child.once('close', () => {
      clearTimeout(timer);
      // Aborted: it ended while it was asked. Refused: it has not agreed with the kernel on a protocol.
      resolve(/not connected|connection abort|Connection refused/.test(said) ? 'dead' : 'alive');
    });
  });
}

// ---- one at a time ------------------------------------------------------------------------------

/** What those lock who mount on `path`, or unmount what is dead there: its parent, if it can be opened. */
export async function lockFor(path: string): Promise<string> {
  const parent = dirname(path);
  return access(parent, constants.R_OK).then(
    () => parent,
    () => '/dev/null',
  );
}

/** Runs `work` while no watchdog may unmount anything. */
export async function whileLocked<T>(lock: string, work: () => Promise<T>): Promise<T> {
  const handle = await open(lock);
  try {
    await acquire(handle.fd);
    return await work();
  } finally {
    await handle.close();
  }
}

/** A watchdog has it for some milliseconds; one that is stuck is not waited for. */
async function acquire(fd: number): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!locked(fd) && Date.now() < end) await new Promise(resolve => setTimeout(resolve, 10));
}

/** Where there are no locks it is as if one had it. */
function locked(fd: number): boolean {
  try {
    return tryLock(fd);
  } catch {
    return true;
  }
}
