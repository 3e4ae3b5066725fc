/**
 * The one gate of a /net to the network: whatever dials, announces, accepts or looks up passes here. It asks
 * the zones, remembers who went through, turns out those whom a change of the zones would not let through
 * any more, and writes it all into the log.
 */
import { formatEndpoint, formatIp, isUnspecified, sameIp, type Ip } from './address.ts';
import { FsError } from './error.ts';
import type { Given } from './given.ts';
import type { Journal } from './log.ts';
import { lacking, refusal, type Lacking, type Wanted } from './refusal.ts';
import type { ZoneFile } from './zone.ts';
import type { Caller } from '../policy/identity.ts';
import type { Judge, Naming, Purpose, Ruling } from '../policy/judge.ts';
import type { Question } from '../policy/rules.ts';
import { isSpecial } from '../policy/special.ts';

export interface GateOptions {
  readonly judge: Judge<ZoneFile>;
  readonly given: Given;
  readonly journal: Journal;
  /** The gate of the /net around this one. */
  readonly above: Gate | undefined;
  /** This machine's own addresses, by which others know it. */
  ownAddresses(): readonly Ip[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Where programs find the tree, and what groups are called, for sentences. */
  readonly netdir: string;
  groupName(gid: number): string;
}

/** What somebody wants to do. `port` of accept is the local one. */
export interface Attempt extends Partial<Naming> {
  readonly verb: Question['verb'];
  readonly protocol: string;
  readonly ip: Ip;
  readonly port: number;
  /** As he wrote it: `tcp!github.com!443` */
  readonly dest: string;
}

/** Whether it is written into the log. */
export type Saying = 'all' | 'refusals' | 'nothing';

/** What is written into the log of it. */
export interface Happening {
  readonly caller: Caller;
  readonly verb: string;
  /** `tcp/3` */
  readonly conv?: string | undefined;
  readonly dest: string;
  readonly addr?: string | undefined;
  readonly verdict?: 'allowed' | 'refused';
  readonly zone?: string | undefined;
  /** Bytes. */
  readonly received?: number;
  readonly sent?: number;
  readonly ms?: number;
  readonly reason?: string | undefined;
}

/** Who went through: a conversation. */
export interface Holder {
  /** `tcp/3` */
  readonly place: string;
  /** Ends at once what was allowed. */
  revoke(error: FsError): void;
}

export class Gate {
  readonly given: Given;
  readonly judge: Judge<ZoneFile>;
  /** Changes whenever what was decided may be decided otherwise now. */
  epoch = 0;
  private closed = false;
  private readonly options: GateOptions;
  private readonly passes = new Set<Pass>();
  private readonly below = new Set<Gate>();

  constructor(options: GateOptions) {
    this.options = options;
    this.given = options.given;
    this.judge = options.judge;
    options.above?.below.add(this);
  }

  get now(): number {
    return this.options.now();
  }

  /** Lets one through, or throws Eperm with the reason; to be asked right before the socket. */
  admit(attempt: Attempt, caller: Caller, holder: Holder): Pass {
    const { ruling, question } = this.rule(attempt, caller, 'to do it');
    if (!ruling.verdict.allowed) throw this.refused(ruling, attempt, caller, holder.place);
    this.write({
      caller,
      verb: attempt.verb,
      conv: holder.place,
      dest: attempt.dest,
      addr: formatEndpoint(attempt),
      verdict: 'allowed',
      zone: ruling.verdict.zone?.name,
    });
    // The server's owner passes in its own /net whatever his groups are.
    if (!this.judge.authority.isOwner(caller)) tellGroups(caller);
    const pass = new Pass(this, attempt, { caller, question, holder });
    this.passes.add(pass);
    return pass;
  }

  /** Eperm where one would not be let through, which is written into the log; nothing of it stands. */
  demand(attempt: Attempt, caller: Caller, place: string): void {
    const { ruling } = this.rule(attempt, caller, 'to do it');
    if (!ruling.verdict.allowed) throw this.refused(ruling, attempt, caller, place);
  }

