/**
 * What each request does. A handler finds its node or open file, asks the mount, and returns the
 * reply; whatever it throws becomes the errno. It returns a promise only where the tree makes it wait.
 */
import { FsError } from '../../netfs/error.ts';
import { MAX_NAME } from '../../netfs/filename.ts';
import { READY } from '../../netfs/handles.ts';
import { then } from '../../netfs/mount.ts';
import { isDir, type Awaitable, type Handle, type OpenMode } from '../../netfs/node.ts';
import { DirReader, type PutEntry } from '../dirreader.ts';
import { linuxOpenMode, O_EXCL, O_NONBLOCK } from '../openflags.ts';
import { attributeChange, attributes, entryOf } from './attributes.ts';
import { putDirent, putDirentPlus } from './dirents.ts';
import {
  FATTR,
  FOPEN,
  INIT,
  MAX_PAGES,
  MAX_TRANSFER,
  POLL_SCHEDULE_NOTIFY,
  RENAME_NOREPLACE,
  VERSION,
} from './kernel.ts';
import type { Body, Op, ReplyBody, ReplyName } from './kernel.ts';
import type { Entry } from './nodeids.ts';
import { pollBits } from './poll.ts';
import { ReadReply, type Request } from './request.ts';
import type { FuseSession } from './session.ts';

/** A struct, a frame with n bytes of a file or directory in it, or nothing but success. */
export type Answer =
  | { [N in ReplyName]: { readonly struct: N; readonly body: ReplyBody<N> } }[ReplyName]
  | { readonly struct?: undefined; readonly read: ReadReply; readonly n: number }
  | undefined;

type Handler<N extends Op> = (session: FuseSession, body: Body<N>, request: Request) => Awaitable<Answer>;

export const HANDLERS: { readonly [N in Op]: Handler<N> } = {
  INIT: init,
  DESTROY: () => undefined,
  // Those answer nothing, and are the session's own.
  FORGET: unexpected,
  BATCH_FORGET: unexpected,
  INTERRUPT: unexpected,

  LOOKUP: lookup,
  GETATTR: getattr,
  SETATTR: setattr,
  ACCESS: access,
  STATFS: () => ({ struct: 'statfs', body: { bsize: BLOCK, frsize: BLOCK, namelen: MAX_NAME } }),

  OPEN: (session, { flags }, request) => open(session, linuxOpenMode(flags), flags, request),
  OPENDIR: (session, { flags }, request) => open(session, READ_ONLY, flags, request),
  READ: read,
  WRITE: write,
  POLL: poll,
  READDIR: (session, m, request) => directory(session, m, request, putDirent),
  READDIRPLUS: (session, m, request) => directory(session, m, request, putDirentPlus(session.nodeids)),
  RELEASE: release,
  RELEASEDIR: release,
  FLUSH: flush,
  // fsync(2): what was written is with the network already, or waits for close(2).
  FSYNC: () => undefined,
  FSYNCDIR: () => undefined,
  SYNCFS: () => undefined,

  CREATE: create,
  MKNOD: (session, m, request) =>
    isRegular(m.mode) ? make('file')(session, m, request) : refuse(session, m, request),
  MKDIR: make('directory'),
  SYMLINK: refuse,
  LINK: refuse,
  UNLINK: remove('file'),
  RMDIR: remove('directory'),
  RENAME: (session, m, request) => rename(session, m, true, request),
  RENAME2: (session, m, request) => {
    if (m.flags & ~RENAME_NOREPLACE) throw new FsError('Ebadarg', 'RENAME_EXCHANGE, RENAME_WHITEOUT');
    return rename(session, m, (m.flags & RENAME_NOREPLACE) === 0, request);
  },
  READLINK: () => fail('Ebadarg'),
  IOCTL: () => fail('Enotty'),
  FALLOCATE: () => fail('Enotsup'),
  // The kernel asks no more once it has heard this.
  SETXATTR: () => fail('Enosys'),
  GETXATTR: () => fail('Enosys'),
  LISTXATTR: () => fail('Enosys'),
  REMOVEXATTR: () => fail('Enosys'),
  TMPFILE: () => fail('Enosys'),
};

