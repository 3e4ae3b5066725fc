/**
 * A name of its own for each opening.
 *
 * v9fs keeps one inode for an open name: who opens the name again gets the size that another's writes
 * gave to that inode, and truncating it waits for whoever reads. So a file that is opened many times is
 * shown as a symlink whose target is new each time it is read, `clone -> clone@17`, and any `clone@...`
 * is the file itself. Nothing is remembered of the names that were given out, and none is listed.
 */
import { FsError } from '../../../netfs/error.ts';
import { then, type Mount } from '../../../netfs/mount.ts';
import { isDir, type Awaitable, type Node, type Qid, type Req } from '../../../netfs/node.ts';
import type { Body, Dialect, WireStat } from '../messages.ts';

/** Between a file's name and what makes it fresh; no file of the tree has it in its name. */
const FRESH = '@';

export const freshName = (name: string, n: number): string => `${name}${FRESH}${n}`;

/** One step as Mount.walk does it, by a fresh name too. */
export function walk(mount: Mount, from: Node, name: string, req: Req): Awaitable<Node> {
  // Where people give the names, that may be one of theirs.
  const at = isDir(from) && from.create !== undefined ? -1 : name.indexOf(FRESH);
  if (at < 0) return mount.walk(from, name, req);
  return then(mount.walk(from, name.slice(0, at), req), node => {
    if (node.separate !== true) throw new FsError('Enonexist');
    return node;
  });
}

/** Plain 9P2000 has no symlinks; the fresh names work there too, for who writes them himself. */
export function isLink(name: string, node: Node, dialect: Dialect): boolean {
  if (node.parent.create !== undefined) return false;
  return node.separate === true && dialect !== '9P2000' && !name.includes(FRESH);
}

// ---- what a symlink looks like --------------------------------------------------------------------

/** QTSYMLINK and DMSYMLINK of 9P2000.u, S_IFLNK of inode(7), DT_LNK of readdir(3). */
const QTSYMLINK = 0x02;
const DMSYMLINK = 0x02000000;
const S_IFLNK = 0o120000;
export const DT_LNK = 10;
/** A symlink's own bits are not asked by anybody: the file's are, when it is opened. */
const ALL = 0o777;
/** A bit of qid.path that no file of the tree has: the symlink is another file than what it leads to. */
const LINK_PATH = 2 ** 52;

export const linkQid = ({ vers, path }: Qid): Qid => ({ type: QTSYMLINK, vers, path: path + LINK_PATH });

export const linkAttributes = (a: Body<'Rgetattr'>): Body<'Rgetattr'> => ({
  ...a,
  qid: linkQid(a.qid),
  mode: S_IFLNK | ALL,
});

export const linkStat = (stat: WireStat, target: string): WireStat => ({
  ...stat,
  qid: linkQid(stat.qid),
  mode: DMSYMLINK | ALL,
  extension: target,
});
