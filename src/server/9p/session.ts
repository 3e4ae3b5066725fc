/**
 * One client's session: its dialect, its fids, its requests in flight.
 *
 * A request goes one straight way: decode, register its tag, run its handler (handlers.ts), take the
 * tag off, reply. A handler that can answer at once returns a message; one that must wait returns a
 * promise and heeds the request's signal. Tflush aborts, waits for the old request to settle, whose
 * reply (if it did succeed) goes out first, and then answers.
 */
import type { Signal } from '../../abort.ts';
import type { Duplex } from 'node:stream';
import { FsError } from '../../netfs/error.ts';
import type { Mount } from '../../netfs/mount.ts';
import type { Log } from '../../log.ts';
import type { Peer, TrustedUsers, Users } from '../../policy/identity.ts';
import { codecFor, MalformedMessage, tagOf, type Codec } from './codec.ts';
import { FidTable, type Fid } from './fids.ts';
import { Framer, FramingError, type ReadNow } from './framer.ts';
import { HANDLERS } from './handlers.ts';
import type { Locks } from './locks.ts';
import { negotiate, type Message, type TName } from './messages.ts';
import { Outbox, type DirectWriter } from './outbox.ts';
import { Request, type ReadReply } from './request.ts';
import { format } from './trace.ts';
import { Recogniser, V9fs } from './v9fs/index.ts';

export const MIN_MSIZE = 512;
export const MAX_MSIZE = 1024 * 1024;
/** What a client may send before Tversion has said how much: a Tversion. */
const FIRST_MSIZE = 8192;

/** How long the requests of one client may hold up those of others. */
const TURN_MS = 10;

export interface Limits {
  readonly fids: number;
  /** Requests in flight. */
  readonly tags: number;
  /** Bytes of Twrites that wait, all together. */
  readonly writeBytes: number;
  /** Milliseconds in which a client must have sent its Tversion. */
  readonly handshakeMs: number;
}

export const DEFAULT_LIMITS: Limits = {
  fids: 65536,
  tags: 16384,
  writeBytes: 64 * 1024 * 1024,
  handshakeMs: 30_000,
};

export interface SessionOptions {
  /** The whole tree. */
  readonly mount: Mount;
  readonly users: Users;
  readonly peer: Peer;
  /** Asked at each attach whose peer may claim them. */
  readonly trustedUsers?: (() => TrustedUsers) | undefined;
  /** Locks are the server's: they hold between sessions. */
  readonly locks: Locks;
  readonly log: Log;
  readonly limits?: Limits;
  /** Called with each message, as one line. */
  readonly trace?: ((line: string) => void) | undefined;
  /** Ways past the stream, where its descriptor can be had. */
  readonly direct?: Direct | undefined;
}

/** What a socket can do beside its stream's methods. */
export interface Direct extends DirectWriter {
  readonly read: ReadNow;
  /** Hands over what arrives, each chunk lent for the call; the stream then has no `data` events. */
  onChunk(receive: (chunk: Buffer) => void): void;
}

/** A reply, or a read's frame with n bytes in it. */
export type Answer = Message | { readonly read: ReadReply; readonly n: number };

export class Session {
  readonly options: SessionOptions;
  readonly fids: FidTable;
  msize = FIRST_MSIZE;
  /** Settles when the session is over and everything it held is given back. */
  readonly ended: Promise<void>;
  private readonly stream: Duplex;
  readonly outbox: Outbox;
  private readonly framer: Framer;
  private readonly limits: Limits;
  private readonly pending = new Map<number, Request>();
  private negotiated: Codec | undefined;
  /** The help that Linux's 9p file system needs; other clients get none. */
  v9fs: V9fs | undefined;
  /** Until it is known who the client is. */
  private recogniser: Recogniser | undefined;
  private writeBytes = 0;
  /** The outbox takes no more, and what was sent is not all taken yet: meanwhile nothing is read. */
  private isFull = false;
  private rest: Buffer | undefined;
  private readonly handshake: NodeJS.Timeout;
  private closed = false;
  private draining = false;
  private endedBy!: () => void;
  private onIdle: (() => void) | undefined;

  /** Serves what comes over the stream until it ends or `close` is called. */
  constructor(stream: Duplex, options: SessionOptions) {
    this.options = options;
    this.stream = stream;
    this.limits = options.limits ?? DEFAULT_LIMITS;
    this.fids = new FidTable(this.limits.fids);
    this.outbox = new Outbox(stream, options.direct, full => {
      this.isFull = full;
      this.readOrPause();
    });
    this.framer = new Framer(FIRST_MSIZE, frame => this.receive(frame), options.direct?.read);
    this.ended = new Promise(resolve => (this.endedBy = resolve));
    this.handshake = setTimeout(() => this.giveUp(), this.limits.handshakeMs).unref();
    if (options.direct === undefined) stream.on('data', (chunk: Buffer) => this.push(chunk));
    else options.direct.onChunk(chunk => this.push(chunk));
    stream.on('end', () => this.close());
    stream.on('close', () => this.close());
    stream.on('error', (error: Error) => {
      options.log.debug({ error: error.message }, 'the connection broke');
      this.close();
    });
  }

