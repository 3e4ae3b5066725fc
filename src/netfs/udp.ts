/**
 * UDP conversations, ip(3). A read or write of data is one datagram. A conversation is connected to one
 * remote; or announced, and then either its datagrams carry `headers` that say whose they are, or each
 * new remote is a call to be listened for.
 */
import { FsError } from './error.ts';
import { formatEndpoint, sameIp, UNSET, type Endpoint } from './address.ts';
import { Conversation, type Keeper } from './conversation.ts';
import {
  announcedEnd,
  boundEnd,
  connectEnds,
  destinationsOf,
  destOf,
  firstThatWorks,
  naming,
  obey,
  tosArg,
  ttlArg,
  type Verbs,
} from './ctlargs.ts';
import type { Datagram, DatagramRoute, Datagrams, Dialer, SocketOptions } from './dialer.ts';
import type { Attempt, Gate } from './gate.ts';
import type { Lookups } from './lookups.ts';
import type { Awaitable, Readiness, Reply, Req } from './node.ts';
import { Progress } from './progress.ts';
import { Readers } from './readers.ts';
import { Remotes } from './remotes.ts';
import { Calls, type Call } from './udpcalls.ts';
import type { UdpCounters } from './udpcounters.ts';
import { Groups, type Joining } from './udpgroups.ts';
import { HEADER, routeOf, withHeader } from './udpheader.ts';
import { Sending } from './udpsending.ts';
import type { Caller } from '../policy/identity.ts';
import type { Quota } from '../policy/quota.ts';
import { Watchers, type Watch } from '../abort.ts';

export interface UdpOptions {
  readonly dialer: Dialer;
  readonly gate: Gate;
  readonly lookups: Lookups;
  readonly counters: UdpCounters;
  /** Bytes that calls keep. */
  readonly kept: Quota;
}

/** Datagrams that are looked at before others get their turn. */
const BATCH = 256;

export class UdpConversation extends Conversation {
  override readonly datagrams = true;
  private readonly udp: UdpOptions;
  private readonly tree: Keeper;
  private readonly progress = new Progress();
  private socket: Datagrams | undefined;
  /** The calls of an announced conversation, once somebody listens. */
  private calls: Calls | undefined;
  /** With whom an announced one may speak. */
  private remotes: Remotes | undefined;
  private announcer: Caller | undefined;
  private isCall = false;
  private headers = false;
  private heeding = true;
  private bound: Endpoint | undefined;
  private socketOptions: SocketOptions = {};
  private readonly groups = new Groups();
  private readonly readers = new Readers();
  private readonly watchers = new Watchers();
  private readonly sending = new Sending(() => this.watchers.tell());
  /** What the network said of what was sent: it hung up. */
  private failure: FsError | undefined;

  constructor(number: number, owner: Caller, keeper: Keeper, udp: UdpOptions) {
    super(number, owner, keeper);
    this.tree = keeper;
    this.udp = udp;
  }

  // ---- ctl ------------------------------------------------------------------------------------

  control(words: readonly string[], req: Req): Awaitable<void> {
    return obey(VERBS, this, words, req);
  }

  connect(args: readonly string[], req: Req): Promise<void> {
    return this.progress.run(this, 'Connecting', req, async signal => {
      const { to, local = this.bound, reserved } = connectEnds(args, 'udp');
      this.mustHaveLocal(this.udp.gate, { local, reserved }, req.caller);
      const hosts = await destinationsOf(to, this.udp.lookups, req.caller, signal);
      const options = { ...this.socketOptions, local, reserved };
      const dest = destOf('udp', to);
      await firstThatWorks(hosts, to.port, signal, (end, naming) => {
        if (signal.aborted) throw signal.reason;
        this.remote = end;
        const attempt = { verb: 'connect', protocol: 'udp', dest, ...end, ...naming } as const;
        const pass = this.admit(this.udp.gate, attempt, req.caller);
        try {
          this.opened(this.udp.dialer.datagrams(end, options));
          this.progress.phase = 'Connected';
        } catch (error) {
          pass.end(0, 0, (error as Error).message);
          throw error;
        }
        return Promise.resolve();
      });
    });
  }

