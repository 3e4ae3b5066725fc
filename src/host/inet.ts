/** Internet addresses and datagrams as the kernel takes them, through koffi: ip(7), ipv6(7), udp(7). */
import koffi from 'koffi';
import { getSystemErrorName } from 'node:util';
import { bytes16, formatIp, ipFromBytes, type Endpoint, type Ip } from '../netfs/address.ts';
import { fromSystem, FsError } from '../netfs/error.ts';
import { noDescriptor } from './socket.ts';

const libc = koffi.load('libc.so.6');

const socketC = libc.func('int socket(int domain, int type, int protocol)');
const bindC = libc.func('int bind(int fd, const uint8_t *address, uint32_t length)');
const connectC = libc.func('int connect(int fd, const uint8_t *address, uint32_t length)');
const getsocknameC = libc.func('int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)');
const sendC = libc.func('long send(int fd, const uint8_t *data, unsigned long size, int flags)');
const sendmsgC = libc.func('long sendmsg(int fd, const uint8_t *message, int flags)');
const recvmsgC = libc.func('long recvmsg(int fd, uint8_t *message, int flags)');
const setsockoptC = libc.func(
  'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)',
);

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_FLAGS = 0o2004000; // SOCK_CLOEXEC | SOCK_NONBLOCK
const MSG_PEEK = 2;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_ERRQUEUE = 0x2000;
const EMSGSIZE = 90;
const SOL_IP = 0;
const SOL_IPV6 = 41;
const IP_PKTINFO = 8;
const IP_RECVERR = 11;
const IPV6_RECVERR = 25;
const IPV6_PKTINFO = 50;

/** The largest datagram there can be, and a little more. */
const MAX_DATAGRAM = 65536;

/** A failed system call as one of ours. */
export function callError(errno: number): FsError {
  const code = getSystemErrorName(-errno);
  if (code === 'EMFILE' || code === 'ENFILE') return noDescriptor();
  const name = fromSystem(code);
  return name === undefined ? new FsError('Eio', code) : new FsError(name);
}

export const lastErrno = (): number => koffi.errno();

// ---- sockaddr ---------------------------------------------------------------------------------

/** struct sockaddr_in, or sockaddr_in6 for a socket of family 6; of 16 or 28 bytes. */
function sockaddr(family: 4 | 6, { ip, port }: Endpoint, scope = 0): Buffer {
  const address = Buffer.alloc(SOCKADDR[family]);
  writeSockaddr(address, family, { ip, port }, scope);
  return address;
}

const SOCKADDR = { 4: 16, 6: 28 } as const;

function writeSockaddr(address: Buffer, family: 4 | 6, { ip, port }: Endpoint, scope: number): void {
  address.writeUInt16LE(family === 4 ? AF_INET : AF_INET6, 0);
  address.writeUInt16BE(port, 2);
  if (family === 4) address.set(ip.bytes, 4);
  else {
    address.writeUInt32LE(0, 4);
    address.set(bytes16(ip), 8);
    address.writeUInt32LE(scope, 24);
  }
}

function endpointOf(address: Buffer): Endpoint {
  const v4 = address.readUInt16LE(0) === AF_INET;
  return {
    ip: ipFromBytes(v4 ? address.subarray(4, 8) : address.subarray(8, 24)),
    port: address.readUInt16BE(2),
  };
}

// ---- sockets ----------------------------------------------------------------------------------

/** A datagram socket that does not block; throws what the kernel says. */
export function datagramSocket(family: 4 | 6): number {
  const fd = socketC(family === 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_FLAGS, 0) as number;
  if (fd < 0) throw callError(lastErrno());
  return fd;
}

export function bindTo(fd: number, family: 4 | 6, to: Endpoint): void {
  const address = sockaddr(family, to);
  if ((bindC(fd, address, address.length) as number) !== 0) throw callError(lastErrno());
}

/** 0, or the errno. `scope`: the interface of a link-local address, by its index. */
export function connectTo(fd: number, family: 4 | 6, to: Endpoint, scope = 0): number {
  const address = sockaddr(family, to, scope);
  return (connectC(fd, address, address.length) as number) === 0 ? 0 : lastErrno();
}

export function localEnd(fd: number): Endpoint {
  const address = Buffer.alloc(28);
  if ((getsocknameC(fd, address, [address.length]) as number) !== 0) throw callError(lastErrno());
  return endpointOf(address);
}

/** Sets an option whose value is a structure: 0, or the errno. */
export function setOption(fd: number, level: number, name: number, value: Buffer): number {
  return (setsockoptC(fd, level, name, value, value.length) as number) === 0 ? 0 : lastErrno();
}

// ---- receiving: one set of buffers serves all sockets, since nothing is kept in them -------------

/** struct msghdr on a 64-bit machine: name, namelen, iov, iovlen, control, controllen, flags at 0, 8, 16, 24, 32, 40, 48 */
const MSGHDR = 56;
const CMSGHDR = 16;

