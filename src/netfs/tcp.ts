/**
 * TCP conversations, ip(3). The life of one:
 *
 *     Idle -- connect --> Connecting --> Connected --+
 *          -- announce -> Announcing --> Announced --+--> Finished   (hangup, close, failure)
 *
 * A failed connect or announce ends in Finished, as in Plan 9: `connection in use` from then on, a
 * client takes a new conversation. Only one that was flushed goes back to Idle: it never happened.
 */
import { FsError, type ErrorName } from './error.ts';
import {
  formatEndpoint,
  isUnspecified,
  parseDestination,
  parseLocal,
  UNSET,
  type Endpoint,
  type Ip,
} from './address.ts';
import { Conversation, type Keeper } from './conversation.ts';
import type { Connection, Dialer, Listener, SocketOptions, TcpState } from './dialer.ts';
import type { Awaitable, Readiness, Reply, Req } from './node.ts';
import type { HostAddress } from './resolver.ts';
import type { Caller } from '../policy/identity.ts';
import { Abort, onAbort, WaitQueue, Watchers, type Signal, type Watch } from '../abort.ts';

export interface TcpOptions {
  readonly dialer: Dialer;
  /** The addresses of a name, for somebody who asks: Names.lookup. */
  lookup(name: string, caller: Caller, signal: Signal): Promise<readonly HostAddress[]>;
  /** Whether the server itself listens there: it never dials its own doors. */
  isOwnListener(at: Endpoint): Promise<boolean>;
  readonly counters: TcpCounters;
}

/** What tcp/stats says of this /net's own conversations. */
export interface TcpCounters {
  activeOpens: number;
  passiveOpens: number;
}

type State = 'Idle' | 'Connecting' | 'Connected' | 'Announcing' | 'Announced' | 'Finished';

/** Reads at the end of the stream answer 0 so many times, then `i/o on hungup channel` (9front, qio.c). */
const EOF_READS = 3;

const DEFAULT_KEEPALIVE_MS = 30_000;
const DEFAULT_TTL = 255;
const DEFAULT_OPTIONS: SocketOptions = {};

export class TcpConversation extends Conversation {
  private readonly tcp: TcpOptions;
  private readonly tree: Keeper;
  private state: State = 'Idle';
  private connection: Connection | undefined;
  private listener: Listener | undefined;
  /** Aborts what a connect waits for. */
  private dialling: Abort | undefined;
  /** Reads and writes that wait for a connect to end. */
  private readonly settled = new WaitQueue<void>();
  /** Those who poll while it is being made. */
  private readonly connecting = new Watchers();
  private bound: Endpoint | undefined;
  private socketOptions = DEFAULT_OPTIONS;
  private eofs = 0;

  constructor(number: number, owner: Caller, keeper: Keeper, tcp: TcpOptions) {
    super(number, owner, keeper);
    this.tree = keeper;
    this.tcp = tcp;
  }

  // ---- ctl ------------------------------------------------------------------------------------

  control(words: readonly string[], req: Req): Awaitable<void> {
    const [verb = '', ...args] = words;
    if (!Object.hasOwn(VERBS, verb)) {
      throw new FsError('Ebadctl', `'${verb}'; there are: ${Object.keys(VERBS).join(', ')}`);
    }
    return VERBS[verb]!(this, args, req);
  }

  async connect(args: readonly string[], req: Req): Promise<void> {
    this.mustBeIdle();
    await this.attempt('Connecting', req, async signal => {
      const [remote, from, ...more] = args;
      if (remote === undefined || more.length > 0) {
        throw new FsError('Econnectargs', 'write connect HOST!PORT [LOCAL]');
      }
      const to = parseDestination(remote, 'tcp');
      const { local, reserved } =
        from === undefined ? { local: this.bound, reserved: false } : localEnd(from);
      const hosts = typeof to.host === 'string' ? await this.resolve(to.host, req, signal) : [to.host];
      const connection = await this.dial(
        hosts,
        to.port,
        { local, reserved: to.reserved || reserved },
        signal,
      );
      this.tcp.counters.activeOpens++;
      this.established(connection);
    });
  }

