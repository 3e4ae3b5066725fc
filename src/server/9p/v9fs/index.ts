/**
 * What Linux's own client (v9fs, the 9p file system) needs of a server so that it can use files that are
 * not plain files. It takes a file's size for a promise, asks again after a short read, and keeps one
 * inode for a name that is open twice; of Linux 6.12 a loop or a panic comes of it. docs/v9fs.md tells
 * all of it.
 *
 * A session whose client was recognised (recognise.ts) has one V9fs, the others have none.
 */
import type { Mount } from '../../../netfs/mount.ts';
import { isDir, type Awaitable, type Handle, type Node, type Req } from '../../../netfs/node.ts';
import { IOHDRSZ, type Body, type Dialect, type WireStat } from '../messages.ts';
import type { Inode } from './inode.ts';
import { freshName, isLink, linkAttributes, linkStat, walk } from './names.ts';
import { TextReader } from './padding.ts';
import { ReplayBudget } from './replay.ts';
import { StreamReader } from './streams.ts';

export type { Inode } from './inode.ts';
export { DT_LNK, linkQid } from './names.ts';
export { attachName, Recogniser } from './recognise.ts';

export class V9fs {
  private readonly dialect: Dialect;
  private readonly rsize: number;
  private readonly budget = new ReplayBudget();
  private given = 0;
  /** The file that was made last, until it is walked to. */
  private made: { readonly path: number; readonly inode: Inode } | undefined;

  constructor(dialect: Dialect, msize: number) {
    this.dialect = dialect;
    this.rsize = msize - IOHDRSZ;
  }

  /** One step of a walk, with the permission checks of every step. */
  walk(mount: Mount, from: Node, name: string, req: Req): Awaitable<Node> {
    return walk(mount, from, name, req);
  }

  /** Whether a file is shown as a symlink where it is found by this name. */
  isLink(name: string, node: Node): boolean {
    return isLink(name, node, this.dialect);
  }

  /** For a fid that was walked to by this name. */
  inode(name: string, node: Node): Inode | undefined {
    if (isDir(node)) return undefined;
    const { made } = this;
    if (made?.path === node.qid.path) {
      this.made = undefined;
      return made.inode;
    }
    return { link: this.isLink(name, node) ? name : undefined, size: 0 };
  }

  /** For a fid that became this new file: the client walks to it next, and has one inode for both. */
  created(name: string, node: Node): Inode | undefined {
    const inode = this.inode(name, node);
    this.made = inode && { path: node.qid.path, inode };
    return inode;
  }

  /** Where a symlink leads: elsewhere each time. Undefined for what is none. */
  target({ link }: Inode): string | undefined {
    return link === undefined ? undefined : this.fresh(link);
  }

  private fresh(name: string): string {
    return freshName(name, this.given++);
  }

  /** A file just opened, read and written as v9fs needs it. */
  opened(handle: Handle, inode: Inode | undefined): Handle {
    if (inode === undefined) return handle;
    return handle.stream ? new StreamReader(handle, this.rsize, this.budget) : new TextReader(handle, inode);
  }

  /** What a stat says, and the client's inode with it. */
  attributes(a: Body<'Rgetattr'>, inode: Inode | undefined): Body<'Rgetattr'> {
    if (inode === undefined) return a;
    inode.size = a.size;
    return inode.link === undefined ? a : linkAttributes(a);
  }

  stat(stat: WireStat, inode: Inode | undefined): WireStat {
    if (inode === undefined) return stat;
    inode.size = stat.length;
    return inode.link === undefined ? stat : linkStat(stat, this.fresh(inode.link));
  }

  /** A stat entry in a directory that is read. */
  entry(stat: WireStat, node: Node): WireStat {
    return this.isLink(stat.name, node) ? linkStat(stat, this.fresh(stat.name)) : stat;
  }
}
