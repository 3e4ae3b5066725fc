/**
 * Every message of 9P2000, 9P2000.u and 9P2000.L, once. Decoding, encoding and tracing are made from
 * this table (codec.ts), and so are the TypeScript types of the messages.
 *
 * Sources: Plan 9's manual, section 5 (9P2000); the 9P2000.u draft of Van Hensbergen; diod's
 * protocol.md and Linux's net/9p/client.c (9P2000.L).
 */

/** 9P2000, 9P2000.u or 9P2000.L; `all` three. */
export type Dialect = '9P2000' | '9P2000.u' | '9P2000.L';

/**
 * How a field lies on the wire; integers are little-endian.
 *
 * - `u8` `u16` `u32`: unsigned.
 * - `u64`: a double on our side: exact up to 2^53, larger ones rounded, all-ones is 2^64.
 * - `str`: length[2], then that many bytes of UTF-8.
 * - `names`: count[2], then as many str.
 * - `qid`: type[1] version[4] path[8]. `qids`: count[2], then as many.
 * - `data`: count[4], then that many bytes: always the last field.
 * - `stat`: length[2], then one stat entry (STAT), which begins with its own size[2].
 */
export type Kind = 'u8' | 'u16' | 'u32' | 'u64' | 'str' | 'names' | 'qid' | 'qids' | 'data' | 'stat';

/**
 * A field that only some dialects carry. In the others it is not on the wire and decodes to `absent`.
 * `lax`: a sender may leave it out at the end of the message.
 */
export interface Conditional<K extends Kind = Kind> {
  readonly kind: K;
  readonly in: readonly Dialect[];
  readonly absent: number | string;
  readonly lax?: boolean;
}

export type Fields = Readonly<Record<string, Kind | Conditional>>;

interface Layout {
  readonly type: number;
  readonly in: readonly Dialect[];
  readonly fields: Fields;
}

const ALL: readonly Dialect[] = ['9P2000', '9P2000.u', '9P2000.L'];
const OLD: readonly Dialect[] = ['9P2000', '9P2000.u'];
const U: readonly Dialect[] = ['9P2000.u'];
const L: readonly Dialect[] = ['9P2000.L'];
const UL: readonly Dialect[] = ['9P2000.u', '9P2000.L'];

export const NOTAG = 0xffff;
export const NOFID = 0xffffffff;
/** n_uname of a client that gives no number; also "don't touch" for 32-bit fields of a wstat. */
export const NONUNAME = 0xffffffff;
/** All ones in 64 bits, as this codec shows it: "don't touch" for a wstat's length. */
export const MAXU64 = 2 ** 64;
/** Most names in one Twalk (walk(5)). */
export const MAXWELEM = 16;
/** Bytes of a Rread or Twrite that are not data: what msize must hold beside it (iounit = msize - IOHDRSZ). */
export const IOHDRSZ = 24;

const nUname = { kind: 'u32', in: UL, absent: NONUNAME } as const;

const layout = <F extends Fields>(type: number, dialects: readonly Dialect[], fields: F) => ({
  type,
  in: dialects,
  fields,
});

