/**
 * The decision. Among the lines of all zones that match, the most specific one decides: by its host
 * (name, then the longest `*.name`, then the longest network, then `*`), then by the narrower ports, then
 * a named protocol before `*`. Of equals one zone that lets the caller pass is enough. No line: no.
 *
 * A zone without any x bit is a veto: whatever one of its lines matches is refused, before all else. An
 * IPv6 address that leads to an IPv4 one (NAT64, 6to4) must be allowed as both.
 */
import { isUnspecified, type Ip } from '../netfs/address.ts';
import { isLocalhost } from '../netfs/domain.ts';
import { Effort, isCovered } from './covering.ts';
import { Edited } from './edited.ts';
import { byName, Hosts, isAbout, protocolBits, rankOfKey, type Place, type Rule } from './hosts.ts';
import type { Line, Verb } from './lines.ts';
import { inNetwork } from './network.ts';
import type { Node } from './networks.ts';
import type { Permissions } from './permissions.ts';
import { embedded, isSpecial } from './special.ts';

export interface Zone {
  readonly name: string;
  /** Asked at each decision, since chmod changes them in place. */
  readonly permissions: Permissions;
}

export interface Question {
  readonly verb: 'connect' | 'announce' | 'accept';
  /** `tcp` or `udp` */
  readonly protocol: string;
  /** By which the address was found: lower case, no final dot. None where it was dialled by number. */
  readonly names: readonly string[];
  /** What is dialled; of announce the local address (unspecified: every one), of accept the remote. */
  readonly ip: Ip;
  /** Of accept the local port; 0 of announce: the host picks one. */
  readonly port: number;
  /** The names come from /etc/hosts or the root's ndb: the rebinding rule does not ask. */
  readonly trusted: boolean;
  /** The address is in special space (isSpecial), or the host's own. */
  readonly special: boolean;
}

/**
 * What decided: the most specific line (or, of `localhost`, which is always looked up, no line: `none`);
 * a line of a vetoing zone; that no line matches; that the names resolve into special space, which
 * `*` and lines with names do not open.
 */
export type Reason = 'line' | 'veto' | 'none' | 'rebinding';

export interface Verdict<Z extends Zone = Zone> {
  readonly allowed: boolean;
  readonly reason: Reason;
  readonly zone?: Z;
  readonly line?: Line;
  /** Judged as this IPv4 address inside `ip`, if that is what refused. */
  readonly inside?: Ip;
}

/** A line with its rules, one for each range of ports. */
interface Entry<Z extends Zone> {
  line: Line;
  readonly rules: readonly Rule<Z>[];
}

export class Rules<Z extends Zone = Zone> {
  /** What is in the hosts below. */
  private readonly zones = new Map<Z, Entry<Z>[]>();
  /** What is to be there at the next question. */
  private readonly pending = new Map<Z, readonly Line[]>();
  private readonly hosts: Readonly<Record<Verb, Hosts<Z>>> = {
    connect: new Hosts(),
    announce: new Hosts(),
    accept: new Hosts(),
    resolve: new Hosts(),
  };

  /** Puts these lines in the place of all that the zone had. */
  set(zone: Z, lines: readonly Line[]): void {
    this.pending.set(zone, lines);
  }

  delete(zone: Z): void {
    this.pending.set(zone, []);
  }

  linesOf(zone: Z): readonly Line[] {
    return this.pending.get(zone) ?? this.zones.get(zone)?.map(({ line }) => line) ?? [];
  }

  /** Where several things would refuse: a veto, then the lines, then the rebinding rule. */
  decide(q: Question, passes: (zone: Z) => boolean): Verdict<Z> {
    this.settle();
    const verdict = this.judge(q, q.ip, q.special, passes);
    const inside = embedded(q.ip);
    if (inside === undefined || verdict.reason === 'veto') return verdict;
    const within = this.judge(q, inside, q.special || isSpecial(inside), passes);
    if (within.reason === 'veto') return { ...within, inside };
    if (!verdict.allowed || within.allowed) return verdict;
    return { ...within, inside };
  }

  private judge(q: Question, ip: Ip, special: boolean, passes: (zone: Z) => boolean): Verdict<Z> {
    const verdict = this.vetoOfAll(q, ip) ?? this.search(q, ip, passes, false);
    if (!verdict.allowed || !special || q.trusted || q.names.length === 0) return verdict;
    const byAddress = this.search(q, ip, passes, true);
    return byAddress.allowed ? verdict : { ...byAddress, reason: 'rebinding' };
  }

