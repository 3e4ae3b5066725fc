/** Getting an open /dev/fuse: by opening it, or from whoever started us. */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs';
import { closeOnExec, isBroken } from '../../host/mount.ts';
import { hostUsers } from '../../host/users.ts';
import { DoorError } from '../transport/door.ts';

const DEVICE = '/dev/fuse';
/** misc device 229: <linux/miscdevice.h>, FUSE_MINOR; as stat(2) gives it */
const RDEV = (10 << 8) | 229;

/** Opened for this process alone (Node opens with O_CLOEXEC); the caller closes it. */
export function openDevice(): number {
  let fd: number;
  try {
    fd = openSync(DEVICE, 'r+');
  } catch (error) {
    throw cannotOpen(error as NodeJS.ErrnoException);
  }
  if (fstatSync(fd).rdev === RDEV) return fd;
  closeSync(fd);
  throw new DoorError(`${DEVICE} is not the FUSE device; make it anew: mknod ${DEVICE} c 10 229`);
}

/** Fails with a sentence if it cannot be opened. */
export function checkDevice(): void {
  closeSync(openDevice());
}

function cannotOpen({ code, message }: NodeJS.ErrnoException): DoorError {
  switch (code) {
    case 'ENOENT':
      return new DoorError(
        `${DEVICE} does not exist, so nothing can be mounted; load the module: modprobe fuse; ` +
          `in a container: start it with --device ${DEVICE}`,
      );
    case 'ENODEV':
    case 'ENXIO':
      return new DoorError(`this kernel has no FUSE; load the module: modprobe fuse`);
    case 'EPERM':
      // By the devices cgroup: the file's mode has let us through.
      return new DoorError(
        `${DEVICE} is there, but this container may not use it; start it with --device ${DEVICE}`,
      );
    case 'EACCES':
      return new DoorError(
        `${DEVICE} is closed to ${hostUsers().userName(process.getuid!())}; to open it, as root of the machine: ${howToOpen()}`,
      );
    default:
      return new DoorError(`${DEVICE} cannot be opened: ${message}`);
  }
}

/** udev gives it mode 0666; where there is no udev it may be anything. */
function howToOpen(): string {
  const { mode, gid } = statSync(DEVICE);
  const users = hostUsers();
  if ((mode & 0o060) !== 0o060 || gid === 0) return `chmod 0666 ${DEVICE}`;
  return `adduser ${users.userName(process.getuid!())} ${users.groupName(gid)}, or chmod 0666 ${DEVICE}`;
}

/** A descriptor that is mounted already: mount.fuse3 and others pass one. */
export function checkHanded(fd: number): void {
  const name = `/dev/fd/${fd}`;
  let rdev: number;
  try {
    rdev = fstatSync(fd).rdev;
  } catch {
    throw new DoorError(
      `${name} is not open; whoever starts slashnet with it, as mount.fuse3 does, must pass it on, mounted`,
    );
  }
  if (rdev !== RDEV)
    throw new DoorError(`${name} is not ${DEVICE}; pass one that is open and mounted, as mount.fuse3 does`);
  if (isBroken(fd))
    throw new DoorError(`${name} is ${DEVICE}, but not mounted; mount it before, as mount.fuse3 does`);
  closeOnExec(fd);
}
