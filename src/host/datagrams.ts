/** A datagram socket of this host. */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { onAbort, type Signal } from '../abort.ts';
import { FsError } from '../netfs/error.ts';
import {
  ANY,
  anyOf,
  formatEndpoint,
  formatIp,
  isLinkLocal,
  isMulticast,
  isUnspecified,
  sameIp,
  type Endpoint,
  type Ip,
} from '../netfs/address.ts';
import type {
  Complaint,
  ConnectOptions,
  Datagram,
  DatagramRoute,
  Datagrams,
  SocketOptions,
} from '../netfs/dialer.ts';
import { watchReadable, type ReadWatch } from './fd.ts';
import {
  bindTo,
  callError,
  connectTo,
  datagramSocket,
  hasWaiting,
  localEnd,
  peerOf,
  receiveBytes,
  receiveComplaint,
  receiveFrom,
  sendBytes,
  sendTo,
  setOption,
  type Received,
} from './inet.ts';
import { bytesWaiting, closeFd, setIntOption, socketDrops } from './libc.ts';
import { hostFacts, interfaceIndexOf } from './rtnetlink.ts';
import { configureSocket } from './socket.ts';

// socket(7), ip(7), ipv6(7)
const SOL_SOCKET = 1;
const SO_BROADCAST = 6;
const SO_RCVBUF = 8;
const SOL_IP = 0;
const IP_PKTINFO = 8;
const IP_RECVERR = 11;
const IP_ADD_MEMBERSHIP = 35;
const IP_DROP_MEMBERSHIP = 36;
const SOL_IPV6 = 41;
const IPV6_MULTICAST_IF = 17;
const IPV6_JOIN_GROUP = 20;
const IPV6_LEAVE_GROUP = 21;
const IPV6_RECVERR = 25;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;

/** What Plan 9 holds for a conversation; the host's net.core.rmem_max may allow less. */
const QUEUE = 512 * 1024;

/** How long who found no room waits before he tries again; twice as long each time, up to the most. */
const ROOM_MS = 1;
const MOST_ROOM_MS = 128;

/** Complaints that are taken at once; the kernel holds no more than a buffer of them. */
const MAX_COMPLAINTS = 64;

/** Interfaces of link-local peers that are remembered, so that they can be answered. */
const MAX_SCOPES = 1024;

export class HostDatagrams implements Datagrams {
  readonly local: Endpoint;
  readonly remote: Endpoint | undefined;
  private readonly peer: Buffer | undefined;
  private readonly family: 4 | 6;
  private readonly fd: number;
  private readonly watch: ReadWatch;
  private readable: (() => void) | undefined;
  /** Complaints make receive and send throw. */
  private heeding = true;
  private closed = false;
  private lost = 0;
  /** What a look at the socket met in place of bytes: a system call tells an error once. */
  private met: FsError | undefined;
  /** Complaints that were taken from the kernel and not yet asked for. */
  private said: Complaint[] = [];
  /** The event loop told of something, and nobody has found it yet. */
  private unexplained = false;
  private roomMs = ROOM_MS;
  /** The interface by which each link-local peer was heard: its address alone does not say. */
  private readonly scopes = new Map<string, number>();

  private constructor(fd: number, family: 4 | 6, asked: Endpoint, remote: Endpoint | undefined) {
    this.fd = fd;
    this.family = family;
    this.remote = remote;
    this.peer = remote && peerOf(remote);
    const local = localEnd(fd);
    // Any address is shown as it was asked for, not as the family that the host bound.
    this.local = isUnspecified(local.ip) ? { ip: asked.ip, port: local.port } : local;
    this.watch = watchReadable(fd, () => this.notice());
  }

  /** Throws Eaddrinuse, Enotlocal, Eperm, Enoroute ... */
  static open(remote: Endpoint | undefined, options: ConnectOptions): HostDatagrams {
    const asked = options.local ?? { ip: ANY, port: 0 };
    const family = remote?.ip.family ?? asked.ip.family;
    if (!isUnspecified(asked.ip) && asked.ip.family !== family) {
      const families = `${formatIp(asked.ip)} is of another family than ${formatIp(remote!.ip)}`;
      throw new FsError('Enotlocal', families);
    }
    if (family === 4 || remote !== undefined) return HostDatagrams.make(family, remote, asked, options);
    try {
      return HostDatagrams.make(6, remote, asked, options);
    } catch (error) {
      if (!isUnspecified(asked.ip) || !(error instanceof FsError) || !NO_IPV6.has(error.name)) throw error;
      return HostDatagrams.make(4, remote, asked, options);
    }
  }

