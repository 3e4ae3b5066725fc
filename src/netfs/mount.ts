/**
 * The one way in for every door: what is attached, walked to, opened and changed passes here, and so
 * do the permission checks.
 */
import { FsError } from './error.ts';
import { isNoop, permissionChange } from './file.ts';
import { GuardedHandle } from './handles.ts';
import { isDir, type Awaitable, type DirNode, type Handle, type Node } from './node.ts';
import type { OpenMode, Req, StatChange } from './node.ts';
import { realmOf, type Realm } from './realm.ts';
import { sameCaller, type Caller } from '../policy/identity.ts';
import { R, W, X, type Authority } from '../policy/permissions.ts';

/** What `then` gives: the result of `next`, at once when the value is there at once. */
export function then<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

export interface MountOptions {
  /**
   * A part of it may be mounted somewhere else (mount --bind), and nothing tells who comes in there from
   * who comes by the whole. So whoever a view was made for is taken to be inside it.
   */
  readonly shared?: boolean;
}

/** A tree as one attach sees it: nothing above `root` can be reached. */
export class Mount {
  readonly root: DirNode;
  private readonly authority: Authority;
  private readonly options: MountOptions;
  /** Where the root is; undefined of a tree without realms. */
  private readonly own: Realm | undefined;

  constructor(root: DirNode, authority: Authority, options: MountOptions = {}) {
    this.root = root;
    this.authority = authority;
    this.options = options;
    this.own = realmOf(root);
  }

  /** The same tree from a directory on, named by a path such as `tcp/3`; empty, `/` and `0` are all of it. */
  attach(path: string, req: Req): Awaitable<Mount> {
    // Plan 9's attach specifier is the number of an IP stack; there is one.
    const names = path === '0' ? [] : path.split('/').filter(name => name !== '');
    const step = (dir: Node, i: number): Awaitable<Mount> => {
      if (i < names.length) return then(this.walk(dir, names[i]!, req), node => step(node, i + 1));
      if (!isDir(dir)) throw new FsError('Enotdir');
      return dir === this.root ? this : new Mount(dir, this.authority, this.options);
    };
    return step(this.root, 0);
  }

  /** One step from a directory. `..` of the root is the root. Needs x on the directory. */
  walk(from: Node, name: string, req: Req): Awaitable<Node> {
    if (!isDir(from)) throw new FsError('Enotdir');
    this.search(from, req);
    if (name === '.') return from;
    if (name === '..') return this.isRoot(from) ? from : from.parent;
    return then(from.walk(name, req), node => {
      if (node === undefined) throw new FsError('Enonexist');
      return node;
    });
  }

  /**
   * Opens a file: x on every directory from the root down (permissions may have changed since the
   * walk), the file's own bits, then what the node itself demands.
   */
  open(node: Node, mode: OpenMode, req: Req): Awaitable<Handle> {
    this.reach(node, req);
    if (isDir(node) && mode.write) throw new FsError('Eisdir');
    // open(5), open(2): a truncation is a write.
    this.permit(node, (mode.read ? R : 0) | (mode.write || mode.truncate ? W : 0), req);
    this.enter(node, req);
    return then(node.open(mode, req), handle =>
      mode.read && mode.write ? handle : new GuardedHandle(handle, mode.read, mode.write),
    );
  }

  /** `handle` is the file opened, where the change is asked of one: what it has open needs no permission again. */
  wstat(node: Node, change: StatChange, req: Req, handle?: Handle): Awaitable<void> {
    const { length, ...rest } = change;
    // With more than a length it is the file's: the whole change is made, or none of it.
    if (length !== undefined && handle?.truncate !== undefined && isNoop(rest)) {
      return handle.truncate(length, req);
    }
    this.reach(node, req);
    if (Object.keys(change).length === 0) return undefined;
    // truncate(2), stat(5): a length is written, even where it changes nothing.
    if (change.length !== undefined && !isDir(node)) this.permit(node, W, req);
    if (node.wstat === undefined) throw new FsError(change.name === undefined ? 'Enotowner' : 'Eperm');
    const realm = this.enter(node, req);
    const changed = node.wstat(change, req);
    if (realm === undefined || Object.keys(permissionChange(change, 0)).length === 0) return changed;
    return then(changed, () => realm.changed(node, change, req));
  }

  /** Whether the caller may do all of `need` (R, W, X or'ed) with a file that he can reach; Eperm if not. */
  access(node: Node, need: number, req: Req): void {
    this.reach(node, req);
    this.permit(node, need, req);
  }

  /** Whether the caller may search every directory above a file; Eperm if not. */
  reach(node: Node, req: Req): void {
    for (let at: Node = node; !this.isRoot(at); at = at.parent) this.search(at.parent, req);
  }

  private search(dir: DirNode, req: Req): void {
    this.permit(dir, X, req);
  }

  private permit(node: Node, need: number, req: Req): void {
    const authority = this.enter(node, req)?.authority ?? this.authority;
    if (!authority.allows(req.caller, node.permissions, need, req.privileged)) throw new FsError('Eperm');
  }

  /** The realm of a file, which must be alive; the request is told what its caller is there. */
  private enter(node: Node, req: Req): Realm | undefined {
    const realm = realmOf(node);
    if (realm?.alive === false) throw new FsError('Enonexist', 'the view has ended');
    req.privileged = this.governs(realm, req.caller);
    return realm;
  }

  /**
   * In the server's own /net its owner does. In a view nobody does who is inside; from outside its maker, and
   * whoever governs where it was made.
   */
  private governs(realm: Realm | undefined, caller: Caller): boolean {
    if (realm === undefined || realm === this.own)
      return (realm?.authority ?? this.authority).isOwner(caller);
    if (this.options.shared === true && sameCaller(caller, realm.user)) return false;
    for (let at: Realm | undefined = realm; at !== undefined && at !== this.own; at = at.above) {
      if (sameCaller(caller, at.maker)) return true;
    }
    return this.own?.authority.isOwner(caller) === true;
  }

  private isRoot(node: Node): boolean {
    return node.qid.path === this.root.qid.path;
  }
}
