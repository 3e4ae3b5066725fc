/** The rules of one verb, found by host: names and suffixes by their text, networks around an address. */
import type { Ip } from '../netfs/address.ts';
import type { HostPattern, Line, PortRange } from './lines.ts';
import { Networks, type Node } from './networks.ts';
import type { Zone } from './rules.ts';

/** A line with one of its ranges of ports. */
export interface Rule<Z extends Zone> {
  readonly zone: Z;
  readonly place: Place<Z>;
  /** Replaced where only its number has changed. */
  line: Line;
  readonly low: number;
  readonly high: number;
  /** The bits of protocols that it is for. */
  readonly protocols: number;
  /** Of two rules that match one question the greater key is the more specific. */
  readonly key: number;
  /** Its line is gone; it is cleared away with the next change of its place. */
  gone: boolean;
}

const TCP = 1;
const UDP = 2;
/** A protocol that no line can name yet. */
const OTHER = 4;
const EVERY = TCP | UDP | OTHER;

/** Protocols as bits: a rule is for a question's where they have one in common. */
export function protocolBits(protocol: string): number {
  if (protocol === 'tcp') return TCP;
  if (protocol === 'udp') return UDP;
  return protocol === '*' ? EVERY : OTHER;
}

const PORTS = 65536;
/** Keys of one host: a width of ports and whether the protocol is named. */
const KEYS_OF_HOST = 2 * PORTS;

/** More than a name has characters, and than an address has bits. */
const MOST = 256;

/** Longer networks before shorter ones, suffixes before networks, names before suffixes. */
function rankOf(host: HostPattern): number {
  if (host.kind === 'any') return 0;
  if (host.kind === 'network') return 1 + host.prefix;
  return host.kind === 'suffix' ? MOST + host.suffix.length : 2 * MOST;
}

export function keyOf({ host, protocol }: Pick<Line, 'host' | 'protocol'>, { low, high }: PortRange): number {
  return rankOf(host) * KEYS_OF_HOST + (PORTS - 1 - (high - low)) * 2 + (protocol === '*' ? 0 : 1);
}

/** How specific the host of a rule is, apart from ports and protocol. */
export const rankOfKey = (key: number): number => Math.floor(key / KEYS_OF_HOST);

/** So few rules are looked through faster than they are found. */
const FEW = 16;

/** Rules kept in the answers to questions asked before, of all places of a verb. */
const MOST_KEPT = 500_000;

/** The rules of one host. */
export class Place<Z extends Zone> {
  readonly host: HostPattern;
  /** The most specific first; of equals by the zone's name and the line's number. */
  rules: Rule<Z>[] = [];
  changed = false;
  /** Of many rules those for a protocol and port, found once. */
  private readonly kept = new Map<number, Rule<Z>[]>();

  constructor(host: HostPattern) {
    this.host = host;
  }

  /** A part of the rules that has all that match. */
  about(protocol: number, port: number, hosts: Hosts<Z>): readonly Rule<Z>[] {
    return this.rules.length <= FEW ? this.rules : this.find(protocol, port, hosts);
  }

  private find(protocol: number, port: number, hosts: Hosts<Z>): readonly Rule<Z>[] {
    const question = port * EVERY + protocol;
    let rules = this.kept.get(question);
    if (rules === undefined) {
      rules = this.rules.filter(rule => isAbout(rule, protocol, port));
      hosts.makeRoom(this, rules.length + 1);
      this.kept.set(question, rules);
    }
    return rules;
  }

  forget(): void {
    this.kept.clear();
  }

  /** Puts what was added into its order and clears away what is gone. */
  tidy(): void {
    this.forget();
    this.rules = this.rules.filter(({ gone }) => !gone);
    if (this.rules.length > 1) this.rules.sort(inOrder);
    this.changed = false;
  }
}

export const isAbout = ({ protocols, low, high }: Rule<Zone>, protocol: number, port: number): boolean =>
  (protocols & protocol) !== 0 && low <= port && port <= high;

