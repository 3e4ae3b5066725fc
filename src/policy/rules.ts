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
import { isCovered } from './covering.ts';
import { byName, Hosts, isAbout, protocolBits, rankOfKey, type Place, type Rule } from './hosts.ts';
import type { Line, Verb } from './lines.ts';
import { inNetwork } from './network.ts';
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

/** What was found of one question so far. */
interface Found<Z extends Zone> {
  /** The key of the most specific rules. */
  key: number;
  best: Rule<Z> | undefined;
  /** The first of these whose zone the caller passes. */
  passed: Rule<Z> | undefined;
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
    const found: Found<Z> = { key: -1, best: undefined, passed: undefined };
    const protocol = protocolBits(q.protocol);
    const look = (place: Place<Z>): Rule<Z> | undefined =>
      lookAt(place.about(protocol, q.port, hosts), protocol, q.port, passes, found);
    const veto =
      (networksOnly ? undefined : lookAtNames(hosts, q.names, look)) ??
      lookAtNetworks(hosts, q.verb, ip, look) ??
      (networksOnly ? undefined : look(hosts.any));
    return veto === undefined ? verdictOf(found) : vetoed(veto);
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
    const found: Found<Z> = { key: -1, best: undefined, passed: undefined };
    const look = ({ rules }: Place<Z>): Rule<Z> | undefined => lookAtHosts(rules, passes, found);
    const veto =
      lookAtNames(resolve, [name], look) ?? lookAtNames(connect, [name], look) ?? look(resolve.any);
    if (veto !== undefined) return vetoed(veto);
    return isLocalhost(name) ? LOCALHOST : verdictOf(found);
  }

  /**
   * Whether nobody who passes `passes` could do more if this line stood in a zone that he passes. It says
   * no where it does not know. `domains` are those that are searched for names: a name may be found as
   * itself with one of them behind it; where they are not told, with anything.
   * Eio where there is too much to compare.
   */
  covers(line: Line, passes: (zone: Z) => boolean, domains?: readonly string[]): boolean {
    this.settle();
    const isPassed = (zone: Z): boolean => !isVeto(zone) && passes(zone);
    return isCovered(line, { hosts: this.hosts, isPassed, others: this.rulesBut(isPassed), domains });
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
    const former = new Former(this.zones.get(zone) ?? []);
    const entries = lines.map(line => {
      const entry = former.take(line.text);
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
  private next = 0;
  private last = -1;
  private byText: Map<string, number> | undefined;

  constructor(entries: readonly Entry<Z>[]) {
    this.entries = entries;
    this.taken = new Uint8Array(entries.length);
  }

  take(text: string): Entry<Z> | undefined {
    const at = this.entries[this.next]?.line.text === text ? this.next : this.indexOf(text);
    if (at === undefined || this.taken[at] === 1) return undefined;
    this.taken[at] = 1;
    this.isOutOfOrder = at < this.last;
    this.last = Math.max(at, this.last);
    this.next = at + 1;
    return this.entries[at];
  }

  private indexOf(text: string): number | undefined {
    if (this.entries.length === 0) return undefined;
    this.byText ??= new Map(this.entries.map(({ line }, i) => [line.text, i]));
    return this.byText.get(text);
  }

  rest(): Entry<Z>[] {
    return this.entries.filter((_, i) => this.taken[i] === 0);
  }
}

// ---- looking ----------------------------------------------------------------------------------

type Look<Z extends Zone> = (place: Place<Z>) => Rule<Z> | undefined;

/** Goes through rules, the most specific first, and says which vetoes. */
function lookAt<Z extends Zone>(
  rules: readonly Rule<Z>[],
  protocol: number,
  port: number,
  passes: (zone: Z) => boolean,
  found: Found<Z>,
): Rule<Z> | undefined {
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i]!;
    if (!isAbout(rule, protocol, port)) continue;
    if (isVeto(rule.zone)) return rule;
    consider(rule, rule.key, passes, found);
  }
  return undefined;
}

/** The same by host alone: which ports and protocols they are for makes no difference. */
function lookAtHosts<Z extends Zone>(
  rules: readonly Rule<Z>[],
  passes: (zone: Z) => boolean,
  found: Found<Z>,
): Rule<Z> | undefined {
  for (const rule of rules) {
    if (isVeto(rule.zone)) return rule;
    consider(rule, rankOfKey(rule.key), passes, found);
  }
  return undefined;
}

function consider<Z extends Zone>(
  rule: Rule<Z>,
  key: number,
  passes: (zone: Z) => boolean,
  found: Found<Z>,
): void {
  if (key < found.key || (key === found.key && found.passed !== undefined)) return;
  const passed = passes(rule.zone) ? rule : undefined;
  if (key > found.key) found.best = rule;
  found.key = key;
  found.passed = passed;
}

/** The names themselves, then what is written for names that end as they do, the longest first. */
function lookAtNames<Z extends Zone>(
  { names, suffixes }: Hosts<Z>,
  asked: readonly string[],
  look: Look<Z>,
): Rule<Z> | undefined {
  for (const name of asked) {
    const place = names.get(name);
    const veto = place && look(place);
    if (veto !== undefined) return veto;
  }
  if (suffixes.size === 0) return undefined;
  for (const name of asked) {
    for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
      const place = suffixes.get(name.slice(dot + 1));
      const veto = place && look(place);
      if (veto !== undefined) return veto;
    }
  }
  return undefined;
}

/** The networks around an address, the longest prefix first. */
function lookAtNetworks<Z extends Zone>(
  hosts: Hosts<Z>,
  verb: Verb,
  ip: Ip,
  look: Look<Z>,
): Rule<Z> | undefined {
  const whole = verb === 'announce' && isUnspecified(ip);
  // Every IPv4 address is what 0.0.0.0/0 says; :: is those of IPv4, too, which no network has.
  let node = whole
    ? ip.family === 4
      ? hosts.networks(4).get({ ip, prefix: 0 })
      : undefined
    : hosts.around(ip);
  for (; node !== undefined; node = node.outer) {
    const veto = look(node.value);
    if (veto !== undefined) return veto;
  }
  return undefined;
}

// ---- verdicts ---------------------------------------------------------------------------------

const NONE = { allowed: false, reason: 'none' } as const;
const LOCALHOST = { allowed: true, reason: 'none' } as const;

function verdictOf<Z extends Zone>({ best, passed }: Found<Z>): Verdict<Z> {
  const rule = passed ?? best;
  if (rule === undefined) return NONE;
  return { allowed: passed !== undefined, reason: 'line', zone: rule.zone, line: rule.line };
}

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