  private search(q: Question, ip: Ip, passes: (zone: Z) => boolean, networksOnly: boolean): Verdict<Z> {
    const hosts = this.hosts[q.verb];
    const search = new Search(hosts, protocolBits(q.protocol), q.port, passes);
    if (!networksOnly) search.names(hosts, q.names);
    if (q.verb === 'announce' && isUnspecified(ip)) search.network(hosts.networkOfAll(ip));
    else search.network(hosts.around(ip));
    if (!networksOnly) search.place(hosts.any);
    return search.verdict();
  }

  /**
   * To announce every address is to announce each, and a port that the host picks may be any: a veto of
   * one refuses. What finds the lines that match would not see these.
   */
  private vetoOfAll(q: Question, ip: Ip): Verdict<Z> | undefined {
    if (q.verb !== 'announce') return undefined;
    const everyHost = isUnspecified(ip);
    if (!everyHost && q.port !== 0) return undefined;
    const protocol = protocolBits(q.protocol);
    for (const zone of [...this.zones.keys()].filter(isVeto).sort(byName)) {
      for (const { line, rules } of this.zones.get(zone)!) {
        if (line.verb !== 'announce' || !(everyHost || isHostOf(line, ip))) continue;
        const veto = rules.find(rule => isAbout(rule, protocol, q.port === 0 ? rule.low : q.port));
        if (veto !== undefined) return vetoed(veto);
      }
    }
    return undefined;
  }

  /** Whether these may be looked up: one of them is allowed, and none is vetoed. */
  resolves(names: readonly string[], passes: (zone: Z) => boolean): Verdict<Z> {
    this.settle();
    let answer: Verdict<Z> = NONE;
    for (const name of names) {
      const verdict = this.resolvesOne(name, passes);
      if (verdict.reason === 'veto') return verdict;
      if (answer.allowed) continue;
      if (verdict.allowed || answer.reason === 'none') answer = verdict;
    }
    return answer;
  }

  private resolvesOne(name: string, passes: (zone: Z) => boolean): Verdict<Z> {
    const { connect, resolve } = this.hosts;
    const search = new Search(resolve, 0, ANY_PORT, passes);
    search.names(resolve, [name]);
    search.names(connect, [name]);
    search.place(resolve.any);
    const verdict = search.verdict();
    return isLocalhost(name) && verdict.reason !== 'veto' ? LOCALHOST : verdict;
  }

  /**
   * Whether nobody who passes `passes` could do more if this line stood in a zone that he passes. It says
   * no where it does not know. `domains` are those that are searched for names: a name may be found as
   * itself with one of them behind it; where they are not told, with anything.
   * Eio where there is too much to compare, with this line and with others of the same effort.
   */
  covers(
    line: Line,
    passes: (zone: Z) => boolean,
    domains?: readonly string[],
    effort = new Effort(),
  ): boolean {
    this.settle();
    const isPassed = (zone: Z): boolean => !isVeto(zone) && passes(zone);
    return isCovered(line, { hosts: this.hosts, isPassed, others: this.rulesBut(isPassed), domains }, effort);
  }

  /** Of all zones but some. It can be gone through more than once. */
  private rulesBut(isLeftOut: (zone: Z) => boolean): Iterable<Rule<Z>> {
    const { zones } = this;
    return {
      *[Symbol.iterator]() {
        for (const [zone, entries] of zones) {
          if (isLeftOut(zone)) continue;
          for (const { rules } of entries) yield* rules;
        }
      },
    };
  }

  // ---- changes ----------------------------------------------------------------------------------

  private settle(): void {
    if (this.pending.size === 0) return;
    for (const [zone, lines] of this.pending) this.replace(zone, lines);
    this.pending.clear();
    for (const hosts of Object.values(this.hosts)) hosts.tidy();
  }

  /** Rules of lines that stay are left where they are: most edits change a few lines of many. */
  private replace(zone: Z, lines: readonly Line[]): void {
    const former = new Former(this.zones.get(zone) ?? [], lines);
    const entries = lines.map((line, i) => {
      const entry = former.take(i);
      if (entry === undefined) return this.enter(zone, line);
      if (entry.line !== line) renumber(entry, line);
      if (former.isOutOfOrder) for (const { place } of entry.rules) this.hosts[line.verb].touch(place);
      return entry;
    });
    for (const { line, rules } of former.rest()) {
      for (const rule of rules) this.hosts[line.verb].remove(rule);
    }
    if (entries.length > 0) this.zones.set(zone, entries);
    else this.zones.delete(zone);
  }

  private enter(zone: Z, line: Line): Entry<Z> {
    return { line, rules: line.ports.map(range => this.hosts[line.verb].add(zone, line, range)) };
  }
}

function renumber(entry: Entry<Zone>, line: Line): void {
  entry.line = line;
  for (const rule of entry.rules) rule.line = line;
}