  /** Before Tversion everything is answered as plain 9P2000. */
  get codec(): Codec {
    return this.negotiated ?? codecFor('9P2000');
  }

  get requestsInFlight(): number {
    return this.pending.size;
  }

  // ---- the way in -----------------------------------------------------------------------------

  private push(chunk: Buffer): void {
    if (this.rest === undefined) this.take(chunk);
    else this.rest = Buffer.concat([this.rest, chunk]);
  }

  /** What takes longer than a turn goes on in the next: in between others are heard. */
  private take(chunk: Buffer): void {
    if (this.closed) return;
    const until = performance.now() + TURN_MS;
    try {
      const taken = this.framer.push(chunk, () => performance.now() < until);
      if (taken < chunk.length) this.takeLater(Buffer.from(chunk.subarray(taken)));
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      this.options.log.warn({ reason: error.message }, 'closed a connection that does not speak 9P');
      this.close();
    }
  }

  private takeLater(rest: Buffer): void {
    this.rest = rest;
    this.readOrPause();
    setImmediate(() => {
      const { rest } = this;
      this.rest = undefined;
      this.take(rest!);
      this.readOrPause();
    });
  }

  private readOrPause(): void {
    if (this.isFull || this.rest !== undefined) this.stream.pause();
    else if (this.stream.isPaused()) this.stream.resume();
  }

  /** One whole message; the frame is lent for the call. */
  private receive(frame: Buffer): void {
    if (this.closed || this.draining) return;
    const tag = tagOf(frame);
    const message = this.decode(frame, tag);
    if (message === undefined) return;
    this.options.trace?.(`-> ${format(message)}`);
    if (message.type === 'Tversion') return this.version(message);
    if (this.negotiated === undefined) return this.sendError(tag, new FsError('Eversion'));
    if (this.recogniser !== undefined) this.recognise(this.recogniser, message);
    if (message.type === 'Tflush') return this.flush(tag, message.oldtag);
    if (this.pending.has(tag)) return this.sendError(tag, new FsError('Eduptag', String(tag)));
    if (this.pending.size >= this.limits.tags) return this.sendError(tag, new FsError('Ebusy'));
    return this.run(message);
  }

  private decode(frame: Buffer, tag: number): Message<TName> | undefined {
    try {
      const message = this.codec.decode(frame);
      if (message?.type.startsWith('T')) return message as Message<TName>;
      this.sendError(tag, new FsError('Eunknownmsg', `type ${frame[4]}`));
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      this.sendError(tag, new FsError('Ebadmsg', error.message));
    }
    return undefined;
  }

  private recognise(recogniser: Recogniser, message: Message<TName>): void {
    const client = recogniser.judge(message);
    if (client === 'v9fs') this.helpV9fs();
    if (client !== undefined) this.recogniser = undefined;
  }

  /** The client is Linux's 9p file system. */
  helpV9fs(): void {
    this.v9fs ??= new V9fs(this.codec.dialect, this.msize);
  }

  private run(message: Message<TName>): void {
    const request = new Request(message.tag);
    this.pending.set(message.tag, request);
    try {
      const answer = HANDLERS[message.type](this, message as never, request);
      if (answer instanceof Promise) this.wait(message, request, answer);
      else this.succeeded(request, answer);
    } catch (error) {
      this.failed(request, error);
    }
  }

  private wait(message: Message<TName>, request: Request, answer: Promise<Answer>): void {
    const bytes = message.type === 'Twrite' ? message.data.length : 0;
    this.writeBytes += bytes;
    answer.then(
      value => {
        this.writeBytes -= bytes;
        this.succeeded(request, value);
      },
      (error: unknown) => {
        this.writeBytes -= bytes;
        this.failed(request, error);
      },
    );
  }

  /** Whether one more Twrite of so many bytes may wait. */
  mayHold(bytes: number): boolean {
    return this.writeBytes + bytes <= this.limits.writeBytes;
  }

  // ---- the way out ----------------------------------------------------------------------------

  private succeeded(request: Request, answer: Answer): void {
    // The tag is taken off before the reply goes out: a client may use it again at once.
    if (this.settle(request)) this.send(answer, request.tag);
    this.answerFlushes(request);
  }

  private failed(request: Request, error: unknown): void {
    const flushed = request.flushes !== undefined && request.wasAbortedBy(error);
    if (this.settle(request) && !flushed) this.sendError(request.tag, error);
    this.answerFlushes(request);
  }

  /** Takes the request off the books; false when nobody waits for its answer. */
  private settle(request: Request): boolean {
    if (request.fid !== undefined) request.fid.busy--;
    if (request.orphaned) return false;
    this.pending.delete(request.tag);
    if (this.pending.size === 0) this.onIdle?.();
    return !this.closed;
  }

  private answerFlushes(request: Request): void {
    if (request.flushes === undefined || request.orphaned || this.closed) return;
    for (const tag of request.flushes) {
      this.pending.delete(tag);
      this.sendMessage({ type: 'Rflush', tag });
    }
  }

