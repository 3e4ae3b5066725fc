/**
 * One FUSE mount: the kernel's requests, answered from the tree.
 *
 * A request goes one straight way: decode, register its number, run its handler (handlers.ts), take it
 * off, reply. There is one reader and no thread: what waits is a promise that heeds its request's
 * signal, and FUSE_INTERRUPT fires it.
 */
import type { Signal } from '../../abort.ts';
import { ERRNO, FsError } from '../../netfs/error.ts';
import type { Mount } from '../../netfs/mount.ts';
import type { Log } from '../../log.ts';
import type { Users } from '../../policy/identity.ts';
import type { Ids } from './callers.ts';
import {
  decode,
  encodeReply,
  MalformedRequest,
  preamble,
  putHeader,
  uniqueOf,
  type Incoming,
} from './codec.ts';
import { Device } from './device.ts';
import { HANDLERS, type Answer } from './handlers.ts';
import { NOTIFY_POLL, OUT_HEADER, type Body, type Op } from './kernel.ts';
import { Nodeids } from './nodeids.ts';
import { OpenFiles } from './openfiles.ts';
import { Request } from './request.ts';
import { formatRequest } from './trace.ts';
import { WaitingBytes } from './waiting.ts';

export interface FuseOptions {
  /** The tree. */
  readonly mount: Mount;
  readonly users: Users;
  /** What the ids in its requests mean here. */
  readonly ids: Ids;
  readonly log: Log;
  /** Called with each message, as one line. */
  readonly trace?: ((line: string) => void) | undefined;
}

export class FuseSession {
  readonly mount: Mount;
  readonly users: Users;
  readonly nodeids: Nodeids;
  readonly waiting = new WaitingBytes();
  readonly files = new OpenFiles(kh => this.wake(kh));
  /** Settles when the kernel has said hello; rejects if it speaks too old a protocol. */
  readonly ready: Promise<void>;
  /** Settles when it is unmounted and everything it held is given back. */
  readonly ended: Promise<void>;
  private readonly options: FuseOptions;
  private readonly device: Device;
  private readonly pending = new Map<number, Request>();
  /** Small replies are made here; each is written before the next is made. */
  private readonly out = Buffer.alloc(256);
  private closed = false;
  private draining = false;
  private started_!: () => void;
  private refused!: (reason: Error) => void;
  private endedBy!: () => void;
  private onIdle: (() => void) | undefined;

  /** Takes over `fd`, a /dev/fuse that is mounted, and serves it until it is unmounted or `close` is called. */
  constructor(fd: number, options: FuseOptions) {
    this.options = options;
    this.mount = options.mount;
    this.users = options.users;
    this.nodeids = new Nodeids(options.mount.root);
    this.ready = new Promise((resolve, reject) => {
      this.started_ = resolve;
      this.refused = reject;
    });
    this.ready.catch(() => {});
    this.ended = new Promise(resolve => (this.endedBy = resolve));
    this.device = new Device(fd, {
      request: (buffer, size) => this.receive(buffer, size),
      ended: error => this.over(error),
    });
  }

