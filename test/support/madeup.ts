/** A tree that says whatever a test has it say, as no honest server would. */
import type { Duplex } from 'node:stream';
import { hostUsers } from '../../src/host/users.ts';
import { silent } from '../../src/log.ts';
import { childrenOf, DirHandle, statOf } from '../../src/netfs/file.ts';
import { TextHandle } from '../../src/netfs/handles.ts';
import { Mount } from '../../src/netfs/mount.ts';
import { QTDIR, QTFILE, type Child, type DirNode, type Handle, type Node } from '../../src/netfs/node.ts';
import type { Qid, Req, Stat } from '../../src/netfs/node.ts';
import type { Caller, Peer } from '../../src/policy/identity.ts';
import { Authority, type Permissions } from '../../src/policy/permissions.ts';
import { Locks } from '../../src/server/9p/locks.ts';
import { DEFAULT_LIMITS, Session, type Direct } from '../../src/server/9p/session.ts';

/** A directory or a file's text, by name. */
export interface MadeUp {
  readonly [name: string]: MadeUp | string;
}

export interface Claims {
  /** Whose everything is. */
  readonly owner?: string;
  /** When it was changed, in seconds since the epoch. */
  readonly since?: number;
}

let last = 0;

const me = (): Caller => hostUsers().byId(process.getuid!())!;

function permissionsOf({ owner = me().name }: Claims, mode: number): Permissions {
  return { owner: { ...me(), name: owner }, gid: me().gid, mode };
}

class MadeUpDir implements DirNode {
  readonly qid: Qid = { type: QTDIR, vers: 0, path: ++last };
  readonly permissions: Permissions;
  private readonly above: DirNode | undefined;
  private readonly nodes: ReadonlyMap<string, Node>;
  private readonly name: string;
  private readonly claims: Claims;

  constructor(above: DirNode | undefined, name: string, content: MadeUp, claims: Claims) {
    this.above = above;
    this.name = name;
    this.claims = claims;
    this.permissions = permissionsOf(claims, 0o555);
    this.nodes = new Map(
      Object.entries(content).map(([child, what]) => [
        child,
        typeof what === 'string'
          ? new MadeUpFile(this, child, what, claims)
          : new MadeUpDir(this, child, what, claims),
      ]),
    );
  }

  get parent(): DirNode {
    return this.above ?? this;
  }

  stat(): Stat {
    return statOf(this, this.name, this.claims.since ?? 0);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    return this.nodes.get(name);
  }

  children(_req: Req, from: number): Iterable<Child> {
    return childrenOf([...this.nodes.values()], from);
  }
}

class MadeUpFile implements Node {
  readonly parent: DirNode;
  readonly qid: Qid = { type: QTFILE, vers: 0, path: ++last };
  readonly permissions: Permissions;
  private readonly name: string;
  private readonly text: string;
  private readonly claims: Claims;

  constructor(parent: DirNode, name: string, text: string, claims: Claims) {
    this.parent = parent;
    this.name = name;
    this.text = text;
    this.claims = claims;
    this.permissions = permissionsOf(claims, 0o444);
  }

  stat(): Stat {
    return statOf(this, this.name, this.claims.since ?? 0);
  }

  open(): Handle {
    return new TextHandle(this, () => this.text);
  }
}

/** Serves one client a tree. */
export function madeUp(content: MadeUp, claims: Claims = {}) {
  const root = new MadeUpDir(undefined, '/', content, claims);
  const mount = new Mount(root, new Authority(me()));
  const locks = new Locks();
  return (stream: Duplex, peer: Peer, direct?: Direct): Session =>
    new Session(stream, {
      mount,
      users: hostUsers(),
      peer,
      locks,
      log: silent,
      limits: DEFAULT_LIMITS,
      direct,
    });
}
