/**
 * Whether a line grants nothing new. Who does not own a zone may write into it only what he could pass
 * already; and a line does not only allow, it also overrides less specific ones that refuse.
 *
 * So a rule that he passes must match all that the line does, and no rule that he does not pass may
 * stand between the two: that one decides now, and would not any more.
 */
import { isLocalhost } from '../netfs/domain.ts';
import { FsError } from '../netfs/error.ts';
import { keyOf, protocolBits, rankOfKey, type Hosts, type Place, type Rule } from './hosts.ts';
import type { HostPattern, Line, PortRange, Verb } from './lines.ts';
import { meet } from './network.ts';
import type { Zone } from './rules.ts';

/** What somebody may do already. */
export interface Grants<Z extends Zone> {
  readonly hosts: Readonly<Record<Verb, Hosts<Z>>>;
  /** Whether he passes a zone, which is no veto. */
  readonly isPassed: (zone: Z) => boolean;
  /** The rules of all zones that he does not pass, vetoes among them. */
  readonly others: Iterable<Rule<Z>>;
  /** What may be put behind a name when it is looked for; undefined: anything. */
  readonly domains: readonly string[] | undefined;
}

/** Rules that are compared with the lines of one edit, before we give up; some 200 ms. */
const MOST_COMPARED = 16_000_000;

/** What may be done for one edit. */
export class Effort {
  private left = MOST_COMPARED;

  spend(rules: number): void {
    this.left -= rules;
    if (this.left >= 0) return;
    throw new FsError(
      'Eio',
      'too many lines of zones to compare these with; write fewer lines at a time, and fewer ports in a line',
    );
  }
}

/** Says no where it does not know. Eio where it would take too long. */
export function isCovered<Z extends Zone>(line: Line, grants: Grants<Z>, effort: Effort): boolean {
  if (line.verb === 'resolve') return lookupIsCovered(line.host, grants, effort);
  if (!line.ports.every(range => rangeIsCovered(line, range, grants, effort))) return false;
  return line.verb !== 'connect' || !isNamed(line.host) || lookupIsCovered(line.host, grants, effort);
}

function rangeIsCovered<Z extends Zone>(
  line: Line,
  range: PortRange,
  grants: Grants<Z>,
  effort: Effort,
): boolean {
  const key = keyOf(line, range);
  const protocols = protocolBits(line.protocol);
  const granted = mostSpecific(placesAround(grants.hosts[line.verb], line), grants, effort, rule => {
    const { low, high } = rule;
    const all = (rule.protocols & protocols) === protocols && low <= range.low && range.high <= high;
    return all ? rule.key : -1;
  });
  if (granted < 0 || granted === key) return granted === key;
  return !isAny(grants.others, effort, rule => {
    if (rule.line.verb !== line.verb || rule.key <= granted || rule.key > key) return false;
    const both = (rule.protocols & protocols) !== 0 && rule.low <= range.high && range.low <= rule.high;
    return both && mayMeet(rule.line.host, line.host, grants.domains);
  });
}

/** A line with a name lets it be looked up, too. */
function lookupIsCovered<Z extends Zone>(host: HostPattern, grants: Grants<Z>, effort: Effort): boolean {
  if (isNamed(host) && isLocalhost(textOf(host))) return true;
  const { connect, resolve } = grants.hosts;
  const places = [...placesOfNames(resolve, host), ...placesOfNames(connect, host), resolve.any];
  const granted = mostSpecific(places, grants, effort, rule => rankOfKey(rule.key));
  const rank = rankOfKey(keyOf({ host, protocol: '*' }, { low: 0, high: 0 }));
  if (granted < 0 || granted === rank) return granted === rank;
  return !isAny(grants.others, effort, ({ key, line }) => {
    if (line.verb !== 'resolve' && !(line.verb === 'connect' && isNamed(line.host))) return false;
    return rankOfKey(key) > granted && rankOfKey(key) <= rank && haveOneName(line.host, host);
  });
}