  /** The same as an answer. */
  lets(attempt: Attempt, caller: Caller, place: string): boolean {
    const { ruling } = this.rule(attempt, caller, 'to do it');
    if (!ruling.verdict.allowed) this.refused(ruling, attempt, caller, place);
    return ruling.verdict.allowed;
  }

  /** What would be decided, and nothing else. */
  rule(
    attempt: Attempt,
    caller: Caller,
    why: Purpose = 'to know',
  ): { ruling: Ruling<ZoneFile>; question: Question } {
    this.mustBeOpen();
    const { verb, protocol, names = [], trusted = false, ip, port } = attempt;
    const given = names.length === 0 && verb === 'connect' ? this.given.namings(caller, ip) : [];
    const special = (names.length > 0 || given.length > 0) && this.isSpecial(ip);
    const question = { verb, protocol, names, trusted, ip, port, special };
    if (given.length > 0) return this.judge.decideAny(question, given, caller, why);
    return { ruling: this.judge.decide(question, caller, why), question };
  }

  private isSpecial(ip: Ip): boolean {
    return isSpecial(ip) || this.options.ownAddresses().some(own => sameIp(own, ip));
  }

  /** Eperm for who may not look up any of these names, which are names of one host. */
  resolve(names: readonly string[], caller: Caller, say: Saying = 'all'): void {
    const ruling = this.ruleNames(names, caller, say === 'all' ? 'to do it' : 'to know');
    const what = { verb: 'resolve', dest: names[0]!, line: `resolve ${names[0]}` };
    const { allowed, zone } = ruling.verdict;
    if (!allowed && say === 'nothing')
      throw new FsError('Eperm', this.sentence(ruling, what, caller, caller));
    if (!allowed) throw this.refused(ruling, what, caller);
    if (say === 'all')
      this.write({ caller, verb: 'resolve', dest: what.dest, verdict: 'allowed', zone: zone?.name });
  }

  mayResolve(names: readonly string[], caller: Caller): boolean {
    return this.ruleNames(names, caller).verdict.allowed;
  }

  ruleNames(names: readonly string[], caller: Caller, why: Purpose = 'to know'): Ruling<ZoneFile> {
    this.mustBeOpen();
    return this.judge.resolves(names, caller, why);
  }

  private mustBeOpen(): void {
    if (this.closed) throw new FsError('Ehungup', 'the view has ended');
  }

  private refused(ruling: Ruling<ZoneFile>, what: Attempt | Wanted, caller: Caller, conv?: string): FsError {
    const want = 'line' in what ? what : wanted(what);
    const { verb, dest, addr } = want;
    const reason = this.sentence(ruling, want, caller, caller);
    const zone = ruling.verdict.zone?.name;
    this.write({ caller, verb, conv, dest, addr, verdict: 'refused', zone, reason });
    return new FsError('Eperm', reason);
  }

  /** Why not, for `reader`: he is shown what he may see. */
  sentence(ruling: Ruling<ZoneFile>, what: Wanted, caller: Caller, reader: Caller): string {
    const { netdir, groupName } = this.options;
    return refusal(ruling, what, { caller, reader, judge: this.judge, netdir, groupName });
  }

  /** What he needs to use a file of this /net that he may not use. */
  needs(file: Lacking, caller: Caller): string {
    const { netdir, groupName } = this.options;
    return lacking(file, { caller, judge: this.judge, netdir, groupName });
  }

  who({ name, pid }: Caller): { user: string; pid: number | undefined } {
    return { user: name, pid };
  }

  write(what: Happening): void {
    // Written out: to spread one object into another takes longer than all the rest of a line.
    this.options.journal.write({
      user: what.caller.name,
      pid: what.caller.pid,
      verb: what.verb,
      conv: what.conv,
      dest: what.dest,
      addr: what.addr,
      verdict: what.verdict,
      zone: what.zone,
      in: what.received,
      out: what.sent,
      ms: what.ms,
      reason: what.reason,
    });
  }

  // ---- when the rules change ----------------------------------------------------------------------

