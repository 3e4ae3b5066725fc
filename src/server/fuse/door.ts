/** A mounted /net as one of the server's doors. */
import { FsError } from '../../netfs/error.ts';
import { DoorError, type Door } from '../transport/door.ts';
import type { Ids } from './callers.ts';
import { mount, type MountOptions } from './mount.ts';
import type { FuseSession } from './session.ts';

/** Mounts the tree that `serve` serves at `dir`; `/dev/fd/N` is a mount that somebody else has made. */
export async function fuseDoor(
  dir: string,
  options: MountOptions,
  serve: (fd: number, ids: Ids) => FuseSession,
): Promise<Door> {
  const mounted = await mount(dir, options);
  const session = serve(mounted.fd, mounted.ids);
  try {
    await session.ready;
  } catch (error) {
    session.close();
    await mounted.unmount();
    throw new DoorError(`${dir}: ${error instanceof FsError ? error.sentence : String(error)}`);
  }
  // Whoever unmounts it ends the session; what stands beside the mount ends with it.
  const closed = session.ended.then(() => mounted.unmount());
  return { name: mounted.dir, address: undefined, closed, close: () => void mounted.unmount() };
}
