/**
 * What the zones say of a destination: those of a /net, and where it is a view, those of every /net around
 * it, of whoever made the view.
 */
import type { Caller } from './identity.ts';
import { Effort } from './covering.ts';
import type { Learner } from './learner.ts';
import type { Line } from './lines.ts';
import type { Authority } from './permissions.ts';
import { Rules, type Question, type Verdict, type Zone } from './rules.ts';

/** A decision, which judge has the last word in it, and as whom it judged. */
export interface Ruling<Z extends Zone> {
  readonly verdict: Verdict<Z>;
  readonly judge: Judge<Z>;
  readonly caller: Caller;
}

/** Names by which somebody was given an address. */
export interface Naming {
  readonly names: readonly string[];
  /** This machine's own files say so. */
  readonly trusted: boolean;
}

/** What nobody is about to do is not written down by who learns. */
export type Purpose = 'to do it' | 'to know';

const BY_NUMBER: readonly Naming[] = [{ names: [], trusted: true }];

export class Judge<Z extends Zone> {
  readonly rules = new Rules<Z>();
  readonly authority: Authority;
  readonly above: { readonly judge: Judge<Z>; readonly maker: Caller } | undefined;
  /** Where it is: `view/3`, and of the server's own /net nothing. */
  readonly place: string;
  /** Writes down what is asked; `allows` whatever it is, as far as those above do. */
  learning: { readonly learner: Learner; readonly allows: boolean } | undefined;

  constructor(authority: Authority, place = '', above?: Judge<Z>['above']) {
    this.authority = authority;
    this.place = place;
    this.above = above;
  }

  /** Whether he may go to the destinations of a zone. */
  passes(caller: Caller, zone: Z): boolean {
    return this.authority.passes(caller, zone.permissions);
  }

  decide(question: Question, caller: Caller, why: Purpose = 'to do it'): Ruling<Z> {
    const verdict = this.learned(
      this.rules.decide(question, zone => this.passes(caller, zone)),
      why,
      learner => learner.asked(question),
    );
    return this.withAbove(verdict, caller, above => above.judge.decide(question, above.maker, why));
  }

  /**
   * The same of what is dialled by its number: it is judged as the names by which the caller was given it,
   * if he was, and one that is allowed is enough. The question that decided comes with it.
   */
  decideAny(
    question: Question,
    namings: readonly Naming[],
    caller: Caller,
    why: Purpose = 'to do it',
  ): { readonly ruling: Ruling<Z>; readonly question: Question } {
    let first: { ruling: Ruling<Z>; question: Question } | undefined;
    for (const naming of namings.length > 0 ? namings : BY_NUMBER) {
      const asked = { ...question, ...naming };
      const outcome = { ruling: this.decide(asked, caller, why), question: asked };
      if (outcome.ruling.verdict.allowed) return outcome;
      first ??= outcome;
    }
    return first!;
  }

  /** Whether names may be looked up: one that may is enough. */
  resolves(names: readonly string[], caller: Caller, why: Purpose = 'to do it'): Ruling<Z> {
    const verdict = this.learned(
      this.rules.resolves(names, zone => this.passes(caller, zone)),
      why,
      learner => learner.lookedUp(names[0]!),
    );
    return this.withAbove(verdict, caller, above => above.judge.resolves(names, above.maker, why));
  }

  /** While it learns nothing is refused here but what is forbidden to everybody. */
  private learned(verdict: Verdict<Z>, why: Purpose, note: (learner: Learner) => void): Verdict<Z> {
    if (this.learning === undefined) return verdict;
    if (why === 'to do it') note(this.learning.learner);
    if (verdict.allowed || !this.learning.allows || verdict.reason === 'veto') return verdict;
    return { allowed: true, reason: 'line' };
  }

  private withAbove(
    verdict: Verdict<Z>,
    caller: Caller,
    ask: (above: NonNullable<Judge<Z>['above']>) => Ruling<Z>,
  ): Ruling<Z> {
    const own = { verdict, judge: this, caller };
    if (!verdict.allowed || this.above === undefined) return own;
    const theirs = ask(this.above);
    return theirs.verdict.allowed ? own : theirs;
  }

  /** The first of these that he could not write without giving somebody more than he has. Errors as of Rules.covers. */
  firstNew(lines: readonly Line[], caller: Caller): Line | undefined {
    const effort = new Effort();
    const passes = (zone: Z): boolean => this.passes(caller, zone);
    return lines.find(line => !this.rules.covers(line, passes, undefined, effort));
  }
}
