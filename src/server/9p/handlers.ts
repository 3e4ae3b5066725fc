/**
 * What each T-message does. A handler finds its fids, asks the mount, and returns the reply; whatever
 * it throws becomes the error reply. It returns a promise only where the tree makes it wait.
 */
import { FsError } from '../../netfs/error.ts';
import { checkName, MAX_NAME } from '../../netfs/filename.ts';
import { then, type Mount } from '../../netfs/mount.ts';
import {
  isDir,
  type Awaitable,
  type Handle,
  type Node,
  type OpenMode,
  type StatChange,
} from '../../netfs/node.ts';
import { identify } from '../../policy/identity.ts';
import { IOHDRSZ, MAXWELEM, NONUNAME, type Message, type TName, type WireQid } from './messages.ts';
import { RREAD_DATA } from './codec.ts';
import { DirReader, type PutEntry } from '../dirreader.ts';
import { linuxOpenMode, O_DIRECTORY, O_EXCL } from '../openflags.ts';
import { Fid } from './fids.ts';
import { ReadReply, type Request } from './request.ts';
import type { Answer, Session } from './session.ts';
import { attributeChange, attributes, DMDIR, statChange, wireStat } from './stat.ts';
import { attachName, DT_LNK, linkQid } from './v9fs/index.ts';

type Handler<N extends TName> = (
  session: Session,
  message: Message<N>,
  request: Request,
) => Awaitable<Answer>;

export const HANDLERS: { readonly [N in TName]: Handler<N> } = {
  // Those two are the session's own.
  Tversion: unexpected,
  Tflush: unexpected,

  Tauth: () => fail('Enoauth'),
  Tattach: attach,
  Twalk: walk,
  Tread: read,
  Twrite: write,
  Tclunk: flushAndClunk,
  Tremove: removeAndClunk,

  // ---- 9P2000 and 9P2000.u
  Topen: (session, m, request) => open(session, m.fid, openMode(m.mode), request, 'Ropen'),
  Tcreate: (session, m, request) => {
    if (m.perm & DM_SPECIAL) return refuse(session, [m.fid], [m.name], request);
    const kind = (m.perm & DMDIR) === 0 ? 'file' : 'directory';
    // create(5): a name that is taken is an error; create(2) has opened it before.
    const make = (fid: Fid) => fid.mount.createOpen(fid.node, m.name, kind, openMode(m.mode), request);
    return create(session, m, make, request, 'Rcreate');
  },
  Tstat: (session, { fid: number, tag }, request) => {
    const { node, inode } = useThere(session, number, request);
    const stat = wireStat(node.stat(), session.options.users, showsWaiting(session));
    return { type: 'Rstat', tag, stat: session.v9fs?.stat(stat, inode) ?? stat };
  },
  Twstat: (session, m, request) => {
    const fid = useFile(session, m.fid, request);
    const change = statChange(fid.node, m.stat, session.options.users);
    return then(fid.mount.wstat(fid.node, change, request, fid.handle), () => {
      truncated(fid, change);
      return { type: 'Rwstat', tag: m.tag };
    });
  },

  // ---- 9P2000.L
  Tlopen: (session, m, request) => {
    if (m.flags & O_DIRECTORY && !isDir(session.fids.get(m.fid).node)) throw new FsError('Enotdir');
    return open(session, m.fid, linuxOpenMode(m.flags), request, 'Rlopen');
  },
  Tgetattr: (session, { fid, tag }, request) => {
    const { node, inode } = useThere(session, fid, request);
    const found = attributes(node.stat());
    return { type: 'Rgetattr', tag, ...(session.v9fs?.attributes(found, inode) ?? found) };
  },
  Tsetattr: (session, m, request) => {
    const fid = use(session, m.fid, request);
    const change = attributeChange(m, session.options.users);
    return then(fid.mount.wstat(fid.node, change, request, fid.handle), () => {
      truncated(fid, change);
      return { type: 'Rsetattr', tag: m.tag };
    });
  },
  Treaddir: readdir,
  Tstatfs: (session, { fid, tag }, request) => {
    use(session, fid, request);
    return { type: 'Rstatfs', tag, ...STATFS };
  },
  Tfsync: (session, { fid, tag }, request) => {
    use(session, fid, request);
    return { type: 'Rfsync', tag };
  },
  Tlock: (session, m, request) => {
    const fid = use(session, m.fid, request);
    fid.opened();
    return { type: 'Rlock', tag: m.tag, status: session.options.locks.set(session, fid, m) };
  },
  Tgetlock: (session, m, request) => {
    const fid = use(session, m.fid, request);
    return { type: 'Rgetlock', tag: m.tag, ...session.options.locks.test(session, fid, m) };
  },
  // The empty name lists the attributes, and there are none to list.
  Txattrwalk: (session, { fid: number, newfid, name, tag }, request) => {
    const fid = use(session, number, request);
    if (name !== '') throw new FsError('Enoxattr', name);
    const list = new Fid(newfid, fid.caller, fid.mount, fid.node);
    list.isAttributes = true;
    list.handle = emptyHandle(fid.node);
    session.fids.add(list);
    return { type: 'Rxattrwalk', tag, size: 0 };
  },
  Txattrcreate: (session, { fid }, request) => {
    use(session, fid, request);
    return fail('Enotsup');
  },
  // The tree has no symlinks; a v9fs client is shown some.
  Treadlink: (session, { fid, tag }, request) => {
    const { inode } = use(session, fid, request);
    const target = inode && session.v9fs?.target(inode);
    return target === undefined ? fail('Ebadarg') : { type: 'Rreadlink', tag, target };
  },
  Tlcreate: (session, m, request) => {
    const mode = linuxOpenMode(m.flags);
    const make = ({ mount, node }: Fid) =>
      m.flags & O_EXCL
        ? mount.createOpen(node, m.name, 'file', mode, request)
        : mount.openOrCreate(node, m.name, mode, request);
    return create(session, m, make, request, 'Rlcreate');
  },
  Tsymlink: (session, { fid, name }, request) => refuse(session, [fid], [name], request),
  Tmknod: (session, m, request) => {
    if (!isRegular(m.mode)) return refuse(session, [m.dfid], [m.name], request);
    return make(session, m, 'file', request, 'Rmknod');
  },
  Tmkdir: (session, m, request) => make(session, m, 'directory', request, 'Rmkdir'),
  Tlink: (session, { dfid, fid, name }, request) => refuse(session, [dfid, fid], [name], request),
  Trename: (session, m, request) => {
    const { mount, node } = useFile(session, m.fid, request);
    const to = sameAttach(session, mount, m.dfid);
    return then(mount.renameNode(node, to, m.name, true, request), () => ({ type: 'Rrename', tag: m.tag }));
  },
  Trenameat: (session, m, request) => {
    const { mount, node } = useFile(session, m.olddirfid, request);
    const to = sameAttach(session, mount, m.newdirfid);
    const renamed = mount.rename(node, m.oldname, to, m.newname, true, request);
    return then(renamed, () => ({ type: 'Rrenameat', tag: m.tag }));
  },
  Tunlinkat: (session, { dirfid, name, flags, tag }, request) => {
    const { mount, node } = useFile(session, dirfid, request);
    const kind = flags & AT_REMOVEDIR ? 'directory' : 'file';
    return then(mount.remove(node, name, request, kind), () => ({ type: 'Runlinkat', tag }));
  },
};

