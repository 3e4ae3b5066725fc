/**
 * The calls of an announced udp conversation, one for each remote that sends to it: they share its
 * socket, and each has its own queue. Nothing is read from the socket unless somebody waits for it.
 */
import { formatEndpoint, formatIp, sameIp, type Endpoint, type Ip } from './address.ts';
import type { Complaint, Datagram, DatagramRoute, Datagrams, SocketOptions } from './dialer.ts';
import { FsError } from './error.ts';
import { Line, WaitQueue, Watchers, type Signal, type Watch } from '../abort.ts';
import type { Caller } from '../policy/identity.ts';
import type { Quota } from '../policy/quota.ts';

/** Calls that nobody has listened for; datagrams of further remotes are dropped. */
const MAX_ARRIVED = 128;

/** Bytes that one call keeps, ip(3). */
const QUEUE = 512 * 1024;

/** Bytes that all calls of one announcement keep. */
const ALL_QUEUES = 16 * 1024 * 1024;

/** Bytes that all calls of one user keep, whichever they are. */
export const OF_A_USER = 128 * 1024 * 1024;

/** What a datagram takes beside its bytes. */
const OVERHEAD = 256;

/** Datagrams that are sorted before others get their turn. */
const BATCH = 256;

export class Calls {
  readonly socket: Datagrams;
  /** Bytes that each user's calls keep, and whose these are. */
  private readonly all: Quota;
  private readonly announcer: Caller;
  private readonly admits: (from: Endpoint) => boolean;
  private readonly calls = new Map<string, Call>();
  /** The same by their remotes: one may have sent to several addresses of this machine's. */
  private readonly byRemote = new Map<string, Set<Call>>();
  private readonly arrived = new Line<Call>();
  private readonly acceptors = new WaitQueue<Call>();
  private readonly watchers = new Watchers();
  /** Calls that want to be told of a datagram, and listens that wait. */
  private wanting = 0;
  private closed = false;
  private sorting = false;
  private lost = 0;
  private kept = 0;

  /** `admits` says from whom a call is one; what others send is dropped. */
  constructor(
    socket: Datagrams,
    all: Quota,
    announcer: Caller,
    admits: (from: Endpoint) => boolean = () => true,
  ) {
    this.admits = admits;
    this.socket = socket;
    this.all = all;
    this.announcer = announcer;
    socket.heedAdvice(true);
  }

  /** The next call. */
  async accept(signal: Signal): Promise<Call> {
    this.sort();
    const call = this.closed ? undefined : this.arrived.shift();
    this.arm();
    if (call !== undefined) return call;
    if (this.closed) throw new FsError('Elistenhungup');
    this.want(1);
    try {
      return await this.acceptors.wait(signal);
    } finally {
      this.want(-1);
    }
  }

  /** Whether an accept would not wait; `watch` is told when it would not any more. */
  poll(watch: Watch | undefined): boolean {
    this.sort();
    if (watch !== undefined) this.watchers.add(watch);
    this.arm();
    return this.closed || this.arrived.length > 0;
  }

  /** A call that could not be kept after all is the next one again. */
  giveBack(call: Call): void {
    if (this.closed) call.close();
    else if (!this.acceptors.wake(call)) {
      const later = [...this.arrived.clear()];
      for (const each of [call, ...later]) this.arrived.push(each);
      this.watchers.tell();
    }
  }

  /** Takes no more calls; the socket goes with the last one that was taken. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    for (const call of this.arrived.clear()) call.close();
    this.acceptors.fail(new FsError('Elistenhungup'));
    this.watchers.tell();
    this.closeSocketUnlessUsed();
  }

  drops(): number {
    return this.lost + this.socket.drops();
  }

  want(more: 1 | -1): void {
    this.wanting += more;
    this.arm();
  }

  private arm(): void {
    // Who was told of a call is told of the next when he has taken it.
    const watched = this.watchers.some && !this.closed && this.arrived.length === 0;
    const wanted = this.wanting > 0 || watched;
    this.socket.whenReadable(wanted ? this.sort : undefined);
  }

  /** Brings what the socket has to the calls that it is for. */
  readonly sort = (): void => {
    // A call that is told of a datagram asks for the next.
    if (this.sorting) return;
    this.sorting = true;
    try {
      for (let i = 0; i < BATCH && this.sortOne(); i++);
    } finally {
      this.sorting = false;
    }
    this.arm();
  };

