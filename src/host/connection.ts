/**
 * A TCP connection of this host as netfs wants it: reads pull, writes answer when the kernel has the
 * bytes, and nothing is read that nobody asked for.
 *
 * Reading. The first read that waits resumes the socket, which reads into one scratch buffer that all
 * connections share (libuv fills it and calls us in the same step); the bytes are copied into the
 * waiting reply. Bytes for which no read is there are kept, one chunk at most, and the socket is paused
 * until they are taken: pausing it after each read would cost two system calls a round trip. When the
 * last read was large the next one is tried at once with read(2), straight into its reply.
 *
 * Writing. A write is tried at once with write(2); what the kernel does not take goes out in pieces
 * through the stream, whose callback says when there is room again.
 */
import type { Socket } from 'node:net';
import { FsError } from '../netfs/error.ts';
import type { Endpoint } from '../netfs/address.ts';
import type { Connection, ConnectionInfo, SocketOptions } from '../netfs/dialer.ts';
import { Readers } from '../netfs/readers.ts';
import type { Awaitable, Readiness, Reply, Req } from '../netfs/node.ts';
import { onAbort, WaitQueue, Watchers, type Signal, type Watch } from '../abort.ts';
import { fdOf, readNow, WOULD_BLOCK, writeNow } from './fd.ts';
import { bytesWaiting } from './libc.ts';
import { configureSocket, connectionInfo, endpoint, resetSocket, sendReset, systemError } from './socket.ts';

/** Most that one readiness event brings, and so the most that is kept for a later read. */
const SCRATCH = 64 * 1024;

/** One piece of a write that has to wait; small, so that an aborted write leaves little behind. */
const PIECE = 16 * 1024;

/** As long as Linux keeps an orphan in FIN_WAIT2 (tcp_fin_timeout). */
const LINGER_MS = 60_000;

/** More than a kernel holds for a connection: a peer that sends it has seen our FIN and does not care. */
const MAX_DISCARDED = 8 * 1024 * 1024;

/** A read of this size makes it likely that more is there; a failed try costs more than a small read. */
const MUCH = 16 * 1024;

export const scratch = Buffer.allocUnsafeSlow(SCRATCH);