function fail(name: ConstructorParameters<typeof FsError>[0]): never {
  throw new FsError(name);
}

function unexpected(): never {
  throw new Error('a message that the session answers itself');
}

/** The fid of a request: its caller is the request's, and a clunk of it aborts the request. */
function use(session: Session, number: number, request: Request): Fid {
  const fid = session.fids.get(number);
  fid.busy++;
  request.fid = fid;
  request.caller = fid.caller;
  return fid;
}

/** The same, of a file whose view has not ended. */
function useThere(session: Session, number: number, request: Request): Fid {
  const fid = use(session, number, request);
  fid.mount.exists(fid.node);
  return fid;
}

/** The same, for what is done with the file itself: a list of its attributes is not it. */
function useFile(session: Session, number: number, request: Request): Fid {
  const fid = use(session, number, request);
  if (fid.isAttributes) throw new FsError('Ebaduse');
  return fid;
}

/** The file of a second fid. What another attach led to is of another tree. */
function sameAttach(session: Session, mount: Mount, number: number): Node {
  const fid = session.fids.get(number);
  if (fid.isAttributes || fid.mount !== mount) throw new FsError('Ebaduse');
  return fid.node;
}

/** There are no symlinks, no links and no devices; but bad fids and names are told as such. */
function refuse(session: Session, fids: number[], names: string[], request: Request): never {
  use(session, fids[0]!, request);
  for (const fid of fids.slice(1)) session.fids.get(fid);
  names.forEach(checkName);
  throw new FsError('Eperm');
}

// ---- attach, walk, clunk ------------------------------------------------------------------------