/**
 * Where messages are put together for the kernel. One large buffer, since small ones lie in V8's heap,
 * which moves them, and here are addresses that point to addresses.
 */
class MessageBuffers {
  readonly data: Buffer;
  readonly name: Buffer;
  readonly control: Buffer;
  readonly message: Buffer;
  private readonly iovec: Buffer;

  constructor() {
    const all = Buffer.allocUnsafeSlow(MAX_DATAGRAM + 1024);
    const start = koffi.address(all);
    let used = 0;
    const part = (size: number): { bytes: Buffer; address: bigint } => {
      const bytes = all.subarray(used, used + size).fill(0);
      const address = start + BigInt(used);
      used += (size + 15) & ~15;
      return { bytes, address };
    };
    const [message, iovec, name, control, data] = [MSGHDR, 16, 28, 256, MAX_DATAGRAM].map(part);
    message!.bytes.writeBigUInt64LE(name!.address, 0);
    message!.bytes.writeBigUInt64LE(iovec!.address, 16);
    message!.bytes.writeBigUInt64LE(1n, 24);
    message!.bytes.writeBigUInt64LE(control!.address, 32);
    iovec!.bytes.writeBigUInt64LE(data!.address, 0);
    this.message = message!.bytes;
    this.iovec = iovec!.bytes;
    this.name = name!.bytes;
    this.control = control!.bytes;
    this.data = data!.bytes;
  }

  /** The header of a message with so many bytes of each part. */
  sized(name: number, data: number, control: number): Buffer {
    this.message.writeUInt32LE(name, 8);
    this.iovec.writeUInt32LE(data, 8);
    this.message.writeUInt32LE(control, 40);
    this.message.writeUInt32LE(0, 48);
    return this.message;
  }
}

const receiving = new MessageBuffers();
const { data, name, control } = receiving;

/** A datagram with the addresses of both its ends. */
export interface Received {
  /** Lent until the next call of this file. */
  readonly bytes: Buffer;
  readonly from: Endpoint;
  /** Of the interface that it came in by. */
  readonly index: number;
  /** Where it was sent to; undefined where the kernel did not say. */
  readonly to: Ip | undefined;
  /** The address by which this machine would answer (struct in_pktinfo, ip(7)); not told for IPv6. */
  readonly answering: Ip | undefined;
}

/**
 * The next datagram of a socket that is connected to this end; undefined when none is there. What came
 * between bind(2) and connect(2) may be anybody's, and is dropped.
 */
export function receiveBytes(fd: number, peer: Buffer): Buffer | undefined {
  for (;;) {
    const n = receiveMessage(fd, MSG_DONTWAIT);
    if (n < 0) return nothing();
    if (isFrom(peer)) return data.subarray(0, n);
  }
}

/** An end as it is compared with the sender's: the sockaddr up to and with the address. */
export function peerOf(end: Endpoint): Buffer {
  const { family } = end.ip;
  return sockaddr(family, end).subarray(0, family === 4 ? 8 : 24);
}

const isFrom = (peer: Buffer): boolean => name.compare(peer, 0, peer.length, 0, peer.length) === 0;

/** The next datagram; undefined when none is there. */
export function receiveFrom(fd: number): Received | undefined {
  const n = receiveMessage(fd, MSG_DONTWAIT);
  if (n < 0) return nothing();
  return { bytes: data.subarray(0, n), from: endpointOf(name), ...packetInfo() };
}

function receiveMessage(fd: number, flags: number): number {
  const message = receiving.sized(name.length, data.length, control.length);
  return Number(recvmsgC(fd, message, flags));
}

function nothing(): undefined {
  const errno = lastErrno();
  if (getSystemErrorName(-errno) === 'EAGAIN') return undefined;
  throw callError(errno);
}

/** The control messages that came with what was received last: cmsg(3). */
function* controls(): Iterable<{ level: number; type: number; body: Buffer }> {
  const end = Math.min(receiving.message.readUInt32LE(40), control.length);
  for (let at = 0; at + CMSGHDR <= end;) {
    const length = control.readUInt32LE(at);
    if (length < CMSGHDR || at + length > end) return;
    yield {
      level: control.readInt32LE(at + 8),
      type: control.readInt32LE(at + 12),
      body: control.subarray(at + CMSGHDR, at + length),
    };
    at += (length + 7) & ~7;
  }
}