  private static make(
    family: 4 | 6,
    remote: Endpoint | undefined,
    asked: Endpoint,
    options: ConnectOptions,
  ): HostDatagrams {
    const fd = datagramSocket(family);
    try {
      prepare(fd, family, remote !== undefined);
      configureDatagrams(fd, family, options);
      const local = isUnspecified(asked.ip) ? { ip: anyOf(family), port: asked.port } : asked;
      if (local.port !== 0 || !isUnspecified(local.ip) || remote === undefined) bindTo(fd, family, local);
      if (remote !== undefined) {
        if (family === 6 && !isUnspecified(local.ip)) sendMulticastBy(fd, local.ip);
        connectOpened(fd, family, remote);
      }
      return new HostDatagrams(fd, family, asked, remote);
    } catch (error) {
      closeFd(fd);
      throw openError(error, asked);
    }
  }

  receive(): Datagram | undefined {
    if (this.closed) return undefined;
    const { met } = this;
    this.met = undefined;
    if (met !== undefined) throw met;
    try {
      const datagram = this.receiveNow();
      if (datagram !== undefined) this.unexplained = false;
      return datagram;
    } catch (error) {
      this.unexplained = false;
      throw error;
    }
  }

  private receiveNow(): Datagram | undefined {
    if (this.peer !== undefined) return this.receiveConnected(this.peer);
    const got = receiveFrom(this.fd);
    if (got === undefined) return undefined;
    const { bytes, from } = got;
    const link = needsScope(from.ip) ? got.index : undefined;
    if (link !== undefined) this.rememberScope(from.ip, link);
    const to = got.to ?? this.local.ip;
    return { bytes, from, to, interface: this.interfaceAddress(got, to), link };
  }

  private receiveConnected(peer: Buffer): Datagram | undefined {
    const bytes = receiveBytes(this.fd, peer);
    return bytes && { bytes, from: this.remote!, to: this.local.ip, interface: this.local.ip };
  }

  /** IPv4 says by which address it would answer; for IPv6 what is no group is the machine's own. */
  private interfaceAddress({ answering, index }: Received, to: Ip): Ip {
    if (answering !== undefined) return answering;
    return isMulticast(to) ? (addressOf(index) ?? to) : to;
  }

  private rememberScope(ip: Ip, index: number): void {
    const key = formatIp(ip);
    this.scopes.delete(key);
    this.scopes.set(key, index);
    const [oldest] = this.scopes.keys();
    if (this.scopes.size > MAX_SCOPES) this.scopes.delete(oldest!);
  }

  waiting(): boolean {
    const found = this.closed || this.met !== undefined || this.look();
    if (found) this.unexplained = false;
    return found;
  }

  private look(): boolean {
    for (let tries = 0; tries < 2; tries++) {
      try {
        return hasWaiting(this.fd, this.peer);
      } catch (error) {
        if (this.heeding) {
          this.met = error as FsError;
          return true;
        }
      }
    }
    return false;
  }

  /**
   * The event loop tells of complaints, too, again and again while one is there. A look does not always
   * find it: what the kernel itself says of a datagram that is too large is only in its queue, and a send
   * may have met the error.
   */
  private notice(): void {
    this.unexplained = true;
    this.readable?.();
    if (!this.unexplained || this.closed || this.readable === undefined) return;
    this.said = this.complaints();
    const [first] = this.said;
    if (first === undefined) return;
    this.met ??= first.error;
    this.readable();
  }

  whenReadable(run: (() => void) | undefined): void {
    if (this.closed || run === this.readable) return;
    if (run === undefined) this.watch.stop();
    else if (this.readable === undefined) this.watch.start();
    this.readable = run;
  }