function attach(session: Session, m: Message<'Tattach'>, request: Request): Awaitable<Answer> {
  const { mount, peer, users, trustedUsers, log } = session.options;
  session.fids.checkFree(m.fid);
  const uid = m.nUname === NONUNAME ? undefined : m.nUname;
  request.caller = identify(peer, { uname: m.uname, uid }, users, trustedUsers?.());
  log.debug({ user: request.caller.name, aname: m.aname }, 'attach');
  const { path, declared } = attachName(m.aname);
  return then(mount.attach(path, request), attached => {
    if (request.orphaned) throw new FsError('Ehungup');
    if (declared) session.helpV9fs();
    session.fids.add(new Fid(m.fid, request.caller, attached, attached.root));
    return { type: 'Rattach', tag: m.tag, qid: attached.root.qid };
  });
}

function walk(session: Session, m: Message<'Twalk'>, request: Request): Awaitable<Answer> {
  const { names, tag } = m;
  if (names.length > MAXWELEM) throw new FsError('Ebadarg', `at most ${MAXWELEM} names in one walk`);
  names.forEach(checkName);
  const fid = use(session, m.fid, request);
  // walk(5) forbids walking from an open fid; .L clients such as diodls do it with a directory.
  const fromOpen = session.codec.dialect === '9P2000.L' && isDir(fid.node) && m.newfid !== m.fid;
  if (!fromOpen) fid.mustBeUnopened();
  if (m.newfid !== m.fid) session.fids.checkFree(m.newfid);
  const { v9fs } = session;
  return then(walkNames(session, fid, names, request), nodes => {
    if (nodes.length === names.length) {
      const arrived = arrive(session, fid, m.newfid, nodes.at(-1) ?? fid.node, request);
      arrived.inode = names.length === 0 ? fid.inode : v9fs?.inode(names.at(-1)!, arrived.node);
    }
    return { type: 'Rwalk', tag, qids: nodes.map((node, i) => qidOf(session, node, names[i]!)) };
  });
}

/** The nodes on the way; fewer than names when a later step fails, walk(5). */
function walkNames(
  session: Session,
  fid: Fid,
  names: readonly string[],
  request: Request,
): Awaitable<Node[]> {
  const nodes: Node[] = [];
  const stop = (error: unknown): Node[] => {
    if (nodes.length === 0 || !(error instanceof FsError)) throw error;
    return nodes;
  };
  const step = (from: Node): Awaitable<Node[]> => {
    const name = names[nodes.length];
    if (name === undefined) return nodes;
    const { mount } = fid;
    const next = session.v9fs?.walk(mount, from, name, request) ?? mount.walk(from, name, request);
    return then(next, node => {
      nodes.push(node);
      return step(node);
    });
  };
  try {
    const walked = step(fid.node);
    return walked instanceof Promise ? walked.catch(stop) : walked;
  } catch (error) {
    return stop(error);
  }
}

function arrive(session: Session, fid: Fid, newfid: number, node: Node, request: Request): Fid {
  // What was there when the walk began may be gone, or taken, by now.
  if (request.orphaned || fid.closed) throw new FsError('Ehungup');
  if (newfid !== fid.number) {
    const arrived = new Fid(newfid, fid.caller, fid.mount, node);
    session.fids.add(arrived);
    return arrived;
  }
  fid.mustBeUnopened();
  fid.node = node;
  return fid;
}

/** clunk(5): the fid is gone even if what was written could not come into force, which the error says. */
function flushAndClunk(
  session: Session,
  { fid, tag }: Message<'Tclunk'>,
  request: Request,
): Awaitable<Answer> {
  const { handle, caller } = session.fids.get(fid);
  request.caller = caller;
  const flushed = attempt<void>(
    () => handle?.flush?.(request),
    () => clunk(session, fid, request),
  );
  return then(flushed, () => ({ type: 'Rclunk', tag }));
}

/** remove(5): the fid is clunked even if the file cannot be removed. */
function removeAndClunk(
  session: Session,
  { fid: number, tag }: Message<'Tremove'>,
  request: Request,
): Awaitable<Answer> {
  const { mount, node, caller, isAttributes } = session.fids.get(number);
  request.caller = caller;
  const removed = attempt<void>(
    () => (isAttributes ? fail('Ebaduse') : mount.removeNode(node, request)),
    () => clunk(session, number, request),
  );
  return then(removed, () => ({ type: 'Rremove', tag }));
}

function clunk(session: Session, number: number, request: Request): void {
  const fid = session.fids.remove(number);
  fid.busy++;
  request.fid = fid;
  session.closeFid(fid);
  session.abortRequestsOf(fid, request);
}