  private sortOne(): boolean {
    const datagram = this.receive();
    if (datagram === undefined) return false;
    if (datagram !== COMPLAINED) this.deliver(datagram);
    return true;
  }

  private receive(): Datagram | undefined | typeof COMPLAINED {
    try {
      return this.socket.receive();
    } catch (error) {
      if (!(error instanceof FsError)) throw error;
      this.hear();
      return COMPLAINED;
    }
  }

  /** Brings what the network said to the calls that it is about; whether it said anything. */
  private hear(): boolean {
    const complaints = this.socket.complaints();
    for (const complaint of complaints) this.complain(complaint);
    return complaints.length > 0;
  }

  /** What the network says of one call's datagrams keeps another's back once. */
  send(bytes: Buffer, route: DatagramRoute): boolean {
    try {
      return this.socket.send(bytes, route);
    } catch (error) {
      if (!this.hear()) throw error;
      return this.socket.send(bytes, route);
    }
  }

  private deliver(datagram: Datagram): void {
    const key = `${formatEndpoint(datagram.from)} ${formatIp(datagram.to)} ${datagram.link ?? ''}`;
    const call = this.calls.get(key) ?? this.ring(key, datagram);
    if (call === undefined) this.lost++;
    else call.deliver(datagram.bytes);
  }

  private ring(key: string, datagram: Datagram): Call | undefined {
    if (this.closed || this.arrived.length >= MAX_ARRIVED || !this.admits(datagram.from)) return undefined;
    const call = new Call(this, key, datagram);
    this.calls.set(key, call);
    const remote = formatEndpoint(call.remote);
    const others = this.byRemote.get(remote);
    if (others === undefined) this.byRemote.set(remote, new Set([call]));
    else others.add(call);
    if (!this.acceptors.wake(call)) {
      this.arrived.push(call);
      this.watchers.tell();
    }
    return call;
  }

  private complain(complaint: Complaint): void {
    for (const call of this.byRemote.get(formatEndpoint(complaint.to)) ?? []) call.complain(complaint);
  }

  /** Takes room for so many bytes; false, and nothing is taken, where there is none. */
  keep(bytes: number): boolean {
    if (this.kept + bytes > ALL_QUEUES || !this.all.take(this.announcer, bytes)) return false;
    this.kept += bytes;
    return true;
  }

  release(bytes: number): void {
    this.kept -= bytes;
    this.all.give(this.announcer, bytes);
  }

  remove(key: string, call: Call): void {
    if (this.calls.get(key) === call) this.calls.delete(key);
    const remote = formatEndpoint(call.remote);
    const others = this.byRemote.get(remote);
    others?.delete(call);
    if (others?.size === 0) this.byRemote.delete(remote);
    this.arrived.leave(call);
    this.closeSocketUnlessUsed();
  }

  private closeSocketUnlessUsed(): void {
    if (this.closed && this.calls.size === 0) this.socket.close();
  }
}

const COMPLAINED = Symbol('complained');

/** One remote's part of an announced socket. */
export class Call implements Datagrams {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  private readonly calls: Calls;
  private readonly key: string;
  private readonly interface: Ip;
  private readonly route: DatagramRoute;
  /** Its datagrams, the oldest first, from `first` on. */
  private queue: Buffer[] = [];
  private first = 0;
  private kept = 0;
  private lost = 0;
  private readable: (() => void) | undefined;
  private heeding = true;
  private complaint: Complaint | undefined;
  private groups: { readonly group: Ip; readonly at: Ip }[] = [];
  private closed = false;

