/** What a file is, the same in every dialect, and how each dialect says it. */
import {
  MAXU64,
  NONUNAME,
  type Body,
  type Message,
  type WireQid,
  type WireStat,
} from '../server/9p/messages.ts';

/** A file's identity: `path` is unique in its server; `vers` changes with the content; `type` is 0x80 for a directory. */
export type Qid = WireQid;

export interface Stat {
  /** The last element of its path; `/` for the root. */
  readonly name: string;
  readonly qid: Qid;
  /** The nine permission bits, such as 0o640. */
  readonly mode: number;
  readonly isDirectory: boolean;
  /** Owner and group as numbers; undefined where the server gave none (9P2000 never does). */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Owner and group as names; undefined where the server gave none (9P2000.L never does). */
  readonly owner: string | undefined;
  readonly group: string | undefined;
  /** Bytes. In 9P2000 and .u a stream's length is what waits to be read. */
  readonly length: number;
  /** Seconds since the epoch. */
  readonly atime: number;
  readonly mtime: number;
}

/** What is to be changed; an absent field stays. */
export interface StatChange {
  /** The nine permission bits. */
  readonly mode?: number;
  /** A number, or a name (which 9P2000.L cannot send). */
  readonly uid?: number | string;
  readonly gid?: number | string;
  /** The new length in bytes. */
  readonly length?: number;
  /** Seconds since the epoch. */
  readonly mtime?: number;
}

const QTDIR = 0x80;
const PERMISSIONS = 0o777;

/** The basic fields of a Tgetattr: all of stat(2)'s. */
export const GETATTR_BASIC = 0x7ff;

/** Tsetattr's valid bits. */
const SET = { mode: 0x1, uid: 0x2, gid: 0x4, size: 0x8, mtime: 0x20, mtimeGiven: 0x100 };

const DONT_TOUCH: WireStat = {
  type: 0xffff,
  dev: 0xffffffff,
  qid: { type: 0xff, vers: 0xffffffff, path: MAXU64 },
  mode: 0xffffffff,
  atime: 0xffffffff,
  mtime: 0xffffffff,
  length: MAXU64,
  name: '',
  uid: '',
  gid: '',
  muid: '',
  extension: '',
  nUid: NONUNAME,
  nGid: NONUNAME,
  nMuid: NONUNAME,
};

export const isDirectory = (qid: Qid): boolean => (qid.type & QTDIR) !== 0;

const given = (id: number): number | undefined => (id === NONUNAME ? undefined : id);
const named = (name: string): string | undefined => (name === '' ? undefined : name);

export function fromWireStat(wire: WireStat): Stat {
  return {
    name: wire.name,
    qid: wire.qid,
    mode: wire.mode & PERMISSIONS,
    isDirectory: isDirectory(wire.qid),
    uid: given(wire.nUid),
    gid: given(wire.nGid),
    owner: named(wire.uid),
    group: named(wire.gid),
    length: wire.length,
    atime: wire.atime,
    mtime: wire.mtime,
  };
}

export function fromAttributes(name: string, wire: Message<'Rgetattr'>): Stat {
  return {
    name,
    qid: wire.qid,
    mode: wire.mode & PERMISSIONS,
    isDirectory: isDirectory(wire.qid),
    uid: given(wire.uid),
    gid: given(wire.gid),
    owner: undefined,
    group: undefined,
    length: wire.size,
    atime: wire.atimeSec,
    mtime: wire.mtimeSec,
  };
}

export function toWireStat(qid: Qid, change: StatChange): WireStat {
  const { mode, uid, gid, length, mtime } = change;
  return {
    ...DONT_TOUCH,
    // A mode is sent with its directory bit, which is the qid's type moved up (stat(5)).
    ...(mode === undefined ? {} : { mode: ((mode & PERMISSIONS) | (qid.type << 24)) >>> 0 }),
    ...(uid === undefined ? {} : { uid: String(uid), nUid: typeof uid === 'number' ? uid : NONUNAME }),
    ...(gid === undefined ? {} : { gid: String(gid), nGid: typeof gid === 'number' ? gid : NONUNAME }),
    ...(length === undefined ? {} : { length }),
    ...(mtime === undefined ? {} : { mtime }),
  };
}

export function toAttributes(fid: number, change: StatChange): Body<'Tsetattr'> {
  const { mode, uid, gid, length, mtime } = change;
  let valid = 0;
  if (mode !== undefined) valid |= SET.mode;
  if (uid !== undefined) valid |= SET.uid;
  if (gid !== undefined) valid |= SET.gid;
  if (length !== undefined) valid |= SET.size;
  if (mtime !== undefined) valid |= SET.mtime | SET.mtimeGiven;
  return {
    fid,
    valid,
    mode: (mode ?? 0) & PERMISSIONS,
    uid: numeric(uid),
    gid: numeric(gid),
    size: length ?? 0,
    atimeSec: 0,
    atimeNsec: 0,
    mtimeSec: mtime ?? 0,
    mtimeNsec: 0,
  };
}

function numeric(id: number | string | undefined): number {
  if (typeof id !== 'string') return id ?? 0;
  if (/^\d+$/.test(id)) return Number(id);
  throw new TypeError(`${id}: 9P2000.L takes owners and groups by number only`);
}
