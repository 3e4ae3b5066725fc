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
import { checkName, checkNewName } from './filename.ts';

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
    if (name === '..') return this.above(from);
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
    return opened(node, mode, req);
  }

  /** `handle` is the file opened, where the change is asked of one: what it has open needs no permission again. */
  wstat(node: Node, change: StatChange, req: Req, handle?: Handle): Awaitable<void> {
    const { length, ...rest } = change;
    // With more than a length it is the file's: the whole change is made, or none of it.
    if (length !== undefined && handle?.truncate !== undefined && isNoop(rest)) {
      return handle.truncate(length, req);
    }
    if (change.name !== undefined) return this.changeWithName(node, change, change.name, req);
    this.reach(node, req);
    if (Object.keys(change).length === 0) return undefined;
    // truncate(2), stat(5): a length is written, even where it changes nothing.
    if (change.length !== undefined && !isDir(node)) this.permit(node, W, req);
    if (node.wstat === undefined) throw new FsError('Enotowner');
    const realm = this.enter(node, req);
    const changed = node.wstat(change, req);
    if (realm === undefined || Object.keys(permissionChange(change, 0)).length === 0) return changed;
    return then(changed, () => realm.changed(node, change, req));
  }

  /**
   * A rename within the directory, stat(5), which replaces as rename(2) does: Linux's client asks so in
   * 9P2000 and .u. With more the name must be free, so that all of it can be taken back.
   */
  private changeWithName(node: Node, change: StatChange, name: string, req: Req): Awaitable<void> {
    const rest = { ...change };
    delete rest.name;
    const old = node.stat().name;
    if (Object.keys(rest).length === 0) return this.renameNode(node, node.parent, name, true, req);
    const back = (error: unknown): Awaitable<never> =>
      then(this.renameNode(node, node.parent, old, false, req), () => {
        throw error;
      });
    return then(this.renameNode(node, node.parent, name, false, req), () => {
      try {
        const changed = this.wstat(node, rest, req);
        return changed instanceof Promise ? changed.catch(back) : changed;
      } catch (error) {
        return back(error);
      }
    });
  }

  // ---- names that come and go -------------------------------------------------------------------

  /** Makes a file or a directory. Needs w and x on the directory, which says the bits of what is new. */
  create(dir: Node, name: string, kind: 'file' | 'directory', req: Req): Awaitable<Node> {
    checkName(name);
    const parent = this.searched(dir, req);
    if (parent.create === undefined) throw new FsError(parent.creating ?? 'Eperm');
    checkNewName(name);
    this.permit(parent, W, req);
    return parent.create(name, kind, req);
  }

  /** The same and opens it, in whatever mode: its bits are for those who come later, create(5), open(2). */
  createOpen(
    dir: Node,
    name: string,
    kind: 'file' | 'directory',
    mode: OpenMode,
    req: Req,
  ): Awaitable<Handle> {
    if (kind === 'directory' && (mode.write || mode.truncate)) throw new FsError('Eisdir');
    return then(this.create(dir, name, kind, req), node => opened(node, mode, req));
  }

  /** open(2) with O_CREAT and not O_EXCL: the file of that name where somebody made it meanwhile. */
  openOrCreate(dir: Node, name: string, mode: OpenMode, req: Req): Awaitable<Handle> {
    const existing = (error: unknown): Awaitable<Handle> => {
      if (!(error instanceof FsError && error.name === 'Eexist')) throw error;
      return then(this.walk(dir, name, req), node => {
        if (isDir(node)) throw new FsError('Eisdir');
        return this.open(node, mode, req);
      });
    };
    try {
      const created = this.createOpen(dir, name, 'file', mode, req);
      return created instanceof Promise ? created.catch(existing) : created;
    } catch (error) {
      return existing(error);
    }
  }

  /** Takes a file away; with a `kind` only such a one: Eisdir or Enotdir. Needs w and x on its directory. */
  remove(dir: Node, name: string, req: Req, kind?: 'file' | 'directory'): Awaitable<void> {
    checkName(name);
    const parent = this.changeable(dir, 'remove', req);
    checkNewName(name);
    return then(this.walk(parent, name, req), node => {
      if (kind === 'file' && isDir(node)) throw new FsError('Eisdir');
      if (kind === 'directory' && !isDir(node)) throw new FsError('Enotdir');
      return parent.remove(name, req);
    });
  }

  /** The same for who knows the file: not another that has its name by now. */
  removeNode(node: Node, req: Req): Awaitable<void> {
    const parent = this.changeable(this.parentOf(node), 'remove', req);
    return then(this.nameOf(node, req), name => parent.remove(name, req));
  }

  /** rename(2): a file of the new name is replaced, or, where it must not be, Eexist. Needs w and x on both directories. */
  rename(dir: Node, name: string, to: Node, newName: string, replace: boolean, req: Req): Awaitable<void> {
    [name, newName].forEach(checkName);
    const from = this.changeable(dir, 'rename', req);
    const target = this.changeable(to, 'rename', req);
    [name, newName].forEach(checkNewName);
    return then(this.walk(from, name, req), node => {
      // It would hang from itself.
      if (isAt(node, target)) throw new FsError('Ebadarg', 'a directory cannot be moved into itself');
      return then(target.walk(newName, req), there => {
        if (there !== undefined) {
          if (!replace) throw new FsError('Eexist');
          if (isSame(there, node)) return undefined;
          if (isDir(there) !== isDir(node)) throw new FsError(isDir(there) ? 'Eisdir' : 'Enotdir');
        }
        return from.rename(name, target, newName, replace, req);
      });
    });
  }

  /** The same for who knows the file. */
  renameNode(node: Node, to: Node, newName: string, replace: boolean, req: Req): Awaitable<void> {
    checkName(newName);
    const parent = this.changeable(this.parentOf(node), 'rename', req);
    return then(this.nameOf(node, req), name => this.rename(parent, name, to, newName, replace, req));
  }

  /** A directory that can be reached and searched. */
  private searched(dir: Node, req: Req): DirNode {
    this.reach(dir, req);
    if (!isDir(dir)) throw new FsError('Enotdir');
    this.search(dir, req);
    return dir;
  }

  /** A directory whose names the caller may change in this way. */
  private changeable<M extends 'remove' | 'rename'>(
    dir: Node,
    method: M,
    req: Req,
  ): DirNode & Required<Pick<DirNode, M>> {
    const searched = this.searched(dir, req);
    if (searched[method] === undefined) throw new FsError('Eperm');
    this.permit(searched, W, req);
    return searched as DirNode & Required<Pick<DirNode, M>>;
  }

  private parentOf(node: Node): DirNode {
    if (this.isRoot(node)) throw new FsError('Eperm', 'what is attached stays');
    return node.parent;
  }

  /** The name by which a file is found; Enonexist for one that was taken away, though another may have its name. */
  private nameOf(node: Node, req: Req): Awaitable<string> {
    const { name } = node.stat();
    return then(node.parent.walk(name, req), found => {
      if (found === undefined || !isSame(found, node)) throw new FsError('Enonexist');
      return name;
    });
  }

  /** Whether the caller may do all of `need` (R, W, X or'ed) with a file that he can reach; Eperm if not. */
  access(node: Node, need: number, req: Req): void {
    this.reach(node, req);
    this.permit(node, need, req);
  }

  /** Whether the file is in a /net that there still is: Enonexist for one of a view that has ended. */
  exists(node: Node): void {
    livingRealm(node);
  }

  /**
   * Whether the caller may search every directory above a file; Eperm if not, and where the file has been
   * moved to somewhere that is not below the root. Enonexist where the view that it is in has ended.
   */
  reach(node: Node, req: Req): void {
    this.exists(node);
    for (let at: Node = node; !this.isRoot(at); at = at.parent) {
      if (isSame(at.parent, at)) throw new FsError('Eperm');
      this.search(at.parent, req);
    }
  }

  /** `..` leads no higher than the root, though a directory was moved from below it to elsewhere. */
  private above(dir: DirNode): DirNode {
    if (this.isRoot(dir)) return dir;
    if (!isAt(this.root, dir)) throw new FsError('Eperm');
    return dir.parent;
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
    const realm = livingRealm(node);
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
    return isSame(node, this.root);
  }
}

function livingRealm(node: Node): Realm | undefined {
  const realm = realmOf(node);
  if (realm?.alive === false) throw new FsError('Enonexist', 'the view has ended');
  return realm;
}

const isSame = (a: Node, b: Node): boolean => a.qid.path === b.qid.path;

/** Whether `node` is `top` or somewhere below it. */
function isAt(top: Node, node: Node): boolean {
  for (let at = node; ; at = at.parent) {
    if (isSame(at, top)) return true;
    if (isSame(at.parent, at)) return false;
  }
}

function opened(node: Node, mode: OpenMode, req: Req): Awaitable<Handle> {
  return then(node.open(mode, req), handle =>
    mode.read && mode.write ? handle : new GuardedHandle(handle, mode.read, mode.write),
  );
}