  private async resolve(name: string, { caller }: Req, signal: Signal): Promise<readonly Ip[]> {
    try {
      return (await this.tcp.lookup(name, caller, signal)).map(({ ip }) => ip);
    } catch (error) {
      const missing = error instanceof FsError && (error.name === 'Enoname' || error.name === 'Enorecord');
      throw missing ? new FsError('Enotrans', error.detail ?? `${name}: ${error.message}`) : error;
    }
  }

  /** Tries each address in turn; the last one's failure is the answer. */
  private async dial(
    hosts: readonly Ip[],
    port: number,
    how: { local: Endpoint | undefined; reserved: boolean },
    signal: Signal,
  ): Promise<Connection> {
    let failure: unknown;
    for (const ip of hosts) {
      this.remote = { ip, port };
      try {
        await this.mustBeForeign(this.remote);
        return await this.tcp.dialer.connect(this.remote, { ...this.socketOptions, ...how }, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        failure = naming(error, this.remote);
      }
    }
    throw failure;
  }

  /** What a name resolved to is judged as an address: 0.0.0.0 is this machine to the kernel. */
  private async mustBeForeign(to: Endpoint): Promise<void> {
    if (isUnspecified(to.ip)) throw new FsError('Ebadip', `${formatEndpoint(to)} is no destination`);
    if (await this.tcp.isOwnListener(to)) {
      throw new FsError('Eperm', `${formatEndpoint(to)} is where this server itself listens`);
    }
  }

  async announce(args: readonly string[], req: Req): Promise<void> {
    this.mustBeIdle();
    await this.attempt('Announcing', req, async signal => {
      if (args.length !== 1) throw new FsError('Eannounceargs', 'write announce [IP!]PORT');
      const local = this.localToAnnounce(args[0]!, req);
      const listener = await this.tcp.dialer.announce(local).catch((error: unknown) => {
        throw naming(error, local);
      });
      if (signal.aborted) {
        listener.close();
        throw signal.reason;
      }
      this.listener = listener;
      this.local = listener.local;
      this.remote = UNSET;
      this.state = 'Announced';
    });
  }

  private localToAnnounce(text: string, req: Req): Endpoint {
    if (text === '*' || text.endsWith('!*')) {
      // Plan 9 lets its owner announce all ports at once; a host's socket has one.
      const owner = req.caller.uid === this.tree.owner.uid;
      throw new FsError(owner ? 'Enoannounce' : 'Eperm', 'all ports at once; name one port');
    }
    return parseLocal(text, 'tcp');
  }

  /**
   * Runs a connect or announce, which the request's flush or a hangup may abort. Failed, the
   * conversation is Finished; flushed, Idle again.
   */
  private async attempt(
    state: 'Connecting' | 'Announcing',
    req: Req,
    run: (signal: Signal) => Promise<void>,
  ): Promise<void> {
    const before = { local: this.local, remote: this.remote };
    this.state = state;
    const signal = new Abort();
    this.dialling = signal;
    const stop = onAbort(req.signal, () => signal.abort(req.signal.reason as Error));
    try {
      await run(signal);
    } catch (error) {
      const flushed = error instanceof FsError && error.name === 'Eintr';
      if (flushed) Object.assign(this, before);
      this.state = flushed ? 'Idle' : 'Finished';
      throw error;
    } finally {
      stop();
      this.dialling = undefined;
      this.settleWaiting();
    }
  }

  private settleWaiting(): void {
    while (this.settled.wake());
    this.connecting.tell();
  }

  private mustBeIdle(): void {
    if (this.state !== 'Idle') throw new FsError('Econinuse', 'open clone for a new conversation');
  }

  /** Also for a call that a listen took. */
  established(connection: Connection): void {
    this.connection = connection;
    this.local = connection.local;
    this.remote = connection.remote;
    this.state = 'Connected';
  }

  async bind(args: readonly string[]): Promise<void> {
    this.mustBeIdle();
    if (args.length !== 1) throw new FsError('Ebindargs', 'write bind [IP!]PORT');
    this.bound = await this.tcp.dialer.probe(parseLocal(args[0]!, 'tcp'));
    this.local = this.bound;
  }

  /** RST to the peer; whatever waits is woken. */
  hangup(): void {
    this.dialling?.abort(new FsError('Ehungup', 'hangup was written to ctl'));
    this.connection?.reset();
    this.listener?.close();
    if (this.state !== 'Idle') this.state = 'Finished';
  }

  /** FIN to the peer; the files stay open. */
  finish(): void {
    this.dialling?.abort(new FsError('Ehungup', 'close was written to ctl'));
    this.connection?.close();
    this.listener?.close();
    if (this.state !== 'Idle') this.state = 'Finished';
  }

  keepalive(args: readonly string[]): void {
    const ms = args[0] === undefined ? DEFAULT_KEEPALIVE_MS : integer(args[0], 50, 2 ** 31 - 1);
    if (this.state !== 'Connected' || this.tcpState() !== 'Established') throw new FsError('Enotestab');
    this.connection!.keepalive(ms);
  }

  configure(options: SocketOptions): void {
    this.socketOptions = { ...this.socketOptions, ...options };
    this.connection?.configure(options);
  }

  // ---- data -----------------------------------------------------------------------------------

  read(reply: Reply, req: Req): Awaitable<number> {
    if (this.connection === undefined) return this.whenSettled(req, () => this.read(reply, req));
    if (this.state === 'Finished') throw new FsError('Ehungup');
    const n = this.connection.read(reply, req);
    if (n instanceof Promise) return n.then(count => this.checkEof(count, reply));
    return this.checkEof(n, reply);
  }

  private checkEof(n: number, reply: Reply): number {
    if (n === 0 && reply.count > 0 && ++this.eofs > EOF_READS) throw new FsError('Ehungup');
    return n;
  }

  write(data: Buffer, req: Req): Awaitable<number> {
    if (this.connection === undefined) {
      const own = Buffer.from(data);
      return this.whenSettled(req, () => this.write(own, req));
    }
    if (this.state === 'Finished') throw new FsError('Ehungup');
    return this.connection.write(data, req);
  }

  /** I/O before there is a connection: waits while one is being made, else fails. */
  private async whenSettled(req: Req, run: () => Awaitable<number>): Promise<number> {
    if (this.state === 'Finished') throw new FsError('Ehungup');
    if (this.state !== 'Connecting') throw new FsError('Enotconn', 'write connect HOST!PORT to ctl first');
    if (req.nonblocking === true) throw new FsError('Eagain');
    await this.settled.wait(req.signal);
    return run();
  }

  poll(watch: Watch | undefined): Readiness {
    if (this.connection !== undefined && this.state !== 'Finished') return this.connection.poll(watch);
    if (this.state === 'Connecting') {
      if (watch !== undefined) this.connecting.add(watch);
      return { readable: false, writable: false };
    }
    // As Linux says of a socket that is not connected: an operation fails at once.
    return { readable: true, writable: true, ended: true, hungup: true };
  }

  pollListen(watch: Watch | undefined): boolean {
    return this.state !== 'Announced' || this.listener!.poll(watch);
  }

  mustBeAnnounced(): void {
    if (this.state !== 'Announced')
      throw new FsError('Enotannounced', 'write announce [IP!]PORT to ctl first');
  }

  async listen(req: Req): Promise<Conversation> {
    this.mustBeAnnounced();
    if (req.nonblocking === true && !this.listener!.poll(undefined)) throw new FsError('Eagain');
    if (!this.tree.hasRoom()) throw new FsError('Enodev', 'the call waits until a conversation is free');
    this.retain();
    try {
      const connection = await this.listener!.accept(req.signal);
      return this.accepted(connection);
    } finally {
      this.release();
    }
  }

  private accepted(connection: Connection): TcpConversation {
    // The last number may have been taken while the listen waited.
    if (!this.tree.hasRoom()) {
      this.listener!.giveBack(connection);
      throw new FsError('Enodev', 'the call waits until a conversation is free');
    }
    const call = this.tree.allocate(this.permissions.owner) as TcpConversation;
    call.established(connection);
    call.retain();
    this.tcp.counters.passiveOpens++;
    return call;
  }

  // ---- the end --------------------------------------------------------------------------------

  protected end(): void {
    this.finish();
    const { connection } = this;
    if (connection === undefined) this.free();
    else void connection.gone.then(() => this.free());
  }

  evict(): void {
    this.connection?.reset();
    this.free();
  }

  // ---- what local, remote and status say ------------------------------------------------------

  queued(): number {
    return this.state === 'Connected' ? this.connection!.queued() : 0;
  }

  private tcpState(): TcpState {
    if (this.connection !== undefined) return this.connection.info()?.state ?? 'Closed';
    if (this.state === 'Announced') return 'Listen';
    return this.state === 'Connecting' ? 'Syn_sent' : 'Closed';
  }

  /** 9front's line; what a host does not tell is 0. */
  status(): string {
    const info = this.connection?.info();
    return (
      `${info?.state ?? this.tcpState()} qin ${this.queued()} qout 0 rq 0.0` +
      ` srtt ${Math.round(info?.rtt ?? 0)} mdev ${Math.round(info?.rttVar ?? 0)}` +
      ` sst ${info?.ssthresh ?? 0} cwin ${info?.cwnd ?? 0} swin 0>>0 rwin 0>>0 qscale 0` +
      ` timer.start 0 timer.count 0 rerecv ${info?.retransmits ?? 0} katimer.start 0 katimer.count 0\n`
    );
  }
}

/** An error that says nothing but its name is told with the address that it is about. */
function naming(error: unknown, at: Endpoint): unknown {
  if (!(error instanceof FsError) || error.detail !== undefined) return error;
  return new FsError(error.name, formatEndpoint(at));
}

type Verb = (conversation: TcpConversation, args: readonly string[], req: Req) => Awaitable<void>;

/** Every ctl message of tcp, ip(3). */
const VERBS: Readonly<Record<string, Verb>> = {
  connect: (c, args, req) => c.connect(args, req),
  announce: (c, args, req) => c.announce(args, req),
  bind: (c, args) => c.bind(args),
  hangup: c => c.hangup(),
  close: c => c.finish(),
  keepalive: (c, args) => c.keepalive(args),
  ttl: (c, [n]) => c.configure({ ttl: n === undefined ? DEFAULT_TTL : integer(n, 1, 255) }),
  tos: (c, [n]) => c.configure({ tos: n === undefined ? 0 : integer(n, 0, 255) }),
  // A host's kernel checks sums, and TCP of a host heeds ICMP as it will.
  checksum: () => {},
  ignoreadvice: () => {},
  tcpporthogdefense: (_c, [value]) => {
    if (value !== 'on' && value !== 'off') throw new FsError('Eporthog', 'write on or off');
  },
  // Multicast is udp's; on tcp the arguments are checked and nothing follows, as in Plan 9.
  addmulti: (_c, args) => multicastArgs(args, 'Eaddmulti'),
  delmulti: (_c, args) => multicastArgs(args, 'Edelmulti'),
  remmulti: (_c, args) => multicastArgs(args, 'Edelmulti'),
};

/** `[IP!]PORT[!r]`, the other end of a connect. */
function localEnd(text: string): { local: Endpoint; reserved: boolean } {
  const reserved = text.endsWith('!r');
  return { local: parseLocal(reserved ? text.slice(0, -2) : text, 'tcp'), reserved };
}

function multicastArgs(args: readonly string[], missing: ErrorName): void {
  if (args.length === 0) throw new FsError(missing);
  for (const arg of args) parseLocal(`${arg}!0`, 'tcp');
}

/** A decimal number in a range; Ebadarg otherwise. */
function integer(text: string, least: number, most: number): number {
  const n = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!(n >= least && n <= most))
    throw new FsError('Ebadarg', `'${text}' is no number from ${least} to ${most}`);
  return n;
}
