/**
 * Mounting as an ordinary user: the setuid program fusermount3 mounts, and hands the open /dev/fuse back
 * over a socket that it finds by _FUSE_COMMFD.
 *
 * Its auto_unmount is not used. With it the program stays, and does what our watchdog does - which we
 * need for root anyway; without it the program ends at once, and its exit says how it went.
 */
import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { receiveFd, socketPair } from '../../host/fdpass.ts';
import { statusField, statusOf } from '../../host/proc.ts';
import { hostUsers } from '../../host/users.ts';
import { DoorError } from '../transport/door.ts';
import { checkDevice } from './devfuse.ts';
import type { MountOptions } from './mount.ts';

const PROGRAM = 'fusermount3';

/** Takes a mount away, lazily; the directory follows. */
export const UNMOUNT: readonly string[] = [PROGRAM, '-u', '-z', '--'];

/** Mounts on an absolute path; the descriptor is the caller's. */
export async function attach(dir: string, options: MountOptions): Promise<number> {
  checkDevice();
  const [ours, theirs] = socketPair();
  try {
    const { failed, said } = await run(['-o', optionList(options), '--', dir], theirs);
    const fd = receiveFd(ours);
    if (fd === undefined || failed) throw refused(dir, said);
    return fd;
  } finally {
    closeSync(ours);
  }
}

export async function detach(dir: string): Promise<void> {
  const { failed, said } = await run(UNMOUNT.slice(1).concat(dir));
  if (failed) throw new DoorError(`${dir} could not be unmounted: ${said}; as root: umount -l ${dir}`);
}

function optionList({ allowOther, name = 'slashnet' }: MountOptions): string {
  // A comma would end the name, and fusermount3 knows the backslash.
  const fsname = name.replace(/[\\,]/g, '\\$&');
  const list = ['nosuid', 'nodev', 'noexec', 'noatime', `fsname=${fsname}`, 'subtype=slashnet'];
  return (allowOther ? [...list, 'allow_other'] : list).join(',');
}

interface Ended {
  readonly failed: boolean;
  /** What it said, without its name. */
  readonly said: string;
}

/** Runs it to its end; `socket` becomes its descriptor 3, and is closed here. */
function run(args: readonly string[], socket?: number): Promise<Ended> {
  const passed = socket === undefined ? [] : [socket];
  const env = { ...process.env, LC_ALL: 'C', _FUSE_COMMFD: '3' };
  const child = spawn(PROGRAM, args, { stdio: ['ignore', 'ignore', 'pipe', ...passed], env });
  if (socket !== undefined) closeSync(socket);
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => (said += chunk.toString()));
    child.once('error', (error: NodeJS.ErrnoException) => reject(cannotRun(error)));
    child.once('close', code => {
      resolve({
        failed: code !== 0,
        said: said
          .replace(/^fusermount3?: /gm, '')
          .trim()
          .replaceAll('\n', '; '),
      });
    });
  });
}

function cannotRun({ code, message }: NodeJS.ErrnoException): DoorError {
  if (code !== 'ENOENT')
    return new DoorError(`${PROGRAM}, which mounts for ordinary users, does not run: ${message}`);
  return new DoorError(
    `${PROGRAM}, which mounts for ordinary users, is not there; install it: apt-get install fuse3; ` +
      'or mount as root, or in namespaces of your own: unshare -Urm',
  );
}

/** What fusermount3 3.17 says (util/fusermount.c of libfuse), and what it means to our user. */
const REFUSALS: readonly (readonly [RegExp, (dir: string) => string])[] = [
  [
    /could not determine username/,
    () =>
      `user ${process.getuid!()} has no entry in /etc/passwd, and ${PROGRAM} mounts for nobody without; ` +
      'add one, or mount as root',
  ],
  [
    /user_allow_other/,
    dir =>
      `${dir}: only root may let other users in; to allow it to ordinary users, as root: ` +
      'echo user_allow_other >>/etc/fuse.conf; or mount without --allow-other',
  ],
  [/mount failed: Operation not permitted/, dir => `${dir}: ${powerless()}`],
  [
    /not owned by user|no write access|failed to chdir to mountpoint: Permission denied/,
    dir =>
      `${dir} is not a directory that ${me()} may write to, and ${PROGRAM} mounts nowhere else for ordinary ` +
      `users; name one of yours, or, as root: chown ${me()} ${dir}`,
  ],
  [
    /too many FUSE filesystems mounted/i,
    dir => `${dir}: ordinary users have mounted too many file systems; raise mount_max in /etc/fuse.conf`,
  ],
  [
    /mounting over filesystem type/,
    dir => `${dir} is in a file system that ${PROGRAM} does not mount on; name a directory elsewhere`,
  ],
];

const me = (): string => hostUsers().userName(process.getuid!());

function refused(dir: string, said: string): DoorError {
  const sentence = REFUSALS.find(([pattern]) => pattern.test(said))?.[1](dir);
  return new DoorError(
    sentence ?? `${dir}: ${PROGRAM} refused: ${said === '' ? 'it does not say why' : said}`,
  );
}

/** Why it is not root, although it should be: execve(2) leaves setuid out under no_new_privs. */
function powerless(): string {
  if (statusField(statusOf('self'), 'NoNewPrivs') === '1') {
    return (
      `${PROGRAM} cannot become root, since slashnet was started under no_new_privs (sandboxes do that, and ` +
      'NoNewPrivileges= of systemd); start it outside, or have root mount it: ' +
      'mount -t fuse.slashnet -o setuid=USER,drop_privileges slashnet DIR'
    );
  }
  return (
    `${PROGRAM} may not mount: it is not setuid root, or slashnet is in a user namespace; in the first case, ` +
    `as root: chmod u+s "$(command -v ${PROGRAM})"; in the second make a whole one: unshare -Urm`
  );
}
