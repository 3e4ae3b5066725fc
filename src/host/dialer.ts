/** The network of this host, as a Dialer. */
import { Socket, type TcpSocketConnectOpts } from 'node:net';
import { FsError } from '../netfs/error.ts';
import { anyOf, formatEndpoint, formatIp, isUnspecified, type Endpoint } from '../netfs/address.ts';
import type { ConnectOptions, Dialer } from '../netfs/dialer.ts';
import { onAbort, type Signal } from '../abort.ts';
import { HostConnection, onreadFor } from './connection.ts';
import { configureSocket, systemError } from './socket.ts';
import { HostDatagrams } from './datagrams.ts';
import { fdOf } from './fd.ts';
import { HostListener, probe } from './listener.ts';

/** Local ports of `!r`, as Plan 9 takes them. */
const RESERVED = { first: 600, last: 1023 };

export const hostDialer: Dialer = {
  connect: (to, options, signal) =>
    options.reserved === true ? connectReserved(to, options, signal) : connect(to, options, signal),
  announce: (local, admits) => HostListener.announce(local, admits),
  datagrams: (remote, options) =>
    options.reserved === true && remote !== undefined
      ? reservedDatagrams(remote, options)
      : HostDatagrams.open(remote, options),
  probe: (local, protocol = 'tcp') => (protocol === 'tcp' ? probe(local) : probeDatagrams(local)),
};

function connect(to: Endpoint, options: ConnectOptions, signal: Signal): Promise<HostConnection> {
  return new Promise((resolve, reject) => {
    // onread is documented for net.connect, which hands its options to this constructor.
    const made = { allowHalfOpen: true, onread: onreadFor(() => connection) };
    const socket = new Socket(made);
    let connection: HostConnection;
    const fail = (error: NodeJS.ErrnoException): void => {
      stop();
      reject(connectError(error, to, options));
    };
    const stop = onAbort(signal, () => {
      socket.off('error', fail).on('error', () => {});
      socket.destroy();
      reject(signal.reason as Error);
    });
    if (signal.aborted) return;
    socket.once('error', fail);
    // The socket reads as soon as it is connected unless it was paused before.
    socket.pause();
    socket.connect(socketOptions(to, options), () => {
      stop();
      socket.off('error', fail);
      connection = new HostConnection(socket, to);
      connection.configure(options);
      resolve(connection);
    });
    const fd = fdOf(socket);
    if (fd !== undefined) configureSocket(fd, to.ip.family, options);
  });
}

function socketOptions(to: Endpoint, { local }: ConnectOptions): TcpSocketConnectOpts {
  const options: TcpSocketConnectOpts = { host: formatIp(to.ip), port: to.port };
  if (local === undefined) return options;
  if (!isUnspecified(local.ip)) options.localAddress = formatIp(local.ip);
  if (local.port !== 0) options.localPort = local.port;
  return options;
}

/** A failure in the words of a connect: which end an address error is about depends on what was asked. */
function connectError(error: NodeJS.ErrnoException, to: Endpoint, { local }: ConnectOptions): FsError {
  if (error.code === 'EADDRNOTAVAIL' && error.syscall === 'connect') {
    // The local address was bound; what is not to be had is this pair of ends.
    if (local !== undefined && local.port !== 0) return new FsError('Eaddrinuse');
    return new FsError('Enoports', `none left to reach ${formatEndpoint(to)}`);
  }
  if (error.code === 'EACCES' && local !== undefined && local.port !== 0) {
    return new FsError('Eperm', `the host lets only root connect from port ${local.port}`);
  }
  if (error.code === 'EINVAL' && local !== undefined && local.ip.family !== to.ip.family) {
    return new FsError('Enotlocal', `${formatIp(local.ip)} is of another family than ${formatIp(to.ip)}`);
  }
  return systemError(error);
}

async function connectReserved(
  to: Endpoint,
  options: ConnectOptions,
  signal: Signal,
): Promise<HostConnection> {
  for (const local of reservedEnds(to, options)) {
    try {
      return await connect(to, { ...options, local }, signal);
    } catch (error) {
      mustBeTaken(error);
    }
  }
  throw noneReserved();
}

function reservedDatagrams(to: Endpoint, options: ConnectOptions): HostDatagrams {
  for (const local of reservedEnds(to, options)) {
    try {
      return HostDatagrams.open(to, { ...options, local });
    } catch (error) {
      mustBeTaken(error);
    }
  }
  throw noneReserved();
}

/** The reserved ports, from the top as rresvport(3) goes. */
function* reservedEnds(to: Endpoint, options: ConnectOptions): Iterable<Endpoint> {
  const { family } = to.ip;
  const ip = options.local?.ip ?? anyOf(family);
  for (let port = RESERVED.last; port >= RESERVED.first; port--) yield { ip, port };
}

function mustBeTaken(error: unknown): void {
  if (!(error instanceof FsError) || error.name !== 'Eaddrinuse') throw error;
}

const noneReserved = (): FsError =>
  new FsError('Enoports', `every port from ${RESERVED.first} to ${RESERVED.last} is in use`);

async function probeDatagrams(local: Endpoint): Promise<Endpoint> {
  const socket = HostDatagrams.open(undefined, { local });
  socket.close();
  return Promise.resolve({ ip: local.ip, port: socket.local.port });
}
