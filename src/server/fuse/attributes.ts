/** Between the tree's Stat and what stat(2), chmod(2) and chown(2) say. */
import { isDir, type Node, type Stat, type StatChange } from '../../netfs/node.ts';
import { newOwner, type Users } from '../../policy/identity.ts';
import { FATTR, type Body, type ReplyBody } from './kernel.ts';
import type { Nodeids } from './nodeids.ts';

/** inode(7) */
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
/** d_type of readdir(3) */
const DT_DIR = 4;
const DT_REG = 8;

const BLOCK = 4096;

/** What an attr and an entry say of a file, in one shape; `nodeid` 0 is none, and an attr has none. */
export function attributes(stat: Stat, nodeid = 0, entryValid = 0): ReplyBody<'attr'> & ReplyBody<'entry'> {
  const { owner, gid, mode } = stat.permissions;
  const dir = (stat.qid.type & 0x80) !== 0;
  return {
    nodeid,
    entryValid,
    ino: inode(stat.qid.path),
    size: stat.length,
    blocks: Math.ceil(stat.length / 512),
    atime: stat.atime,
    mtime: stat.mtime,
    ctime: stat.mtime,
    mode: (dir ? S_IFDIR : S_IFREG) | mode,
    nlink: dir ? 2 : 1,
    uid: owner.uid,
    gid,
    blksize: BLOCK,
  };
}

/** Seconds for which the kernel keeps a name that it was given: of a directory from which none is ever taken away. */
const NAME_SECONDS = 86_400;

/** What the kernel is told of a file that it looked up, which is then its to forget. */
export function entryOf(node: Node, nodeids: Nodeids): ReplyBody<'entry'> {
  const { nodeid } = nodeids.lookedUp(node);
  const passing = node.separate === true || node.parent.changing === true;
  return attributes(node.stat(), nodeid, passing ? 0 : NAME_SECONDS);
}

/** 0 is no inode number, and programs take it for a deleted file. */
export const inode = (path: number): number => path + 1;

export const direntType = (node: Node): number => (isDir(node) ? DT_DIR : DT_REG);

/** What a SETATTR asks. */
export function attributeChange(m: Body<'SETATTR'>, users: Users): StatChange {
  const change: StatChange = {};
  if (m.valid & FATTR.MODE) change.mode = m.mode & 0o777;
  if (m.valid & FATTR.UID) change.owner = newOwner(m.uid, users);
  if (m.valid & FATTR.GID) change.gid = m.gid;
  if (m.valid & FATTR.SIZE) change.length = m.size;
  if (m.valid & FATTR.ATIME) change.atime = m.atime;
  if (m.valid & FATTR.MTIME) change.mtime = m.mtime;
  return change;
}
