/**
 * One transport to a 9P server: sends requests, any number at a time, and matches the answers by tag.
 * It knows no fids.
 *
 * A call is cancelled as flush(5) says: a Tflush is sent and its Rflush awaited. If the old answer
 * comes before it, the request was done and the answer counts. If none comes, the request was never
 * made, and the call fails with the signal's reason. The tag is used again only after the Rflush.
 */
import type { Duplex } from 'node:stream';
import { codecFor, MalformedMessage, type Codec } from '../server/9p/codec.ts';
import {
  MESSAGES,
  NOTAG,
  type Body,
  type Dialect,
  type Message,
  type RName,
  type TName,
} from '../server/9p/messages.ts';
import { Aborts } from './aborts.ts';
import { errorIn, ProtocolError, TransportError } from './error.ts';
import { FrameSplitter } from './frames.ts';
import { NumberPool } from './pool.ts';

/** What a user may ask; versions and flushes are the connection's own. */
export type RequestName = Exclude<TName, 'Tversion' | 'Tflush'>;

/** The answer to a request: Rwalk for Twalk. */
export type Reply<N extends TName> = N extends `T${infer Rest}` ? Message<Extract<RName, `R${Rest}`>> : never;

/**
 * Calls that have a tag; more wait their turn. At most half of all tags, so that each call can be
 * flushed; and no more than our server takes of one client.
 */
const MAX_IN_FLIGHT = 0x3fff;

/** Strings have 16-bit lengths: no request but a Twrite is longer. */
const MAX_REQUEST = 0xffff;

const NO_DATA = Buffer.alloc(0);

interface Call {
  readonly request: Message<TName>;
  readonly signal: AbortSignal | undefined;
  /** `flushed`: a Tflush is out. `answered`: the answer came, and the Rflush is still to come. */
  state: 'queued' | 'sent' | 'flushed' | 'answered';
  resolve(reply: Message): void;
  reject(error: unknown): void;
}

export class Connection {
  /** Why the connection ended, once it has. */
  readonly closed: Promise<Error>;
  readonly #stream: Duplex;
  readonly #frames: FrameSplitter;
  readonly #tags = new NumberPool(0);
  readonly #calls = new Map<number, Call>();
  #inFlight = 0;
  readonly #queue: Call[] = [];
  readonly #aborts = new Aborts();
  #codec: Codec;
  #failure: Error | undefined;
  #corked = false;
  #tellClosed!: (why: Error) => void;