  constructor(calls: Calls, key: string, { from, to, interface: own, link }: Datagram) {
    this.calls = calls;
    this.key = key;
    this.local = { ip: to, port: calls.socket.local.port };
    this.remote = from;
    this.interface = own;
    this.route = { to: from, from: to, link };
  }

  /** From the socket. */
  deliver(bytes: Buffer): void {
    const size = bytes.length + OVERHEAD;
    if (this.kept + size > QUEUE || !this.calls.keep(size)) {
      this.lost++;
      return;
    }
    this.kept += size;
    // Not from Buffer's pool, of which a byte would keep all.
    const own = Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(own);
    this.queue.push(own);
    this.readable?.();
  }

  private release(bytes: number): void {
    this.kept -= bytes;
    this.calls.release(bytes);
  }

  /** The network's word on what was sent to this remote. */
  complain(complaint: Complaint): void {
    const elsewhere = complaint.link !== undefined && complaint.link !== (this.route.link ?? complaint.link);
    if (!this.heeding || elsewhere) return;
    this.complaint = complaint;
    this.readable?.();
  }

  receive(): Datagram | undefined {
    if (!this.has()) this.calls.sort();
    if (this.complaint !== undefined) throw this.complaint.error;
    const bytes = this.shift();
    return bytes && { bytes, from: this.remote, to: this.local.ip, interface: this.interface };
  }

  private has(): boolean {
    return this.first < this.queue.length;
  }

  private shift(): Buffer | undefined {
    if (!this.has()) return undefined;
    const bytes = this.queue[this.first++]!;
    this.release(bytes.length + OVERHEAD);
    // Half of the array is free: the rest moves down, once for as many as are left.
    if (this.first * 2 > this.queue.length) {
      this.queue = this.queue.slice(this.first);
      this.first = 0;
    }
    return bytes;
  }

  waiting(): boolean {
    if (!this.has()) this.calls.sort();
    return this.has() || this.complaint !== undefined;
  }

  whenReadable(run: (() => void) | undefined): void {
    const before = this.readable;
    this.readable = run;
    if ((before === undefined) !== (run === undefined)) this.calls.want(run === undefined ? -1 : 1);
  }

  send(bytes: Buffer): boolean {
    if (this.closed) throw new FsError('Ehungup');
    if (this.complaint !== undefined) throw this.complaint.error;
    return this.calls.send(bytes, this.route);
  }

  room(signal: Signal): Promise<void> {
    return this.calls.socket.room(signal);
  }

  complaints(): Complaint[] {
    const { complaint } = this;
    this.complaint = undefined;
    return complaint === undefined ? [] : [complaint];
  }

  heedAdvice(heed: boolean): void {
    this.heeding = heed;
    if (!heed) this.complaint = undefined;
  }

  queued(): number {
    return this.kept - OVERHEAD * (this.queue.length - this.first);
  }

  drops(): number {
    return this.lost;
  }

  /** The socket is everybody's. */
  configure(options: SocketOptions): void {
    this.calls.socket.configure(options);
  }

  join(group: Ip, at: Ip): void {
    this.calls.socket.join(group, at);
    this.groups.push({ group, at });
  }

  leave(group: Ip, at: Ip): void {
    this.calls.socket.leave(group, at);
    this.groups = this.groups.filter(each => !(sameIp(each.group, group) && sameIp(each.at, at)));
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.whenReadable(undefined);
    this.release(this.kept);
    this.queue = [];
    this.leaveGroups();
    this.calls.remove(this.key, this);
  }

  /** The socket goes on without them. */
  private leaveGroups(): void {
    for (const { group, at } of this.groups) {
      try {
        this.calls.socket.leave(group, at);
      } catch {
        // Its interface is gone, and the membership with it.
      }
    }
  }
}