  announce(args: readonly string[], req: Req): Promise<void> {
    return this.progress.run(this, 'Announcing', req, () => {
      if (args.length !== 1) throw new FsError('Eannounceargs', 'write announce [IP!]PORT');
      const local = announcedEnd(args[0]!, 'udp', req.caller.uid === this.tree.owner.uid);
      const dest = `udp!${formatEndpoint(local)}`;
      const pass = this.admit(
        this.udp.gate,
        { verb: 'announce', protocol: 'udp', dest, ...local },
        req.caller,
      );
      try {
        this.opened(this.udp.dialer.datagrams(undefined, { ...this.socketOptions, local }));
      } catch (error) {
        pass.end(0, 0, (error as Error).message);
        throw naming(error, local);
      }
      const { gate } = this.udp;
      this.announcer = req.caller;
      this.remotes = new Remotes({ gate, caller: req.caller, place: this.place, port: this.local.port });
      this.progress.phase = 'Announced';
      return Promise.resolve();
    });
  }

  private opened(socket: Datagrams): void {
    try {
      this.groups.joinAll(socket);
    } catch (error) {
      socket.close();
      throw error;
    }
    this.use(socket);
    if (!this.heeding) socket.heedAdvice(false);
  }

  private use(socket: Datagrams): void {
    this.socket = socket;
    this.local = socket.local;
    this.remote = socket.remote ?? UNSET;
  }

  async bind(args: readonly string[]): Promise<void> {
    this.progress.mustBeIdle();
    const bound = await this.udp.dialer.probe(boundEnd(args, 'udp'), 'udp');
    // Another message may have come meanwhile.
    this.progress.mustBeIdle();
    this.bound = bound;
    this.local = bound;
  }

  useHeaders(args: readonly string[]): void {
    if (args.length > 0) throw new FsError('Ebadctl', 'headers has no argument');
    if (this.calls !== undefined) throw new FsError('Econinuse', 'its remotes are listened for as calls');
    if (this.isCall) throw new FsError('Econinuse', 'a call has one remote');
    this.headers = true;
  }

  ignoreAdvice(): void {
    this.heeding = false;
    // What is said of its calls is heard on the socket that they share.
    if (this.calls === undefined) this.socket?.heedAdvice(false);
  }

  /** Whatever waits is woken, and nothing more comes or goes. */
  hangup(why = new FsError('Ehungup', 'hangup was written to ctl')): void {
    this.progress.end(why);
    this.closeSocket();
    this.readers.fail(new FsError('Ehungup'));
    this.sending.fail(new FsError('Ehungup'));
    this.watchers.tell();
  }

  private closeSocket(): void {
    if (this.socket === undefined) return;
    this.udp.counters.drops += this.calls?.drops() ?? this.socket.drops();
    // Calls that were taken go on with the socket.
    if (this.calls === undefined) this.socket.close();
    else this.calls.close();
    this.socket = undefined;
    this.calls = undefined;
  }

  configure(options: SocketOptions): void {
    this.socketOptions = { ...this.socketOptions, ...options };
    this.socket?.configure(options);
  }

  addMulti(args: readonly string[]): void {
    this.groups.add(args, this.joining);
  }

  delMulti(args: readonly string[]): void {
    this.groups.remove(args, this.joining);
  }

  private get joining(): Joining {
    const { local, remote, socket } = this;
    return { local, remote, socket };
  }

  // ---- data -----------------------------------------------------------------------------------

  read(reply: Reply, req: Req): Awaitable<number> {
    const socket = this.usable();
    if (socket === undefined) return this.progress.whenSettled(req, () => this.read(reply, req));
    this.checkRoom(reply);
    if (reply.count === 0) return 0;
    if (!this.readers.some) {
      const n = this.take(reply);
      // Who watches need not ask again before he is told (EPOLLET).
      if (this.watchers.some) socket.whenReadable(this.serve);
      if (n !== undefined) return n;
    }
    if (req.nonblocking === true) throw new FsError('Eagain');
    const waiting = this.readers.wait(reply, req.signal, this.serve);
    if (this.readers.some) socket.whenReadable(this.serve);
    return waiting;
  }

  private checkRoom({ count }: Reply): void {
    if (this.headers && count < HEADER) throw new FsError('Eshortio', `headers take ${HEADER} bytes`);
  }

  /** The socket on which datagrams come and go as they are; undefined before there is one. */
  private usable(): Datagrams | undefined {
    if (this.progress.phase === 'Finished') throw new FsError('Ehungup');
    if (this.progress.phase === 'Announced' && !this.headers) {
      throw new FsError('Enotconn', 'open listen for the calls, or write headers to ctl');
    }
    return this.socket;
  }

  /** What can be answered without waiting; throws what the network said once all else is read. */
  private take(reply: Reply): number | undefined {
    // headers may have been written while it waited.
    this.checkRoom(reply);
    const datagram = this.receiveAdmitted();
    if (datagram === undefined && this.failure !== undefined) throw this.failure;
    if (datagram === undefined) return undefined;
    this.udp.counters.datagramsIn++;
    return this.headers
      ? withHeader(datagram, this.local.port, reply)
      : datagram.bytes.copy(reply.room(datagram.bytes.length));
  }

