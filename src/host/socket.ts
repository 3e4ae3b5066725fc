/** What is done to any socket of this host, and what the kernel says of it. */
import type { Socket } from 'node:net';
import { parseIp, UNSET, type Endpoint } from '../netfs/address.ts';
import type { ConnectionInfo, SocketOptions, TcpState } from '../netfs/dialer.ts';
import { FsError, fromSystem } from '../netfs/error.ts';
import { fdOf } from './fd.ts';
import { disconnect, setIntOption, SOCKET_OPTIONS, tcpInfo } from './libc.ts';

/** Ends a socket with RST. */
export function resetSocket(socket: Socket): void {
  sendReset(socket);
  socket.destroy();
}

/** The first half of that: it is to be destroyed soon. */
export function sendReset(socket: Socket): void {
  const fd = fdOf(socket);
  if (fd !== undefined) disconnect(fd);
}

export function configureSocket(fd: number, family: 4 | 6, options: SocketOptions): void {
  const names = family === 4 ? SOCKET_OPTIONS.ip : SOCKET_OPTIONS.ipv6;
  if (options.ttl !== undefined) setIntOption(fd, names.level, names.ttl, options.ttl);
  if (options.tos !== undefined) setIntOption(fd, names.level, names.tos, options.tos);
}

export const noDescriptor = (): FsError =>
  new FsError('Enodev', 'the server has no file descriptor left; raise its ulimit -n');

/** The error of a system call as one of ours; one that no table knows keeps its code as the detail. */
export function systemError(error: NodeJS.ErrnoException): FsError {
  if (error.code === 'EMFILE' || error.code === 'ENFILE') return noDescriptor();
  const name = fromSystem(error.code);
  return name === undefined ? new FsError('Eio', error.code ?? error.message) : new FsError(name);
}

export function endpoint(address: string | undefined, port: number | undefined): Endpoint {
  // A link-local address comes with its zone, which /net has no way to write.
  const ip = address === undefined ? undefined : parseIp(address.replace(/%.*/, ''));
  return ip === undefined || port === undefined ? UNSET : { ip, port };
}

/** The kernel's view of a TCP connection; undefined where it has none. */
export function connectionInfo(fd: number): ConnectionInfo | undefined {
  const raw = tcpInfo(fd);
  if (raw === undefined) return undefined;
  return {
    state: LINUX_STATES[raw.state] ?? 'Closed',
    rtt: raw.rtt / 1000,
    rttVar: raw.rttVar / 1000,
    ssthresh: raw.ssthresh >= NO_THRESHOLD ? 0 : raw.ssthresh * raw.sndMss,
    cwnd: raw.cwnd * raw.sndMss,
    retransmits: raw.totalRetrans,
  };
}

/** TCP_INFINITE_SSTHRESH (net/tcp.h): slow start has met no limit yet. */
const NO_THRESHOLD = 0x7fffffff;

/** linux/tcp_states.h, from 1 on; TCP_NEW_SYN_RECV is the last. */
const LINUX_STATES: readonly (TcpState | undefined)[] = [
  undefined,
  'Established',
  'Syn_sent',
  'Syn_received',
  'Finwait1',
  'Finwait2',
  'Time_wait',
  'Closed',
  'Close_wait',
  'Last_ack',
  'Listen',
  'Closing',
  'Syn_received',
];