  private send(answer: Answer, tag: number): void {
    if (!('read' in answer)) return this.sendMessage(answer);
    const { frame, done } = answer.read.frame(answer.n);
    const data = frame.subarray(frame.length - answer.n);
    const message: Message = { type: 'Rread', tag, data };
    this.options.trace?.(`<- ${format(message)}`);
    this.codec.encodeHead(message, frame, 0);
    this.outbox.sendFrame(frame, done);
  }

  private sendMessage(message: Message): void {
    this.options.trace?.(`<- ${format(message)}`);
    this.outbox.send(message, this.codec);
  }

  private sendError(tag: number, thrown: unknown): void {
    const error = this.known(thrown);
    if (this.codec.dialect === '9P2000.L') this.sendMessage({ type: 'Rlerror', tag, ecode: error.errno });
    else this.sendMessage({ type: 'Rerror', tag, ename: error.message, errno: error.errno });
    if (error.detail !== undefined) this.options.log.debug({ tag, error: error.sentence }, 'refused');
  }

  /** An error that is none of ours is a bug: it is logged, and the client learns that something failed. */
  private known(error: unknown): FsError {
    if (error instanceof FsError) return error;
    this.options.log.error({ error: error instanceof Error ? error.stack : error }, 'a bug in slashnet');
    return new FsError('Eio');
  }

  // ---- version, flush, end ----------------------------------------------------------------------

  /** version(5): begins the session anew; what was in flight is aborted and every fid is clunked. */
  private version(message: Message<'Tversion'>): void {
    this.reset();
    const dialect = negotiate(message.version);
    const msize = Math.min(message.msize, MAX_MSIZE);
    if (msize < MIN_MSIZE) {
      this.sendError(message.tag, new FsError('Emsize', `${message.msize}; the least is ${MIN_MSIZE}`));
      return;
    }
    clearTimeout(this.handshake);
    this.msize = msize;
    this.framer.maxSize = dialect === undefined ? FIRST_MSIZE : msize;
    this.negotiated = dialect === undefined ? undefined : codecFor(dialect);
    this.recogniser = dialect === undefined ? undefined : new Recogniser(dialect);
    this.sendMessage({ type: 'Rversion', tag: message.tag, msize, version: dialect ?? 'unknown' });
  }

  private reset(): void {
    const orphans = [...this.pending.values()];
    this.pending.clear();
    for (const request of orphans) {
      request.orphaned = true;
      request.abort(new FsError('Ehungup'));
    }
    for (const fid of this.fids.clear()) this.closeFid(fid);
    this.negotiated = undefined;
    this.v9fs = undefined;
  }

  /** flush(5). A flush is itself in flight while it waits, so that it can be flushed. */
  private flush(tag: number, oldtag: number): void {
    const old = tag === oldtag ? undefined : this.pending.get(oldtag);
    if (this.pending.has(tag)) return this.sendError(tag, new FsError('Eduptag', String(tag)));
    if (old === undefined) return this.sendMessage({ type: 'Rflush', tag });
    const flush = new Flush(tag, old);
    this.pending.set(tag, flush);
    const { target } = flush;
    (target.flushes ??= []).push(tag);
    target.abort(new FsError('Eintr'));
  }

  /** What a fid holds is given back: its handle, its locks. */
  closeFid(fid: Fid): void {
    fid.close();
    this.options.locks.drop(fid);
  }

  /** Fails what is still in flight on a fid that is being clunked. */
  abortRequestsOf(fid: Fid, except: Request): void {
    if (fid.busy <= 1) return;
    for (const request of this.pending.values()) {
      if (request.fid === fid && request !== except) request.abort(new FsError('Ehungup'));
    }
  }

  /**
   * Takes no more requests, lets writes finish and answers what can be answered, then closes. What
   * waits for the network - reads, listens, connects - is aborted.
   */
  async drain(signal: Signal): Promise<void> {
    this.draining = true;
    for (const request of this.pending.values()) {
      if (!(request instanceof Flush) && !request.isWrite) request.abort(new FsError('Ehungup'));
    }
    await new Promise<void>(resolve => {
      if (this.pending.size === 0 || signal.aborted) return resolve();
      this.onIdle = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    await this.outbox.drained(signal).catch(() => {});
    this.close();
  }

  /** A connection that never becomes a session holds a descriptor that others need. */
  private giveUp(): void {
    this.options.log.warn(
      { peer: this.options.peer.caller.name },
      'closed a connection that sent no Tversion',
    );
    this.close();
  }

  /** Hang-up: aborts everything and closes every fid. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.handshake);
    this.reset();
    this.outbox.close();
    this.stream.destroy();
    this.onIdle?.();
    this.endedBy();
  }
}

/** A Tflush that waits for its target; the flush of a flush waits for the same, so answers stay in order. */
class Flush extends Request {
  readonly target: Request;

  constructor(tag: number, old: Request) {
    super(tag);
    this.target = old instanceof Flush ? old.target : old;
  }
}
