/**
 * A unix socket. The kernel says who connects (SO_PEERCRED); root may attach for others, which is how
 * v9fs mounts with access=user; everybody else is himself.
 */
import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { fdOf } from '../../host/fd.ts';
import { peerCredentials } from '../../host/libc.ts';
import { unauthenticated, type Caller, type Peer, type Users } from '../../policy/identity.ts';
import { client, DoorError, type Door, type OnClient } from './door.ts';

export interface UnixOptions {
  /** Permission bits of the socket's file. */
  readonly mode: number;
  /** Every attach is the peer's, whatever it claims. */
  readonly squash: boolean;
  readonly users: Users;
}

export async function unixDoor(path: string, options: UnixOptions, onClient: OnClient): Promise<Door> {
  const server = createServer({ pauseOnConnect: true });
  try {
    await bind(server, path, options.mode);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cannotListen(path, error);
    await removeStale(path);
    await bind(server, path, options.mode).catch((second: unknown) => {
      throw cannotListen(path, second);
    });
  }
  return unixDoorOn(server, `unix!${path}`, options, onClient);
}

/** The door of a server that listens already. */
export function unixDoorOn(server: Server, name: string, options: UnixOptions, onClient: OnClient): Door {
  server.on('connection', socket => {
    const { stream, direct } = client(socket);
    onClient(stream, unixPeer(stream, options), direct);
  });
  const closed = new Promise<void>(resolve => server.once('close', () => resolve()));
  return { name, address: undefined, closed, close: () => void server.close() };
}

/** Binds with the mode from the start: no moment in which the socket is open to others. */
function bind(server: Server, path: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    // Node binds in the same step, so the umask is nobody else's.
    const umask = process.umask(0o777 & ~mode);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
    process.umask(umask);
  });
}

/** A socket that a killed server left is removed; anything else that is in the way stays. */
async function removeStale(path: string): Promise<void> {
  if (!lstatSync(path).isSocket()) throw new DoorError(`${path} exists and is no socket; name another path`);
  if (await answers(path)) {
    throw new DoorError(
      `a server is already listening at unix!${path}; stop it, or name another: --listen unix!PATH`,
    );
  }
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = connect(path, () => {
      probe.destroy();
      resolve(true);
    });
    // Refused is what says that nobody listens; another error is no reason to remove anything.
    probe.on('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

function cannotListen(path: string, error: unknown): DoorError {
  const { code, message } = error as NodeJS.ErrnoException;
  // libuv gives bind's ENOENT as EACCES.
  if (code === 'EACCES' && !existsSync(dirname(path))) {
    return new DoorError(`unix!${path}: its directory does not exist`);
  }
  if (code === 'EACCES') return new DoorError(`unix!${path}: you may not create files in its directory`);
  return new DoorError(`unix!${path}: ${message}`);
}

export function unixPeer(socket: Socket, { squash, users }: UnixOptions): Peer {
  const fd = fdOf(socket);
  const who = fd === undefined ? undefined : peerCredentials(fd);
  if (who === undefined) return { caller: unauthenticated(), claims: 'ignored' };
  const { pid, uid, gid, groups } = who;
  // 0: a process of another pid namespace.
  const caller: Caller = { name: users.userName(uid), uid, gid, groups, pid: pid > 0 ? pid : undefined };
  if (squash) return { caller, claims: 'ignored' };
  return { caller, claims: uid === 0 ? 'anyone' : 'self' };
}
