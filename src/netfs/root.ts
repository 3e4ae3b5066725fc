/** The top of a tree: /net, and that of a view. */
import { childrenOf, DirHandle, statOf } from './file.ts';
import { QTDIR } from './node.ts';
import type { Child, DirNode, Handle, Node, Qid, Req, Stat } from './node.ts';
import { DIRECTORIES, ROOT_FILES, type Qids } from './qid.ts';
import type { Realm } from './realm.ts';
import type { Permissions } from '../policy/permissions.ts';

export interface RootOptions {
  readonly qids: Qids;
  readonly permissions: Permissions;
  /** Seconds since the epoch. */
  readonly since: number;
  /** Absent: a tree with no views. */
  readonly realm?: Realm;
  /** Where a view is listed, and as what: by default it is the top of all. */
  readonly place?: { readonly parent: DirNode; name(): string };
}

export class RootDir implements DirNode {
  readonly qid: Qid;
  readonly parent: DirNode;
  readonly permissions: Permissions;
  readonly realm?: Realm;
  private readonly options: RootOptions;
  private readonly make: (root: DirNode) => readonly Node[];
  private made: readonly Node[] | undefined;
  private byName: ReadonlyMap<string, Node> = new Map();

  /** `make` makes the files, in the order in which they are listed, when somebody looks for the first time. */
  constructor(options: RootOptions, make: (root: DirNode) => readonly Node[]) {
    const { realm, permissions, place, qids } = options;
    this.options = options;
    this.qid = { type: QTDIR, vers: 0, path: qids.path(DIRECTORIES.root, undefined, ROOT_FILES.dir) };
    this.parent = place?.parent ?? this;
    this.permissions = permissions;
    if (realm !== undefined) this.realm = realm;
    this.make = make;
  }

  private get files(): readonly Node[] {
    if (this.made === undefined) {
      this.made = this.make(this);
      this.byName = new Map(this.made.map(file => [file.stat().name, file]));
    }
    return this.made;
  }

  stat(): Stat {
    return statOf(this, this.options.place?.name() ?? '/', this.options.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    return this.files.length > 0 ? this.byName.get(name) : undefined;
  }

  children(_req: Req, from: number): Iterable<Child> {
    return childrenOf(this.realm?.alive === false ? [] : this.files, from);
  }
}
