/** The top of the tree: /net. */
import { childrenOf, DirHandle, statOf } from './file.ts';
import { QTDIR, type Child, type DirNode, type Handle, type Node, type Req, type Stat } from './node.ts';
import { ProtocolDir } from './protodir.ts';
import type { Protocol } from './protocol.ts';
import { qidPath } from './qid.ts';
import type { Authority, Permissions } from '../policy/permissions.ts';

export class RootDir implements DirNode {
  readonly qid = { type: QTDIR, vers: 0, path: qidPath(0, undefined, 0) };
  readonly parent: DirNode = this;
  readonly permissions: Permissions;
  private readonly since: number;
  private readonly protocols: readonly ProtocolDir[];

  /** `since`: seconds since the epoch. */
  constructor(protocols: readonly Protocol[], authority: Authority, since: number) {
    const { owner } = authority;
    this.permissions = { owner, gid: owner.gid, mode: 0o555 };
    this.since = since;
    this.protocols = protocols.map(protocol => new ProtocolDir(this, protocol, authority));
  }

  stat(): Stat {
    return statOf(this, '/', this.since);
  }

  open(): Handle {
    return new DirHandle(this);
  }

  walk(name: string): Node | undefined {
    return this.protocols.find(dir => dir.protocol.options.name === name);
  }

  children(_req: Req, from: number): Iterable<Child> {
    return childrenOf(this.protocols, from);
  }
}
