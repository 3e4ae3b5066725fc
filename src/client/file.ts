/** A file opened: reads and writes of any size, as bytes, a stream or an iterator. */
import { Readable } from 'node:stream';
import type { Fid } from './fid.ts';
import type { Qid, Stat } from './stat.ts';

export class File {
  readonly fid: Fid;
  /** Where the next read or write without an offset happens. Files that are streams do not care. */
  position = 0;

  constructor(fid: Fid) {
    this.fid = fid;
  }

  get qid(): Qid {
    return this.fid.qid;
  }

  /**
   * Up to `count` bytes; empty at the end of the file. The buffer is the caller's.
   *
   * Without an offset this is read(2) on a stream: one request of at most iounit bytes at the file's
   * position; it waits for the first byte, never for all. With an offset it is a read of bytes at
   * rest: as many requests as it takes, until count bytes are there or the server gives fewer than asked.
   *
   * A read that is aborted has taken nothing from a stream.
   */
  async read(count: number = this.fid.iounit, offset?: number, signal?: AbortSignal): Promise<Buffer> {
    if (offset === undefined) {
      const data = await this.fid.read(this.position, count, signal);
      this.position += data.length;
      return data;
    }
    const parts: Buffer[] = [];
    let taken = 0;
    while (taken < count) {
      const asked = Math.min(count - taken, this.fid.iounit);
      const part = await this.fid.read(offset + taken, asked, signal);
      parts.push(part);
      taken += part.length;
      if (part.length < asked) break;
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  }

  /**
   * Writes all of `data` and returns its length in bytes. More than iounit bytes are several
   * requests, one after the other. Leave the data alone until the promise settles: it is not copied.
   *
   * When the signal fires half-way, the count is that of the bytes taken so far; when none was, the
   * promise fails with the signal's reason.
   */
  async write(data: Uint8Array | string, offset?: number, signal?: AbortSignal): Promise<number> {
    const bytes = asBuffer(data);
    const start = offset ?? this.position;
    if (offset === undefined) this.position += bytes.length;
    let taken = 0;
    do {
      const part = bytes.subarray(taken, taken + this.fid.iounit);
      try {
        taken += await this.#writePart(start + taken, part, signal);
      } catch (error) {
        if (taken > 0 && signal?.aborted === true) return taken;
        throw error;
      }
    } while (taken < bytes.length);
    return taken;
  }

  async #writePart(offset: number, part: Buffer, signal: AbortSignal | undefined): Promise<number> {
    const count = await this.fid.write(offset, part, signal);
    // Or a write would go on for ever.
    if (count === 0 && part.length > 0)
      throw this.fid.connection.broken('Rwrite counts 0 bytes; Twrite had some');
    return count;
  }

  stat(signal?: AbortSignal): Promise<Stat> {
    return this.fid.stat(signal);
  }

  /** Closes the file. Never fails; what still waits on the file is the server's to end. */
  close(): Promise<void> {
    return this.fid.clunk();
  }

  /** Closes the file, and fails where what was written cannot come into force, as the last line of an ndb may. */
  finish(): Promise<void> {
    return this.fid.finish();
  }

  /** All that there is from here to the end. */
  async readAll(signal?: AbortSignal): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (;;) {
      const part = await this.read(undefined, undefined, signal);
      if (part.length === 0) return Buffer.concat(parts);
      parts.push(part);
    }
  }

  /** The bytes up to the end of the file, as they come. The file stays open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void> {
    for (;;) {
      const part = await this.read();
      if (part.length === 0) return;
      yield part;
    }
  }

  /** The same as a stream. Destroying it gives up the read that waits; the file stays open. */
  readable(): Readable {
    const ended = new AbortController();
    const stream: Readable = new Readable({
      read: () => pull(this, stream, ended.signal),
      destroy(error, done) {
        ended.abort();
        done(error);
      },
    });
    return stream;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** One read of `file`, handed on to a stream that asks for bytes. */
export function pull(file: File, into: Readable, signal: AbortSignal): void {
  file.read(undefined, undefined, signal).then(
    data => into.push(data.length === 0 ? null : data),
    (error: Error) => into.destroy(error),
  );
}

function asBuffer(data: Uint8Array | string): Buffer {
  if (typeof data === 'string') return Buffer.from(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
