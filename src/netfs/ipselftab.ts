/** The text of `ipselftab`: the addresses this machine takes packets for. ip(3); 9front's ipifc.c. */
import { formatIp, type Ip } from './address.ts';
import { addressBits, leftCut, rightCut } from './columns.ts';
import type { HostFacts, Interface, Membership, Route } from './hostfacts.ts';

type Kind = 'u' | 'b' | 'm';

const LIMITED_BROADCAST: Ip = { family: 4, bytes: Uint8Array.of(255, 255, 255, 255) };

/** A line for each: the address, on how many interfaces it is, and 4 or 6 with u, b or m. */
export function formatSelves(facts: {
  readonly interfaces: readonly Interface[];
  readonly routes: readonly Route[];
  readonly groups: readonly Membership[];
}): string {
  const selves = new Selves();
  for (const { index, addresses } of facts.interfaces) {
    for (const { ip } of addresses) selves.add(ip, 'u', index);
  }
  const broadcasts = facts.routes.filter(({ kind }) => kind === 'broadcast');
  for (const { target, prefix, kind, interfaceIndex } of facts.routes) {
    const whole = prefix === addressBits(target.family);
    // One that no interface has is taken all the same.
    if (kind === 'local' && whole && !selves.has(target, 'u')) selves.add(target, 'u', interfaceIndex);
  }
  for (const { target, interfaceIndex } of broadcasts) selves.add(target, 'b', interfaceIndex);
  for (const { interfaceIndex } of broadcasts) selves.add(LIMITED_BROADCAST, 'b', interfaceIndex);
  for (const { ip, interfaceIndex } of facts.groups) selves.add(ip, 'm', interfaceIndex);
  return selves.format();
}

export const selvesOf = (facts: HostFacts): string =>
  formatSelves({ interfaces: facts.interfaces(), routes: facts.routes(), groups: facts.groups() });

class Selves {
  /** The interfaces, by address and flags as they are written. */
  private readonly there = new Map<string, Set<number>>();

  add(ip: Ip, kind: Kind, interfaceIndex: number): void {
    const key = keyOf(ip, kind);
    const interfaces = this.there.get(key);
    if (interfaces === undefined) this.there.set(key, new Set([interfaceIndex]));
    else interfaces.add(interfaceIndex);
  }

  has(ip: Ip, kind: Kind): boolean {
    return this.there.has(keyOf(ip, kind));
  }

  format(): string {
    return [...this.there].map(([key, interfaces]) => formatSelf(key, interfaces.size)).join('');
  }
}

const keyOf = (ip: Ip, kind: Kind): string => `${formatIp(ip)} ${ip.family}${kind}`;

/** `%-44.44I %2.2d %4.4s` */
function formatSelf(key: string, count: number): string {
  const [ip = '', flags = ''] = key.split(' ');
  return `${leftCut(ip, 44)} ${String(count).padStart(2, '0')} ${rightCut(flags, 4)}\n`;
}
