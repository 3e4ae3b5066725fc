/** A small tree in which files come and go, for the doors' tests: documents that anybody edits who may. */
import { FsError } from '../../src/netfs/error.ts';
import { EditHandle, cut, type Document } from '../../src/netfs/editing.ts';
import { DirHandle, permissionChange, statOf } from '../../src/netfs/file.ts';
import { Mount } from '../../src/netfs/mount.ts';
import { QTDIR, QTFILE, type Child, type DirNode, type Handle, type Node } from '../../src/netfs/node.ts';
import type { OpenMode, Qid, Req, Stat, StatChange } from '../../src/netfs/node.ts';
import type { Caller } from '../../src/policy/identity.ts';
import type { Authority, Permissions } from '../../src/policy/permissions.ts';
import { Quota } from '../../src/policy/quota.ts';

/** Which bits the notes' directories give to what is new. */
export const FILE_BITS = 0o640;
export const DIRECTORY_BITS = 0o750;
/** What `other/` gives. */
export const READ_ONLY_BITS = 0o440;

/** Seconds since the epoch, of everything. */
const SINCE = 1_000_000_000;

let last = 0;

abstract class Named implements Node {
  readonly qid: Qid;
  name: string;
  parent: DirNode;
  readonly permissions: Permissions;
  protected readonly authority: Authority;

  constructor(
    type: number,
    name: string,
    parent: DirNode | undefined,
    permissions: Permissions,
    a: Authority,
  ) {
    this.qid = { type, vers: 0, path: ++last };
    this.name = name;
    this.parent = parent ?? (this as unknown as DirNode);
    this.permissions = permissions;
    this.authority = a;
  }

  stat(): Stat {
    return statOf(this, this.name, SINCE);
  }

  abstract open(mode: OpenMode, req: Req): Handle;

  wstat(change: StatChange, req: Req): void {
    this.authority.change(req, this.permissions, permissionChange(change, 0o777));
  }
}

/** A text of any lines but those that say `bad`. */
class Note extends Named implements Document {
  readonly limit = 32_768;
  readonly editing = new Quota(64);
  content: Buffer = Buffer.alloc(0);
  version = 0;

  room(): number {
    return 1;
  }

  override stat(): Stat {
    return { ...super.stat(), length: this.content.length };
  }

  open(mode: OpenMode, req: Req): Handle {
    return new EditHandle(this, this, mode, req);
  }

  override wstat(change: StatChange, req: Req): void {
    const shorter = change.length === undefined ? undefined : cut(this.content, change.length);
    super.wstat(change, req);
    if (shorter !== undefined) this.commit(shorter);
  }

  judge(text: Buffer): void {
    if (text.toString().split('\n').includes('bad')) throw new FsError('Esyntax');
  }

  judgeAll(text: Buffer): void {
    this.judge(text);
  }

  refused<E>(error: E): E {
    return error;
  }

  commit(text: Buffer): void {
    this.content = text;
    this.version++;
  }
}

/** A directory whose names come and go. */
class Notes extends Named implements DirNode {
  readonly changing = true;
  fileBits = FILE_BITS;
  private readonly files = new Map<string, { readonly node: Named; readonly position: number }>();
  private next = 0;

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    return this.files.get(name)?.node;
  }

  *children(_req: Req, from: number): Iterable<Child> {
    const sorted = [...this.files.values()].sort((a, b) => a.position - b.position);
    yield* sorted.filter(({ position }) => position >= from);
  }

  create(name: string, kind: 'file' | 'directory', { caller }: Req): Node {
    if (this.files.has(name)) throw new FsError('Eexist');
    const node =
      kind === 'file'
        ? this.make(Note, QTFILE, name, caller, this.fileBits)
        : this.make(Notes, QTDIR, name, caller, DIRECTORY_BITS);
    this.put(node);
    return node;
  }

  private make<T extends Named>(
    Kind: new (...args: ConstructorParameters<typeof Named>) => T,
    type: number,
    name: string,
    owner: Caller,
    mode: number,
  ): T {
    return new Kind(type, name, this, { owner, gid: this.permissions.gid, mode }, this.authority);
  }

  private put(node: Named): void {
    this.files.set(node.name, { node, position: this.files.get(node.name)?.position ?? this.next++ });
  }

  remove(name: string): void {
    this.mustBeEmpty(name);
    this.files.delete(name);
  }

  private mustBeEmpty(name: string): void {
    const node = this.files.get(name)?.node;
    if (node instanceof Notes && node.files.size > 0) throw new FsError('Enotempty');
  }

  rename(name: string, to: DirNode, newName: string, replace: boolean): void {
    const moved = this.files.get(name);
    if (!(to instanceof Notes)) throw new FsError('Eperm');
    if (moved === undefined) throw new FsError('Enonexist');
    if (!replace && to.files.has(newName)) throw new FsError('Eexist');
    to.mustBeEmpty(newName);
    this.files.delete(name);
    moved.node.name = newName;
    moved.node.parent = to;
    to.put(moved.node);
  }
}

/** A directory in which nothing comes or goes. */
class Fixed extends Named implements DirNode {
  files: Named[] = [];

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    return this.files.find(file => file.name === name);
  }

  *children(_req: Req, from: number): Iterable<Child> {
    for (let position = from; position < this.files.length; position++)
      yield { node: this.files[position]!, position };
  }
}

/**
 * `notes/` and `other/`, in which the owner's group may do everything and the others nothing; `fixed/`, with
 * one `file`, in which nobody can create anything.
 */
export function notesTree(authority: Authority): Mount {
  const { owner } = authority;
  const permissions = (mode: number): Permissions => ({ owner, gid: owner.gid, mode });
  const root = new Fixed(QTDIR, '/', undefined, permissions(0o555), authority);
  const fixed = new Fixed(QTDIR, 'fixed', root, permissions(0o777), authority);
  fixed.files = [new Note(QTFILE, 'file', fixed, permissions(0o666), authority)];
  const [notes, other] = ['notes', 'other'].map(
    name => new Notes(QTDIR, name, root, permissions(0o770), authority),
  ) as [Notes, Notes];
  other.fileBits = READ_ONLY_BITS;
  root.files = [notes, other, fixed];
  return new Mount(root, authority);
}