/** A file's qid where it is found by this name. */
const qidOf = ({ v9fs }: Session, node: Node, name: string): WireQid =>
  v9fs?.isLink(name, node) === true ? linkQid(node.qid) : node.qid;

/** In plain 9P2000 a stream's waiting bytes are its length; v9fs takes a length for a promise. */
const showsWaiting = ({ codec, v9fs }: Session): boolean => codec.dialect === '9P2000' && v9fs === undefined;

function truncated({ inode }: Fid, { length }: StatChange): void {
  if (inode !== undefined && length !== undefined) inode.size = length;
}

// ---- open ---------------------------------------------------------------------------------------

/** open(5): the low two bits say how, 0x10 truncates; the others ask nothing of these files. */
const OTRUNC = 0x10;

function openMode(mode: number): OpenMode {
  const access = mode & 3; // OREAD, OWRITE, ORDWR, OEXEC
  return { read: access !== 1, write: access === 1 || access === 2, truncate: (mode & OTRUNC) !== 0 };
}

function open(
  session: Session,
  number: number,
  mode: OpenMode,
  request: Request,
  type: 'Ropen' | 'Rlopen',
): Awaitable<Answer> {
  const fid = use(session, number, request);
  return then(
    opening(fid, () => fid.mount.open(fid.node, mode, request)),
    handle => {
      fid.handle = session.v9fs?.opened(handle, fid.inode) ?? handle;
      return openedAs(session, fid, handle, request, type);
    },
  );
}

/** create(5): the fid of the directory becomes the new file's. */
function create(
  session: Session,
  { fid: number, name }: { readonly fid: number; readonly name: string },
  make: (directory: Fid) => Awaitable<Handle>,
  request: Request,
  type: 'Rcreate' | 'Rlcreate',
): Awaitable<Answer> {
  const fid = useFile(session, number, request);
  return then(
    opening(fid, () => make(fid)),
    handle => {
      fid.inode = session.v9fs?.created(name, handle.node);
      fid.handle = session.v9fs?.opened(handle, fid.inode) ?? handle;
      return openedAs(session, fid, handle, request, type);
    },
  );
}

/** What an open of a fid gives, unless the fid is gone by then. */
function opening(fid: Fid, run: () => Awaitable<Handle>): Awaitable<Handle> {
  fid.mustBeUnopened();
  fid.opening = true;
  const opened = attempt(run, () => (fid.opening = false));
  return then(opened, handle => {
    if (!fid.closed) return handle;
    handle.close();
    throw new FsError('Ehungup');
  });
}

function openedAs(
  session: Session,
  fid: Fid,
  { node }: Handle,
  { tag }: Request,
  type: 'Ropen' | 'Rlopen' | 'Rcreate' | 'Rlcreate',
): Answer {
  fid.node = node;
  return { type, tag, qid: node.qid, iounit: session.msize - IOHDRSZ };
}

/** Makes what is not opened. */
function make(
  session: Session,
  { dfid, name, tag }: { readonly dfid: number; readonly name: string; readonly tag: number },
  kind: 'file' | 'directory',
  request: Request,
  type: 'Rmknod' | 'Rmkdir',
): Awaitable<Answer> {
  const { mount, node } = useFile(session, dfid, request);
  return then(mount.create(node, name, kind, request), ({ qid }) => ({ type, tag, qid }));
}

/** Of a Tcreate's perm in 9P2000.u: symlink, link, device, named pipe, socket. */
const DM_SPECIAL = 0x03b00000;

/** inode(7); a Tmknod of no type makes a file, mknod(2). */
const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const isRegular = (mode: number): boolean => (mode & S_IFMT) === S_IFREG || (mode & S_IFMT) === 0;

/** Of Tunlinkat's flags (linux/fcntl.h). */
const AT_REMOVEDIR = 0x200;

/** Runs what may throw now or later, and `after` when it has settled. */
function attempt<T>(run: () => Awaitable<T>, after: () => void): Awaitable<T> {
  let value: Awaitable<T> | undefined;
  try {
    value = run();
    return value instanceof Promise ? value.finally(after) : value;
  } finally {
    if (!(value instanceof Promise)) after();
  }
}

// ---- read and write -----------------------------------------------------------------------------

/** The most data that one reply holds. */
const maxData = (session: Session): number => session.msize - RREAD_DATA;

function checkOffset(offset: number): void {
  if (!Number.isSafeInteger(offset)) throw new FsError('Ebadoffset', 'beyond 2^53');
}

