/** TCP conversations, ip(3). */
import { FsError } from './error.ts';
import { formatEndpoint, UNSET, type Endpoint } from './address.ts';
import { Conversation, type Keeper } from './conversation.ts';
import {
  announcedEnd,
  boundEnd,
  connectEnds,
  destinationsOf,
  destOf,
  firstThatWorks,
  integer,
  ipArgs,
  naming,
  obey,
  tosArg,
  ttlArg,
  type Verbs,
} from './ctlargs.ts';
import type { Connection, Dialer, Listener, SocketOptions, TcpState } from './dialer.ts';
import type { Awaitable, Readiness, Reply, Req } from './node.ts';
import type { Attempt, Gate } from './gate.ts';
import type { Lookups } from './lookups.ts';
import { Progress } from './progress.ts';
import type { Caller } from '../policy/identity.ts';
import type { Watch } from '../abort.ts';

export interface TcpOptions {
  readonly dialer: Dialer;
  readonly gate: Gate;
  readonly lookups: Lookups;
  /** Whether the server itself listens there: it never dials its own doors. */
  isOwnListener(at: Endpoint): Promise<boolean>;
  readonly counters: TcpCounters;
}

/** What tcp/stats says of this /net's own conversations. */
export interface TcpCounters {
  activeOpens: number;
  passiveOpens: number;
}

/** Reads at the end of the stream answer 0 so many times, then `i/o on hungup channel` (9front, qio.c). */
const EOF_READS = 3;

const DEFAULT_KEEPALIVE_MS = 30_000;
const DEFAULT_OPTIONS: SocketOptions = {};

