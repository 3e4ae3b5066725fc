/**
 * The decision as the rule says it, one line after the other and with nothing made ready: slow, and plain
 * enough to be believed. It shares no code with what it checks.
 */
import type { Ip } from '../../src/netfs/address.ts';
import type { Line, PortRange } from '../../src/policy/lines.ts';
import type { Question, Reason, Zone } from '../../src/policy/rules.ts';

export interface Answer {
  readonly allowed: boolean;
  readonly reason: Reason;
  /** Any of these lines may be named as the one that decided. */
  readonly by: readonly { readonly zone: Zone; readonly line: Line }[];
  readonly inside: boolean;
}

/** A line with one of its ranges. */
interface Rule {
  readonly zone: Zone;
  readonly line: Line;
  readonly range: PortRange;
}

export type Zones = ReadonlyMap<Zone, readonly Line[]>;

const isVeto = (zone: Zone): boolean => (zone.permissions.mode & 0o111) === 0;

function rulesOf(zones: Zones): Rule[] {
  return [...zones].flatMap(([zone, lines]) =>
    lines.flatMap(line => line.ports.map(range => ({ zone, line, range }))),
  );
}

const numberOf = (ip: Ip): bigint => BigInt(`0x${Buffer.from(ip.bytes).toString('hex')}`);

function isInside(ip: Ip, network: Ip, prefix: number): boolean {
  const shift = BigInt((ip.family === 4 ? 32 : 128) - prefix);
  return ip.family === network.family && numberOf(ip) >> shift === numberOf(network) >> shift;
}

function inner(ip: Ip): Ip | undefined {
  const text = Buffer.from(ip.bytes).toString('hex');
  const found = /^0064ff9b0{16}(.{8})$/.exec(text) ?? /^2002(.{8})/.exec(text);
  return ip.family === 6 && found !== null ? { family: 4, bytes: Buffer.from(found[1]!, 'hex') } : undefined;
}

const nameMatches = (line: Line, name: string): boolean =>
  (line.host.kind === 'name' && line.host.name === name) ||
  (line.host.kind === 'suffix' && name.endsWith(`.${line.host.suffix}`));

const isWhole = (q: Question, ip: Ip): boolean => q.verb === 'announce' && numberOf(ip) === 0n;

function hostMatches({ host }: Line, q: Question, ip: Ip): boolean {
  if (host.kind === 'any') return true;
  if (host.kind !== 'network') return q.names.some(name => nameMatches({ host } as Line, name));
  if (isWhole(q, ip)) return ip.family === 4 && host.ip.family === 4 && host.prefix === 0;
  return isInside(ip, host.ip, host.prefix);
}

function concerns({ line }: Rule, q: Question): boolean {
  return line.verb === q.verb && (line.protocol === '*' || line.protocol === q.protocol);
}

function matches(rule: Rule, q: Question, ip: Ip): boolean {
  const { line, range } = rule;
  return concerns(rule, q) && range.low <= q.port && q.port <= range.high && hostMatches(line, q, ip);
}

function vetoes(rule: Rule, q: Question, ip: Ip): boolean {
  if (!isVeto(rule.zone) || !concerns(rule, q)) return false;
  const anyPort = q.verb === 'announce' && q.port === 0;
  const port = anyPort || (rule.range.low <= q.port && q.port <= rule.range.high);
  return port && (isWhole(q, ip) || hostMatches(rule.line, q, ip));
}

/** Greater is more specific, compared one after the other. */
function hostOrder({ host }: Line): number[] {
  if (host.kind === 'name') return [3, 0];
  if (host.kind === 'suffix') return [2, host.suffix.length];
  return host.kind === 'network' ? [1, host.prefix] : [0, 0];
}

const order = ({ line, range }: Rule): number[] => [
  ...hostOrder(line),
  range.low - range.high,
  line.protocol === '*' ? 0 : 1,
];

export function compareOrders(a: number[], b: number[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : a[at]! - b[at]!;
}

function mostSpecific(rules: readonly Rule[], by: (rule: Rule) => number[]): Rule[] {
  return rules.filter(rule => rules.every(other => compareOrders(by(rule), by(other)) >= 0));
}

function judge(
  rules: readonly Rule[],
  passes: (zone: Zone) => boolean,
  by: (rule: Rule) => number[],
): Answer {
  const top = mostSpecific(rules, by);
  if (top.length === 0) return { allowed: false, reason: 'none', by: [], inside: false };
  const passed = top.filter(({ zone }) => passes(zone));
  const allowed = passed.length > 0;
  return { allowed, reason: 'line', by: allowed ? passed : top, inside: false };
}

function judgeAddress(rules: Rule[], q: Question, ip: Ip, passes: (zone: Zone) => boolean): Answer {
  const matching = rules.filter(rule => !isVeto(rule.zone) && matches(rule, q, ip));
  const answer = judge(matching, passes, order);
  if (!answer.allowed || q.names.length === 0 || q.trusted || !q.special) return answer;
  const networks = matching.filter(({ line }) => line.host.kind === 'network');
  const byAddress = judge(networks, passes, order);
  return byAddress.allowed ? answer : { ...byAddress, reason: 'rebinding' };
}

/** `q.special` is of both addresses: an embedding of special space is special itself. */
export function decide(zones: Zones, q: Question, passes: (zone: Zone) => boolean): Answer {
  const rules = rulesOf(zones);
  const embedded = inner(q.ip);
  const forms = embedded === undefined ? [q.ip] : [q.ip, embedded];
  for (const [i, ip] of forms.entries()) {
    const refusing = rules.filter(rule => vetoes(rule, q, ip));
    if (refusing.length > 0) return { allowed: false, reason: 'veto', by: refusing, inside: i > 0 };
  }
  const answers = forms.map((ip, i) => ({ ...judgeAddress(rules, q, ip, passes), inside: i > 0 }));
  return answers.find(({ allowed }) => !allowed) ?? answers[0]!;
}

function allowsLookup({ line }: Rule, name: string): boolean {
  if (line.verb === 'resolve') return line.host.kind === 'any' || nameMatches(line, name);
  return line.verb === 'connect' && nameMatches(line, name);
}

export function resolves(zones: Zones, names: readonly string[], passes: (zone: Zone) => boolean): Answer {
  const rules = rulesOf(zones);
  const refusing = rules.filter(rule => isVeto(rule.zone) && names.some(name => allowsLookup(rule, name)));
  if (refusing.length > 0) return { allowed: false, reason: 'veto', by: refusing, inside: false };
  const answers = names.map(name => {
    if (name === 'localhost' || name.endsWith('.localhost')) {
      return { allowed: true, reason: 'none' as const, by: [], inside: false };
    }
    const matching = rules.filter(rule => !isVeto(rule.zone) && allowsLookup(rule, name));
    return judge(matching, passes, ({ line }) => hostOrder(line));
  });
  const none = { allowed: false, reason: 'none' as const, by: [], inside: false };
  return answers.find(({ allowed }) => allowed) ?? answers.find(({ reason }) => reason === 'line') ?? none;
}
