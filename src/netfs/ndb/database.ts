/** A network database that is searched: by a tuple, and by what a host inherits of its networks. */
import { formatIp, parseIp } from '../address.ts';
import { classMask } from './masks.ts';
import { firstIp, Networks, valuesOf, type Network } from './networks.ts';
import type { Entry, Line, Tuple } from './parse.ts';

export { isNetwork, valuesOf } from './networks.ts';

export class Database {
  readonly entries: readonly Entry[];
  private readonly byTuple = new Map<string, Set<Entry>>();
  private readonly networks: Networks;

  constructor(entries: readonly Entry[]) {
    this.entries = entries;
    for (const entry of entries) for (const tuple of entry.flat()) this.index(tuple, entry);
    this.networks = new Networks(entries);
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
    const said = new Said();
    for (const host of hosts) this.inherit(host, wanted, said);
    return said.tuples;
  }

  private inherit(host: Entry, wanted: readonly string[], said: Said): void {
    const ip = firstIp(host);
    if (ip === undefined) return;
    const missing = new Set(wanted);
    const own = host.flat().filter(tuple => missing.has(tuple.attr));
    for (const tuple of own) said.add(tuple);
    for (const { attr } of own) missing.delete(attr);
    for (const network of this.networks.around(ip)) {
      if (missing.size === 0) return;
      const here = [...missing].filter(attr => network.has(attr));
      said.addOf(network, here);
      for (const attr of here) missing.delete(attr);
    }
    if (missing.has('ipmask')) said.add({ attr: 'ipmask', value: classMask(ip) });
  }
}

/** What was found for several systems: each once, and looked at once, however many inherit it. */
class Said {
  private readonly all = new Map<string, Tuple>();
  private readonly heard = new Map<Network, Set<string>>();

  add(tuple: Tuple): void {
    const key = `${tuple.attr}=${tuple.value}`;
    if (!this.all.has(key)) this.all.set(key, tuple);
  }

  addOf(network: Network, attrs: readonly string[]): void {
    const heard = this.heard.get(network) ?? new Set();
    this.heard.set(network, heard);
    const news = attrs.filter(attr => !heard.has(attr));
    for (const attr of news) heard.add(attr);
    if (news.length > 0) for (const tuple of network.values(news)) this.add(tuple);
  }

  get tuples(): Tuple[] {
    return [...this.all.values()];
  }
}

/** The entry with the line that has the tuple first. */
function matchFirst(entry: Entry, attr: string, value: string): Entry {
  const key = keyOf(attr, value);
  const has = (line: Line): boolean => line.some(tuple => keyOf(tuple.attr, tuple.value) === key);
  const line = entry.find(has);
  return line === undefined ? entry : [line, ...entry.filter(other => other !== line)];
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
