/**
 * The decision. Among the lines of all zones that match, the most specific one decides: by its host
 * (name, then the longest `*.name`, then the longest network, then `*`), then by the narrower ports, then
 * a named protocol before `*`. Of equals one zone that lets the caller pass is enough. No line: no.
 *
 * A zone without any x bit is a veto: whatever one of its lines matches is refused, before all else. An
 * IPv6 address that leads to an IPv4 one (NAT64, 6to4) must be allowed as both.
 */
import { isUnspecified, type Ip } from '../netfs/address.ts';
import type { HostPattern, Line } from './lines.ts';
import { inNetwork } from './network.ts';
import type { Permissions } from './permissions.ts';
import { embedded } from './special.ts';

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

/** For now one line after the other. */
export class Rules<Z extends Zone = Zone> {
  private readonly zones = new Map<Z, readonly Line[]>();

  set(zone: Z, lines: readonly Line[]): void {
    this.zones.set(zone, lines);
  }

  delete(zone: Z): void {
    this.zones.delete(zone);
  }

  linesOf(zone: Z): readonly Line[] {
    return this.zones.get(zone) ?? [];
  }

  decide(q: Question, passes: (zone: Z) => boolean): Verdict<Z> {
    const inside = embedded(q.ip);
    const forms = inside === undefined ? [q.ip] : [q.ip, inside];
    const mark = (ip: Ip): { inside?: Ip } => (ip === q.ip ? {} : { inside: ip });
    for (const ip of forms) {
      for (const { zone, line, low, high } of this.rules()) {
        if (!isVeto(zone) || line.verb !== q.verb) continue;
        if (line.protocol !== '*' && line.protocol !== q.protocol) continue;
        const port = (q.verb === 'announce' && q.port === 0) || (low <= q.port && q.port <= high);
        const whole = q.verb === 'announce' && isUnspecified(ip);
        if (port && (whole || rank(line.host, q, ip) >= 0))
          return { allowed: false, reason: 'veto', zone, line, ...mark(ip) };
      }
    }
    let first: Verdict<Z> | undefined;
    for (const ip of forms) {
      const verdict = this.judge(q, ip, passes);
      if (!verdict.allowed) return { ...verdict, ...mark(ip) };
      first ??= verdict;
    }
    return first!;
  }

  private judge(q: Question, ip: Ip, passes: (zone: Z) => boolean): Verdict<Z> {
    const verdict = this.best(q, ip, passes, false);
    if (!verdict.allowed || q.names.length === 0 || q.trusted || !q.special) return verdict;
    const byAddress = this.best(q, ip, passes, true);
    return byAddress.allowed ? verdict : { ...byAddress, reason: 'rebinding' };
  }

  private best(q: Question, ip: Ip, passes: (zone: Z) => boolean, networks: boolean): Verdict<Z> {
    let best = -1;
    let verdict: Verdict<Z> = { allowed: false, reason: 'none' };
    for (const { zone, line, low, high } of this.rules()) {
      if (isVeto(zone) || line.verb !== q.verb || (networks && line.host.kind !== 'network')) continue;
      if (line.protocol !== '*' && line.protocol !== q.protocol) continue;
      if (q.port < low || q.port > high) continue;
      const host = rank(line.host, q, ip);
      if (host < 0) continue;
      const key = (host * 65536 + 65535 - (high - low)) * 2 + (line.protocol === '*' ? 0 : 1);
      if (key > best || (key === best && !verdict.allowed && passes(zone))) {
        verdict = { allowed: passes(zone), reason: 'line', zone, line };
        best = key;
      }
    }
    return verdict;
  }

  private *rules(): Iterable<{ zone: Z; line: Line; low: number; high: number }> {
    for (const [zone, lines] of this.zones)
      for (const line of lines) for (const { low, high } of line.ports) yield { zone, line, low, high };
  }

  resolves(names: readonly string[], passes: (zone: Z) => boolean): Verdict<Z> {
    let answer: Verdict<Z> = { allowed: false, reason: 'none' };
    for (const name of names) {
      let best = -1;
      let verdict: Verdict<Z> = { allowed: false, reason: 'none' };
      for (const { zone, line } of this.rules()) {
        const names = line.verb === 'resolve' || (line.verb === 'connect' && line.host.kind !== 'any');
        if (!names || line.host.kind === 'network') continue;
        const host = rankOfName(line.host, [name]);
        if (host < 0) continue;
        if (isVeto(zone)) return { allowed: false, reason: 'veto', zone, line };
        if (host > best || (host === best && !verdict.allowed && passes(zone))) {
          verdict = { allowed: passes(zone), reason: 'line', zone, line };
          best = host;
        }
      }
      if (/(^|\.)localhost$/.test(name)) verdict = { allowed: true, reason: 'none' };
      if (!answer.allowed && (verdict.allowed || verdict.reason === 'line')) answer = verdict;
    }
    return answer;
  }

  /** For now: only what is granted by the very same line of a zone without which nothing changes. */
  covers(line: Line, passes: (zone: Z) => boolean): boolean {
    for (const [zone, lines] of this.zones) {
      if (!isVeto(zone) && passes(zone) && lines.some(each => each.text === line.text)) return true;
    }
    return false;
  }
}

const isVeto = (zone: Zone): boolean => (zone.permissions.mode & 0o111) === 0;

function rankOfName(host: HostPattern, names: readonly string[]): number {
  if (host.kind === 'any') return 0;
  if (host.kind === 'name') return names.includes(host.name) ? 1000 : -1;
  if (host.kind === 'network') return -1;
  return names.some(name => name.endsWith(`.${host.suffix}`)) ? 200 + host.suffix.length : -1;
}

function rank(host: HostPattern, q: Question, ip: Ip): number {
  if (host.kind !== 'network') return rankOfName(host, q.names);
  if (q.verb === 'announce' && isUnspecified(ip)) {
    return ip.family === 4 && host.ip.family === 4 && host.prefix === 0 ? 1 : -1;
  }
  return inNetwork(ip, host) ? 1 + host.prefix : -1;
}
