/**
 * What a protocol needs of the network below it. The tree knows only this: the host's sockets
 * (host/) are one implementation, another machine's /net or a test's can be others.
 */
import type { Signal, Watch } from '../abort.ts';
import type { FsError } from './error.ts';
import type { Awaitable, Readiness, Reply, Req } from './node.ts';
import type { Endpoint, Ip } from './address.ts';

export interface Dialer {
  /** Connects. Aborted, it leaves nothing behind and throws the signal's reason. */
  connect(to: Endpoint, options: ConnectOptions, signal: Signal): Promise<Connection>;
  /** Calls of whom `admits` does not are refused, and nobody hears of them. */
  announce(local: Endpoint, admits?: (remote: Endpoint) => boolean): Promise<Listener>;
  /** A socket for datagrams; bound to `options.local`, and connected to `remote` where there is one. */
  datagrams(remote: Endpoint | undefined, options: ConnectOptions): Datagrams;
  /** A port that is free on this address now, or the given one if it is; nothing is reserved. */
  probe(local: Endpoint, protocol?: 'tcp' | 'udp'): Promise<Endpoint>;
}

export interface ConnectOptions extends SocketOptions {
  /** What to bind; port 0 lets the host choose. */
  readonly local?: Endpoint | undefined;
  /** From a port that only root may bind: 600 to 1023, as Plan 9's `!r`. */
  readonly reserved?: boolean;
}

export interface SocketOptions {
  /** IP_TTL or IPV6_UNICAST_HOPS, 1 to 255; the host's default when undefined. */
  readonly ttl?: number | undefined;
  /** IP_TOS or IPV6_TCLASS, 0 to 255. */
  readonly tos?: number | undefined;
}

/** A stream between two ends. */
export interface Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** As Handle.read: 0 at the peer's end of stream; throws why the stream broke. */
  read(reply: Reply, req: Req): Awaitable<number>;
  /** As Handle.write: answers when the kernel has taken the bytes. Writes do not interleave. */
  write(data: Buffer, req: Req): Awaitable<number>;
  /** As Handle.poll. */
  poll(watch: Watch | undefined): Readiness;
  /** Bytes that a read would find. */
  queued(): number;
  configure(options: SocketOptions): void;
  /** Probes an idle peer after so many milliseconds. */
  keepalive(ms: number): void;
  /** Sends what was written, then FIN; what the peer still sends is dropped. Waiting reads and writes fail. */
  close(): void;
  /** RST to the peer, at once. */
  reset(): void;
  /** The kernel's view, or undefined once the socket is gone. */
  info(): ConnectionInfo | undefined;
  /** Settles when the socket is gone, whoever ended it. */
  readonly gone: Promise<void>;
}

/** Plan 9's names of TCP's states; they are RFC 793's. */
export type TcpState =
  | 'Closed'
  | 'Listen'
  | 'Syn_sent'
  | 'Syn_received'
  | 'Established'
  | 'Finwait1'
  | 'Finwait2'
  | 'Close_wait'
  | 'Closing'
  | 'Last_ack'
  | 'Time_wait';

/** Times in milliseconds, windows in bytes; ssthresh 0: none yet. */
export interface ConnectionInfo {
  readonly state: TcpState;
  readonly rtt: number;
  readonly rttVar: number;
  readonly ssthresh: number;
  readonly cwnd: number;
  readonly retransmits: number;
}

export interface Listener {
  readonly local: Endpoint;
  /** The next call, in the order of the callers' asking. Aborted, it has taken none. */
  accept(signal: Signal): Promise<Connection>;
  /** Whether an accept would not wait; `watch` is told when one has come or none will. */
  poll(watch: Watch | undefined): boolean;
  /** A call that could not be kept after all is the next one again. */
  giveBack(call: Connection): void;
  /** Refuses new calls and resets those that nobody took. Waiting accepts fail with Elistenhungup. */
  close(): void;
}

/** A datagram that came, with the addresses that udp's headers tell. */
export interface Datagram {
  /** Lent until the next is received on any socket. */
  readonly bytes: Buffer;
  readonly from: Endpoint;
  /** The address that it was sent to: one of this machine's, a group's or a broadcast. */
  readonly to: Ip;
  /** This machine's own address on the interface by which it came. */
  readonly interface: Ip;
  /** The interface's number, where the sender's address is link-local and means something only with it. */
  readonly link?: number | undefined;
}

/** Where a datagram goes, and which of this machine's addresses is to send it. */
export interface DatagramRoute {
  readonly to: Endpoint;
  /** Preferred; what is no address of this machine's is left to the host. */
  readonly from?: Ip | undefined;
  /** For a link-local address; by default the link by which it was heard last. */
  readonly link?: number | undefined;
}

/** What the network said of a datagram that was sent to `to`. */
export interface Complaint {
  readonly to: Endpoint;
  /** Of a link-local address. */
  readonly link?: number | undefined;
  readonly error: FsError;
}

/** A socket for datagrams. Nothing of it waits. */
export interface Datagrams {
  readonly local: Endpoint;
  readonly remote: Endpoint | undefined;
  /** The next datagram; undefined if none is there. Throws what the network said of one that was sent. */
  receive(): Datagram | undefined;
  /** Whether `receive` would give something, or throw. */
  waiting(): boolean;
  /**
   * Calls `run` as long as something waits and it is wanted; undefined ends that. Sometimes, too, when
   * nothing does.
   */
  whenReadable(run: (() => void) | undefined): void;
  /**
   * Sends one, to the connected end without a route. False: the host has no room now. Throws what is wrong
   * with it, or what the network said of earlier ones, which then is among `complaints`; it was not sent.
   */
  send(bytes: Buffer, route?: DatagramRoute): boolean;
  /** Settles when it is worth trying to send again. */
  room(signal: Signal): Promise<void>;
  /** What the network said since it was last asked, and about whom. */
  complaints(): Complaint[];
  /** Whether the network's complaints make `receive` and `send` throw. */
  heedAdvice(heed: boolean): void;
  /** Bytes of the next datagram. */
  queued(): number;
  /** Datagrams that were lost here since there was no room for them. */
  drops(): number;
  configure(options: SocketOptions): void;
  /** Receives what is sent to a group by way of the interface that has this address. */
  join(group: Ip, at: Ip): void;
  leave(group: Ip, at: Ip): void;
  close(): void;
}
