/**
 * The calls of an announced udp conversation, one for each remote that sends to it: they share its
 * socket, and each has its own queue. Nothing is read from the socket unless somebody waits for it.
 */
import { formatEndpoint, formatIp, type Endpoint, type Ip } from './address.ts';
import type { Complaint, Datagram, DatagramRoute, Datagrams, SocketOptions } from './dialer.ts';
import { FsError } from './error.ts';
import { Line, WaitQueue, Watchers, type Signal, type Watch } from '../abort.ts';

/** Calls that nobody has listened for; datagrams of further remotes are dropped. */
const MAX_ARRIVED = 128;

/** Bytes that one call keeps, ip(3). */
const QUEUE = 512 * 1024;

/** Bytes that all calls of one announcement keep. */
const ALL_QUEUES = 16 * 1024 * 1024;

/** What a datagram takes beside its bytes. */
const OVERHEAD = 256;

/** Datagrams that are sorted before others get their turn. */
const BATCH = 256;

export class Calls {
  readonly socket: Datagrams;
  private readonly calls = new Map<string, Call>();
  private readonly arrived = new Line<Call>();
  private readonly acceptors = new WaitQueue<Call>();
  private readonly watchers = new Watchers();
  /** Calls that want to be told of a datagram, and listens that wait. */
  private wanting = 0;
  private closed = false;
  private sorting = false;
  private lost = 0;
  kept = 0;

  constructor(socket: Datagrams) {
    this.socket = socket;
    socket.heedAdvice(true);
  }

  /** The next call. */
  async accept(signal: Signal): Promise<Call> {
    this.sort();
    const call = this.closed ? undefined : this.arrived.shift();
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
    const wanted = this.wanting > 0 || (this.watchers.some && !this.closed);
    this.socket.whenReadable(wanted ? this.sort : undefined);
  }

  /** Brings what the socket has to the calls that it is for. */
  readonly sort = (): void => {
    // A call that is told of a datagram asks for the next.
    if (this.sorting) return;
    this.sorting = true;
    for (let i = 0; i < BATCH; i++) if (!this.sortOne()) break;
    this.sorting = false;
    this.arm();
  };

  private sortOne(): boolean {
    try {
      const datagram = this.socket.receive();
      if (datagram !== undefined) this.deliver(datagram);
      return datagram !== undefined;
    } catch {
      for (const complaint of this.socket.complaints()) this.complain(complaint);
      return true;
    }
  }

  private deliver(datagram: Datagram): void {
    const key = `${formatEndpoint(datagram.from)} ${formatIp(datagram.to)}`;
    const call = this.calls.get(key) ?? this.ring(key, datagram);
    if (call === undefined) this.lost++;
    else call.deliver(datagram.bytes);
  }

  private ring(key: string, { from, to, interface: own }: Datagram): Call | undefined {
    if (this.closed || this.arrived.length >= MAX_ARRIVED) return undefined;
    const call = new Call(this, key, { ip: to, port: this.socket.local.port }, from, own);
    this.calls.set(key, call);
    if (!this.acceptors.wake(call)) {
      this.arrived.push(call);
      this.watchers.tell();
    }
    return call;
  }

  private complain({ to, error }: Complaint): void {
    const remote = formatEndpoint(to);
    for (const [key, call] of this.calls) if (key.startsWith(`${remote} `)) call.complain(error);
  }

  hasRoomFor(bytes: number): boolean {
    return this.kept + bytes <= ALL_QUEUES;
  }

  remove(key: string, call: Call): void {
    if (this.calls.get(key) === call) this.calls.delete(key);
    this.arrived.leave(call);
    this.closeSocketUnlessUsed();
  }

  private closeSocketUnlessUsed(): void {
    if (this.closed && this.calls.size === 0) this.socket.close();
  }
}

/** One remote's part of an announced socket. */
export class Call implements Datagrams {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  private readonly calls: Calls;
  private readonly key: string;
  private readonly interface: Ip;
  /** Its datagrams, the oldest first, from `first` on. */
  private queue: Buffer[] = [];
  private first = 0;
  private kept = 0;
  private lost = 0;
  private readable: (() => void) | undefined;
  private heeding = true;
  private complaint: FsError | undefined;
  private closed = false;

  constructor(calls: Calls, key: string, local: Endpoint, remote: Endpoint, own: Ip) {
    this.calls = calls;
    this.key = key;
    this.local = local;
    this.remote = remote;
    this.interface = own;
  }

  /** From the socket. */
  deliver(bytes: Buffer): void {
    const size = bytes.length + OVERHEAD;
    if (this.kept + size > QUEUE || !this.calls.hasRoomFor(size)) {
      this.lost++;
      return;
    }
    this.keep(size);
    this.queue.push(Buffer.from(bytes));
    this.readable?.();
  }

  private keep(bytes: number): void {
    this.kept += bytes;
    this.calls.kept += bytes;
  }

  /** The network's word on what was sent to this remote. */
  complain(error: FsError): void {
    if (!this.heeding) return;
    this.complaint = error;
    this.readable?.();
  }

  receive(): Datagram | undefined {
    if (!this.has()) this.calls.sort();
    const { complaint } = this;
    this.complaint = undefined;
    if (complaint !== undefined) throw complaint;
    const bytes = this.shift();
    return bytes && { bytes, from: this.remote, to: this.local.ip, interface: this.interface };
  }

  private has(): boolean {
    return this.first < this.queue.length;
  }

  private shift(): Buffer | undefined {
    if (!this.has()) return undefined;
    const bytes = this.queue[this.first++]!;
    this.keep(-bytes.length - OVERHEAD);
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

  send(bytes: Buffer, route?: DatagramRoute): boolean {
    return this.calls.socket.send(bytes, route ?? { to: this.remote, from: this.local.ip });
  }

  room(signal: Signal): Promise<void> {
    return this.calls.socket.room(signal);
  }

  /** They are brought to us. */
  complaints(): Complaint[] {
    return [];
  }

  heedAdvice(heed: boolean): void {
    this.heeding = heed;
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
  }

  leave(group: Ip, at: Ip): void {
    this.calls.socket.leave(group, at);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.whenReadable(undefined);
    this.keep(-this.kept);
    this.queue = [];
    this.calls.remove(this.key, this);
  }
}
