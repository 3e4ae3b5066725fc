/**
 * The bytes of writes that wait: each user can make the server hold so many, and no more. A write(2)
 * that is answered with less than all is repeated by whoever wrote, for the rest.
 */
import { FsError } from '../../netfs/error.ts';

/** What one user's writes may hold before they are taken in pieces. */
const WHOLE = 16 * 1024 * 1024;
/** A piece of a write. */
const PIECE = 16 * 1024;
/** What they may hold at all. */
const MOST = 64 * 1024 * 1024;

export class WaitingBytes {
  private readonly held = new Map<number, number>();

  /** How much of a write is taken, should it have to wait; Ebusy where it may not wait at all. */
  part(data: Buffer, uid: number, isStream: boolean): Buffer {
    const held = this.held.get(uid);
    if (held === undefined || held + data.length <= WHOLE) return data;
    if (held + PIECE > MOST) throw new FsError('Ebusy', 'too many bytes wait to be written');
    // Of a message the whole counts.
    return isStream ? data.subarray(0, PIECE) : data;
  }

  /** Counts bytes until `done` settles, which is given back. */
  hold<T>(bytes: number, uid: number, done: Promise<T>): Promise<T> {
    this.add(uid, bytes);
    return done.finally(() => this.add(uid, -bytes));
  }

  private add(uid: number, bytes: number): void {
    const held = (this.held.get(uid) ?? 0) + bytes;
    if (held === 0) this.held.delete(uid);
    else this.held.set(uid, held);
  }
}