export const MESSAGES = {
  // 9P2000.L
  Rlerror: layout(7, L, { ecode: 'u32' }),
  Tstatfs: layout(8, L, { fid: 'u32' }),
  Rstatfs: layout(9, L, {
    fstype: 'u32',
    bsize: 'u32',
    blocks: 'u64',
    bfree: 'u64',
    bavail: 'u64',
    files: 'u64',
    ffree: 'u64',
    fsid: 'u64',
    namelen: 'u32',
  }),
  Tlopen: layout(12, L, { fid: 'u32', flags: 'u32' }),
  Rlopen: layout(13, L, { qid: 'qid', iounit: 'u32' }),
  Tlcreate: layout(14, L, { fid: 'u32', name: 'str', flags: 'u32', mode: 'u32', gid: 'u32' }),
  Rlcreate: layout(15, L, { qid: 'qid', iounit: 'u32' }),
  Tsymlink: layout(16, L, { fid: 'u32', name: 'str', symtgt: 'str', gid: 'u32' }),
  Rsymlink: layout(17, L, { qid: 'qid' }),
  Tmknod: layout(18, L, { dfid: 'u32', name: 'str', mode: 'u32', major: 'u32', minor: 'u32', gid: 'u32' }),
  Rmknod: layout(19, L, { qid: 'qid' }),
  Trename: layout(20, L, { fid: 'u32', dfid: 'u32', name: 'str' }),
  Rrename: layout(21, L, {}),
  Treadlink: layout(22, L, { fid: 'u32' }),
  Rreadlink: layout(23, L, { target: 'str' }),
  Tgetattr: layout(24, L, { fid: 'u32', requestMask: 'u64' }),
  Rgetattr: layout(25, L, {
    valid: 'u64',
    qid: 'qid',
    mode: 'u32',
    uid: 'u32',
    gid: 'u32',
    nlink: 'u64',
    rdev: 'u64',
    size: 'u64',
    blksize: 'u64',
    blocks: 'u64',
    atimeSec: 'u64',
    atimeNsec: 'u64',
    mtimeSec: 'u64',
    mtimeNsec: 'u64',
    ctimeSec: 'u64',
    ctimeNsec: 'u64',
    btimeSec: 'u64',
    btimeNsec: 'u64',
    gen: 'u64',
    dataVersion: 'u64',
  }),
  Tsetattr: layout(26, L, {
    fid: 'u32',
    valid: 'u32',
    mode: 'u32',
    uid: 'u32',
    gid: 'u32',
    size: 'u64',
    atimeSec: 'u64',
    atimeNsec: 'u64',
    mtimeSec: 'u64',
    mtimeNsec: 'u64',
  }),
  Rsetattr: layout(27, L, {}),
  Txattrwalk: layout(30, L, { fid: 'u32', newfid: 'u32', name: 'str' }),
  Rxattrwalk: layout(31, L, { size: 'u64' }),
  Txattrcreate: layout(32, L, { fid: 'u32', name: 'str', attrSize: 'u64', flags: 'u32' }),
  Rxattrcreate: layout(33, L, {}),
  Treaddir: layout(40, L, { fid: 'u32', offset: 'u64', count: 'u32' }),
  Rreaddir: layout(41, L, { data: 'data' }),
  Tfsync: layout(50, L, { fid: 'u32', datasync: { kind: 'u32', in: L, absent: 0, lax: true } }),
  Rfsync: layout(51, L, {}),
  Tlock: layout(52, L, {
    fid: 'u32',
    kind: 'u8',
    flags: 'u32',
    start: 'u64',
    length: 'u64',
    procId: 'u32',
    clientId: 'str',
  }),
  Rlock: layout(53, L, { status: 'u8' }),
  Tgetlock: layout(54, L, {
    fid: 'u32',
    kind: 'u8',
    start: 'u64',
    length: 'u64',
    procId: 'u32',
    clientId: 'str',
  }),
  Rgetlock: layout(55, L, { kind: 'u8', start: 'u64', length: 'u64', procId: 'u32', clientId: 'str' }),
  Tlink: layout(70, L, { dfid: 'u32', fid: 'u32', name: 'str' }),
  Rlink: layout(71, L, {}),
  Tmkdir: layout(72, L, { dfid: 'u32', name: 'str', mode: 'u32', gid: 'u32' }),
  Rmkdir: layout(73, L, { qid: 'qid' }),
  Trenameat: layout(74, L, { olddirfid: 'u32', oldname: 'str', newdirfid: 'u32', newname: 'str' }),
  Rrenameat: layout(75, L, {}),
  Tunlinkat: layout(76, L, { dirfid: 'u32', name: 'str', flags: 'u32' }),
  Runlinkat: layout(77, L, {}),

  // all dialects, and those that 9P2000.L replaced
  Tversion: layout(100, ALL, { msize: 'u32', version: 'str' }),
  Rversion: layout(101, ALL, { msize: 'u32', version: 'str' }),
  Tauth: layout(102, ALL, { afid: 'u32', uname: 'str', aname: 'str', nUname }),
  Rauth: layout(103, ALL, { aqid: 'qid' }),
  Tattach: layout(104, ALL, { fid: 'u32', afid: 'u32', uname: 'str', aname: 'str', nUname }),
  Rattach: layout(105, ALL, { qid: 'qid' }),
  Rerror: layout(107, OLD, { ename: 'str', errno: { kind: 'u32', in: U, absent: 0 } }),
  Tflush: layout(108, ALL, { oldtag: 'u16' }),
  Rflush: layout(109, ALL, {}),
  Twalk: layout(110, ALL, { fid: 'u32', newfid: 'u32', names: 'names' }),
  Rwalk: layout(111, ALL, { qids: 'qids' }),
  Topen: layout(112, OLD, { fid: 'u32', mode: 'u8' }),
  Ropen: layout(113, OLD, { qid: 'qid', iounit: 'u32' }),
  Tcreate: layout(114, OLD, {
    fid: 'u32',
    name: 'str',
    perm: 'u32',
    mode: 'u8',
    extension: { kind: 'str', in: U, absent: '' },
  }),
  Rcreate: layout(115, OLD, { qid: 'qid', iounit: 'u32' }),
  Tread: layout(116, ALL, { fid: 'u32', offset: 'u64', count: 'u32' }),
  Rread: layout(117, ALL, { data: 'data' }),
  Twrite: layout(118, ALL, { fid: 'u32', offset: 'u64', data: 'data' }),
  Rwrite: layout(119, ALL, { count: 'u32' }),
  Tclunk: layout(120, ALL, { fid: 'u32' }),
  Rclunk: layout(121, ALL, {}),
  Tremove: layout(122, ALL, { fid: 'u32' }),
  Rremove: layout(123, ALL, {}),
  Tstat: layout(124, OLD, { fid: 'u32' }),
  Rstat: layout(125, OLD, { stat: 'stat' }),
  Twstat: layout(126, OLD, { fid: 'u32', stat: 'stat' }),
  Rwstat: layout(127, OLD, {}),
} as const satisfies Record<string, Layout>;

