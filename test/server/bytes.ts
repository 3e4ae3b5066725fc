/**
 * 9P messages byte by byte, written from the specifications and by hand: Plan 9's manual section 5,
 * the 9P2000.u draft, diod's protocol.md for 9P2000.L. Nothing here uses the server's own table, so
 * that a mistake in it shows.
 */
import type { Dialect } from '../../src/server/9p/messages.ts';

export const DIALECTS: readonly Dialect[] = ['9P2000', '9P2000.u', '9P2000.L'];
export const NOTAG = 0xffff;
export const NOFID = 0xffffffff;

type Bytes = Buffer;

export const u8 = (n: number): Bytes => Buffer.from([n]);

export function u16(n: number): Bytes {
  return Buffer.from([n & 0xff, n >> 8]);
}

export function u32(n: number): Bytes {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n >>> 0);
  return bytes;
}

export function u64(n: number | bigint): Bytes {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(n));
  return bytes;
}

export function str(s: string): Bytes {
  const text = Buffer.from(s);
  return Buffer.concat([u16(text.length), text]);
}

export const qid = (type: number, vers: number, path: number | bigint): Bytes =>
  Buffer.concat([u8(type), u32(vers), u64(path)]);

/** count[4] and the bytes. */
export function data(bytes: Buffer | string): Bytes {
  const raw = Buffer.from(bytes as string);
  return Buffer.concat([u32(raw.length), raw]);
}

/** size[4] type[1] tag[2] and the fields. */
export function frame(type: number, tag: number, ...fields: Bytes[]): Bytes {
  const rest = Buffer.concat([u8(type), u16(tag), ...fields]);
  return Buffer.concat([u32(rest.length + 4), rest]);
}

/** What the fields of a stat(5) entry may be; the rest stands for "don't touch". */
export interface StatFields {
  mode?: number;
  atime?: number;
  mtime?: number;
  length?: number | bigint;
  name?: string;
  uid?: string;
  gid?: string;
  muid?: string;
  extension?: string;
  nUid?: number;
  nGid?: number;
  nMuid?: number;
}

const ONES = 0xffffffff;

/** A stat entry with its own size[2], every field that is not given meaning "don't touch". */
export function statEntry(dialect: Dialect, s: StatFields = {}): Bytes {
  const entry = Buffer.concat([
    u16(ONES & 0xffff), // type
    u32(ONES), // dev
    qid(0xff, ONES, 0xffffffffffffffffn),
    u32(s.mode ?? ONES),
    u32(s.atime ?? ONES),
    u32(s.mtime ?? ONES),
    u64(s.length ?? 0xffffffffffffffffn),
    str(s.name ?? ''),
    str(s.uid ?? ''),
    str(s.gid ?? ''),
    str(s.muid ?? ''),
    ...(dialect === '9P2000.u'
      ? [str(s.extension ?? ''), u32(s.nUid ?? ONES), u32(s.nGid ?? ONES), u32(s.nMuid ?? ONES)]
      : []),
  ]);
  return Buffer.concat([u16(entry.length), entry]);
}

export interface SetAttr {
  valid: number;
  mode?: number;
  uid?: number;
  gid?: number;
  size?: number | bigint;
}

// ---- requests that all dialects have ------------------------------------------------------------

export const Tversion = (msize: number, version: string, tag = NOTAG): Bytes =>
  frame(100, tag, u32(msize), str(version));
export const Tflush = (tag: number, oldtag: number): Bytes => frame(108, tag, u16(oldtag));
export const Twalk = (tag: number, fid: number, newfid: number, ...names: string[]): Bytes =>
  frame(110, tag, u32(fid), u32(newfid), u16(names.length), ...names.map(str));
export const Tread = (tag: number, fid: number, offset: number | bigint, count: number): Bytes =>
  frame(116, tag, u32(fid), u64(offset), u32(count));
export const Twrite = (tag: number, fid: number, offset: number | bigint, bytes: Buffer | string): Bytes =>
  frame(118, tag, u32(fid), u64(offset), data(bytes));
export const Tclunk = (tag: number, fid: number): Bytes => frame(120, tag, u32(fid));
export const Tremove = (tag: number, fid: number): Bytes => frame(122, tag, u32(fid));

/** n_uname is on the wire in 9P2000.u and .L. */
export function Tattach(
  dialect: Dialect,
  tag: number,
  fid: number,
  { afid = NOFID, uname = '', aname = '', nUname = NOFID } = {},
): Bytes {
  const number = dialect === '9P2000' ? [] : [u32(nUname)];
  return frame(104, tag, u32(fid), u32(afid), str(uname), str(aname), ...number);
}

export function Tauth(dialect: Dialect, tag: number, afid: number, uname: string, aname: string): Bytes {
  const number = dialect === '9P2000' ? [] : [u32(NOFID)];
  return frame(102, tag, u32(afid), str(uname), str(aname), ...number);
}

// ---- 9P2000 and 9P2000.u ------------------------------------------------------------------------

export const Topen = (tag: number, fid: number, mode: number): Bytes => frame(112, tag, u32(fid), u8(mode));
export function Tcreate(
  dialect: Dialect,
  tag: number,
  fid: number,
  name: string,
  perm: number,
  mode: number,
) {
  const extension = dialect === '9P2000.u' ? [str('')] : [];
  return frame(114, tag, u32(fid), str(name), u32(perm), u8(mode), ...extension);
}
export const Tstat = (tag: number, fid: number): Bytes => frame(124, tag, u32(fid));
export function Twstat(dialect: Dialect, tag: number, fid: number, change: StatFields = {}): Bytes {
  const entry = statEntry(dialect, change);
  return frame(126, tag, u32(fid), u16(entry.length), entry);
}