export class HostConnection implements Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  private readonly socket: Socket;
  private readonly readers = new Readers();
  private readonly writers = new WaitQueue<void>();
  private readonly watchers = new Watchers();
  private writing = false;
  /** Bytes taken from the kernel for which no read was there. */
  private rest: Buffer | undefined;
  /** The last read brought much, so the next will probably find something. */
  private flowing = false;
  /** The socket is not paused. */
  private reading = false;
  private ended = false;
  private closing = false;
  private discarded = 0;
  private failure: FsError | undefined;

  /**
   * `socket` is connected, paused, and delivers to `received` by the onread of `onreadFor`. `remote` is
   * where it was connected to; undefined for a call that came in.
   */
  constructor(socket: Socket, remote?: Endpoint) {
    this.socket = socket;
    this.local = endpoint(socket.localAddress, socket.localPort);
    this.remote = remote ?? endpoint(socket.remoteAddress, socket.remotePort);
    socket.setNoDelay(true);
    socket.on('end', () => this.end());
    socket.on('error', (error: NodeJS.ErrnoException) => this.fail(systemError(error)));
    socket.on('close', () => this.fail(HUNGUP));
  }

  get gone(): Promise<void> {
    return new Promise(resolve => {
      if (this.socket.closed) resolve();
      else this.socket.once('close', () => resolve());
    });
  }

  // ---- reading --------------------------------------------------------------------------------

  read(reply: Reply, req: Req): Awaitable<number> {
    if (reply.count === 0) return 0;
    if (!this.readers.some) {
      const n = this.take(reply, req.nonblocking === true);
      this.readForWatchers();
      if (n !== undefined) return n;
    }
    if (req.nonblocking === true) throw new FsError('Eagain');
    return this.wait(reply, req.signal);
  }

  /** Who watches need not ask again before he is told (EPOLLET): when all is taken the next bytes are fetched. */
  private readForWatchers(): void {
    if (this.watchers.some && this.rest === undefined && !this.ended && !this.closing) this.startReading();
  }

  /** What can be answered without waiting. */
  private take(reply: Reply, trying: boolean): number | undefined {
    if (this.rest !== undefined) return this.takeRest(reply);
    if (this.ended) return 0;
    if (this.failure !== undefined) throw this.failure;
    return this.flowing || trying ? this.takeNow(reply) : undefined;
  }

  private takeRest(reply: Reply): number {
    const rest = this.rest!;
    const n = rest.copy(reply.room(rest.length));
    this.rest = n < rest.length ? rest.subarray(n) : undefined;
    return n;
  }

  private takeNow(reply: Reply): number | undefined {
    const fd = fdOf(this.socket);
    if (fd === undefined) return undefined;
    const room = reply.room(reply.count);
    const n = this.readInto(fd, room);
    this.flowing = n >= MUCH;
    if (n === 0) this.end();
    if (n !== WOULD_BLOCK) return n;
    reply.drop();
    return undefined;
  }

  private readInto(fd: number, room: Buffer): number {
    try {
      return readNow(fd, room);
    } catch (error) {
      this.fail(systemError(error as NodeJS.ErrnoException));
      throw this.failure!;
    }
  }

  private wait(reply: Reply, signal: Signal): Promise<number> {
    const waiting = this.readers.wait(reply, signal, () => {
      // It may have been the one that the rest was kept for.
      if (this.rest !== undefined) this.serveRest();
    });
    if (!signal.aborted && this.rest === undefined) this.startReading();
    return waiting;
  }

  private startReading(): void {
    if (this.reading) return;
    this.reading = true;
    this.socket.resume();
  }

  /** Bytes from the kernel, ours only for this call. Returns whether to go on reading. */
  received(chunk: Buffer): boolean {
    if (this.closing) return this.discard(chunk.length);
    let at = 0;
    this.readers.serve(reply => {
      if (at >= chunk.length) return undefined;
      const n = this.answer(reply, chunk.subarray(at));
      at += Math.min(n, chunk.length - at);
      return n;
    }, this.serveRest);
    if (at < chunk.length) {
      this.rest = Buffer.from(chunk.subarray(at));
      this.watchers.tell();
    }
    this.reading = this.rest === undefined;
    return this.reading;
  }

  /** Serves the reads that could not be answered when their bytes came, and goes on reading. */
  private readonly serveRest = (): void => {
    this.readers.serve(reply => (this.rest === undefined ? undefined : this.takeRest(reply)), this.serveRest);
    if (this.rest !== undefined || !this.readers.some) return;
    if (this.ended) this.end();
    else this.startReading();
  };

  /**
   * What comes after close is for nobody. It is read all the same, since a reset could overtake what we
   * sent; a peer that goes on and on is told by one.
   */
  private discard(n: number): boolean {
    this.discarded += n;
    if (this.discarded <= MAX_DISCARDED) return true;
    resetSocket(this.socket);
    return false;
  }

  /** Fills a reply with these bytes, and where they filled the scratch with what else is there. */
  private answer(reply: Reply, bytes: Buffer): number {
    const fd = bytes.length === SCRATCH && reply.count > SCRATCH ? fdOf(this.socket) : undefined;
    const room = reply.room(fd === undefined ? bytes.length : reply.count);
    let n = bytes.copy(room);
    if (fd !== undefined) n += this.readMore(fd, room.subarray(n));
    this.flowing = n >= MUCH;
    return n;
  }

  /** An end or an error met here is met again by the next read. */
  private readMore(fd: number, room: Buffer): number {
    try {
      return Math.max(readNow(fd, room), 0);
    } catch {
      return 0;
    }
  }

  private end(): void {
    this.ended = true;
    if (this.rest === undefined) this.readers.end();
    this.watchers.tell();
  }

  /** The next bytes are read, and kept until somebody takes them: the end of a stream is seen in no other way. */
  poll(watch: Watch | undefined): Readiness {
    const over = this.failure !== undefined || this.closing;
    const readable = this.rest !== undefined || this.ended || over || this.queued() > 0;
    const writable = over || (!this.writing && this.socket.writableLength === 0);
    if (watch !== undefined) this.watchers.add(watch);
    if (!readable) this.startReading();
    return {
      readable,
      writable,
      ended: this.ended || over,
      hungup: over,
      failed: this.failure !== undefined && this.failure !== HUNGUP,
    };
  }

  queued(): number {
    const fd = fdOf(this.socket);
    return (this.rest?.length ?? 0) + (fd === undefined ? 0 : bytesWaiting(fd));
  }

  // ---- writing --------------------------------------------------------------------------------

  write(data: Buffer, req: Req): Awaitable<number> {
    this.checkWritable();
    if (this.writing || this.socket.writableLength > 0) {
      if (req.nonblocking === true) throw new FsError('Eagain');
      return this.writeInTurn(Buffer.from(data), req.signal);
    }
    const n = this.writeAtOnce(data);
    if (n === data.length) return n;
    if (req.nonblocking === true) return n + this.writeSoon(data.subarray(n));
    this.writing = true;
    return this.writeRest(Buffer.from(data.subarray(n)), n, req.signal);
  }

  /** One piece goes by way of the stream, which says when there is room again. Returns its length. */
  private writeSoon(data: Buffer): number {
    const piece = Buffer.from(data.subarray(0, PIECE));
    this.socket.write(piece, () => this.watchers.tell());
    return piece.length;
  }

  private checkWritable(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.closing) throw HUNGUP;
  }

  private writeAtOnce(data: Buffer): number {
    const fd = fdOf(this.socket);
    if (fd === undefined) return 0;
    try {
      return Math.max(writeNow(fd, data), 0);
    } catch (error) {
      this.fail(systemError(error as NodeJS.ErrnoException));
      throw this.failure!;
    }
  }

  private async writeInTurn(data: Buffer, signal: Signal): Promise<number> {
    if (this.writing) await this.writers.wait(signal);
    this.writing = true;
    return this.writeRest(data, 0, signal);
  }

  /**
   * Writes as the kernel makes room, and returns `before` and what went. `data` is our own: the stream
   * may hold a piece of it after an abort. The turn is ours and is handed on.
   */
  private async writeRest(data: Buffer, before: number, signal: Signal): Promise<number> {
    let done = 0;
    try {
      while (done < data.length) {
        if (signal.aborted) return partial(before + done, signal);
        const piece = data.subarray(done, done + PIECE);
        done += piece.length;
        const drained = await this.push(piece, signal);
        this.checkWritable();
        if (drained && done < data.length) done += this.writeAtOnce(data.subarray(done));
      }
      return before + done;
    } finally {
      this.writing = false;
      if (!this.closing && this.writers.wake()) this.writing = true;
      if (!this.writing) this.watchers.tell();
    }
  }

  /** True when the kernel has the piece, false when the signal came first: the piece goes out all the same. */
  private push(piece: Buffer, signal: Signal): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const stop = onAbort(signal, () => resolve(false));
      this.socket.write(piece, error => {
        stop();
        this.watchers.tell();
        // What we end ourselves Node reports as it likes: destroyed, cancelled.
        if (error) reject(this.failure ?? (this.closing ? HUNGUP : systemError(error)));
        else resolve(true);
      });
    });
  }

  // ---- the rest -------------------------------------------------------------------------------

  configure(options: SocketOptions): void {
    const fd = fdOf(this.socket);
    if (fd !== undefined) configureSocket(fd, this.remote.ip.family, options);
  }

  keepalive(ms: number): void {
    // Linux counts whole seconds to MAX_TCP_KEEPIDLE. Node cuts off what is less than one, and then sets
    // nothing; of what is too much it hides that the kernel refused.
    const seconds = Math.min(Math.ceil(ms / 1000), 32_767);
    this.socket.setKeepAlive(true, seconds * 1000);
  }

  close(): void {
    if (this.closing) return;
    this.closing = true;
    this.rest = undefined;
    this.failWaiting(HUNGUP);
    if (this.socket.destroyed) return;
    const linger = setTimeout(() => this.socket.destroy(), LINGER_MS);
    linger.unref();
    this.socket.once('close', () => clearTimeout(linger));
    this.socket.end();
    this.socket.resume();
  }

  reset(): void {
    this.closing = true;
    this.rest = undefined;
    this.failure ??= HUNGUP;
    this.failWaiting(HUNGUP);
    // Where thousands are hung up at once their resets go out first: they are most of it.
    sendReset(this.socket);
    setImmediate(() => this.socket.destroy());
  }

  info(): ConnectionInfo | undefined {
    const fd = fdOf(this.socket);
    return fd === undefined ? undefined : connectionInfo(fd);
  }

  private fail(error: FsError): void {
    this.failure ??= error;
    this.failWaiting(this.failure);
    if (!this.socket.destroyed) this.socket.destroy();
  }

  private failWaiting(error: FsError): void {
    this.readers.fail(error);
    this.writers.fail(error);
    this.watchers.tell();
  }
}

/** An aborted write that sent something says how much; one that sent nothing did not happen. */
function partial(done: number, signal: Signal): number {
  if (done === 0) throw signal.reason as Error;
  return done;
}

/** How a socket is made so that it reads into the scratch and delivers to its connection. */
export function onreadFor(connection: () => HostConnection) {
  return {
    buffer: scratch,
    callback: (n: number): boolean => connection().received(scratch.subarray(0, n)),
  };
}

const HUNGUP = new FsError('Ehungup');
