/** A read-only file whose text is made when it is read. */
import { FsError } from './error.ts';
import { statOf } from './file.ts';
import { TextHandle } from './handles.ts';
import { QTFILE, type DirNode, type Handle, type Node, type OpenMode, type Qid, type Stat } from './node.ts';
import type { Caller } from '../policy/identity.ts';
import type { Permissions } from '../policy/permissions.ts';

export class TextFile implements Node {
  readonly parent: DirNode;
  readonly qid: Qid;
  readonly permissions: Permissions;
  private readonly name: string;
  private readonly since: number;
  private readonly make: () => string | Buffer;
  private readonly length: () => number;

  /** `path` is the qid's; `since` in seconds since the epoch; `length`, of what has one, in bytes. */
  constructor(
    parent: DirNode,
    name: string,
    { path, owner, since }: { path: number; owner: Caller; since: number },
    make: () => string | Buffer,
    length: () => number = () => 0,
  ) {
    this.parent = parent;
    this.name = name;
    this.qid = { type: QTFILE, vers: 0, path };
    this.permissions = { owner, gid: owner.gid, mode: 0o444 };
    this.since = since;
    this.make = make;
    this.length = length;
  }

  stat(): Stat {
    return { ...statOf(this, this.name, this.since), length: this.length() };
  }

  open(mode: OpenMode): Handle {
    if (mode.write) throw new FsError('Eperm');
    return new TextHandle(this, this.make);
  }
}