/** One directory entry, stat(5): what follows its own size[2]. */
export const STAT = {
  type: 'u16',
  dev: 'u32',
  qid: 'qid',
  mode: 'u32',
  atime: 'u32',
  mtime: 'u32',
  length: 'u64',
  name: 'str',
  uid: 'str',
  gid: 'str',
  muid: 'str',
  extension: { kind: 'str', in: U, absent: '' },
  nUid: { kind: 'u32', in: U, absent: NONUNAME },
  nGid: { kind: 'u32', in: U, absent: NONUNAME },
  nMuid: { kind: 'u32', in: U, absent: NONUNAME },
} as const satisfies Fields;

export interface WireQid {
  readonly type: number;
  readonly vers: number;
  readonly path: number;
}

type Value<K> =
  K extends Conditional<infer Inner>
    ? Value<Inner>
    : K extends 'str'
      ? string
      : K extends 'names'
        ? readonly string[]
        : K extends 'qid'
          ? WireQid
          : K extends 'qids'
            ? readonly WireQid[]
            : K extends 'data'
              ? Buffer
              : K extends 'stat'
                ? WireStat
                : number;

type Values<F extends Fields> = { -readonly [N in keyof F]: Value<F[N]> };

export type WireStat = Values<typeof STAT>;
export type MessageName = keyof typeof MESSAGES;
export type Message<N extends MessageName = MessageName> = {
  [M in N]: { type: M; tag: number } & Values<(typeof MESSAGES)[M]['fields']>;
}[N];

/** A message's fields, without type and tag. */
export type Body<N extends MessageName> = Values<(typeof MESSAGES)[N]['fields']>;

/** The messages that a client sends, and those that a server answers with. */
export type TName = Extract<MessageName, `T${string}`>;
export type RName = Extract<MessageName, `R${string}`>;

/**
 * The dialect to answer a Tversion with; undefined means `unknown`. As version(5) allows, an unknown
 * suffix after the period is dropped; Google's 9P2000.L.Google.N is served as 9P2000.L.
 */
export function negotiate(version: string): Dialect | undefined {
  if (version === '9P2000.L' || version.startsWith('9P2000.L.')) return '9P2000.L';
  if (version === '9P2000.u' || version.startsWith('9P2000.u.')) return '9P2000.u';
  if (version === '9P2000' || version.startsWith('9P2000.')) return '9P2000';
  return undefined;
}
