/** What stands before each datagram of a udp conversation to which `headers` was written: ip(3). */
import { bytes16, formatEndpoint, ipFromBytes, isMulticast, isUnspecified, type Ip } from './address.ts';
import type { Datagram, DatagramRoute } from './dialer.ts';
import { FsError } from './error.ts';
import type { Reply } from './node.ts';

/** remote, local and interface address in 16 bytes each, remote and local port in 2, big-endian: ip(3), `headers`. */
export const HEADER = 52;

/** The datagram behind its header; what is too much for the reply is lost. */
export function withHeader(datagram: Datagram, port: number, reply: Reply): number {
  const { bytes, from, to } = datagram;
  const room = reply.room(HEADER + bytes.length);
  room.set(bytes16(from.ip), 0);
  room.set(bytes16(to), 16);
  room.set(bytes16(datagram.interface), 32);
  room.writeUInt16BE(from.port, 48);
  room.writeUInt16BE(port, 50);
  bytes.copy(room, HEADER);
  return Math.min(room.length, HEADER + bytes.length);
}

/**
 * Where a header sends: the local port is the announced one, and the local address counts where it is
 * one of this machine's; a datagram that came for a group is answered by the interface's own.
 */
export function routeOf(data: Buffer): DatagramRoute {
  if (data.length < HEADER)
    throw new FsError('Eshortio', `headers take ${HEADER} bytes, here are ${data.length}`);
  const to = { ip: ipFromBytes(data.subarray(0, 16)), port: data.readUInt16BE(48) };
  if (isUnspecified(to.ip)) throw new FsError('Ebadip', `${formatEndpoint(to)} is no destination`);
  if (to.port === 0) throw new FsError('Ebadport', 'port 0 is no destination');
  const local = ipFromBytes(data.subarray(16, 32));
  const from = isMulticast(local) || isBroadcast(local) ? ipFromBytes(data.subarray(32, 48)) : local;
  return { to, from };
}

const isBroadcast = ({ family, bytes }: Ip): boolean => family === 4 && bytes.every(byte => byte === 255);
