/** The numbers of the interfaces: N in ipifc/N, and the column of iproute. */
import type { HostFacts, Interface } from './hostfacts.ts';

/**
 * Those that have an address, in the order of their indices, numbered from 0 without a gap, since clients
 * count the directories and then go by the count (Go's net, interface_plan9.go), and want an address in each.
 */
export interface NumberedInterfaces {
  readonly list: readonly Interface[];
  /** By the kernel's index. */
  readonly numbers: ReadonlyMap<number, number>;
  readonly byName: ReadonlyMap<string, number>;
}

const known = new WeakMap<readonly Interface[], NumberedInterfaces>();

export function numberedInterfaces(facts: HostFacts): NumberedInterfaces {
  const all = facts.interfaces();
  const before = known.get(all);
  if (before !== undefined) return before;
  const list = all.filter(({ addresses }) => addresses.length > 0);
  const numbered = {
    list,
    numbers: new Map(list.map(({ index }, number) => [index, number])),
    byName: new Map(list.map(({ name }, number) => [name, number])),
  };
  known.set(all, numbered);
  return numbered;
}
