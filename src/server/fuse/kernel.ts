/**
 * The FUSE kernel protocol, once: every request that the kernel sends, every reply that it is given,
 * the flags. Decoding, encoding and tracing are made from these tables (codec.ts), and so are the
 * types. Source: <linux/fuse.h>, protocol 7.31 to 7.45.
 */

/** Little-endian and aligned, as the compiler lays them out. A `u64` is a double: exact up to 2^53. */
export type Kind = 'u16' | 'u32' | 'u64';

export type Fields = Readonly<Record<string, Kind>>;

/**
 * What follows the fields: nothing of interest, one or two names that end with NUL, the bytes of a
 * write, or pairs of a node and a count. Later kernels add fields and extensions behind these.
 */
export type Tail = 'none' | 'name' | 'names' | 'data' | 'forgets';

interface Layout {
  readonly opcode: number;
  readonly fields: Fields;
  readonly tail: Tail;
}

const layout = <F extends Fields, T extends Tail = 'none'>(
  opcode: number,
  fields: F,
  tail = 'none' as T,
) => ({
  opcode,
  fields,
  tail,
});

/** struct fuse_in_header */
export const IN_HEADER = 40;
/** struct fuse_out_header */
export const OUT_HEADER = 16;
/** The root directory, which is never looked up. */
export const ROOT_NODEID = 1;

const open = { flags: 'u32', openFlags: 'u32' } as const;
const release = { fh: 'u64', flags: 'u32', releaseFlags: 'u32', lockOwner: 'u64' } as const;
const read = {
  fh: 'u64',
  offset: 'u64',
  size: 'u32',
  readFlags: 'u32',
  lockOwner: 'u64',
  flags: 'u32',
  padding: 'u32',
} as const;
const fsync = { fh: 'u64', fsyncFlags: 'u32', padding: 'u32' } as const;

/** In the order of their numbers. */
export const REQUESTS = {
  LOOKUP: layout(1, {}, 'name'),
  FORGET: layout(2, { nlookup: 'u64' }),
  GETATTR: layout(3, { getattrFlags: 'u32', dummy: 'u32', fh: 'u64' }),
  SETATTR: layout(4, {
    valid: 'u32',
    padding: 'u32',
    fh: 'u64',
    size: 'u64',
    lockOwner: 'u64',
    atime: 'u64',
    mtime: 'u64',
    ctime: 'u64',
    atimensec: 'u32',
    mtimensec: 'u32',
    ctimensec: 'u32',
    mode: 'u32',
    unused4: 'u32',
    uid: 'u32',
    gid: 'u32',
    unused5: 'u32',
  }),
  READLINK: layout(5, {}),
  SYMLINK: layout(6, {}, 'names'),
  MKNOD: layout(8, { mode: 'u32', rdev: 'u32', umask: 'u32', padding: 'u32' }, 'name'),
  MKDIR: layout(9, { mode: 'u32', umask: 'u32' }, 'name'),
  UNLINK: layout(10, {}, 'name'),
  RMDIR: layout(11, {}, 'name'),
  RENAME: layout(12, { newdir: 'u64' }, 'names'),
  LINK: layout(13, { oldnodeid: 'u64' }, 'name'),
  OPEN: layout(14, open),
  READ: layout(15, read),
  WRITE: layout(
    16,
    {
      fh: 'u64',
      offset: 'u64',
      size: 'u32',
      writeFlags: 'u32',
      lockOwner: 'u64',
      flags: 'u32',
      padding: 'u32',
    },
    'data',
  ),
  STATFS: layout(17, {}),
  RELEASE: layout(18, release),
  FSYNC: layout(20, fsync),
  SETXATTR: layout(21, { size: 'u32', flags: 'u32' }),
  GETXATTR: layout(22, { size: 'u32', padding: 'u32' }, 'name'),
  LISTXATTR: layout(23, { size: 'u32', padding: 'u32' }),
  REMOVEXATTR: layout(24, {}, 'name'),
  FLUSH: layout(25, { fh: 'u64', unused: 'u32', padding: 'u32', lockOwner: 'u64' }),
  INIT: layout(26, { major: 'u32', minor: 'u32', maxReadahead: 'u32', flags: 'u32' }),
  OPENDIR: layout(27, open),
  READDIR: layout(28, read),
  RELEASEDIR: layout(29, release),
  FSYNCDIR: layout(30, fsync),
  ACCESS: layout(34, { mask: 'u32', padding: 'u32' }),
  CREATE: layout(35, { flags: 'u32', mode: 'u32', umask: 'u32', openFlags: 'u32' }, 'name'),
  INTERRUPT: layout(36, { unique: 'u64' }),
  DESTROY: layout(38, {}),
  IOCTL: layout(39, { fh: 'u64', flags: 'u32', cmd: 'u32', arg: 'u64', inSize: 'u32', outSize: 'u32' }),
  POLL: layout(40, { fh: 'u64', kh: 'u64', flags: 'u32', events: 'u32' }),
  BATCH_FORGET: layout(42, { count: 'u32', dummy: 'u32' }, 'forgets'),
  FALLOCATE: layout(43, { fh: 'u64', offset: 'u64', length: 'u64', mode: 'u32', padding: 'u32' }),
  READDIRPLUS: layout(44, read),
  RENAME2: layout(45, { newdir: 'u64', flags: 'u32', padding: 'u32' }, 'names'),
  SYNCFS: layout(50, {}),
  TMPFILE: layout(51, { flags: 'u32', mode: 'u32', umask: 'u32', openFlags: 'u32' }, 'name'),
} as const satisfies Record<string, Layout>;

