/**
 * Standard input and output, so that ssh, socat or inetd can carry 9P. The other end is the user that
 * runs this process, who was let in by whatever started it; unless the input is itself a socket that
 * tells more, or less.
 */
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { socketName } from '../../host/libc.ts';
import type { Caller, Peer } from '../../policy/identity.ts';
import type { Door, OnClient } from './door.ts';
import { tcpPeer, type TcpOptions } from './tcp.ts';
import { unixPeer, type UnixOptions } from './unix.ts';

export function stdioDoor(owner: Caller, options: UnixOptions & TcpOptions, onClient: OnClient): Door {
  // One descriptor for both when inetd made them the same connection.
  const input = process.stdin;
  const output = outputStream();
  const stream = Duplex.from({ readable: input, writable: output });
  const closed = new Promise<void>(resolve => stream.once('close', () => resolve()));
  const door: Door = { name: '-', address: undefined, closed, close: () => {} };
  onClient(stream, stdioPeer(owner, options));
  return door;
}

/** process.stdout would block the whole server while the client does not read. */
function outputStream(): NodeJS.WritableStream {
  try {
    return new Socket({ fd: 1, readable: false, writable: true });
  } catch {
    return process.stdout;
  }
}

function stdioPeer(owner: Caller, options: UnixOptions & TcpOptions): Peer {
  const socket = socketName(0);
  if (socket?.family === 'tcp') return tcpPeer(options);
  if (socket?.family === 'unix' && process.stdin instanceof Socket) {
    return unixPeer(process.stdin, options);
  }
  return { caller: owner, claims: options.squash ? 'ignored' : 'self' };
}