  send(bytes: Buffer, route?: DatagramRoute): boolean {
    if (this.closed) throw new FsError('Ehungup');
    let errno = route === undefined ? sendBytes(this.fd, bytes) : this.sendBy(bytes, route);
    // A complaint about an earlier datagram comes first, and keeps this one back.
    if (errno !== 0 && !NO_ROOM.has(nameOf(errno)) && !this.heeding) {
      errno = route === undefined ? sendBytes(this.fd, bytes) : this.sendBy(bytes, route);
    }
    if (errno === 0) {
      this.roomMs = ROOM_MS;
      return true;
    }
    if (NO_ROOM.has(nameOf(errno))) return false;
    throw this.sendError(errno, bytes);
  }

  private sendError(errno: number, bytes: Buffer): FsError {
    const error = callError(errno);
    if (error.name === 'Etoobig') return new FsError('Etoobig', `a datagram holds no ${bytes.length} bytes`);
    return CANNOT_SEND.has(nameOf(errno)) ? new FsError('Enoroute', 'the host cannot send there') : error;
  }

  private sendBy(bytes: Buffer, { to, from, link }: DatagramRoute): number {
    const index = needsScope(to.ip) ? (link ?? this.scopes.get(formatIp(to.ip)) ?? 0) : 0;
    if (to.ip.family > this.family) return EAFNOSUPPORT;
    if (from !== undefined && from.family === to.ip.family && this.maySendFrom(from)) {
      const errno = sendTo(this.fd, this.family, bytes, { to, from, index });
      if (!NOT_OURS.has(nameOf(errno))) return errno;
    }
    return sendTo(this.fd, this.family, bytes, { to, index });
  }

  /** The port of another address of this machine's may be somebody else's. */
  private maySendFrom(ip: Ip): boolean {
    const own = this.local.ip;
    return !isUnspecified(ip) && (isUnspecified(own) || isMulticast(own) || sameIp(own, ip));
  }

  complaints(): Complaint[] {
    const all = this.said;
    this.said = [];
    while (!this.closed && all.length < MAX_COMPLAINTS) {
      const complaint = receiveComplaint(this.fd);
      if (complaint === undefined) break;
      if (!complaint.ours) all.push(complaint);
    }
    // Who asks for them is told by them.
    if (all.length > 0) this.met = undefined;
    return all;
  }

  heedAdvice(heed: boolean): void {
    this.heeding = heed;
    if (!heed) {
      this.met = undefined;
      this.said = [];
    }
    if (!this.closed) recvErr(this.fd, this.family, heed);
  }

  async room(signal: Signal): Promise<void> {
    // The kernel does not tell a watch of room; it comes as soon as a device has sent something.
    const ms = this.roomMs;
    this.roomMs = Math.min(2 * ms, MOST_ROOM_MS);
    await sleep(ms, signal);
  }

  queued(): number {
    return this.closed ? 0 : bytesWaiting(this.fd);
  }

  drops(): number {
    return this.closed ? this.lost : socketDrops(this.fd);
  }

  configure(options: SocketOptions): void {
    if (!this.closed) configureDatagrams(this.fd, this.family, options);
  }

  join(group: Ip, at: Ip): void {
    membership(this.fd, group, at, 'join');
    if (group.family === 6) sendMulticastBy(this.fd, at);
  }

  leave(group: Ip, at: Ip): void {
    membership(this.fd, group, at, 'leave');
  }

  close(): void {
    if (this.closed) return;
    this.lost = this.drops();
    this.closed = true;
    this.watch.close();
  }
}

const NO_IPV6 = new Set(['Enotlocal', 'Enetunreach']);
const NO_ROOM = new Set(['EAGAIN', 'ENOBUFS', 'ENOMEM']);
/** What the kernel says of a source address that is not the machine's, or not that way. */
const NOT_OURS = new Set(['EINVAL', 'EADDRNOTAVAIL', 'ENETUNREACH']);
/** The second: no address of this machine's could be the sender's. */
const CANNOT_SEND = new Set(['EINVAL', 'EADDRNOTAVAIL']);
/** No interface has the address, or the socket is not of the group's family. */
const NO_INTERFACE: readonly number[] = [
  constants.errno.ENODEV,
  constants.errno.ENOPROTOOPT,
  constants.errno.EADDRNOTAVAIL,
];
const EAFNOSUPPORT = 97;

const nameOf = (errno: number): string => (errno === 0 ? '' : getSystemErrorName(-errno));