export type Op = keyof typeof REQUESTS;

type TailFields<T extends Tail> = {
  none: unknown;
  name: { readonly name: string };
  names: { readonly name: string; readonly newname: string };
  /** Lent for the synchronous part of the request. */
  data: { readonly data: Buffer };
  forgets: { readonly forgets: readonly Forget[] };
}[T];

/** struct fuse_forget_one */
export interface Forget {
  readonly nodeid: number;
  readonly nlookup: number;
}

export type Body<N extends Op> = {
  readonly [F in keyof (typeof REQUESTS)[N]['fields']]: number;
} & TailFields<(typeof REQUESTS)[N]['tail']>;

/** struct fuse_in_header */
export interface Header {
  readonly unique: number;
  readonly nodeid: number;
  /** File-system ids of the thread that asks, and its thread id, as the mount's namespaces number them. */
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** struct fuse_attr */
const ATTR = {
  ino: 'u64',
  size: 'u64',
  blocks: 'u64',
  atime: 'u64',
  mtime: 'u64',
  ctime: 'u64',
  atimensec: 'u32',
  mtimensec: 'u32',
  ctimensec: 'u32',
  mode: 'u32',
  nlink: 'u32',
  uid: 'u32',
  gid: 'u32',
  rdev: 'u32',
  blksize: 'u32',
  attrFlags: 'u32',
} as const;

/** struct fuse_entry_out */
const ENTRY = {
  nodeid: 'u64',
  generation: 'u64',
  /** Seconds for which the name stands without being looked up again. */
  entryValid: 'u64',
  attrValid: 'u64',
  entryValidNsec: 'u32',
  attrValidNsec: 'u32',
  ...ATTR,
} as const;

/** struct fuse_open_out */
const OPEN = { fh: 'u64', openFlags: 'u32', backingId: 'u32' } as const;

/** What the kernel is answered and told, by the name of the struct. */
export const REPLIES = {
  attr: { attrValid: 'u64', attrValidNsec: 'u32', dummy: 'u32', ...ATTR },
  entry: ENTRY,
  open: OPEN,
  /** Of a CREATE: both. */
  create: { ...ENTRY, ...OPEN },
  write: { size: 'u32', padding: 'u32' },
  statfs: {
    blocks: 'u64',
    bfree: 'u64',
    bavail: 'u64',
    files: 'u64',
    ffree: 'u64',
    bsize: 'u32',
    namelen: 'u32',
    frsize: 'u32',
    padding: 'u32',
    spare0: 'u64',
    spare1: 'u64',
    spare2: 'u64',
  },
  init: {
    major: 'u32',
    minor: 'u32',
    maxReadahead: 'u32',
    flags: 'u32',
    maxBackground: 'u16',
    congestionThreshold: 'u16',
    maxWrite: 'u32',
    timeGran: 'u32',
    maxPages: 'u16',
    mapAlignment: 'u16',
    flags2: 'u32',
    maxStackDepth: 'u32',
    unused0: 'u64',
    unused1: 'u64',
    unused2: 'u64',
  },
  poll: { revents: 'u32', padding: 'u32' },
  /** FUSE_NOTIFY_POLL */
  pollWakeup: { kh: 'u64' },
} as const satisfies Record<string, Fields>;

export type ReplyName = keyof typeof REPLIES;

/** A field that is left out is 0. */
export type ReplyBody<N extends ReplyName> = { readonly [F in keyof (typeof REPLIES)[N]]?: number };

// ---- flags --------------------------------------------------------------------------------------

/** The version spoken: nothing newer than 7.31 is relied upon. */
export const VERSION = { major: 7, minor: 38, leastMinor: 31 } as const;

/** Of FUSE_INIT. */
export const INIT = {
  ATOMIC_O_TRUNC: 1 << 3,
  BIG_WRITES: 1 << 5,
  DO_READDIRPLUS: 1 << 13,
  READDIRPLUS_AUTO: 1 << 14,
  PARALLEL_DIROPS: 1 << 18,
  HANDLE_KILLPRIV: 1 << 19,
  MAX_PAGES: 1 << 22,
} as const;

/** Of an open's reply. */
export const FOPEN = {
  /** Nothing is kept in the page cache, and the length is not believed. */
  DIRECT_IO: 1 << 0,
  /** close(2) has nothing to say (7.35; older kernels ask all the same). */
  NOFLUSH: 1 << 5,
  /** No position: reads and writes of one descriptor do not wait for one another. */
  STREAM: 1 << 4,
} as const;

/** Of SETATTR's valid. */
export const FATTR = { MODE: 1, UID: 2, GID: 4, SIZE: 8, ATIME: 16, MTIME: 32, FH: 64 } as const;

/** Of RENAME2's flags, rename(2): Eexist where the name is taken. */
export const RENAME_NOREPLACE = 1;

/** Of POLL's flags: tell when it becomes ready. */
export const POLL_SCHEDULE_NOTIFY = 1;
/** Codes of messages that answer nothing, in the header's error field. */
export const NOTIFY_POLL = 1;

/** poll(2) and epoll_ctl(2) have the same bits. */
export const POLL = {
  IN: 0x1,
  OUT: 0x4,
  ERR: 0x8,
  HUP: 0x10,
  RDNORM: 0x40,
  WRNORM: 0x100,
  RDHUP: 0x2000,
} as const;

/** Most bytes of one read or write: as many pages as the kernel allows. */
export const MAX_TRANSFER = 1024 * 1024;
export const MAX_PAGES = 256;
/** A WRITE's header and fields before its data. */
export const MAX_REQUEST = MAX_TRANSFER + 4096;