  /** What comes from whom its reader may not hear is dropped; and others get their turn, too. */
  private receiveAdmitted(): Datagram | undefined {
    for (let tries = 0; tries < BATCH; tries++) {
      const datagram = this.receive();
      if (datagram === undefined || this.remotes?.mayHear(datagram.from) !== false) return datagram;
      this.udp.counters.drops++;
    }
    return undefined;
  }

  /** An error comes before the datagrams that are there, and is kept for when they are read. */
  private receive(): Datagram | undefined {
    for (let tries = 0; tries < 2; tries++) {
      try {
        return this.socket!.receive();
      } catch (error) {
        if (!(error instanceof FsError)) throw error;
        const said = this.complaints();
        this.heed(said.length > 0 ? said : [error]);
      }
    }
    return undefined;
  }

  private complaints(): FsError[] {
    return this.socket!.complaints().map(({ error }) => error);
  }

  /** ICMP hangs a conversation up (9front, udpadvise), unless ignoreadvice was written. */
  private heed(said: readonly FsError[]): void {
    // That a datagram was too large for the path is about that datagram.
    const reason = said.find(({ name }) => name !== 'Etoobig');
    if (this.heeding) this.failure ??= reason;
  }

  /** Something may have come: for the reads that wait, and for who watches. */
  private readonly serve = (): void => {
    const { socket } = this;
    if (socket === undefined || this.progress.phase === 'Finished') return;
    const served = this.readers.some;
    const stuck = this.readers.serve(reply => this.take(reply), this.serve);
    if (this.watchers.some && (this.failure !== undefined || socket.waiting())) this.watchers.tell();
    // A client that does not take its answers calls again; until then nothing can be done.
    const wanted = (this.readers.some && !stuck) || this.watchers.some;
    // Who read goes on reading, probably: that is worth one notice for nobody.
    if (!wanted && (stuck || !served)) socket.whenReadable(undefined);
    else if (wanted) socket.whenReadable(this.serve);
  };

  write(data: Buffer, req: Req): Awaitable<number> {
    const socket = this.usable();
    if (socket === undefined) {
      const own = Buffer.from(data);
      return this.progress.whenSettled(req, () => this.write(own, req));
    }
    if (this.failure !== undefined) throw this.failure;
    const route = this.headers ? this.routeBy(data) : undefined;
    const payload = this.headers ? data.subarray(HEADER) : data;
    if (this.sending.mayTry && this.send(socket, payload, route)) return data.length;
    const { length } = data;
    const own = Buffer.from(payload);
    return this.sending.wait(socket, () => this.sendAgain(socket, own, route), req).then(() => length);
  }

  /** Undefined where there is one way only: of what is connected nobody was asked about another remote. */
  private routeBy(data: Buffer): DatagramRoute | undefined {
    const route = routeOf(data);
    if (this.remotes === undefined && !sameEndpoint(route.to, this.remote)) {
      throw new FsError('Eperm', `it is connected to ${formatEndpoint(this.remote)}, and sends nowhere else`);
    }
    this.remotes?.mustReach(route.to);
    return this.remotes === undefined ? undefined : route;
  }

  private sendAgain(socket: Datagrams, payload: Buffer, route: DatagramRoute | undefined): boolean {
    if (this.failure !== undefined) throw this.failure;
    // The rules may have changed while it waited.
    if (route !== undefined) this.remotes?.mustReach(route.to);
    return this.send(socket, payload, route);
  }

  private send(socket: Datagrams, payload: Buffer, route: DatagramRoute | undefined): boolean {
    const sent = this.sendHeeding(socket, payload, route);
    if (sent) this.udp.counters.datagramsOut++;
    return sent;
  }

  /** What the network said of an earlier datagram keeps this one back; then it is tried once more. */
  private sendHeeding(socket: Datagrams, payload: Buffer, route: DatagramRoute | undefined): boolean {
    try {
      return socket.send(payload, route);
    } catch (error) {
      if (!this.heeding || !(error instanceof FsError)) throw error;
      const said = this.complaints();
      if (said.length === 0 && error.name !== 'Econrefused') throw error;
      this.heed(said.length > 0 ? said : [error]);
      if (this.failure === undefined) return socket.send(payload, route);
      this.serve();
      throw this.failure;
    }
  }