function fail(name: ConstructorParameters<typeof FsError>[0]): never {
  throw new FsError(name);
}

function unexpected(): never {
  throw new Error('a message that the session takes itself');
}

// ---- init ---------------------------------------------------------------------------------------

function init(session: FuseSession, { major, minor, flags, maxReadahead }: Body<'INIT'>): Answer {
  if (major < VERSION.major || (major === VERSION.major && minor < VERSION.leastMinor)) {
    throw new FsError('Eversion', `the kernel speaks FUSE ${major}.${minor}; 7.31 (Linux 5.4) is needed`);
  }
  // A newer major is answered with ours, and the kernel begins again.
  if (major === VERSION.major) session.started();
  const wanted = Object.values(INIT).reduce((all, flag) => all | flag, 0);
  const body = {
    major: VERSION.major,
    minor: VERSION.minor,
    maxReadahead,
    flags: (wanted & flags) >>> 0,
    maxBackground: 1024,
    congestionThreshold: 768,
    maxWrite: MAX_TRANSFER,
    timeGran: 1,
    maxPages: MAX_PAGES,
  };
  return { struct: 'init', body };
}

// ---- names and attributes -----------------------------------------------------------------------

const BLOCK = 4096;

function lookup(session: FuseSession, { name }: Body<'LOOKUP'>, request: Request): Awaitable<Answer> {
  if (Buffer.byteLength(name) > MAX_NAME) throw new FsError('Enametoolong');
  const { node: dir } = reached(session, request);
  return then(session.mount.walk(dir, name, request), node => ({
    struct: 'entry',
    body: entryOf(node, session.nodeids),
  }));
}

function getattr(session: FuseSession, _m: Body<'GETATTR'>, request: Request): Answer {
  return attr(reached(session, request));
}

function setattr(session: FuseSession, m: Body<'SETATTR'>, request: Request): Awaitable<Answer> {
  const entry = reached(session, request);
  const change = attributeChange(m, session.users);
  const handle = m.valid & FATTR.FH ? session.files.get(m.fh).handle : undefined;
  return then(session.mount.wstat(entry.node, change, request, handle), () => attr(entry));
}

const attr = ({ node }: Entry): Answer => ({ struct: 'attr', body: attributes(node.stat()) });

/**
 * The file that a request is about, if its caller may search every directory above it: the kernel
 * keeps names and does not ask again. Who has it open needs no way to it any more, as fstat(2); the
 * kernel does not tell that from stat(2).
 */
function reached(session: FuseSession, request: Request): Entry {
  const entry = session.nodeids.get(request.header.nodeid);
  try {
    session.mount.reach(entry.node, request);
  } catch (error) {
    if (!entry.isOpenBy(request.caller)) throw error;
  }
  return entry;
}

/** access(2), chdir(2) */
function access(session: FuseSession, { mask }: Body<'ACCESS'>, request: Request): Answer {
  session.mount.access(session.nodeids.get(request.header.nodeid).node, mask & 7, request);
  return undefined;
}

/** There are no symlinks, no links and no devices. The directory must be there and be searched, and the name be one. */
function refuse(session: FuseSession, { name }: { readonly name: string }, request: Request): never {
  if (Buffer.byteLength(name) > MAX_NAME) throw new FsError('Enametoolong');
  session.mount.access(session.nodeids.get(request.header.nodeid).node, X, request);
  throw new FsError('Eperm');
}

const X = 1;

// ---- names that come and go ---------------------------------------------------------------------

type Named<T = unknown> = { readonly name: string } & T;
type Change = (session: FuseSession, m: Named, request: Request) => Awaitable<Answer>;