/** A link-local IPv6 address means something only with its link. */
const needsScope = (ip: Ip): boolean => ip.family === 6 && isLinkLocal(ip);

function prepare(fd: number, family: 4 | 6, connected: boolean): void {
  setIntOption(fd, SOL_SOCKET, SO_BROADCAST, 1);
  // The kernel doubles it, for what it keeps beside the bytes (socket(7)).
  setIntOption(fd, SOL_SOCKET, SO_RCVBUF, QUEUE);
  if (family === 6) setIntOption(fd, SOL_IPV6, IPV6_V6ONLY, 0);
  if (connected) recvErr(fd, family, true);
  else {
    setIntOption(fd, SOL_IP, IP_PKTINFO, 1);
    if (family === 6) setIntOption(fd, SOL_IPV6, IPV6_RECVPKTINFO, 1);
  }
}

function recvErr(fd: number, family: 4 | 6, on: boolean): void {
  setIntOption(fd, SOL_IP, IP_RECVERR, on ? 1 : 0);
  if (family === 6) setIntOption(fd, SOL_IPV6, IPV6_RECVERR, on ? 1 : 0);
}

/** A socket of both families has both families' options. */
function configureDatagrams(fd: number, family: 4 | 6, options: SocketOptions): void {
  configureSocket(fd, 4, options);
  if (family === 6) configureSocket(fd, 6, options);
}

/** What is wrong with the local end bind(2) has said already. */
function connectOpened(fd: number, family: 4 | 6, remote: Endpoint): void {
  const errno = connectTo(fd, family, remote);
  if (errno === 0) return;
  if (nameOf(errno) === 'EADDRNOTAVAIL') {
    throw new FsError('Enoroute', `${formatEndpoint(remote)}: this machine has no address to reach it from`);
  }
  if (nameOf(errno) === 'EAGAIN')
    throw new FsError('Enoports', `none left to reach ${formatEndpoint(remote)}`);
  throw callError(errno);
}

function membership(fd: number, group: Ip, at: Ip, how: 'join' | 'leave'): void {
  if (group.family !== at.family) throw new FsError('Ebadip', 'a group and its interface are of one family');
  if (group.family === 4) {
    // struct ip_mreqn, ip(7)
    const request = Buffer.concat([group.bytes, at.bytes, Buffer.alloc(4)]);
    change(fd, at, SOL_IP, how === 'join' ? IP_ADD_MEMBERSHIP : IP_DROP_MEMBERSHIP, request);
  } else {
    // struct ipv6_mreq, ipv6(7)
    const request = Buffer.concat([group.bytes, Buffer.alloc(4)]);
    request.writeUInt32LE(indexOf(at), 16);
    change(fd, at, SOL_IPV6, how === 'join' ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, request);
  }
}

function change(fd: number, at: Ip, level: number, name: number, request: Buffer): void {
  const errno = setOption(fd, level, name, request);
  if (NO_INTERFACE.includes(errno)) throw new FsError('Enotlocal', `no interface has ${formatIp(at)}`);
  if (errno !== 0) throw callError(errno);
}

/** Without it the host's default route takes what goes to a group. */
function sendMulticastBy(fd: number, local: Ip): void {
  setIntOption(fd, SOL_IPV6, IPV6_MULTICAST_IF, indexOf(local));
}

/** The interface that has this address; 0, the host's choice, for `::`. */
function indexOf(ip: Ip): number {
  if (isUnspecified(ip)) return 0;
  const index = interfaceIndexOf(ip);
  if (index === undefined) throw new FsError('Enotlocal', `no interface has ${formatIp(ip)}`);
  return index;
}

/** The first IPv6 address of an interface. */
function addressOf(index: number): Ip | undefined {
  const found = hostFacts.interfaces().find(each => each.index === index);
  return found?.addresses.find(({ ip }) => ip.family === 6)?.ip;
}

function openError(error: unknown, local: Endpoint): unknown {
  if (!(error instanceof FsError)) return error;
  if (error.name === 'Eperm' && local.port !== 0) {
    return new FsError('Eperm', `the host lets only root use port ${local.port}`);
  }
  return error;
}

function sleep(ms: number, signal: Signal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      resolve();
    }, ms);
    const stop = onAbort(signal, () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    });
  });
}