  poll(watch: Watch | undefined): Readiness {
    const { phase } = this.progress;
    if (phase === 'Connecting') {
      if (watch !== undefined) this.progress.onSettled(watch);
      return { readable: false, writable: false };
    }
    const usable = phase === 'Connected' || (phase === 'Announced' && this.headers);
    // As Linux says of a socket that is not connected: an operation fails at once.
    if (!usable) return { readable: true, writable: true, ended: true, hungup: true };
    const failed = this.failure !== undefined;
    const readable = failed || this.socket!.waiting();
    if (watch !== undefined) {
      this.watchers.add(watch);
      // What waits already is told by this answer; the next read, whatever it finds, asks for more.
      if (!readable) this.socket!.whenReadable(this.serve);
    }
    return { readable, writable: failed || this.sending.hasRoom, failed };
  }

  // ---- calls ----------------------------------------------------------------------------------

  mustBeAnnounced(): void {
    if (this.progress.phase !== 'Announced')
      throw new FsError('Enotannounced', 'write announce [IP!]PORT to ctl first');
    if (this.headers)
      throw new FsError('Enotannounced', 'headers was written: every remote is read from data');
  }

  private listened(): Calls {
    this.mustBeAnnounced();
    this.calls ??= new Calls(
      this.socket!,
      this.udp.kept,
      this.permissions.owner,
      from => this.remotes?.mayHear(from) !== false,
    );
    return this.calls;
  }

  pollListen(watch: Watch | undefined): boolean {
    return this.progress.phase !== 'Announced' || this.headers || this.listened().poll(watch);
  }

  async listen(req: Req): Promise<Conversation> {
    const calls = this.listened();
    this.mustHaveRoom();
    this.retain();
    try {
      for (;;) {
        if (req.nonblocking === true && !calls.poll(undefined)) throw new FsError('Eagain');
        const call = this.accepted(calls, await calls.accept(req.signal));
        if (call !== undefined) return call;
      }
    } finally {
      this.release();
    }
  }

  private mustHaveRoom(): void {
    if (!this.tree.hasRoom(this.permissions.owner))
      throw new FsError('Enodev', 'the call waits until a conversation is free');
  }

  /** Undefined where the caller may not call any more, as he might when he came. */
  private accepted(calls: Calls, line: Call): UdpConversation | undefined {
    try {
      // The last number may have been taken while the listen waited.
      this.mustHaveRoom();
    } catch (error) {
      calls.giveBack(line);
      throw error;
    }
    const call = this.tree.allocate(this.permissions.owner) as UdpConversation;
    call.retain();
    try {
      call.admit(this.udp.gate, this.callBy(line.remote), this.announcer!);
    } catch {
      line.close();
      call.release();
      return undefined;
    }
    call.use(line);
    call.isCall = true;
    call.progress.phase = 'Connected';
    return call;
  }

  private callBy(remote: Endpoint): Attempt {
    const dest = `udp!${formatEndpoint(remote)}`;
    return { verb: 'accept', protocol: 'udp', dest, ip: remote.ip, port: this.local.port };
  }

  // ---- the end --------------------------------------------------------------------------------

  protected end(): void {
    this.hangup();
    this.local = UNSET;
    this.remote = UNSET;
    this.free();
  }

  evict(): void {
    this.free();
  }

  // ---- what local, remote and status say ------------------------------------------------------

  queued(): number {
    return this.progress.phase === 'Finished' ? 0 : (this.socket?.queued() ?? 0);
  }

  /** 9front's line, and the datagrams that were lost. */
  status(): string {
    const state = this.inUse ? 'Open' : 'Closed';
    const drops = this.calls?.drops() ?? this.socket?.drops() ?? 0;
    return `${state} qin ${this.queued()} qout 0 drops ${drops} ${this.counts()}\n`;
  }
}

const sameEndpoint = (a: Endpoint, b: Endpoint): boolean => a.port === b.port && sameIp(a.ip, b.ip);

/** Every ctl message of udp, ip(3). */
const VERBS: Verbs<UdpConversation> = {
  connect: (c, args, req) => c.connect(args, req),
  announce: (c, args, req) => c.announce(args, req),
  bind: (c, args) => c.bind(args),
  hangup: c => c.hangup(),
  headers: (c, args) => c.useHeaders(args),
  ignoreadvice: c => c.ignoreAdvice(),
  ttl: (c, args) => c.configure(ttlArg(args)),
  tos: (c, args) => c.configure(tosArg(args)),
  addmulti: (c, args) => c.addMulti(args),
  delmulti: (c, args) => c.delMulti(args),
  remmulti: (c, args) => c.delMulti(args),
};
