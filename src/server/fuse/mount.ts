/**
 * Mounting: from a directory to an open /dev/fuse that is mounted there, or to a sentence that says
 * what is missing.
 *
 * Root, and who is root in a user namespace, mounts with mount(2): no child, no helper. Ordinary users
 * go by way of fusermount3. And who was given a mounted /dev/fuse names it, as mount.fuse3 does:
 * /dev/fd/N.
 *
 * The kernel asks the server for everything in the mount, so nothing here may look at the directory
 * once it is mounted: the server would wait for itself.
 */
import { closeSync } from 'node:fs';
import { detach, mount as mountCall, mountedByOurUsers, MS, type SystemError } from '../../host/mount.ts';
import { statusField, statusOf } from '../../host/proc.ts';
import { DoorError } from '../transport/door.ts';
import type { Ids } from './callers.ts';
import { checkHanded, openDevice } from './devfuse.ts';
import * as fusermount from './fusermount.ts';
import { mountAt, mounts } from './mountinfo.ts';
import { clear, FSTYPE, locate, lockFor, openTarget, whileLocked } from './mountpoint.ts';
import { startWatchdog, type Watchdog } from './watchdog.ts';

export interface MountOptions {
  /** Other users than the one who mounts may come in. */
  readonly allowOther: boolean;
  /** What /proc/mounts shows as the source; else slashnet. */
  readonly name?: string;
  /** A descriptor that is handed over was mounted in the namespaces of this process, as who started it knows. */
  readonly trustHanded?: boolean;
}

export interface Mounted {
  /** Absolute and without symbolic links; /dev/fd/N for one that was handed to us. */
  readonly dir: string;
  /** /dev/fuse, open and mounted, the caller's to close; no program that is started inherits it. */
  readonly fd: number;
  /** What the ids in its requests mean here. */
  readonly ids: Ids;
  /**
   * Takes the mount away at once, even while somebody is in it; he is served until he leaves or the
   * descriptor is closed. Also when it is gone already, and more than once.
   */
  unmount(): Promise<void>;
}

/** One way to mount; paths are absolute. */
interface Way {
  /** `target` is the directory, open: a path may lead elsewhere by now. */
  attach(dir: string, options: MountOptions, target: number): Promise<number>;
  /** Takes away what is on top there, lazily. */
  detach(dir: string): Promise<void>;
  /** The command that does the same; the directory follows. */
  readonly unmount: readonly string[];
}

/** Mounts on a directory; throws a DoorError where it cannot. */
export async function mount(dir: string, options: MountOptions): Promise<Mounted> {
  const handed = /^\/dev\/fd\/(\d+)$/.exec(dir)?.[1];
  if (handed !== undefined) return handedOver(dir, Number(handed), options);
  const way = wayToMount();
  const path = await locate(dir);
  const lock = await lockFor(path);
  return whileLocked(lock, async () => {
    await clear(path, way.detach);
    const target = await openTarget(path);
    const watchdog = startWatchdog(path, lock, way.unmount);
    try {
      return await attached(path, target, options, way, watchdog);
    } catch (error) {
      await watchdog.dismiss();
      throw error;
    } finally {
      closeSync(target);
    }
  });
}

async function attached(
  dir: string,
  target: number,
  options: MountOptions,
  way: Way,
  watchdog: Watchdog,
): Promise<Mounted> {
  const fd = await way.attach(dir, options, target);
  const ours = await mountAt(dir);
  const unmount = async (): Promise<void> => {
    // It may have been moved with a directory above, or unmounted and something new be there.
    const now = (await mounts()).find(({ id, device }) => id === ours?.id && device === ours.device);
    if (now !== undefined && (await mountAt(now.at))?.id === now.id) await way.detach(now.at);
    await watchdog.dismiss();
  };
  let unmounted: Promise<void> | undefined;
  return { dir, fd, ids: 'ours', unmount: () => (unmounted ??= unmount()) };
}

/**
 * Whoever mounted it unmounts it; mount.fuse3 leaves its program no right to. When the descriptor is
 * closed the mount is dead, and umount(8) removes it.
 */
function handedOver(dir: string, fd: number, options: MountOptions): Mounted {
  checkHanded(fd);
  return { dir, fd, ids: idsOfHanded(fd, options), unmount: () => Promise.resolve() };
}

/** It may have been mounted in any namespace. That it was in another user namespace no trust makes untrue. */
function idsOfHanded(fd: number, { trustHanded = false }: MountOptions): Ids {
  const here = mountedByOurUsers(fd);
  if (here === false) return 'unknown';
  if (trustHanded) return 'ours';
  return here === true ? 'users' : 'unknown';
}

// ---- ways ---------------------------------------------------------------------------------------

function wayToMount(): Way {
  if (hasCapSysAdmin()) return byKernel;
  if (process.geteuid!() !== 0) return fusermountWay;
  throw new DoorError(
    'root may not mount here: CAP_SYS_ADMIN is missing; in a container: start it with ' +
      '--cap-add SYS_ADMIN --device /dev/fuse, or mount in namespaces of your own: unshare -Urm',
  );
}

/** <linux/capability.h> */
const CAP_SYS_ADMIN = 21n;

function hasCapSysAdmin(): boolean {
  const effective = statusField(statusOf('self'), 'CapEff') ?? '0';
  return ((BigInt(`0x${effective}`) >> CAP_SYS_ADMIN) & 1n) === 1n;
}

const byKernel: Way = {
  unmount: ['umount', '-l', '--'],
  async attach(dir, { allowOther, name = 'slashnet' }, target) {
    const fd = openDevice();
    const ids = `user_id=${process.getuid!()},group_id=${process.getgid!()}`;
    // Not default_permissions: the server decides who may do what.
    const data = `fd=${fd},rootmode=40000,${ids}${allowOther ? ',allow_other' : ''}`;
    try {
      mountCall(name, `/proc/self/fd/${target}`, FSTYPE, MS.NOSUID | MS.NODEV | MS.NOEXEC | MS.NOATIME, data);
    } catch (error) {
      closeSync(fd);
      throw cannotMount(dir, error as SystemError);
    }
    return fd;
  },
  async detach(dir) {
    try {
      detach(dir);
    } catch (error) {
      throw new DoorError(`${dir} could not be unmounted: ${(error as SystemError).message}`);
    }
  },
};

const fusermountWay: Way = {
  unmount: fusermount.UNMOUNT,
  attach: fusermount.attach,
  detach: fusermount.detach,
};

function cannotMount(dir: string, { code, message }: SystemError): DoorError {
  switch (code) {
    case 'EPERM':
      return new DoorError(
        `${dir}: this process may not mount, although it has CAP_SYS_ADMIN: its mount namespace belongs to ` +
          'others (make one: unshare -Urm, not -Ur), or its container forbids it ' +
          '(--cap-add SYS_ADMIN --security-opt apparmor=unconfined)',
      );
    case 'ENODEV':
      return new DoorError(`${dir}: this kernel has no FUSE; load the module: modprobe fuse`);
    case 'ENOSPC':
      return new DoorError(
        `${dir}: too much is mounted in this namespace; raise fs.mount-max: sysctl fs.mount-max`,
      );
    default:
      return new DoorError(`${dir} cannot be mounted on: ${message}`);
  }
}