/** The entries that a zone had, each to be taken once. */
class Former<Z extends Zone> {
  /** The entry taken last comes before one that was taken earlier. */
  isOutOfOrder = false;
  private readonly entries: readonly Entry<Z>[];
  private readonly taken: Uint8Array;
  private readonly edited: Edited;
  private last = -1;

  constructor(entries: readonly Entry<Z>[], lines: readonly Line[]) {
    this.entries = entries;
    this.taken = new Uint8Array(entries.length);
    const before = entries.map(({ line }) => line.text);
    const now = lines.map(({ text }) => text);
    this.edited = new Edited(before, now, () => false);
  }

  /** That of the line at `index` of the new ones, if it had been there before. */
  take(index: number): Entry<Z> | undefined {
    const at = this.edited.find(index);
    if (at === undefined || this.taken[at] === 1) return undefined;
    this.taken[at] = 1;
    this.isOutOfOrder = at < this.last;
    this.last = Math.max(at, this.last);
    return this.entries[at];
  }

  rest(): Entry<Z>[] {
    return this.entries.filter((_, i) => this.taken[i] === 0);
  }
}

// ---- looking ----------------------------------------------------------------------------------

/** Rules are looked at by host alone: a name is looked up for no port. */
const ANY_PORT = -1;

/** One look through the places of a question; once a veto is found, the rest makes no difference. */
class Search<Z extends Zone> {
  private readonly hosts: Hosts<Z>;
  private readonly protocol: number;
  private readonly port: number;
  private readonly passes: (zone: Z) => boolean;
  private veto: Rule<Z> | undefined = undefined;
  /** Of the most specific rules that were found: their key, the first, and the first that is passed. */
  private key = -1;
  private best: Rule<Z> | undefined = undefined;
  private passed: Rule<Z> | undefined = undefined;

  constructor(hosts: Hosts<Z>, protocol: number, port: number, passes: (zone: Z) => boolean) {
    this.hosts = hosts;
    this.protocol = protocol;
    this.port = port;
    this.passes = passes;
  }

  place(place: Place<Z>): void {
    const { protocol, port } = this;
    const byHost = port === ANY_PORT;
    const rules = byHost ? place.rules : place.about(protocol, port, this.hosts);
    for (let i = 0; i < rules.length && this.veto === undefined; i++) {
      const rule = rules[i]!;
      if (!byHost && !isAbout(rule, protocol, port)) continue;
      if (isVeto(rule.zone)) this.veto = rule;
      else this.consider(rule, byHost ? rankOfKey(rule.key) : rule.key);
    }
  }

  private consider(rule: Rule<Z>, key: number): void {
    if (key < this.key || (key === this.key && this.passed !== undefined)) return;
    if (key > this.key) this.best = rule;
    this.key = key;
    this.passed = this.passes(rule.zone) ? rule : undefined;
  }

  /** The names themselves, then what is written for all that end as they do, the longest first. */
  names(hosts: Hosts<Z>, names: readonly string[]): void {
    for (let i = 0; i < names.length; i++) {
      const place = hosts.names.get(names[i]!);
      if (place !== undefined) this.place(place);
    }
    if (hosts.suffixes.size === 0) return;
    for (let i = 0; i < names.length; i++) this.suffixes(hosts, names[i]!);
  }

  private suffixes({ suffixes, lengths }: Hosts<Z>, name: string): void {
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      // Of a length beyond all there is no count at all.
      if (!lengths[name.length - dot - 1]) continue;
      const place = suffixes.get(name.slice(dot + 1));
      if (place !== undefined) this.place(place);
    }
  }

  /** A network and those around it. */
  network(innermost: Node<Place<Z>> | undefined): void {
    for (let node = innermost; node !== undefined; node = node.outer) this.place(node.value);
  }

  verdict(): Verdict<Z> {
    if (this.veto !== undefined) return vetoed(this.veto);
    const rule = this.passed ?? this.best;
    if (rule === undefined) return NONE;
    return { allowed: this.passed !== undefined, reason: 'line', zone: rule.zone, line: rule.line };
  }
}

// ---- verdicts ---------------------------------------------------------------------------------

const NONE = { allowed: false, reason: 'none' } as const;
const LOCALHOST = { allowed: true, reason: 'none' } as const;

const vetoed = <Z extends Zone>({ zone, line }: Rule<Z>): Verdict<Z> => ({
  allowed: false,
  reason: 'veto',
  zone,
  line,
});

/** A zone that nobody may pass refuses what its lines match, whoever asks. */
const isVeto = ({ permissions }: Zone): boolean => (permissions.mode & 0o111) === 0;

const isHostOf = ({ host }: Line, ip: Ip): boolean =>
  host.kind === 'any' || (host.kind === 'network' && inNetwork(ip, host));
