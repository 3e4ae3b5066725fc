/** Between the tree's Stat and what stat(5) and 9P2000.L's attributes hold. */
import { FsError } from '../../netfs/error.ts';
import { isDir, type Node, type Stat, type StatChange } from '../../netfs/node.ts';
import { newOwner, type Caller, type Users } from '../../policy/identity.ts';
import { MAXU64, NONUNAME, type Body, type WireStat } from './messages.ts';

/** stat(5): the mode's highest bit says directory. */
export const DMDIR = 0x80000000;
const DONT_TOUCH = 0xffffffff;

/** `streamLength`: whether bytes that wait in a stream are shown as its length (plain 9P2000). */
export function wireStat(stat: Stat, users: Users, streamLength: boolean): WireStat {
  const { owner, gid, mode } = stat.permissions;
  return {
    type: 0,
    dev: 0,
    qid: stat.qid,
    mode: isDirectory(stat) ? (DMDIR | mode) >>> 0 : mode,
    atime: stat.atime,
    mtime: stat.mtime,
    length: streamLength ? (stat.queued ?? stat.length) : stat.length,
    name: stat.name,
    uid: owner.name,
    gid: users.groupName(gid),
    muid: owner.name,
    extension: '',
    nUid: owner.uid,
    nGid: gid,
    nMuid: owner.uid,
  };
}

const isDirectory = (stat: Stat): boolean => (stat.qid.type & 0x80) !== 0;

/** What a Twstat asks, stat(5): empty strings and all-ones numbers are not touched. */
export function statChange(node: Node, wire: WireStat, users: Users): StatChange {
  const change: StatChange = {};
  if (wire.name !== '' && wire.name !== node.stat().name) change.name = wire.name;
  if (wire.mode !== DONT_TOUCH) {
    if (wire.mode >= DMDIR !== isDir(node)) throw new FsError('Eperm', 'a directory stays one, a file too');
    change.mode = wire.mode & 0o777;
  }
  const owner = ownerOf(wire, users);
  if (owner !== undefined) change.owner = owner;
  const gid = groupOf(wire, users);
  if (gid !== undefined) change.gid = gid;
  if (wire.length !== MAXU64) change.length = wire.length;
  if (wire.atime !== DONT_TOUCH) change.atime = wire.atime;
  if (wire.mtime !== DONT_TOUCH) change.mtime = wire.mtime;
  return change;
}

function ownerOf(wire: WireStat, users: Users): Caller | undefined {
  if (wire.nUid !== NONUNAME) return newOwner(wire.nUid, users);
  if (wire.uid === '') return undefined;
  const named = users.byName(wire.uid);
  if (named === undefined) throw new FsError('Eunknownuser', wire.uid);
  return named;
}

function groupOf(wire: WireStat, users: Users): number | undefined {
  if (wire.nGid !== NONUNAME) return wire.nGid;
  if (wire.gid === '') return undefined;
  const gid = users.groupId(wire.gid) ?? decimal(wire.gid);
  if (gid === undefined) throw new FsError('Eunknownuser', `group ${wire.gid}`);
  return gid;
}

const decimal = (text: string): number | undefined => (/^\d{1,9}$/.test(text) ? Number(text) : undefined);

// ---- 9P2000.L ---------------------------------------------------------------------------------

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
/** Everything up to and with blocks: P9_GETATTR_BASIC of Linux. */
const GETATTR_BASIC = 0x7ff;

export function attributes(stat: Stat): Body<'Rgetattr'> {
  const { owner, gid, mode } = stat.permissions;
  return {
    valid: GETATTR_BASIC,
    qid: stat.qid,
    mode: (isDirectory(stat) ? S_IFDIR : S_IFREG) | mode,
    uid: owner.uid,
    gid,
    nlink: isDirectory(stat) ? 2 : 1,
    rdev: 0,
    size: stat.length,
    blksize: 4096,
    blocks: Math.ceil(stat.length / 512),
    atimeSec: stat.atime,
    atimeNsec: 0,
    mtimeSec: stat.mtime,
    mtimeNsec: 0,
    ctimeSec: stat.mtime,
    ctimeNsec: 0,
    btimeSec: 0,
    btimeNsec: 0,
    gen: 0,
    dataVersion: 0,
  };
}

/** Bits of Tsetattr's valid (Linux, P9_ATTR_*). */
const ATTR = { mode: 1, uid: 2, gid: 4, size: 8, atime: 16, mtime: 32 } as const;

export function attributeChange(m: Body<'Tsetattr'>, users: Users): StatChange {
  const change: StatChange = {};
  if (m.valid & ATTR.mode) change.mode = m.mode & 0o777;
  if (m.valid & ATTR.uid) change.owner = newOwner(m.uid, users);
  if (m.valid & ATTR.gid) change.gid = m.gid;
  if (m.valid & ATTR.size) change.length = m.size;
  if (m.valid & ATTR.atime) change.atime = m.atimeSec;
  if (m.valid & ATTR.mtime) change.mtime = m.mtimeSec;
  return change;
}
