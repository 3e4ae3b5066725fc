/** The networks of a database: what each says to those inside, and which are around an address. */
import { parseIp, type Ip } from '../address.ts';
import { parseMask } from './masks.ts';
import type { Entry, Tuple } from './parse.ts';

/** One network, of which the first entry that has an attribute says it. */
export class Network {
  private readonly byAttr = new Map<string, Tuple[]>();
  private readonly order = new Map<Tuple, number>();

  add(entry: Entry): void {
    const tuples = entry.flat();
    const here = new Set(tuples.map(({ attr }) => attr).filter(attr => !this.byAttr.has(attr)));
    for (const attr of here) this.byAttr.set(attr, []);
    for (const tuple of tuples) {
      if (!here.has(tuple.attr)) continue;
      this.byAttr.get(tuple.attr)!.push(tuple);
      this.order.set(tuple, this.order.size);
    }
  }

  has(attr: string): boolean {
    return this.byAttr.has(attr);
  }

  /** What it says of these, in the order in which it is written. */
  values(attrs: Iterable<string>): Tuple[] {
    const tuples = [...attrs].flatMap(attr => this.byAttr.get(attr) ?? []);
    return tuples.sort((a, b) => this.order.get(a)! - this.order.get(b)!);
  }
}

export class Networks {
  private readonly byKey = new Map<string, Network>();
  /** The lengths that there are in each family, the longest first. */
  private readonly prefixes = new Map<number, number[]>();

  constructor(entries: readonly Entry[]) {
    for (const entry of entries) if (isNetwork(entry)) this.add(entry);
    for (const lengths of this.prefixes.values()) lengths.sort((a, b) => b - a);
  }

  private add(entry: Entry): void {
    const ip = firstIp(entry);
    if (ip === undefined) return;
    const prefix = parseMask(ip, valuesOf(entry, 'ipmask')[0]);
    const key = keyOf(ip, prefix);
    const network = this.byKey.get(key) ?? new Network();
    network.add(entry);
    this.byKey.set(key, network);
    const lengths = this.prefixes.get(ip.family) ?? [];
    if (!lengths.includes(prefix)) this.prefixes.set(ip.family, [...lengths, prefix]);
  }

  /** Those around an address, the smallest first. */
  around(ip: Ip): Network[] {
    const lengths = this.prefixes.get(ip.family) ?? [];
    return lengths.flatMap(prefix => this.byKey.get(keyOf(ip, prefix)) ?? []);
  }
}

/** The network's part of an address, and how long it is. */
function keyOf({ family, bytes }: Ip, prefix: number): string {
  const bits = (i: number): number => Math.min(Math.max(prefix - 8 * i, 0), 8);
  const part = bytes.map((byte, i) => byte & (0xff00 >> bits(i)));
  return `${family} ${prefix} ${part.join('.')}`;
}

export const isNetwork = (entry: Entry): boolean => valuesOf(entry, 'ipnet').length > 0;

export function firstIp(entry: Entry): Ip | undefined {
  return valuesOf(entry, 'ip')
    .map(parseIp)
    .find(ip => ip !== undefined);
}

export function valuesOf(entry: Entry, attr: string): string[] {
  return entry.flat().flatMap(tuple => (tuple.attr === attr ? [tuple.value] : []));
}
