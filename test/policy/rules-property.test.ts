/** The fast matcher against the rule itself, over zones that are made up to be confusing. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { embedded, isSpecial } from '../../src/policy/special.ts';
import { Rules, type Question, type Verdict, type Zone } from '../../src/policy/rules.ts';
import * as linear from './linear.ts';
import type { Line } from '../../src/policy/lines.ts';
import { anyLine, anyNames, lines, mode, namesFound, question, questionWith, zoneOf } from './generated.ts';

const SEED_RUNS = { numRuns: 400 };

/** What happens to the zones before something is asked. */
const step = fc.record({
  zone: fc.nat(4),
  what: fc.oneof(
    lines.map(set => ({ set })),
    fc.constant({ remove: true }),
    mode.map(chmod => ({ chmod })),
    fc.constant({ reverse: true }),
    fc.constant({ insert: true }),
  ),
});

interface Step {
  readonly zone: number;
  readonly what: { set?: Line[]; remove?: boolean; chmod?: number; reverse?: boolean; insert?: boolean };
}

const renumbered = (list: readonly Line[]): Line[] => list.map((line, i) => ({ ...line, number: i + 1 }));

class World {
  readonly zones = Array.from({ length: 5 }, (_, i) => zoneOf(`z${i}`, 0o755));
  readonly held = new Map<Zone, readonly Line[]>();
  readonly rules = new Rules();

  apply({ zone: index, what }: Step): void {
    const zone = this.zones[index]!;
    const now = this.held.get(zone) ?? [];
    if (what.chmod !== undefined) zone.permissions.mode = what.chmod;
    if (what.set !== undefined) this.put(zone, what.set);
    if (what.reverse) this.put(zone, renumbered([...now].reverse()));
    if (what.insert) this.put(zone, renumbered([...now.slice(0, 1), ...now.slice(2), ...now.slice(0, 2)]));
    if (what.remove) {
      this.held.delete(zone);
      this.rules.delete(zone);
    }
  }

  private put(zone: Zone, list: readonly Line[]): void {
    this.held.set(zone, list);
    this.rules.set(zone, list);
  }

  /** The same zones in rules that know nothing of what was before. */
  fresh(): Rules {
    const rules = new Rules();
    for (const [zone, list] of [...this.held].reverse()) rules.set(zone, list);
    return rules;
  }
}

function agree(verdict: Verdict, answer: linear.Answer, about: string): void {
  const { allowed, reason, zone, line, inside } = verdict;
  assert.deepEqual(
    { allowed, reason, inside: inside !== undefined },
    { allowed: answer.allowed, reason: answer.reason, inside: answer.inside },
    about,
  );
  const isNamed = answer.by.some(each => each.zone === zone && each.line === line);
  assert(answer.by.length === 0 ? zone === undefined : isNamed, `another line: ${about}`);
}

const consistent = (q: Question): Question => ({
  ...q,
  special: q.special || isSpecial(embedded(q.ip) ?? q.ip),
});

const show = (q: Question): string => JSON.stringify({ ...q, ip: [...q.ip.bytes] });

const mask = fc.nat(31);
const passing = (world: World, bits: number) => (zone: Zone) =>
  ((bits >> world.zones.indexOf(zone)) & 1) === 1;

describe('the fast matcher', () => {
  it('decides as the rule does, whatever was set, removed and changed before', () => {
    const turn = fc.tuple(step, fc.array(fc.tuple(question, mask), { minLength: 4, maxLength: 12 }));
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 8 }), turns => {
        const world = new World();
        for (const [change, questions] of turns) {
          world.apply(change);
          for (const [asked, bits] of questions) {
            const q = consistent(asked);
            const passes = passing(world, bits);
            agree(world.rules.decide(q, passes), linear.decide(world.held, q, passes), show(q));
          }
        }
      }),
      SEED_RUNS,
    );
  });

  it('lets the same names be looked up', () => {
    const turn = fc.tuple(step, fc.array(fc.tuple(anyNames, mask), { minLength: 4, maxLength: 12 }));
    fc.assert(
      fc.property(fc.array(turn, { minLength: 1, maxLength: 6 }), turns => {
        const world = new World();
        for (const [change, questions] of turns) {
          world.apply(change);
          for (const [names, bits] of questions) {
            const passes = passing(world, bits);
            agree(
              world.rules.resolves(names, passes),
              linear.resolves(world.held, names, passes),
              String(names),
            );
          }
        }
      }),
      SEED_RUNS,
    );
  });

  it('says the same, and names the same line, in whichever order zones were set', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 12 }),
        fc.array(fc.tuple(question, mask), { maxLength: 30 }),
        (steps, questions) => {
          const world = new World();
          for (const each of steps) {
            world.apply(each);
            world.rules.resolves(['x'], () => true);
          }
          const fresh = world.fresh();
          for (const [q, bits] of questions) {
            const passes = passing(world, bits);
            assert.deepEqual(world.rules.decide(q, passes), fresh.decide(q, passes), show(q));
            assert.deepEqual(world.rules.resolves(q.names, passes), fresh.resolves(q.names, passes));
          }
        },
      ),
      SEED_RUNS,
    );
  });
});

describe('covers', () => {
  /** How often it said yes: a test in which it never does would show nothing. */
  function neverGrants(domains: readonly string[] | undefined, found: fc.Arbitrary<string[]>): number {
    let yes = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 6 }),
        anyLine,
        mask,
        fc.array(questionWith(found), { minLength: 60, maxLength: 60 }),
        fc.array(found, { minLength: 10, maxLength: 10 }),
        (steps, line, bits, questions, lookups) => {
          const world = new World();
          for (const each of steps) world.apply(each);
          const passes = passing(world, bits);
          if (!world.rules.covers(line, passes, domains)) return;
          yes++;
          const after = world.fresh();
          const own = zoneOf('own', 0o777);
          after.set(own, [line]);
          const passesOwn = (zone: Zone): boolean => zone === own || passes(zone);
          for (const q of questions) {
            if (after.decide(q, passesOwn).allowed) assert(world.rules.decide(q, passes).allowed, show(q));
          }
          for (const names of lookups) {
            const is = after.resolves(names, passesOwn).allowed;
            if (is) assert(world.rules.resolves(names, passes).allowed, String(names));
          }
        },
      ),
      { numRuns: 3000 },
    );
    return yes;
  }

  it('never calls covered what turns a no into a yes', () => {
    assert(neverGrants(undefined, anyNames) > 50);
  });

  it('nor where it is told which domains are searched', () => {
    assert(neverGrants(['x'], namesFound(['x'])) > 50);
  });
});