  get requestsInFlight(): number {
    return this.pending.size;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /** Nothing waits any more. */
  get isEnding(): boolean {
    return this.draining;
  }

  /** For the handler of INIT. */
  started(): void {
    this.started_();
  }

  // ---- the way in -------------------------------------------------------------------------------

  private receive(buffer: Buffer, size: number): void {
    if (this.closed) return;
    const incoming = this.decode(buffer, size);
    if (incoming === undefined) return;
    this.options.trace?.(`-> ${formatRequest(incoming)}`);
    const { op, body } = incoming;
    if (op === 'INTERRUPT') this.interrupt((body as Body<'INTERRUPT'>).unique);
    else if (op === 'FORGET') this.nodeids.forget(incoming.header.nodeid, (body as Body<'FORGET'>).nlookup);
    else if (op === 'BATCH_FORGET') this.forget(body as Body<'BATCH_FORGET'>);
    else this.run(incoming);
  }

  private decode(buffer: Buffer, size: number): Incoming | undefined {
    try {
      const incoming = decode(buffer, size);
      if (incoming === undefined) {
        const { opcode, unique } = preamble(buffer, size);
        this.options.log.debug({ opcode }, 'a FUSE request that is not known here');
        this.writeError(unique, ERRNO.ENOSYS);
      }
      return incoming;
    } catch (error) {
      if (!(error instanceof MalformedRequest)) throw error;
      this.options.log.error({ reason: error.message }, 'unmounting: this does not speak FUSE');
      this.close();
      return undefined;
    }
  }

  private forget({ forgets }: Body<'BATCH_FORGET'>): void {
    for (const { nodeid, nlookup } of forgets) this.nodeids.forget(nodeid, nlookup);
  }

  /** One that is not in flight has been answered already. */
  private interrupt(unique: number): void {
    this.pending.get(unique)?.abort(new FsError('Eintr'));
  }

  private run({ op, header, body }: Incoming): void {
    const request = new Request(header, this.users, this.options.ids);
    try {
      const answer = HANDLERS[op](this, body as never, request);
      if (answer instanceof Promise) this.wait(op, request, answer);
      else this.send(request, answer);
    } catch (error) {
      this.failed(op, request, error);
    }
  }

  private wait(op: Op, request: Request, answer: Promise<Answer>): void {
    const { unique } = request.header;
    this.pending.set(unique, request);
    answer.then(
      value => {
        this.settle(unique);
        this.send(request, value);
      },
      (error: unknown) => {
        this.settle(unique);
        this.failed(op, request, error);
      },
    );
  }

  private settle(unique: number): void {
    this.pending.delete(unique);
    if (this.pending.size === 0) this.onIdle?.();
  }

  // ---- the way out ------------------------------------------------------------------------------

  private send(request: Request, answer: Answer): void {
    const { unique } = request.header;
    if (answer === undefined) this.writeError(unique, 0);
    else if (answer.struct !== undefined) {
      this.write(this.out, encodeReply(answer.struct, answer.body, unique, this.out));
    } else answer.read.send(answer.n, unique, this.write);
  }

  private failed(op: Op, request: Request, thrown: unknown): void {
    const error = this.known(thrown);
    if (op === 'INIT') this.refused(error);
    if (error.detail !== undefined) this.options.log.debug({ op, error: error.sentence }, 'refused');
    this.writeError(request.header.unique, error.errno);
  }

  /** An error that is none of ours is a bug: it is logged, and the caller learns that something failed. */
  private known(error: unknown): FsError {
    if (error instanceof FsError) return error;
    this.options.log.error({ error: error instanceof Error ? error.stack : error }, 'a bug in slashnet');
    return new FsError('Eio');
  }

  /** A reply without content: success is 0. */
  private writeError(unique: number, errno: number): void {
    putHeader(this.out, OUT_HEADER, -errno, unique);
    this.write(this.out, OUT_HEADER);
  }

  private readonly write = (frame: Buffer, length: number): void => {
    this.options.trace?.(`<- ${frame.readUInt32LE(8)} error ${-frame.readInt32LE(4)} ${length} bytes`);
    const refused = this.device.write(frame, length);
    if (refused !== 0) this.replyRefused(frame, length, refused);
  };

  /** A bug of ours; whoever asked must be answered all the same. */
  private replyRefused(frame: Buffer, length: number, errno: number): void {
    this.options.log.error({ errno, length }, 'a bug in slashnet: the kernel refuses a reply');
    if (length > OUT_HEADER) this.writeError(uniqueOf(frame), ERRNO.EIO);
  }

  /** Tells the kernel that somebody who polls a file should look again. */
  private wake(kh: number): void {
    const length = encodeReply('pollWakeup', { kh }, 0, this.out);
    this.out.writeInt32LE(NOTIFY_POLL, 4);
    this.write(this.out, length);
  }

  // ---- the end ----------------------------------------------------------------------------------

  /**
   * Lets writes finish; what waits for the network otherwise - reads, listens, connects - is ended.
   * `signal` says when to wait no longer.
   */
  async drain(signal: Signal): Promise<void> {
    this.draining = true;
    this.files.wakeAll();
    for (const request of this.pending.values()) {
      if (!request.isWrite) request.abort(new FsError('Ehungup'));
    }
    await new Promise<void>(resolve => {
      if (this.pending.size === 0 || signal.aborted) return resolve();
      this.onIdle = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    this.close();
  }

  /** Ends at once; the mount dies with it if nobody unmounts it first. */
  close(): void {
    this.device.close();
    this.over(undefined);
  }

  private over(error: NodeJS.ErrnoException | undefined): void {
    if (this.closed) return;
    this.closed = true;
    // ENODEV is what an unmount looks like.
    if (error !== undefined && error.code !== 'ENODEV') {
      this.options.log.warn({ error: error.message }, 'the FUSE mount broke');
    }
    this.refused(new FsError('Ehungup'));
    for (const request of this.pending.values()) request.abort(new FsError('Ehungup'));
    this.files.releaseAll();
    this.onIdle?.();
    this.endedBy();
  }
}
