/** What the nodes of the tree have in common. */
import { FsError } from './error.ts';
import type { Child, DirNode, Handle, Node, Stat, StatChange } from './node.ts';
import type { Caller } from '../policy/identity.ts';

/** `since`: seconds since the epoch, for atime and mtime. */
export function statOf(node: Node, name: string, since: number): Stat {
  return { name, qid: node.qid, permissions: node.permissions, length: 0, atime: since, mtime: since };
}

/** The children of a directory whose files are a fixed list. */
export function* childrenOf(nodes: readonly Node[], from: number): Iterable<Child> {
  for (let position = from; position < nodes.length; position++) yield { node: nodes[position]!, position };
}

/** What a chmod, chown or chgrp asks of the permissions, the bits masked. */
export function permissionChange(
  change: StatChange,
  mask: number,
): { mode?: number; owner?: Caller; gid?: number } {
  return {
    ...(change.mode !== undefined && { mode: change.mode & mask }),
    ...(change.owner !== undefined && { owner: change.owner }),
    ...(change.gid !== undefined && { gid: change.gid }),
  };
}

/**
 * `echo x > ctl` truncates first, and touch sets times: on a control file both change nothing. What
 * else is asked must be allowed by the file.
 */
export function isNoop(change: StatChange): boolean {
  const { mode, owner, gid, name } = change;
  return mode === undefined && owner === undefined && gid === undefined && name === undefined;
}

/** A directory opened; the door reads its children. */
export class DirHandle implements Handle {
  readonly node: DirNode;
  readonly stream = false;

  constructor(node: DirNode) {
    this.node = node;
  }

  read(): never {
    throw new FsError('Eisdir');
  }

  write(): never {
    throw new FsError('Eisdir');
  }

  close(): void {}
}
