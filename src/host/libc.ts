/** The few system calls that Node does not offer, through koffi. Linux only; every fd is the caller's. */
import koffi from 'koffi';
import { endianness } from 'node:os';

const libc = koffi.load('libc.so.6');

const getsockoptC = libc.func(
  'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)',
);
const setsockoptC = libc.func(
  'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)',
);
const ioctlIntC = libc.func('int ioctl(int fd, unsigned long request, _Out_ int *value)');
const getsocknameC = libc.func('int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)');
const connectC = libc.func('int connect(int fd, const uint8_t *address, uint32_t length)');
const socketC = libc.func('int socket(int domain, int type, int protocol)');
const sendtoC = libc.func(
  'long sendto(int fd, const uint8_t *data, unsigned long size, int flags, const uint8_t *address, uint32_t length)',
);
const readC = libc.func('long read(int fd, uint8_t *into, unsigned long size)');
const writeC = libc.func('long write(int fd, const uint8_t *data, unsigned long size)');
const closeC = libc.func('int close(int fd)');

// socket(7), tcp(7), ip(7), ipv6(7), unix(7); values of asm-generic/socket.h and netinet/*.h
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_MEMINFO = 55;
const SK_MEMINFO_DROPS = 8;
const SO_PEERGROUPS = 59;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const FIONREAD = 0x541b;
const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOCK_NONBLOCK = 0o4000;
const MSG_NOSIGNAL = 0x4000;

export const SOCKET_OPTIONS = {
  ip: { level: 0, ttl: 2, tos: 1 },
  ipv6: { level: 41, ttl: 16, tos: 67 }, // IPV6_UNICAST_HOPS, IPV6_TCLASS
} as const;

if (endianness() !== 'LE') throw new Error('slashnet reads kernel structures as little-endian');

/** The bytes of a socket option, at most `size`; undefined where the kernel refuses. */
function getsockopt(fd: number, level: number, name: number, size: number): Buffer | undefined {
  const value = Buffer.alloc(size);
  const length = [size];
  if ((getsockoptC(fd, level, name, value, length) as number) !== 0) return undefined;
  return value.subarray(0, length[0]);
}

/** Sets an int option; false where the kernel refuses. */
export function setIntOption(fd: number, level: number, name: number, value: number): boolean {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return (setsockoptC(fd, level, name, bytes, 4) as number) === 0;
}

/** AF_UNSPEC, connect(2) */
const NOWHERE = Buffer.alloc(16);

/**
 * The other end of a TCP connection gets a reset at once, whatever is still to be sent. libuv's own way
 * refuses while a FIN waits to go out, and then never closes.
 */
export function disconnect(fd: number): void {
  connectC(fd, NOWHERE, NOWHERE.length);
}

export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups; undefined where the kernel does not tell. */
  readonly groups: readonly number[] | undefined;
}

/** Who opened the other end of a connected unix socket (SO_PEERCRED, SO_PEERGROUPS, unix(7)). */
export function peerCredentials(fd: number): PeerCredentials | undefined {
  const ucred = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, 12);
  if (ucred === undefined || ucred.length < 12) return undefined;
  return {
    pid: ucred.readInt32LE(0),
    uid: ucred.readUInt32LE(4),
    gid: ucred.readUInt32LE(8),
    groups: peerGroups(fd),
  };
}

/** NGROUPS_MAX (limits.h) */
const MAX_GROUPS = 65536;

function peerGroups(fd: number): number[] | undefined {
  // The small size is nearly always enough; the kernel refuses with ERANGE when it is not.
  const raw =
    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, 4 * 64) ??
    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, 4 * MAX_GROUPS);
  if (raw === undefined) return undefined;
  return Array.from({ length: raw.length / 4 }, (_, i) => raw.readUInt32LE(4 * i));
}

/** Of struct tcp_info (linux/tcp.h); times in microseconds, windows in segments. */
export interface TcpInfo {
  readonly state: number;
  readonly retransmits: number;
  readonly sndMss: number;
  readonly rtt: number;
  readonly rttVar: number;
  readonly ssthresh: number;
  readonly cwnd: number;
  readonly totalRetrans: number;
}

export function tcpInfo(fd: number): TcpInfo | undefined {
  const raw = getsockopt(fd, IPPROTO_TCP, TCP_INFO, 104);
  if (raw === undefined || raw.length < 104) return undefined;
  return {
    state: raw[0]!,
    retransmits: raw[2]!,
    sndMss: raw.readUInt32LE(16),
    rtt: raw.readUInt32LE(68),
    rttVar: raw.readUInt32LE(72),
    ssthresh: raw.readUInt32LE(76),
    cwnd: raw.readUInt32LE(80),
    totalRetrans: raw.readUInt32LE(100),
  };
}

/** Bytes that wait to be read from a socket. */
export function bytesWaiting(fd: number): number {
  const value = [0];
  return (ioctlIntC(fd, FIONREAD, value) as number) === 0 ? value[0]! : 0;
}

/**
 * write(2) of the first `length` bytes: 0, or the errno. For small messages; it takes half the time of
 * fs.writeSync.
 */
export function writeFrame(fd: number, frame: Buffer, length: number): number {
  return (writeC(fd, frame, length) as number) < 0 ? koffi.errno() : 0;
}

/** read(2): how many bytes, or -1 for whatever reason; for messages that are probably there. */
export function readFrame(fd: number, into: Buffer): number {
  return readC(fd, into, into.length) as number;
}

/** Datagrams that a socket lost for want of room (SO_MEMINFO, <linux/sock_diag.h>). */
export function socketDrops(fd: number): number {
  const info = getsockopt(fd, SOL_SOCKET, SO_MEMINFO, 4 * 9);
  return info === undefined || info.length < 36 ? 0 : info.readUInt32LE(4 * SK_MEMINFO_DROPS);
}

/** Closes a descriptor that nobody else knows. */
export function closeFd(fd: number): void {
  closeC(fd);
}

/** What kind of socket an fd is, and for TCP its own address; undefined when it is no socket. */
export function socketName(fd: number): { family: 'unix' } | { family: 'tcp'; host: string } | undefined {
  const address = Buffer.alloc(128);
  if ((getsocknameC(fd, address, [address.length]) as number) !== 0) return undefined;
  const family = address.readUInt16LE(0);
  if (family === AF_UNIX) return { family: 'unix' };
  if (family === AF_INET) return { family: 'tcp', host: address.subarray(4, 8).join('.') };
  if (family !== AF_INET6) return undefined;
  const groups = Array.from({ length: 8 }, (_, i) => address.readUInt16BE(8 + 2 * i).toString(16));
  return { family: 'tcp', host: groups.join(':') };
}

/** Sends one datagram to a unix socket, as sd_notify(3) does; a path that begins with @ is abstract. */
export function sendUnixDatagram(path: string, text: string): boolean {
  const fd = socketC(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) as number;
  if (fd < 0) return false;
  const errno = sendTo(fd, path, Buffer.from(text));
  closeC(fd);
  return errno === 0;
}

/** A socket for `sendTo` that never waits; -1 where there is none to be had. */
export function datagramSocket(): number {
  return socketC(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0) as number;
}

/** sendto(2) to the unix socket of that path, or abstract name behind an @: 0, or the errno. */
export function sendTo(fd: number, path: string, data: Buffer): number {
  const name = Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`);
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), name]);
  const length = path.startsWith('@') ? address.length : address.length - 1;
  const sent = sendtoC(fd, data, data.length, MSG_NOSIGNAL, address, length) as number;
  return sent < 0 ? koffi.errno() : 0;
}