function packetInfo(): Pick<Received, 'index' | 'to' | 'answering'> {
  let info: Pick<Received, 'index' | 'to' | 'answering'> = { index: 0, to: undefined, answering: undefined };
  for (const { level, type, body } of controls()) {
    // A socket of both families tells of IPv4 in both ways; ip(7)'s says more.
    if (level === SOL_IP && type === IP_PKTINFO) {
      return {
        index: body.readInt32LE(0),
        answering: ipFromBytes(body.subarray(4, 8)),
        to: ipFromBytes(body.subarray(8, 12)),
      };
    }
    if (level === SOL_IPV6 && type === IPV6_PKTINFO) {
      info = { index: body.readInt32LE(16), to: ipFromBytes(body.subarray(0, 16)), answering: undefined };
    }
  }
  return info;
}

/** Whether a datagram is there, of this end if the socket is connected. Throws what the network said, which it says once. */
export function hasWaiting(fd: number, peer: Buffer | undefined): boolean {
  while (receiveMessage(fd, MSG_DONTWAIT | MSG_PEEK) >= 0) {
    if (peer === undefined || isFrom(peer)) return true;
    receiveMessage(fd, MSG_DONTWAIT);
  }
  nothing();
  return false;
}

/** What the network said of a datagram that was sent: ip(7), IP_RECVERR. */
export interface Complaint {
  readonly error: FsError;
  /** Where the datagram was to go. */
  readonly to: Endpoint;
  /** Said by this machine itself. */
  readonly ours: boolean;
  /** Of the interface by which it came, where `to` is link-local. */
  readonly link: number | undefined;
}

/** The next complaint; undefined when there is none. */
export function receiveComplaint(fd: number): Complaint | undefined {
  if (receiveMessage(fd, MSG_DONTWAIT | MSG_ERRQUEUE) < 0) return undefined;
  const to = endpointOf(name);
  const link = to.ip.family === 6 ? name.readUInt32LE(24) || undefined : undefined;
  for (const { level, type, body } of controls()) {
    const known = (level === SOL_IP && type === IP_RECVERR) || (level === SOL_IPV6 && type === IPV6_RECVERR);
    // struct sock_extended_err: u32 errno, u8 origin, u8 type, u8 code ...
    if (known && body.length >= 16)
      return { to, link, error: complaint(body), ours: body[4] === ORIGIN_LOCAL };
  }
  return { to, link, error: new FsError('Enoroute'), ours: true };
}

const ORIGIN_LOCAL = 1;
const ORIGIN_ICMP6 = 3;

function complaint(body: Buffer): FsError {
  const { name: error } = callError(body.readUInt32LE(0));
  // The offender's address follows the structure (SO_EE_OFFENDER).
  const offender = body.subarray(16);
  const family = offender.length < 16 ? 0 : offender.readUInt16LE(0);
  const told = family === AF_INET || (family === AF_INET6 && offender.length >= 24);
  const from = told ? ` from ${formatIp(endpointOf(offender).ip)}` : '';
  const protocol = body[4] === ORIGIN_ICMP6 ? 'icmp6' : 'icmp';
  return new FsError(error, `${protocol} type ${body[5]} code ${body[6]}${from}`);
}

// ---- sending ----------------------------------------------------------------------------------

/** send(2) on a connected socket: 0, or the errno. */
export function sendBytes(fd: number, bytes: Buffer): number {
  const n = Number(sendC(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL));
  return n < 0 ? lastErrno() : 0;
}

export interface Destination {
  readonly to: Endpoint;
  /** The address to send from; the host's choice when undefined. */
  readonly from?: Ip | undefined;
  /** Of the interface to send by; the host's choice when 0. */
  readonly index: number;
}

const sending = new MessageBuffers();

/** sendmsg(2) on a socket of this family: 0, or the errno. */
export function sendTo(fd: number, family: 4 | 6, bytes: Buffer, { to, from, index }: Destination): number {
  if (bytes.length > MAX_DATAGRAM) return EMSGSIZE;
  bytes.copy(sending.data);
  writeSockaddr(sending.name, family, to, index);
  const control = from === undefined ? 0 : writeSource(sending.control, from, index);
  const message = sending.sized(SOCKADDR[family], bytes.length, control);
  const n = Number(sendmsgC(fd, message, MSG_DONTWAIT | MSG_NOSIGNAL));
  return n < 0 ? lastErrno() : 0;
}

/** The control message that says from which address to send: in_pktinfo of ip(7), in6_pktinfo of ipv6(7). */
function writeSource(into: Buffer, from: Ip, index: number): number {
  const v4 = from.family === 4;
  const length = CMSGHDR + (v4 ? 12 : 20);
  into.fill(0);
  into.writeUInt32LE(length, 0);
  into.writeInt32LE(v4 ? SOL_IP : SOL_IPV6, 8);
  into.writeInt32LE(v4 ? IP_PKTINFO : IPV6_PKTINFO, 12);
  if (v4) {
    into.writeInt32LE(index, CMSGHDR);
    into.set(from.bytes, CMSGHDR + 4);
  } else {
    into.set(from.bytes, CMSGHDR);
    into.writeInt32LE(index, CMSGHDR + 16);
  }
  return (length + 7) & ~7;
}