/** The greatest value that one of his rules in these places has; -1 where there is none. */
function mostSpecific<Z extends Zone>(
  places: Iterable<Place<Z>>,
  { isPassed }: Grants<Z>,
  effort: Effort,
  valueOf: (rule: Rule<Z>) => number,
): number {
  let most = -1;
  for (const { rules } of places) {
    effort.spend(rules.length);
    for (const rule of rules) if (isPassed(rule.zone)) most = Math.max(most, valueOf(rule));
  }
  return most;
}

function isAny<Z extends Zone>(
  rules: Iterable<Rule<Z>>,
  effort: Effort,
  is: (rule: Rule<Z>) => boolean,
): boolean {
  for (const rule of rules) {
    effort.spend(1);
    if (is(rule)) return true;
  }
  return false;
}

/** Where rules stand that match all hosts that the line's does. */
function* placesAround<Z extends Zone>(hosts: Hosts<Z>, { verb, host }: Line): Iterable<Place<Z>> {
  if (host.kind !== 'network') yield* placesOfNames(hosts, host);
  else {
    for (let node = hosts.around(host.ip); node !== undefined; node = node.outer) {
      if (node.network.prefix <= host.prefix) yield node.value;
    }
    // Only lines with addresses open special space to names, so `*` does not grant what they do.
    if (verb === 'connect') return;
  }
  yield hosts.any;
}

function* placesOfNames<Z extends Zone>(
  { names, suffixes }: Hosts<Z>,
  host: HostPattern,
): Iterable<Place<Z>> {
  if (!isNamed(host)) return;
  const text = textOf(host);
  const own = host.kind === 'name' ? names.get(text) : suffixes.get(text);
  if (own !== undefined) yield own;
  for (let dot = text.indexOf('.'); dot >= 0; dot = text.indexOf('.', dot + 1)) {
    const place = suffixes.get(text.slice(dot + 1));
    if (place !== undefined) yield place;
  }
}

// ---- hosts in common --------------------------------------------------------------------------

type Named = Extract<HostPattern, { kind: 'name' | 'suffix' }>;

const isNamed = (host: HostPattern): host is Named => host.kind === 'name' || host.kind === 'suffix';

const textOf = (host: Named): string => (host.kind === 'name' ? host.name : host.suffix);

/** Whether one dial may match both: names may have any address, and a name may be found under two. */
function mayMeet(a: HostPattern, b: HostPattern, domains: readonly string[] | undefined): boolean {
  if (a.kind === 'network' && b.kind === 'network') return meet(a, b);
  if (!isNamed(a) || !isNamed(b)) return true;
  if (haveOneName(a, b)) return true;
  if (domains === undefined) return isLonger(a, b) || isLonger(b, a);
  return domains.some(domain => haveOneName(within(domain, a), b) || haveOneName(a, within(domain, b)));
}

/** Whether something can be put behind a name of `a`, so that it is one of `b`. */
function isLonger(a: Named, b: Named): boolean {
  return b.kind === 'suffix' || a.kind === 'suffix' || b.name.startsWith(`${a.name}.`);
}

/** The same names, with the domain behind each. */
const within = (domain: string, host: Named): Named =>
  host.kind === 'name'
    ? { kind: 'name', name: `${host.name}.${domain}` }
    : { kind: 'suffix', suffix: `${host.suffix}.${domain}` };

/** Whether a name is one of both. */
function haveOneName(a: HostPattern, b: HostPattern): boolean {
  if (!isNamed(a) || !isNamed(b)) return a.kind === 'any' || b.kind === 'any';
  const [x, y] = [textOf(a), textOf(b)];
  if (a.kind === 'name' && b.kind === 'name') return x === y;
  const xBelow = x.endsWith(`.${y}`);
  const yBelow = y.endsWith(`.${x}`);
  if (a.kind === 'name') return xBelow;
  return b.kind === 'name' ? yBelow : xBelow || yBelow || x === y;
}