function inOrder(a: Rule<Zone>, b: Rule<Zone>): number {
  if (a.key !== b.key) return b.key - a.key;
  if (a.zone !== b.zone) return byName(a.zone, b.zone);
  return a.line.number - b.line.number;
}

export const byName = (a: Zone, b: Zone): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

export class Hosts<Z extends Zone> {
  readonly any = new Place<Z>({ kind: 'any' });
  readonly names = new Map<string, Place<Z>>();
  readonly suffixes = new Map<string, Place<Z>>();
  /** How many suffixes have so many characters: most ends of a name need not be looked for. */
  readonly lengths = new Uint32Array(MOST);
  private readonly networks4 = new Networks<Place<Z>>(4);
  private readonly networks6 = new Networks<Place<Z>>(6);
  private readonly changed: Place<Z>[] = [];
  /** Places that remember answers, and how many rules are in these. */
  private readonly keepers = new Set<Place<Z>>();
  private kept = 0;

  networks(family: 4 | 6): Networks<Place<Z>> {
    return family === 4 ? this.networks4 : this.networks6;
  }

  add(zone: Z, line: Line, range: PortRange): Rule<Z> {
    const place = this.placeOf(line.host);
    const protocols = protocolBits(line.protocol);
    const rule = { zone, place, line, ...range, protocols, key: keyOf(line, range), gone: false };
    place.rules.push(rule);
    this.touch(place);
    return rule;
  }

  remove(rule: Rule<Z>): void {
    rule.gone = true;
    this.touch(rule.place);
  }

  /** To be called where a line's rules may come before others that they came behind. */
  touch(place: Place<Z>): void {
    if (place.changed) return;
    place.changed = true;
    this.changed.push(place);
  }

  private placeOf(host: HostPattern): Place<Z> {
    if (host.kind === 'any') return this.any;
    if (host.kind === 'name') return placeIn(this.names, host.name, host);
    if (host.kind === 'suffix') {
      if (!this.suffixes.has(host.suffix)) this.lengths[host.suffix.length]!++;
      return placeIn(this.suffixes, host.suffix, host);
    }
    return this.networks(host.ip.family).at(host, () => new Place<Z>(host));
  }

  /** After changes, before questions. */
  tidy(): void {
    for (const place of this.changed) {
      place.tidy();
      if (place.rules.length === 0) this.drop(place);
    }
    this.changed.length = 0;
    this.networks4.tidy();
    this.networks6.tidy();
  }

  private drop({ host }: Place<Z>): void {
    if (host.kind === 'name') this.names.delete(host.name);
    else if (host.kind === 'suffix') {
      this.suffixes.delete(host.suffix);
      this.lengths[host.suffix.length]!--;
    } else if (host.kind === 'network') this.networks(host.ip.family).delete(host);
  }

  /** Before a place keeps an answer. */
  makeRoom(place: Place<Z>, rules: number): void {
    this.kept += rules;
    if (this.kept > MOST_KEPT) {
      for (const keeper of this.keepers) keeper.forget();
      this.keepers.clear();
      this.kept = rules;
    }
    this.keepers.add(place);
  }

  /** The innermost network around an address. */
  around(ip: Ip): Node<Place<Z>> | undefined {
    return ip.family === 4 ? this.networks4.find(ip.bytes) : this.networks6.find(ip.bytes);
  }

  /** Who announces 0.0.0.0 announces all that 0.0.0.0/0 has; of :: no network has all, for it is IPv4, too. */
  networkOfAll(ip: Ip): Node<Place<Z>> | undefined {
    return ip.family === 4 ? this.networks4.get({ ip, prefix: 0 }) : undefined;
  }
}

function placeIn<Z extends Zone>(places: Map<string, Place<Z>>, key: string, host: HostPattern): Place<Z> {
  let place = places.get(key);
  if (place === undefined) {
    place = new Place(host);
    places.set(key, place);
  }
  return place;
}