/** inode(7); a MKNOD of no type makes a file, mknod(2). */
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const isRegular = (mode: number): boolean => (mode & S_IFMT) === S_IFREG || (mode & S_IFMT) === 0;

function make(kind: 'file' | 'directory'): Change {
  return (session, { name }, request) => {
    const { node: dir } = session.nodeids.get(request.header.nodeid);
    mayBegin(session);
    return then(session.mount.create(dir, name, kind, request), node => ({
      struct: 'entry',
      body: entryOf(node, session.nodeids),
    }));
  };
}

function remove(kind: 'file' | 'directory'): Change {
  return (session, { name }, request) => {
    const { node: dir } = session.nodeids.get(request.header.nodeid);
    mayBegin(session);
    return then(session.mount.remove(dir, name, request, kind), () => undefined);
  };
}

function rename(
  session: FuseSession,
  { name, newname, newdir }: Named<{ readonly newname: string; readonly newdir: number }>,
  replace: boolean,
  request: Request,
): Awaitable<Answer> {
  const { node: from } = session.nodeids.get(request.header.nodeid);
  const { node: to } = session.nodeids.get(newdir);
  mayBegin(session);
  return then(session.mount.rename(from, name, to, newname, replace, request), () => undefined);
}

/** open(2) with O_CREAT, of a name that was looked up and was not there. */
function create(session: FuseSession, { name, flags }: Body<'CREATE'>, request: Request): Awaitable<Answer> {
  const { node: dir } = session.nodeids.get(request.header.nodeid);
  const { mount, nodeids } = session;
  const mode = linuxOpenMode(flags);
  mayOpen(session, flags, request);
  const opened =
    flags & O_EXCL
      ? mount.createOpen(dir, name, 'file', mode, request)
      : mount.openOrCreate(dir, name, mode, request);
  return then(opened, handle => {
    mustBeThere(session, handle);
    const body = entryOf(handle.node, nodeids);
    return {
      struct: 'create',
      body: { ...body, ...keepOpen(session, nodeids.get(body.nodeid!), handle, request) },
    };
  });
}

// ---- open and release ---------------------------------------------------------------------------

const READ_ONLY: OpenMode = { read: true, write: false, truncate: false };

function open(session: FuseSession, mode: OpenMode, flags: number, request: Request): Awaitable<Answer> {
  const entry = session.nodeids.get(request.header.nodeid);
  mayOpen(session, flags, request);
  return then(session.mount.open(entry.node, mode, request), handle => {
    mustBeThere(session, handle);
    return { struct: 'open', body: keepOpen(session, entry, handle, request) };
  });
}

function mayOpen(session: FuseSession, flags: number, request: Request): void {
  mayBegin(session);
  session.files.checkRoom(request.caller);
  request.nonblocking = (flags & O_NONBLOCK) !== 0;
}

function mustBeThere(session: FuseSession, handle: Handle): void {
  if (!session.isClosed) return;
  handle.close();
  throw new FsError('Ehungup');
}

function keepOpen(session: FuseSession, entry: Entry, handle: Handle, request: Request): ReplyBody<'open'> {
  // Opening clone or listen makes a conversation: from now on this inode, which nobody else has, is
  // its ctl, so that fstat(2), fchmod(2) and /dev/fd speak of that.
  if (entry.node.separate === true && !entry.isOpen) entry.node = handle.node;
  const file = session.files.add(entry, handle, request.caller);
  session.nodeids.keep(entry);
  return { fh: file.fh, openFlags: openFlags(handle) };
}

function openFlags(handle: Handle): number {
  if (isDir(handle.node)) return 0;
  const quiet = handle.flush === undefined ? FOPEN.NOFLUSH : 0;
  return FOPEN.DIRECT_IO | quiet | (handle.stream || handle.messages === true ? FOPEN.STREAM : 0);
}

