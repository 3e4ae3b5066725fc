/** What a policy file that was read again changes; what is the same in both is not touched, so that live changes stay. */
import { isDeepStrictEqual } from 'node:util';
import type { FileSettings, Policy, ZoneSettings } from './policy.ts';

export type Difference =
  /** `set` has what is new or other; what the file does not say any more stays as it is. */
  | { readonly kind: 'file'; readonly path: string; readonly set: FileSettings }
  | { readonly kind: 'zone added'; readonly name: string; readonly zone: ZoneSettings }
  /** `set` has what is other. */
  | { readonly kind: 'zone changed'; readonly name: string; readonly set: Partial<ZoneSettings> }
  | { readonly kind: 'zone removed'; readonly name: string }
  /** Who is who, and where the log goes: all of it, from the new policy. */
  | { readonly kind: 'users' }
  | { readonly kind: 'log' }
  /** These count when the server starts. */
  | { readonly kind: 'listen' }
  | { readonly kind: 'mount' };

/**
 * To be applied all in one synchronous step, before anybody is judged again: neither a zone that opens nor one
 * that vetoes is there without the others.
 */
export function differences(before: Policy | undefined, after: Policy): Difference[] {
  return [
    ...removedZones(before?.zones, after.zones),
    ...fileDifferences(before?.files ?? new Map(), after.files),
    ...zoneDifferences(before?.zones, after.zones),
    ...(['users', 'log', 'listen', 'mount'] as const)
      .filter(kind => !isDeepStrictEqual(before?.[kind] ?? EMPTY[kind], after[kind]))
      .map(kind => ({ kind })),
  ];
}

const EMPTY = { users: new Map(), log: {}, listen: undefined, mount: undefined };

type Files = Policy['files'];
type Zones = NonNullable<Policy['zones']>;

const NONE: Zones = new Map();

function fileDifferences(before: Files, after: Files): Difference[] {
  return [...after]
    .map(
      ([path, settings]) => ({ kind: 'file', path, set: changed(before.get(path) ?? {}, settings) }) as const,
    )
    .filter(({ set }) => Object.keys(set).length > 0);
}

function removedZones(before: Zones = NONE, after: Zones = NONE): Difference[] {
  return [...before.keys()].filter(name => !after.has(name)).map(name => ({ kind: 'zone removed', name }));
}

function zoneDifferences(before: Zones = NONE, after: Zones = NONE): Difference[] {
  return [...after].flatMap(([name, zone]): Difference[] => {
    const old = before.get(name);
    if (old === undefined) return [{ kind: 'zone added', name, zone }];
    const set = changed(old, zone);
    return Object.keys(set).length === 0 ? [] : [{ kind: 'zone changed', name, set }];
  });
}

/** The fields of `after` that `before` has not, or has otherwise. */
function changed<T extends object>(before: T, after: T): Partial<T> {
  const fields = Object.entries(after).filter(([field, value]) => before[field as keyof T] !== value);
  return Object.fromEntries(fields) as Partial<T>;
}