  /** Turns out whoever would not be let through now, here and in the views within. */
  reconsider(): void {
    const out = this.turnOut();
    // To write it down takes as long as to do it: first all are turned out, and who changed the rules is
    // answered. Nothing else comes in between.
    if (out.length > 0) queueMicrotask(() => out.forEach(pass => pass.tell()));
  }

  private turnOut(out: Pass[] = []): readonly Pass[] {
    this.epoch++;
    for (const pass of this.passes) if (pass.reconsider()) out.push(pass);
    for (const gate of this.below) gate.turnOut(out);
    return out;
  }

  leave(pass: Pass): void {
    this.passes.delete(pass);
  }

  /** Nobody comes through any more, and who is through is turned out. */
  close(why: string): void {
    this.closed = true;
    this.epoch++;
    this.options.above?.below.delete(this);
    const out: Pass[] = [];
    for (const pass of this.passes) {
      pass.revoke(new FsError('Ehungup', why));
      out.push(pass);
    }
    for (const pass of out) pass.tell();
  }
}

/** Who is gone later cannot tell them any more. */
const tellGroups = (caller: Caller): void => void caller.groups;

/** What an attempt is called, and the line that would allow it. */
export function wanted({ verb, protocol, ip, port, dest, names }: Attempt): Wanted {
  // Every address of the host is called * in lines.
  const host = names?.[0] ?? (isUnspecified(ip) ? '*' : formatIp(ip));
  const line = `${verb} ${protocol}!${host}!${port === 0 ? '*' : port}`;
  return {
    verb,
    dest,
    line,
    addr: formatEndpoint({ ip, port }),
    addressLine: `${verb} ${protocol}!${formatIp(ip)}!${port}`,
  };
}

/** That somebody was let through, until he is done. */
export class Pass {
  /** Why it does not hold any more. */
  revoked: FsError | undefined;
  /** Which zone it was that decided so. */
  private zone: string | undefined;
  private readonly gate: Gate;
  private readonly attempt: Attempt;
  private readonly given: { readonly caller: Caller; readonly question: Question; readonly holder: Holder };
  private readonly since: number;
  private over = false;

  constructor(gate: Gate, attempt: Attempt, given: Pass['given']) {
    this.gate = gate;
    this.attempt = attempt;
    this.given = given;
    this.since = gate.now;
  }

  /** Throws why it was revoked, if it was. */
  check(): void {
    if (this.revoked !== undefined) throw this.revoked;
  }

  /** Whether he was turned out. */
  reconsider(): boolean {
    const { caller, question } = this.given;
    const ruling = this.gate.judge.decide(question, caller);
    if (ruling.verdict.allowed) return false;
    const reason = this.gate.sentence(ruling, wanted(this.attempt), caller, caller);
    this.revoke(new FsError('Eperm', reason), ruling.verdict.zone?.name);
    return true;
  }

  revoke(error: FsError, zone?: string): void {
    this.revoked = error;
    this.zone = zone;
    this.gate.leave(this);
    this.given.holder.revoke(error);
  }

  /** Writes down that it was revoked. */
  tell(): void {
    const { caller, holder } = this.given;
    this.gate.write({
      caller,
      verb: 'hangup',
      conv: holder.place,
      dest: this.attempt.dest,
      addr: formatEndpoint(this.attempt),
      verdict: 'refused',
      zone: this.zone,
      reason: this.revoked!.detail,
    });
  }

  /** It is asked again each time, and nothing of it stands. */
  forget(): void {
    this.over = true;
    this.gate.leave(this);
  }

  /** He is done; bytes in each direction, and what ended it if nothing was ever begun. */
  end(received: number, sent: number, failure?: string): void {
    this.close(received, sent, failure);
    this.gate.leave(this);
  }

  /** The same of who has left something that is still on its way, and ends when that is there: it can be revoked. */
  close(received: number, sent: number, failure?: string): void {
    if (this.over) return;
    this.over = true;
    const { caller, holder } = this.given;
    this.gate.write({
      caller,
      verb: 'close',
      conv: holder.place,
      dest: this.attempt.dest,
      addr: formatEndpoint(this.attempt),
      received,
      sent,
      ms: Math.max(this.gate.now - this.since, 0),
      reason: failure,
    });
  }
}