  /** The stream is the connection's from here on: it reads it, and destroys it at the end. */
  constructor(stream: Duplex, dialect: Dialect, msize: number) {
    this.#stream = stream;
    this.#codec = codecFor(dialect);
    this.#frames = new FrameSplitter(msize);
    this.closed = new Promise(resolve => (this.#tellClosed = resolve));
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    stream.on('error', error => this.fail(new TransportError(`connection lost: ${error.message}`, error)));
    stream.on('end', () => this.fail(new TransportError('the server closed the connection')));
    stream.on('close', () => this.fail(new TransportError('the connection was closed')));
  }

  get dialect(): Dialect {
    return this.#codec.dialect;
  }

  /** The longest message in bytes, either way. */
  get msize(): number {
    return this.#frames.msize;
  }

  get codec(): Codec {
    return this.#codec;
  }

  /** Sends a Tversion; nothing else may be outstanding. What was agreed holds from use() on. */
  version(msize: number, version: string, signal?: AbortSignal): Promise<Reply<'Tversion'>> {
    // A Tversion cannot be flushed: it ends all that is outstanding, itself included.
    const abort = (): void => this.fail(signal?.reason as Error);
    if (signal?.aborted === true) abort();
    signal?.addEventListener('abort', abort, { once: true });
    const answer = new Promise<Message>((resolve, reject) => {
      const request = { type: 'Tversion', tag: NOTAG, msize, version } as const;
      this.#begin({ request, signal: undefined, state: 'queued', resolve, reject });
    });
    return (answer as Promise<Reply<'Tversion'>>).finally(() => signal?.removeEventListener('abort', abort));
  }

  /** Both sides speak this dialect from now on. */
  use(dialect: Dialect, msize: number): void {
    this.#codec = codecFor(dialect);
    this.#frames.msize = msize;
  }

  /**
   * One request and its answer. A payload is sent from where it lies: leave it alone until the
   * promise settles. Fails with NinepError, ProtocolError, TransportError or the signal's reason.
   */
  rpc<N extends RequestName>(type: N, body: Body<N>, signal?: AbortSignal): Promise<Reply<N>> {
    const answer = new Promise<Message>((resolve, reject) => {
      const request = { type, tag: NOTAG, ...body } as Message<TName>;
      signal?.throwIfAborted();
      this.#check(request);
      this.#begin(this.#abortable({ request, signal, state: 'queued', resolve, reject }));
    });
    return answer as Promise<Reply<N>>;
  }

  /** Ends the connection in good order: what was written goes out first. */
  close(): void {
    if (this.#failure !== undefined) return;
    this.#end(new TransportError('the client was closed'));
    this.#stream.end(() => this.#stream.destroy());
  }

  /** Ends the connection at once; every call fails with `why`. */
  fail(why: Error): void {
    if (this.#failure !== undefined) return;
    this.#end(why);
    this.#stream.destroy();
  }

  /** Ends the connection because the server sent what cannot be; returns the error to throw. */
  broken(how: string): ProtocolError {
    const error = new ProtocolError(how);
    this.fail(error);
    return error;
  }

  #end(why: Error): void {
    this.#failure = why;
    for (const call of [...this.#calls.values(), ...this.#queue.splice(0)]) call.reject(why);
    this.#calls.clear();
    this.#tellClosed(why);
  }

  #check(request: Message<TName>): void {
    if (!(MESSAGES[request.type].in as readonly Dialect[]).includes(this.dialect)) {
      throw new TypeError(`${request.type} is not a message of ${this.dialect}`);
    }
    const size = this.#codec.size(request);
    if (size > this.msize || (size > MAX_REQUEST && request.type !== 'Twrite')) {
      throw new RangeError(`${request.type}: ${size} bytes do not fit into one message`);
    }
  }

  /** The same call, heeding its signal until it settles. */
  #abortable(call: Call): Call {
    const { signal, resolve, reject } = call;
    if (signal === undefined) return call;
    const stop = this.#aborts.listen(signal, () => this.#abort(call));
    call.resolve = reply => {
      stop();
      resolve(reply);
    };
    call.reject = error => {
      stop();
      reject(error);
    };
    return call;
  }

  #begin(call: Call): void {
    if (this.#failure !== undefined) call.reject(this.#failure);
    else if (this.#inFlight >= MAX_IN_FLIGHT) this.#queue.push(call);
    else {
      this.#inFlight++;
      this.#send(call);
    }
  }

  #send(call: Call): void {
    const { request } = call;
    if (request.type !== 'Tversion') request.tag = this.#tags.take();
    this.#calls.set(request.tag, call);
    call.state = 'sent';
    this.#write(request);
  }

  #write(request: Message<TName>): void {
    const data = request.type === 'Twrite' ? request.data : NO_DATA;
    const head = Buffer.allocUnsafe(this.#codec.size(request) - data.length);
    this.#codec.encodeHead(request, head, 0);
    this.#cork();
    this.#stream.write(head);
    if (data.length > 0) this.#stream.write(data);
  }

  /** What is written before the next tick leaves in one writev. */
  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      this.#stream.uncork();
    });
  }

  #abort(call: Call): void {
    const reason: unknown = call.signal?.reason;
    if (call.state === 'queued') {
      this.#queue.splice(this.#queue.indexOf(call), 1);
      call.reject(reason);
      return;
    }
    call.state = 'flushed';
    this.#send({
      request: { type: 'Tflush', tag: NOTAG, oldtag: call.request.tag },
      signal: undefined,
      state: 'queued',
      resolve: () => {
        if (call.state === 'flushed') call.reject(reason);
        this.#release(call);
      },
      reject: error => this.fail(new ProtocolError(`the server refused a Tflush: ${String(error)}`)),
    });
  }

  #release(call: Call): void {
    this.#calls.delete(call.request.tag);
    if (call.request.type !== 'Tversion') this.#tags.free(call.request.tag);
    if (call.request.type === 'Tflush') return;
    this.#inFlight--;
    const next = this.#queue.shift();
    if (next !== undefined) this.#begin(next);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const frame of this.#frames.push(chunk)) {
        if (this.#failure !== undefined) return;
        this.#answer(this.#decode(frame));
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.fail(error);
    }
  }

  #decode(frame: Buffer): Message {
    try {
      const reply = this.#codec.decode(frame);
      if (reply !== undefined) return reply;
    } catch (error) {
      if (!(error instanceof MalformedMessage)) throw error;
      throw new ProtocolError(`the server sent a malformed message of type ${frame[4]}: ${error.message}`);
    }
    throw new ProtocolError(`the server sent a message of type ${frame[4]}, which ${this.dialect} has not`);
  }

  #answer(reply: Message): void {
    const call = this.#calls.get(reply.tag);
    if (call === undefined || call.state === 'answered') {
      throw new ProtocolError(
        `the server sent ${reply.type} for tag ${reply.tag}, which waits for no answer`,
      );
    }
    const error = errorIn(reply);
    if (error === undefined && reply.type !== `R${call.request.type.slice(1)}`) {
      throw new ProtocolError(`the server answered ${call.request.type} with ${reply.type}`);
    }
    const flushed = call.state === 'flushed';
    if (flushed) call.state = 'answered';
    else this.#release(call);
    if (error === undefined) call.resolve(reply);
    else call.reject(flushed ? call.signal?.reason : error);
  }
}
