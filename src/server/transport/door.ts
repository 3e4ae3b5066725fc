/** A place where the server takes 9P connections. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Endpoint as Address } from '../../netfs/address.ts';
import { adopt, fdOf, readNow, writeNow, writevNow } from '../../host/fd.ts';
import type { Peer } from '../../policy/identity.ts';
import type { Direct } from '../9p/session.ts';

/** A client has come: whom the transport knows it to be. */
export type OnClient = (stream: Duplex, peer: Peer, direct?: Direct) => void;

export interface Door {
  /** Where it listens, as a client would dial it: `unix!/run/slashnet.sock`. */
  readonly name: string;
  /** Its address, if the network of this host reaches it: where slashnet itself must not dial. */
  readonly address: Address | undefined;
  /** Settles when no more clients can come. */
  readonly closed: Promise<void>;
  /** Takes no more clients; those that are there stay. */
  close(): void;
}

/** A door that cannot be opened; the message says what to do. */
export class DoorError extends Error {}

/** A client of a socket server, as the session wants it: see Direct. The accepted socket must be paused. */
export function client(accepted: Socket): { stream: Socket; direct: Direct | undefined } {
  if (fdOf(accepted) === undefined) return { stream: accepted.resume(), direct: undefined };
  let receive: (chunk: Buffer) => void = () => {};
  const stream = adopt(accepted, {
    buffer: scratch,
    callback: n => {
      receive(scratch.subarray(0, n));
      return true;
    },
  });
  const direct: Direct = {
    ...directCalls(stream),
    onChunk(receiver) {
      receive = receiver;
      stream.resume();
    },
  };
  return { stream, direct };
}

/** One read of any session; lent to it for the call. */
const scratch = Buffer.allocUnsafeSlow(256 * 1024);

function directCalls(stream: Socket): Omit<Direct, 'onChunk'> {
  const BLOCKED = -1;
  return {
    read: into => quietly(() => withFd(stream, fd => readNow(fd, into))),
    // What the stream still holds goes first.
    write: data => (stream.writableLength > 0 ? BLOCKED : withFd(stream, fd => writeNow(fd, data))),
    writev: data => (stream.writableLength > 0 ? BLOCKED : withFd(stream, fd => writevNow(fd, data))),
  };
}

function withFd(stream: Socket, call: (fd: number) => number): number {
  const fd = fdOf(stream);
  return fd === undefined ? -1 : call(fd);
}

/** An error of a read is met again by the stream, which tells the session. */
function quietly(call: () => number): number {
  try {
    return call();
  } catch {
    return -1;
  }
}