// ---- 9P2000.L -----------------------------------------------------------------------------------

export const Tstatfs = (tag: number, fid: number): Bytes => frame(8, tag, u32(fid));
export const Tlopen = (tag: number, fid: number, flags: number): Bytes =>
  frame(12, tag, u32(fid), u32(flags));
export const Tlcreate = (
  tag: number,
  fid: number,
  name: string,
  flags = 0o102,
  mode = 0o644,
  gid = 0,
): Bytes => frame(14, tag, u32(fid), str(name), u32(flags), u32(mode), u32(gid));
export const Tsymlink = (tag: number, fid: number, name: string, target: string, gid = 0): Bytes =>
  frame(16, tag, u32(fid), str(name), str(target), u32(gid));
export const Tmknod = (tag: number, dfid: number, name: string, mode = 0o10644): Bytes =>
  frame(18, tag, u32(dfid), str(name), u32(mode), u32(1), u32(2), u32(0));
export const Trename = (tag: number, fid: number, dfid: number, name: string): Bytes =>
  frame(20, tag, u32(fid), u32(dfid), str(name));
export const Treadlink = (tag: number, fid: number): Bytes => frame(22, tag, u32(fid));
export const Tgetattr = (tag: number, fid: number, mask: number | bigint = 0x7ff): Bytes =>
  frame(24, tag, u32(fid), u64(mask));
export const Tsetattr = (tag: number, fid: number, a: SetAttr): Bytes =>
  frame(
    26,
    tag,
    u32(fid),
    u32(a.valid),
    u32(a.mode ?? 0),
    u32(a.uid ?? 0),
    u32(a.gid ?? 0),
    u64(a.size ?? 0),
    u64(0), // atime_sec
    u64(0), // atime_nsec
    u64(0), // mtime_sec
    u64(0), // mtime_nsec
  );
export const Txattrwalk = (tag: number, fid: number, newfid: number, name: string): Bytes =>
  frame(30, tag, u32(fid), u32(newfid), str(name));
export const Txattrcreate = (tag: number, fid: number, name: string, size = 1, flags = 0): Bytes =>
  frame(32, tag, u32(fid), str(name), u64(size), u32(flags));
export const Treaddir = (tag: number, fid: number, offset: number | bigint, count: number): Bytes =>
  frame(40, tag, u32(fid), u64(offset), u32(count));
/** Older clients leave datasync out. */
export const Tfsync = (tag: number, fid: number, datasync?: number): Bytes =>
  frame(50, tag, u32(fid), ...(datasync === undefined ? [] : [u32(datasync)]));

export interface LockFields {
  kind: number;
  flags?: number;
  start?: number | bigint;
  length?: number | bigint;
  procId?: number;
  clientId?: string;
}

export const LOCK = { read: 0, write: 1, unlock: 2 } as const;

export const Tlock = (tag: number, fid: number, l: LockFields): Bytes =>
  frame(
    52,
    tag,
    u32(fid),
    u8(l.kind),
    u32(l.flags ?? 0),
    u64(l.start ?? 0),
    u64(l.length ?? 0),
    u32(l.procId ?? 1),
    str(l.clientId ?? 'host'),
  );
export const Tgetlock = (tag: number, fid: number, l: LockFields): Bytes =>
  frame(
    54,
    tag,
    u32(fid),
    u8(l.kind),
    u64(l.start ?? 0),
    u64(l.length ?? 0),
    u32(l.procId ?? 1),
    str(l.clientId ?? 'host'),
  );
export const Tlink = (tag: number, dfid: number, fid: number, name: string): Bytes =>
  frame(70, tag, u32(dfid), u32(fid), str(name));
export const Tmkdir = (tag: number, dfid: number, name: string, mode = 0o755, gid = 0): Bytes =>
  frame(72, tag, u32(dfid), str(name), u32(mode), u32(gid));
export const Trenameat = (tag: number, olddir: number, oldname: string, newdir: number, newname: string) =>
  frame(74, tag, u32(olddir), str(oldname), u32(newdir), str(newname));
export const Tunlinkat = (tag: number, dirfid: number, name: string, flags = 0): Bytes =>
  frame(76, tag, u32(dirfid), str(name), u32(flags));

// ---- in the words of the dialect ----------------------------------------------------------------

export const OREAD = 0;
export const OWRITE = 1;
export const ORDWR = 2;

/** Topen or Tlopen: the access modes have the same numbers. */
export const open = (dialect: Dialect, tag: number, fid: number, mode: number): Bytes =>
  dialect === '9P2000.L' ? Tlopen(tag, fid, mode) : Topen(tag, fid, mode);
/** Tstat or Tgetattr. */
export const stat = (dialect: Dialect, tag: number, fid: number): Bytes =>
  dialect === '9P2000.L' ? Tgetattr(tag, fid) : Tstat(tag, fid);

/** Message types of the answers, and of the errors. */
export const R = {
  lerror: 7,
  statfs: 9,
  lopen: 13,
  lcreate: 15,
  getattr: 25,
  setattr: 27,
  xattrwalk: 31,
  readdir: 41,
  fsync: 51,
  lock: 53,
  getlock: 55,
  version: 101,
  auth: 103,
  attach: 105,
  error: 107,
  flush: 109,
  walk: 111,
  open: 113,
  create: 115,
  read: 117,
  write: 119,
  clunk: 121,
  remove: 123,
  stat: 125,
  wstat: 127,
} as const;
