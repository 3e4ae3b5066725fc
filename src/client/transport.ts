/** The stream of bytes to a server at an endpoint. */
import { connect as connectSocket, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { formatEndpoint, type Endpoint } from '../endpoint.ts';
import { TransportError } from './error.ts';

/** Fails with TransportError, whose code is the system's (ECONNREFUSED, ENOENT), or the signal's reason. */
export async function openTransport(at: Endpoint, signal?: AbortSignal): Promise<Duplex> {
  signal?.throwIfAborted();
  switch (at.kind) {
    case 'stdio':
      return Duplex.from({ readable: process.stdin, writable: process.stdout });
    case 'unix':
      return connected(connectSocket({ path: at.path }), at, signal);
    case 'tcp':
      return connected(connectSocket({ host: at.host, port: at.port, noDelay: true }), at, signal);
  }
}

function connected(socket: Socket, at: Endpoint, signal?: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      socket.destroy();
      reject(signal?.reason as Error);
    };
    const settle = (): void => {
      socket.removeAllListeners('error');
      signal?.removeEventListener('abort', abort);
    };
    signal?.addEventListener('abort', abort, { once: true });
    socket.once('connect', () => {
      settle();
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      settle();
      reject(new TransportError(`cannot reach ${formatEndpoint(at)}: ${error.message}`, error));
    });
  });
}
