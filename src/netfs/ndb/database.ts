/** A network database that is searched: by a tuple, and by what a host inherits of its networks. */
import { formatIp, parseIp, type Ip } from '../address.ts';
import { formatMask, inNetwork, parseMask } from './masks.ts';
import type { Entry, Line, Tuple } from './parse.ts';

export class Database {
  readonly entries: readonly Entry[];
  private readonly byTuple = new Map<string, Set<Entry>>();
  private readonly networks: readonly Network[];

  constructor(entries: readonly Entry[]) {
    this.entries = entries;
    for (const entry of entries) for (const tuple of entry.flat()) this.index(tuple, entry);
    this.networks = entries.flatMap(networksOf).sort((a, b) => b.prefix - a.prefix);
  }

  private index({ attr, value }: Tuple, entry: Entry): void {
    const key = keyOf(attr, value);
    const found = this.byTuple.get(key);
    if (found === undefined) this.byTuple.set(key, new Set([entry]));
    else found.add(entry);
  }

  /** The entries that have this tuple, in their order. */
  search(attr: string, value: string): readonly Entry[] {
    return [...(this.byTuple.get(keyOf(attr, value)) ?? [])];
  }

  /** The values of `wanted` in the entries with this tuple; those of the tuple's own line come first. */
  values(attr: string, value: string, wanted: string): string[] {
    return this.search(attr, value).flatMap(entry => valuesOf(matchFirst(entry, attr, value), wanted));
  }

  /**
   * What a system is, as ndb(8)'s ipinfo finds it: each wanted attribute from the system's own entry, or
   * else from the smallest network around its address that says it.
   */
  ipinfo(attr: string, value: string, wanted: readonly string[]): Tuple[] {
    const own = this.search(attr, value).map(entry => matchFirst(entry, attr, value));
    const hosts = own.filter(entry => firstIp(entry) !== undefined);
    if (hosts.length === 0 && attr === 'ip') hosts.push([[{ attr, value }]]);
    return unique(hosts.flatMap(host => this.inherited(host, wanted)));
  }

  private inherited(host: Entry, wanted: readonly string[]): Tuple[] {
    const ip = firstIp(host);
    if (ip === undefined) return [];
    const around = this.networks.filter(network => inNetwork(ip, network.ip, network.prefix));
    const missing = new Set(wanted);
    const found: Tuple[] = [];
    for (const entry of [host, ...around.map(network => network.entry)]) {
      const here = entry.flat().filter(tuple => missing.has(tuple.attr));
      found.push(...here);
      for (const { attr } of here) missing.delete(attr);
    }
    if (missing.has('ipmask')) found.push({ attr: 'ipmask', value: formatMask(ip, undefined) });
    return found;
  }
}

/** A network: an entry with ipnet, its address and the length of its prefix. */
interface Network {
  readonly entry: Entry;
  readonly ip: Ip;
  readonly prefix: number;
}

function networksOf(entry: Entry): Network[] {
  if (!isNetwork(entry)) return [];
  const ip = firstIp(entry);
  return ip === undefined ? [] : [{ entry, ip, prefix: parseMask(ip, valuesOf(entry, 'ipmask')[0]) }];
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

/** The entry with the line that has the tuple first. */
function matchFirst(entry: Entry, attr: string, value: string): Entry {
  const key = keyOf(attr, value);
  const has = (line: Line): boolean => line.some(tuple => keyOf(tuple.attr, tuple.value) === key);
  const line = entry.find(has);
  return line === undefined ? entry : [line, ...entry.filter(other => other !== line)];
}

function unique(tuples: readonly Tuple[]): Tuple[] {
  return [...new Map(tuples.map(tuple => [`${tuple.attr}=${tuple.value}`, tuple])).values()];
}

/** Names are the same in any case and with a final dot, addresses in any of their forms. */
function keyOf(attr: string, value: string): string {
  switch (attr) {
    case 'sys':
    case 'dom':
      return `${attr}=${value.toLowerCase().replace(/\.$/, '')}`;
    case 'ip':
    case 'ipv6': {
      const ip = parseIp(value);
      return `${attr}=${ip === undefined ? value : formatIp(ip)}`;
    }
    default:
      return `${attr}=${value}`;
  }
}
