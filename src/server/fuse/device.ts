/**
 * /dev/fuse: whole requests in, whole replies out.
 *
 * The descriptor is read on the event loop, as if it were a pipe: libuv polls it, reads one request
 * into one fixed buffer and calls us. So a blocked request holds no thread and can be interrupted. If
 * a Node should not let a pipe be opened on a descriptor, reading falls back on the thread pool.
 */
import { closeSync, read } from 'node:fs';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import { pipeSocket } from '../../host/fd.ts';
import { readFrame, writeFrame } from '../../host/libc.ts';
import { MAX_REQUEST } from './kernel.ts';

export interface DeviceEvents {
  /** One request, in the first `size` bytes of a buffer that is lent for the call. */
  request(buffer: Buffer, size: number): void;
  /** Unmounted, or broken; nothing more comes. Called once. */
  ended(error: NodeJS.ErrnoException | undefined): void;
}

/** Requests that are taken before others of the event loop have their turn. */
const IN_A_ROW = 32;
/** And the milliseconds for which they are. */
const TURN_MS = 10;
/** One try in 2^8 requests costs nothing that could be measured. */
const MOST_MISSES = 8;

export class Device {
  private readonly fd: number;
  private readonly events: DeviceEvents;
  private readonly buffer = Buffer.allocUnsafeSlow(MAX_REQUEST);
  private readonly socket: Socket | undefined;
  private closed = false;
  /** Tries to read on that found nothing, one after the other, and how many chances to let go by. */
  private misses = 0;
  private skip = 0;

  /** Takes over an open /dev/fuse that is mounted; `asPipe` is how it is put on the event loop, if it can be. */
  constructor(fd: number, events: DeviceEvents, asPipe = pipeSocket) {
    this.fd = fd;
    this.events = events;
    this.socket = asPipe(fd, {
      buffer: this.buffer,
      callback: n => {
        events.request(this.buffer, n);
        this.readOn();
        return !this.closed;
      },
    });
    if (this.socket === undefined) this.readInPool();
    else this.readOnLoop(this.socket);
  }

  private readOnLoop(socket: Socket): void {
    let failure: NodeJS.ErrnoException | undefined;
    socket.on('error', error => (failure = error));
    socket.on('close', () => this.end(failure));
    socket.on('end', () => socket.destroy());
    socket.resume();
  }

  /**
   * Where processors are scarce, whoever was answered has asked again by the time that the answer is
   * written: the next request is read at once, and the loop is not gone round for it. Where that proves
   * wrong it is tried more and more seldom.
   */
  private readOn(): void {
    if (this.skip > 0) {
      this.skip--;
      return;
    }
    const until = performance.now() + TURN_MS;
    for (let i = 0; i < IN_A_ROW && !this.closed && performance.now() < until; i++) {
      const n = readFrame(this.fd, this.buffer);
      if (n <= 0) {
        this.misses = i === 0 ? Math.min(this.misses + 1, MOST_MISSES) : 0;
        this.skip = 2 ** this.misses;
        return;
      }
      this.events.request(this.buffer, n);
    }
    this.misses = 0;
  }

  private readInPool(): void {
    read(this.fd, this.buffer, 0, this.buffer.length, null, (error, n) => {
      if (this.closed) return;
      if (error?.code === 'EINTR' || error?.code === 'EAGAIN' || error?.code === 'ENOENT') {
        this.readInPool();
      } else if (error !== null) {
        closeSync(this.fd);
        this.end(error);
      } else {
        this.events.request(this.buffer, n);
        this.readInPool();
      }
    });
  }

  /** One reply or notification: the first `length` bytes. Returns the errno of a reply that the kernel refuses, else 0. */
  write(frame: Buffer, length: number): number {
    if (this.closed) return 0;
    const error = writeFrame(this.fd, frame, length);
    // ENOENT: the request is gone; ENODEV, ECONNABORTED, EPERM: so is the mount, and the reader learns it.
    return GONE.has(error) ? 0 : error;
  }

  /** Lets go of the descriptor, which ends a mount that nobody else holds. */
  close(): void {
    if (this.closed) return;
    if (this.socket !== undefined) this.socket.destroy();
    else {
      closeSync(this.fd);
      this.end(undefined);
    }
    this.closed = true;
  }

  private end(error: NodeJS.ErrnoException | undefined): void {
    this.closed = true;
    this.events.ended(error);
  }
}

const { ENOENT, ENODEV, ECONNABORTED, EPERM, ENOTCONN } = constants.errno;
const GONE = new Set([ENOENT, ENODEV, ECONNABORTED, EPERM, ENOTCONN]);