/** At the end of the server what has begun is finished, and nothing begins. */
function mayBegin(session: FuseSession): void {
  if (session.isEnding) throw new FsError('Ehungup', 'the server ends');
}

/** close(2) of one of the descriptors of an open file. */
function flush(session: FuseSession, { fh }: Body<'FLUSH'>, request: Request): Awaitable<Answer> {
  const done = session.files.get(fh).handle.flush?.(request);
  return done instanceof Promise ? done.then(() => undefined) : undefined;
}

function release(session: FuseSession, { fh }: { readonly fh: number }): Answer {
  session.files.release(fh);
  return undefined;
}

// ---- read and write -----------------------------------------------------------------------------

function read(session: FuseSession, m: Body<'READ'>, request: Request): Awaitable<Answer> {
  const file = session.files.get(m.fh);
  const { handle } = file;
  mayBegin(session);
  request.actFor(file.caller);
  request.nonblocking = (m.flags & O_NONBLOCK) !== 0;
  const reply = new ReadReply(readSize(handle, m.size));
  const offset = handle.messages === true ? file.position : m.offset;
  const n = handle.read(offset, reply, request);
  const answer = (count: number): Answer => {
    // The first read of a listen that was opened without waiting makes it the ctl of a call.
    if (file.entry.isOpenOnce && file.entry.node.separate === true) file.entry.node = handle.node;
    // At the end it begins anew: the next to read the descriptor finds the text again.
    if (handle.messages === true) file.position = count === 0 ? 0 : offset + count;
    return { read: reply, n: count };
  };
  return n instanceof Promise ? n.then(answer) : answer(n);
}

/**
 * A read(2) of more than one request can hold comes as several, and an answer that is full makes the
 * kernel send the next, which for a stream would wait although there is something to return. So the
 * last byte of exactly as many as were asked for is left for the next read.
 */
function readSize(handle: Handle, size: number): number {
  const whole = size < MAX_TRANSFER || !handle.stream || handle.node.stat().queued !== size;
  return whole ? size : size - 1;
}

function write(session: FuseSession, m: Body<'WRITE'>, request: Request): Awaitable<Answer> {
  const file = session.files.get(m.fh);
  const { handle } = file;
  mayBegin(session);
  request.actFor(file.caller);
  request.nonblocking = (m.flags & O_NONBLOCK) !== 0;
  request.isWrite = handle.stream;
  file.position = 0;
  const data = session.waiting.part(m.data, request.header.uid, handle.stream);
  const n = handle.write(m.offset, data, request);
  const answer = (size: number): Answer => ({ struct: 'write', body: { size } });
  return n instanceof Promise
    ? session.waiting.hold(data.length, request.header.uid, n).then(answer)
    : answer(n);
}

/** The server ends: whatever is tried fails at once. */
const ENDING = { readable: true, writable: true, ended: true, hungup: true, failed: true };

function poll(session: FuseSession, { fh, kh, flags }: Body<'POLL'>): Answer {
  const file = session.files.get(fh);
  const watch = (flags & POLL_SCHEDULE_NOTIFY) !== 0;
  if (watch) file.polledBy(kh);
  const readiness = session.isEnding ? ENDING : (file.handle.poll?.(watch ? file : undefined) ?? READY);
  return { struct: 'poll', body: { revents: pollBits(readiness) } };
}

// ---- directories --------------------------------------------------------------------------------

function directory(
  session: FuseSession,
  { fh, offset, size }: Body<'READDIR'>,
  request: Request,
  put: PutEntry,
): Answer {
  const file = session.files.get(fh);
  if (!isDir(file.handle.node)) throw new FsError('Enotdir');
  session.mount.exists(file.handle.node);
  file.dir ??= new DirReader(file.handle.node);
  const reply = new ReadReply(Math.min(size, MAX_TRANSFER));
  return { read: reply, n: file.dir.readFrom(offset, reply.room(size), request, put) };
}
