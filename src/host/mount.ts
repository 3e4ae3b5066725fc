/** The system calls of mounting, which Node does not offer, through koffi. Linux only. */
import koffi from 'koffi';
import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';

const libc = koffi.load('libc.so.6');

const mountC = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);
// A C library older than 2.36 has no functions for these.
const fsopenC = libc.func('long syscall(long number, const char *type, unsigned int flags)');
const fsconfigC = libc.func(
  'long syscall(long number, int fd, unsigned int command, const char *key, const char *value, int aux)',
);
const closeC = libc.func('int close(int fd)');
const umount2C = libc.func('int umount2(const char *target, int flags)');
const flockC = libc.func('int flock(int fd, int operation)');
const fcntlC = libc.func('int fcntl(int fd, int command, int value)');
const pollC = libc.func('int poll(_Inout_ uint8_t *fds, unsigned long count, int milliseconds)');

/** mount(2), <linux/mount.h> */
export const MS = { NOSUID: 2, NODEV: 4, NOEXEC: 8, NOATIME: 1024 } as const;
/** fsopen(2), fsconfig(2): the numbers are those of every architecture; <linux/mount.h> */
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
/** umount2(2), <sys/mount.h> */
const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
/** flock(2) */
const LOCK_EX = 2;
const LOCK_NB = 4;
/** fcntl(2) */
const F_SETFD = 2;
const FD_CLOEXEC = 1;
/** poll(2) */
const POLLIN = 1;
const POLLERR = 8;

/** A call that the kernel refused: `code` as Node has it, the message as strerror(3) does. */
export class SystemError extends Error {
  readonly code: string;

  constructor(errno: number) {
    const [code, message] = getSystemErrorMap().get(-errno) ?? [`errno ${errno}`, `errno ${errno}`];
    super(message);
    this.code = code;
  }
}

function check(result: number): void {
  if (result !== 0) throw new SystemError(koffi.errno());
}

export function mount(source: string, target: string, type: string, flags: number, data: string): void {
  check(mountC(source, target, type, flags, data) as number);
}

/**
 * Takes the topmost mount away at once; who is inside stays there until he leaves. The path is not
 * asked of the file system that is mounted there, so its own server may call this.
 */
export function detach(target: string): void {
  check(umount2C(target, MNT_DETACH | UMOUNT_NOFOLLOW) as number);
}

/**
 * Whether a mounted /dev/fuse was mounted in this process's user namespace; undefined where the kernel
 * does not say: to a process without CAP_SYS_ADMIN, and before Linux 5.15.
 *
 * It is asked for the file system once more, which it gives for a descriptor that has one - and refuses
 * with EBUSY if that is another user namespace's (sget_fc in fs/super.c). Nothing is mounted by that.
 */
export function mountedByOurUsers(fd: number): boolean | undefined {
  const context = fsopenC(SYS_FSOPEN, 'fuse', FSOPEN_CLOEXEC) as number;
  if (context < 0) return undefined;
  const ask = (command: number, key: string | null, value: string | null): boolean =>
    (fsconfigC(SYS_FSCONFIG, context, command, key, value, 0) as number) === 0;
  try {
    const settings = Object.entries({ fd: String(fd), rootmode: '40000', user_id: '0', group_id: '0' });
    if (!settings.every(([key, value]) => ask(FSCONFIG_SET_STRING, key, value))) return undefined;
    if (ask(FSCONFIG_CMD_CREATE, null, null)) return true;
    return koffi.errno() === constants.errno.EBUSY ? false : undefined;
  } finally {
    closeC(context);
  }
}

/** Locks an open file or directory against others; false if somebody has it. Closing gives it back. */
export function tryLock(fd: number): boolean {
  if ((flockC(fd, LOCK_EX | LOCK_NB) as number) === 0) return true;
  const errno = koffi.errno();
  if (errno === constants.errno.EWOULDBLOCK) return false;
  throw new SystemError(errno);
}

/** No program that is started from now on gets it. */
export function closeOnExec(fd: number): void {
  check(fcntlC(fd, F_SETFD, FD_CLOEXEC) as number);
}

/** What poll(2) says of a /dev/fuse that was never mounted or is no more: POLLERR. */
export function isBroken(fd: number): boolean {
  const pollfd = Buffer.alloc(8);
  pollfd.writeInt32LE(fd, 0);
  pollfd.writeInt16LE(POLLIN, 4);
  pollC(pollfd, 1, 0);
  return (pollfd.readInt16LE(6) & POLLERR) !== 0;
}
