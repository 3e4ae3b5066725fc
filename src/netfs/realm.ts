/** What rules in a /net: the server's own, or a view within it. */
import type { DirNode, Node, StatChange } from './node.ts';
import type { Caller } from '../policy/identity.ts';
import type { Authority, Changer } from '../policy/permissions.ts';

export interface Realm {
  readonly authority: Authority;
  /** A view that has ended has no files any more, whoever still holds on to one. */
  readonly alive: boolean;
  /** The one that it is in; undefined of the server's own. */
  readonly above: Realm | undefined;
  /** He governs it, from outside. */
  readonly maker: Caller;
  /** Whose the inside is. */
  readonly user: Caller;
  /** Owner, group or bits of a file were changed. */
  changed(node: Node, change: StatChange, by: Changer): void;
}

/** The one that a file is in; undefined of a tree that has none. */
export function realmOf(node: Node): Realm | undefined {
  for (let at = node; ; at = at.parent) {
    const { realm } = at as DirNode;
    if (realm !== undefined || at.parent === at) return realm;
  }
}
