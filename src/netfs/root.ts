/** The top of the tree: /net. */
import { childrenOf, DirHandle, statOf } from './file.ts';
import { QTDIR, type Child, type DirNode, type Handle, type Node, type Req, type Stat } from './node.ts';
import { DIRECTORIES, qidPath, ROOT_FILES } from './qid.ts';
import type { Authority, Permissions } from '../policy/permissions.ts';

export class RootDir implements DirNode {
  readonly qid = { type: QTDIR, vers: 0, path: qidPath(DIRECTORIES.root, undefined, ROOT_FILES.dir) };
  readonly parent: DirNode = this;
  readonly permissions: Permissions;
  private readonly since: number;
  private readonly files: readonly Node[];
  private readonly byName: ReadonlyMap<string, Node>;

  /** `make` makes the files, in the order in which they are listed; `since`: seconds since the epoch. */
  constructor(authority: Authority, since: number, make: (root: DirNode) => readonly Node[]) {
    const { owner } = authority;
    this.permissions = { owner, gid: owner.gid, mode: 0o555 };
    this.since = since;
    this.files = make(this);
    this.byName = new Map(this.files.map(file => [file.stat().name, file]));
  }

  stat(): Stat {
    return statOf(this, '/', this.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    return this.byName.get(name);
  }

  children(_req: Req, from: number): Iterable<Child> {
    return childrenOf(this.files, from);
  }
}
