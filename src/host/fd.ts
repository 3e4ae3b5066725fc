/**
 * The one place that looks behind Node's sockets: the descriptor of a handle, for reading and writing
 * at once instead of by way of a stream. Where a Node should hide it, callers see `undefined` and fall
 * back on plain streams.
 */
import { closeSync, readSync, writeSync, writevSync } from 'node:fs';
import { Socket, type OnReadOpts } from 'node:net';

interface Internals {
  _handle?: { fd?: number } | null;
}

/** The descriptor of a live socket, or undefined. Ask each time: a number outlives its socket. */
export function fdOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as Internals)._handle?.fd;
  return fd !== undefined && fd >= 0 ? fd : undefined;
}

/** The same connection as a socket that reads into our own buffer; `accepted` (paused, never read) is given up. */
export function adopt(accepted: Socket, onread: OnReadOpts): Socket {
  const internals = accepted as unknown as Internals;
  const handle = internals._handle;
  internals._handle = null;
  // Without its handle it only leaves its server's count, which would else wait for it when it closes.
  accepted.destroy();
  // `handle` is what net.Server itself passes to its sockets; it has no public name.
  const options = { handle, allowHalfOpen: true, onread };
  return new Socket(options);
}

/**
 * A descriptor that can be polled, such as /dev/fuse, as a socket that reads into our own buffer: libuv's
 * pipes read and poll whatever they are opened on. Undefined where Node does not allow it; the
 * descriptor is then as it was, but that it may not block any more.
 */
export function pipeSocket(fd: number, onread: OnReadOpts): Socket | undefined {
  const handle = newPipe();
  if (handle === undefined || handle.open(fd) !== 0) return undefined;
  // As in `adopt`: what net.Server passes to its sockets.
  const options = { handle, allowHalfOpen: false, onread };
  return new Socket(options);
}

interface PipeHandle {
  /** 0, or a negative errno. */
  open(fd: number): number;
  onread: () => void;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  close(): void;
}

/** Told when a descriptor can be read, or has failed, without anything being read from it. */
export interface ReadWatch {
  /** The event loop calls back, again and again, until `stop`. */
  start(): void;
  stop(): void;
  /** Closes the descriptor, too. */
  close(): void;
}

/**
 * Watches a descriptor that read(2) would spoil, such as a datagram socket's, of which the watch is the
 * owner from now on. libuv asks for room before it reads a stream, and reports when there is none
 * (UV_ENOBUFS, uv_alloc_cb): room of no bytes makes that report a plain notice. The descriptor may not
 * block any more.
 */
export function watchReadable(fd: number, readable: () => void): ReadWatch {
  const handle = newPipe();
  if (handle === undefined || handle.open(fd) !== 0) return new ReadTimer(fd, readable);
  handle.useUserBuffer(NO_ROOM);
  handle.onread = readable;
  return {
    start: () => void handle.readStart(),
    stop: () => void handle.readStop(),
    close: () => handle.close(),
  };
}

const NO_ROOM = Buffer.alloc(1).subarray(0, 0);

/** Where Node hides its handles: whoever waits looks again every few milliseconds. */
class ReadTimer implements ReadWatch {
  private readonly fd: number;
  private readonly readable: () => void;
  private timer: NodeJS.Timeout | undefined;

  constructor(fd: number, readable: () => void) {
    this.fd = fd;
    this.readable = readable;
  }

  start(): void {
    this.timer ??= setInterval(this.readable, 4);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  close(): void {
    this.stop();
    closeSync(this.fd);
  }
}

type PipeClass = new (type: number) => PipeHandle;

let pipeClass: PipeClass | undefined;

/** Of the class that every socket of a path has as its handle; it has no public name. */
function newPipe(): PipeHandle | undefined {
  const SOCKET = 0; // uv_pipe_init's ipc: false
  pipeClass ??= findPipeClass();
  return pipeClass && new pipeClass(SOCKET);
}

function findPipeClass(): PipeClass | undefined {
  const socket = new Socket().on('error', () => {});
  // Makes the handle at once; that the path is no socket is learnt later, by a socket that is gone then.
  socket.connect({ path: '/dev/null' });
  const made = (socket as unknown as { _handle?: { constructor: unknown } | null })._handle;
  socket.destroy();
  return typeof made?.constructor === 'function' ? (made.constructor as PipeClass) : undefined;
}

/** A read(2) or write(2) that would have to wait. */
export const WOULD_BLOCK = -1;

/** read(2) into `into`: bytes, 0 at the end, WOULD_BLOCK; throws other errors. */
export function readNow(fd: number, into: Buffer): number {
  return unlessBlocked(() => readSync(fd, into, 0, into.length, null));
}

/** write(2): how many bytes the kernel took, or WOULD_BLOCK; throws other errors. */
export function writeNow(fd: number, data: Buffer): number {
  return unlessBlocked(() => writeSync(fd, data, 0, data.length));
}

export function writevNow(fd: number, data: readonly Buffer[]): number {
  return unlessBlocked(() => writevSync(fd, data));
}

function unlessBlocked(call: () => number): number {
  try {
    return call();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return WOULD_BLOCK;
    throw error;
  }
}
