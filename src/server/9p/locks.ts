/**
 * Advisory locks of 9P2000.L (Tlock, Tgetlock): POSIX byte ranges, between all clients of the server.
 * The files here have no content worth locking, but flock(1) on one is a way to take turns.
 */
import type { Fid } from './fids.ts';
import type { Body } from './messages.ts';
import type { Session } from './session.ts';

/** Linux, P9_LOCK_TYPE_* and P9_LOCK_*. */
export const LOCK_TYPE = { read: 0, write: 1, unlock: 2 } as const;
export const LOCK_STATUS = { success: 0, blocked: 1, error: 2 } as const;

interface Lock {
  readonly path: number;
  readonly write: boolean;
  /** [start, end) in bytes; a lock to the end of the file ends at Infinity. */
  readonly start: number;
  readonly end: number;
  readonly fid: Fid;
  readonly session: Session;
  readonly procId: number;
  readonly clientId: string;
}

type Wanted = Pick<Body<'Tlock'>, 'kind' | 'start' | 'length' | 'procId' | 'clientId'>;

/** Of one session. */
const MAX_LOCKS = 1024;
/** On one file: each is looked at for each that is set. */
const MAX_ON_FILE = 4096;

export class Locks {
  /** By the file's qid.path. */
  private readonly held = new Map<number, readonly Lock[]>();
  private readonly counts = new Map<Session, number>();

  get size(): number {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Grants, refuses or releases; returns the Rlock's status. A client that may wait asks again. */
  set(session: Session, fid: Fid, wanted: Wanted): number {
    if (wanted.kind > LOCK_TYPE.unlock) return LOCK_STATUS.error;
    const lock = lockOf(session, fid, wanted);
    const before = this.on(lock.path);
    const rest = before.flatMap(other => without(other, lock));
    if (wanted.kind === LOCK_TYPE.unlock) {
      this.replace(lock.path, before, rest);
      return LOCK_STATUS.success;
    }
    if ((this.counts.get(session) ?? 0) >= MAX_LOCKS || before.length >= MAX_ON_FILE)
      return LOCK_STATUS.error;
    if (this.conflict(lock) !== undefined) return LOCK_STATUS.blocked;
    fid.hasLocked = true;
    this.replace(lock.path, before, [...rest, lock]);
    return LOCK_STATUS.success;
  }

  /** The lock that is in the way, as an Rgetlock tells it; kind unlock when there is none. */
  test(session: Session, fid: Fid, wanted: Wanted): Body<'Rgetlock'> {
    const other = this.conflict(lockOf(session, fid, wanted));
    const { start, length, procId, clientId } = wanted;
    if (other === undefined) return { kind: LOCK_TYPE.unlock, start, length, procId, clientId };
    return {
      kind: other.write ? LOCK_TYPE.write : LOCK_TYPE.read,
      start: other.start,
      length: other.end === Infinity ? 0 : other.end - other.start,
      procId: other.procId,
      clientId: other.clientId,
    };
  }

  /** The fid is clunked. */
  drop(fid: Fid): void {
    if (!fid.hasLocked) return;
    const { path } = fid.node.qid;
    const before = this.on(path);
    this.replace(
      path,
      before,
      before.filter(lock => lock.fid !== fid),
    );
  }

  private on(path: number): readonly Lock[] {
    return this.held.get(path) ?? [];
  }

  private replace(path: number, before: readonly Lock[], after: readonly Lock[]): void {
    if (after.length > 0) this.held.set(path, after);
    else this.held.delete(path);
    for (const { session } of before) this.count(session, -1);
    for (const { session } of after) this.count(session, 1);
  }

  private count(session: Session, by: number): void {
    const count = (this.counts.get(session) ?? 0) + by;
    if (count > 0) this.counts.set(session, count);
    else this.counts.delete(session);
  }

  private conflict(lock: Lock): Lock | undefined {
    return this.on(lock.path).find(
      other =>
        !sameHolder(other, lock) &&
        (other.write || lock.write) &&
        other.start < lock.end &&
        lock.start < other.end,
    );
  }
}

function lockOf(session: Session, fid: Fid, { kind, start, length, procId, clientId }: Wanted): Lock {
  const end = length === 0 ? Infinity : start + length;
  return {
    path: fid.node.qid.path,
    write: kind === LOCK_TYPE.write,
    start,
    end,
    fid,
    session,
    procId,
    clientId,
  };
}

/** A process of a client; clients that give the same names are told apart by their sessions. */
function sameHolder(a: Lock, b: Lock): boolean {
  return a.procId === b.procId && a.clientId === b.clientId && a.session === b.session;
}

/** What is left of a held lock when its holder sets another over it. */
function without(held: Lock, lock: Lock): Lock[] {
  if (!sameHolder(held, lock)) return [held];
  if (held.end <= lock.start || lock.end <= held.start) return [held];
  const parts: Lock[] = [];
  if (held.start < lock.start) parts.push({ ...held, end: lock.start });
  if (lock.end < held.end) parts.push({ ...held, start: lock.end });
  return parts;
}