function read(session: Session, m: Message<'Tread'>, request: Request): Awaitable<Answer> {
  const fid = use(session, m.fid, request);
  const handle = fid.opened();
  checkOffset(m.offset);
  const reply = new ReadReply(Math.min(m.count, maxData(session)), session.outbox);
  const listing = isDir(fid.node) && !fid.isAttributes;
  // .L lists by Treaddir, and its reads know no stat entries.
  if (listing && session.codec.dialect === '9P2000.L') throw new FsError('Eisdir');
  if (listing) fid.mount.exists(fid.node);
  return whenRoom(session, request, () => {
    const n = listing
      ? dirReader(fid).readAt(m.offset, reply.room(reply.count), request, putStat(session))
      : handle.read(m.offset, reply, request);
    return n instanceof Promise ? n.then(count => ({ read: reply, n: count })) : { read: reply, n };
  });
}

/** A large answer is made when the client has taken enough of those before it. */
function whenRoom(session: Session, request: Request, make: () => Awaitable<Answer>): Awaitable<Answer> {
  return session.outbox.mayBegin() ? make() : session.outbox.room(request.signal).then(make);
}

function dirReader(fid: Fid): DirReader {
  if (!isDir(fid.node)) throw new FsError('Enotdir');
  return (fid.dir ??= new DirReader(fid.node));
}

function write(session: Session, m: Message<'Twrite'>, request: Request): Awaitable<Answer> {
  const fid = use(session, m.fid, request);
  const handle = fid.opened();
  checkOffset(m.offset);
  if (isDir(fid.node)) throw new FsError('Eisdir');
  if (!session.mayHold(m.data.length)) throw new FsError('Ebusy', 'too many bytes wait to be written');
  request.isWrite = handle.stream;
  const n = handle.write(m.offset, m.data, request);
  if (n instanceof Promise) return n.then(count => ({ type: 'Rwrite', tag: m.tag, count }));
  return { type: 'Rwrite', tag: m.tag, count: n };
}

// ---- directories --------------------------------------------------------------------------------

function putStat(session: Session): PutEntry {
  const { codec } = session;
  const plain = codec.dialect === '9P2000';
  return ({ node }, into, at, end) => {
    const stat = wireStat(node.stat(), session.options.users, plain);
    return at + codec.statSize(stat) > end ? undefined : codec.encodeStat(stat, into, at);
  };
}

function readdir(session: Session, m: Message<'Treaddir'>, request: Request): Awaitable<Answer> {
  const fid = useThere(session, m.fid, request);
  fid.opened();
  const reader = dirReader(fid);
  checkOffset(m.offset);
  return whenRoom(session, request, () => {
    const data = Buffer.allocUnsafe(Math.min(m.count, maxData(session)));
    const n = reader.readFrom(m.offset, data, request, putDirent(session));
    return { type: 'Rreaddir', tag: m.tag, data: data.subarray(0, n) };
  });
}

/** d_type of readdir(3) */
const DT_DIR = 4;
const DT_REG = 8;

/** qid[13] offset[8] type[1] name[s], diod's protocol.md. */
const putDirent =
  (session: Session): PutEntry =>
  ({ name, node, next }, into, at, end) => {
    const size = 13 + 8 + 1 + 2 + Buffer.byteLength(name);
    if (at + size > end) return undefined;
    const { type, vers, path } = qidOf(session, node, name);
    at = into.writeUInt8(type, at);
    at = into.writeUInt32LE(vers, at);
    at = into.writeBigUInt64LE(BigInt(path), at);
    at = into.writeBigUInt64LE(BigInt(next), at);
    at = into.writeUInt8(kindOf(session, node, name), at);
    at = into.writeUInt16LE(Buffer.byteLength(name), at);
    return at + into.write(name, at);
  };

function kindOf({ v9fs }: Session, node: Node, name: string): number {
  if (v9fs?.isLink(name, node) === true) return DT_LNK;
  return isDir(node) ? DT_DIR : DT_REG;
}

// ---- small things -------------------------------------------------------------------------------

/** V9FS_MAGIC (linux/magic.h); a tree without blocks. */
const STATFS = {
  fstype: 0x01021997,
  bsize: 4096,
  blocks: 0,
  bfree: 0,
  bavail: 0,
  files: 0,
  ffree: 0,
  fsid: 0,
  namelen: MAX_NAME,
};

function emptyHandle(node: Node) {
  return { node, stream: false, read: () => 0, write: () => fail('Enotsup'), close: () => {} };
}