export class TcpConversation extends Conversation {
  private readonly tcp: TcpOptions;
  private readonly tree: Keeper;
  private readonly progress = new Progress();
  private connection: Connection | undefined;
  private listener: Listener | undefined;
  /** For whom its callers are judged. */
  private announcer: Caller | undefined;
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
    return obey(VERBS, this, words, req);
  }

  async connect(args: readonly string[], req: Req): Promise<void> {
    await this.progress.run(this, 'Connecting', req, async signal => {
      const { to, local = this.bound, reserved } = connectEnds(args, 'tcp');
      this.mustHaveLocal(this.tcp.gate, { local, reserved }, req.caller);
      const hosts = await destinationsOf(to, this.tcp.lookups, req.caller, signal);
      const options = { ...this.socketOptions, local, reserved };
      const dest = destOf('tcp', to);
      await firstThatWorks(hosts, to.port, signal, async (end, naming) => {
        this.remote = end;
        await this.mustBeForeign(end);
        const attempt = { verb: 'connect', protocol: 'tcp', dest, ...end, ...naming } as const;
        const pass = this.admit(this.tcp.gate, attempt, req.caller);
        try {
          const connection = await this.tcp.dialer.connect(end, options, signal);
          // The rules may have changed while it was made.
          if (pass.revoked !== undefined) connection.reset();
          pass.check();
          this.tcp.counters.activeOpens++;
          this.established(connection);
        } catch (error) {
          pass.end(0, 0, (error as Error).message);
          throw error;
        }
      });
    });
  }

  private async mustBeForeign(to: Endpoint): Promise<void> {
    if (await this.tcp.isOwnListener(to)) {
      throw new FsError('Eperm', `${formatEndpoint(to)} is where this server itself listens`);
    }
  }

  async announce(args: readonly string[], req: Req): Promise<void> {
    await this.progress.run(this, 'Announcing', req, async signal => {
      if (args.length !== 1) throw new FsError('Eannounceargs', 'write announce [IP!]PORT');
      const local = announcedEnd(args[0]!, 'tcp', req.caller.uid === this.tree.owner.uid);
      const dest = `tcp!${formatEndpoint(local)}`;
      const attempt = { verb: 'announce', protocol: 'tcp', dest, ...local } as const;
      const pass = this.admit(this.tcp.gate, attempt, req.caller);
      this.announcer = req.caller;
      const admits = (remote: Endpoint): boolean => this.mayCall(remote);
      const listener = await this.tcp.dialer.announce(local, admits).catch((error: unknown) => {
        pass.end(0, 0, (error as Error).message);
        throw naming(error, local);
      });
      if (signal.aborted || pass.revoked !== undefined) {
        listener.close();
        throw pass.revoked ?? signal.reason;
      }
      this.listener = listener;
      this.local = listener.local;
      this.remote = UNSET;
      this.progress.phase = 'Announced';
    });
  }

  /** Whether a remote may call; it is heard of by nobody if not. */
  private mayCall(remote: Endpoint): boolean {
    return this.tcp.gate.lets(this.callBy(remote), this.announcer!, this.place);
  }

  private callBy(remote: Endpoint): Attempt {
    const dest = `tcp!${formatEndpoint(remote)}`;
    return { verb: 'accept', protocol: 'tcp', dest, ip: remote.ip, port: this.local.port };
  }

  /** Also for a call that a listen took. */
  established(connection: Connection): void {
    this.connection = connection;
    this.local = connection.local;
    this.remote = connection.remote;
    this.progress.phase = 'Connected';
  }

  async bind(args: readonly string[]): Promise<void> {
    this.progress.mustBeIdle();
    const bound = await this.tcp.dialer.probe(boundEnd(args, 'tcp'));
    // Another message may have come meanwhile.
    this.progress.mustBeIdle();
    this.bound = bound;
    this.local = bound;
  }

  /** RST to the peer; whatever waits is woken. */
  hangup(why = new FsError('Ehungup', 'hangup was written to ctl')): void {
    this.progress.end(why);
    this.connection?.reset();
    this.listener?.close();
  }

  /** FIN to the peer; the files stay open. */
  finish(): void {
    this.progress.end(new FsError('Ehungup', 'close was written to ctl'));
    this.connection?.close();
    this.listener?.close();
  }

  keepalive(args: readonly string[]): void {
    const ms = args[0] === undefined ? DEFAULT_KEEPALIVE_MS : integer(args[0], 50, 2 ** 31 - 1);
    if (this.progress.phase !== 'Connected' || this.tcpState() !== 'Established')
      throw new FsError('Enotestab');
    this.connection!.keepalive(ms);
  }

  configure(options: SocketOptions): void {
    this.socketOptions = { ...this.socketOptions, ...options };
    this.connection?.configure(options);
  }

  // ---- data -----------------------------------------------------------------------------------

  read(reply: Reply, req: Req): Awaitable<number> {
    if (this.connection === undefined) return this.progress.whenSettled(req, () => this.read(reply, req));
    if (this.progress.phase === 'Finished') throw new FsError('Ehungup');
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
      return this.progress.whenSettled(req, () => this.write(own, req));
    }
    if (this.progress.phase === 'Finished') throw new FsError('Ehungup');
    return this.connection.write(data, req);
  }

  poll(watch: Watch | undefined): Readiness {
    if (this.connection !== undefined && this.progress.phase !== 'Finished')
      return this.connection.poll(watch);
    if (this.progress.phase === 'Connecting') {
      if (watch !== undefined) this.progress.onSettled(watch);
      return { readable: false, writable: false };
    }
    // As Linux says of a socket that is not connected: an operation fails at once.
    return { readable: true, writable: true, ended: true, hungup: true };
  }

  pollListen(watch: Watch | undefined): boolean {
    return this.progress.phase !== 'Announced' || this.listener!.poll(watch);
  }

  mustBeAnnounced(): void {
    if (this.progress.phase !== 'Announced')
      throw new FsError('Enotannounced', 'write announce [IP!]PORT to ctl first');
  }

  async listen(req: Req): Promise<Conversation> {
    this.mustBeAnnounced();
    if (!this.tree.hasRoom(this.permissions.owner))
      throw new FsError('Enodev', 'the call waits until a conversation is free');
    this.retain();
    try {
      for (;;) {
        if (req.nonblocking === true && !this.listener!.poll(undefined)) throw new FsError('Eagain');
        const call = this.accepted(await this.listener!.accept(req.signal));
        if (call !== undefined) return call;
      }
    } finally {
      this.release();
    }
  }

  /** Undefined where the caller may not call any more, as he might when he came. */
  private accepted(connection: Connection): TcpConversation | undefined {
    // The last number may have been taken while the listen waited.
    if (!this.tree.hasRoom(this.permissions.owner)) {
      this.listener!.giveBack(connection);
      throw new FsError('Enodev', 'the call waits until a conversation is free');
    }
    const call = this.tree.allocate(this.permissions.owner) as TcpConversation;
    call.retain();
    try {
      call.admit(this.tcp.gate, this.callBy(connection.remote), this.announcer!);
    } catch {
      connection.reset();
      call.release();
      return undefined;
    }
    call.established(connection);
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
    return this.progress.phase === 'Connected' ? this.connection!.queued() : 0;
  }

  private tcpState(): TcpState {
    if (this.connection !== undefined) return this.connection.info()?.state ?? 'Closed';
    if (this.progress.phase === 'Announced') return 'Listen';
    return this.progress.phase === 'Connecting' ? 'Syn_sent' : 'Closed';
  }

  /** 9front's line, and two words more; what a host does not tell is 0. */
  status(): string {
    const info = this.connection?.info();
    return (
      `${info?.state ?? this.tcpState()} qin ${this.queued()} qout 0 rq 0.0` +
      ` srtt ${Math.round(info?.rtt ?? 0)} mdev ${Math.round(info?.rttVar ?? 0)}` +
      ` sst ${info?.ssthresh ?? 0} cwin ${info?.cwnd ?? 0} swin 0>>0 rwin 0>>0 qscale 0` +
      ` timer.start 0 timer.count 0 rerecv ${info?.retransmits ?? 0} katimer.start 0 katimer.count 0` +
      ` ${this.counts()}\n`
    );
  }
}

/** Every ctl message of tcp, ip(3). */
const VERBS: Verbs<TcpConversation> = {
  connect: (c, args, req) => c.connect(args, req),
  announce: (c, args, req) => c.announce(args, req),
  bind: (c, args) => c.bind(args),
  hangup: c => c.hangup(),
  close: c => c.finish(),
  keepalive: (c, args) => c.keepalive(args),
  ttl: (c, args) => c.configure(ttlArg(args)),
  tos: (c, args) => c.configure(tosArg(args)),
  // A host's kernel checks sums, and TCP of a host heeds ICMP as it will.
  checksum: () => {},
  ignoreadvice: () => {},
  tcpporthogdefense: (_c, [value]) => {
    if (value !== 'on' && value !== 'off') throw new FsError('Eporthog', 'write on or off');
  },
  // Multicast is udp's; on tcp the arguments are checked and nothing follows, as in Plan 9.
  addmulti: (_c, args) => void ipArgs(args, 'Eaddmulti'),
  delmulti: (_c, args) => void ipArgs(args, 'Edelmulti'),
  remmulti: (_c, args) => void ipArgs(args, 'Edelmulti'),
};
