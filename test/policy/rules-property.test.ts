/** The fast matcher against the rule itself, over zones that are made up to be confusing. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseIp } from '../../src/netfs/address.ts';
import { embedded, isSpecial } from '../../src/policy/special.ts';
import { Rules, type Question, type Verdict, type Zone } from '../../src/policy/rules.ts';
import * as linear from './linear.ts';
import type { Line } from '../../src/policy/lines.ts';
import { anyNames, lineOf, lines, mode, question, zoneOf } from './generated.ts';

const SEED_RUNS = { numRuns: 400 };

/** What happens to the zones before something is asked. */
const stepOf = (zones: number) =>
  fc.record({
    zone: fc.nat(zones - 1),
    what: fc.oneof(
      lines.map(set => ({ set })),
      fc.constant({ remove: true }),
      mode.map(chmod => ({ chmod })),
      fc.constant({ reverse: true }),
      fc.constant({ insert: true }),
    ),
  });

const step = stepOf(5);

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

/** Three zones with so few lines on so few hosts that each stands in another's way. */
interface Few {
  readonly zones: readonly Zone[];
  readonly rules: Rules;
}

const fewLine = fc
  .tuple(
    fc.constantFrom('connect', 'connect', 'connect', 'announce', 'resolve'),
    fc.constantFrom('tcp', '*'),
    fc.constantFrom('*', '10.0.0.0/8', '10.0.0.0/31', '64:ff9b::/96'),
    fc.constantFrom('*', 'x', 'a.x', 'b.a.x', '*.x', '*.a.x'),
    fc.boolean(),
    fc.constantFrom('*', '80', '80-90', '79-81', '80,85-95'),
  )
  .map(([verb, protocol, network, name, byName, ports]) => {
    if (verb === 'resolve') return lineOf(`resolve ${name}`);
    return lineOf(`${verb} ${protocol}!${byName && verb === 'connect' ? name : network}!${ports}`);
  });

const few: fc.Arbitrary<Few> = fc
  .array(
    fc.tuple(fc.array(fewLine, { minLength: 1, maxLength: 3 }), fc.constantFrom(0o755, 0o755, 0o755, 0o644)),
    {
      minLength: 3,
      maxLength: 3,
    },
  )
  .map(made => {
    const rules = new Rules();
    const zones = made.map(([list, bits], i) => {
      const zone = zoneOf(`z${i}`, bits);
      rules.set(zone, renumbered(list));
      return zone;
    });
    return { zones, rules };
  });

function* everyQuestion(found: readonly string[][]): Iterable<Question> {
  const ips = ['10.0.0.1', '10.0.0.4', '64:ff9b::a00:1', '::'].map(text => parseIp(text)!);
  for (const protocol of ['tcp', 'udp']) {
    for (const port of [0, 80, 85]) {
      for (const ip of ips) {
        const rest = { protocol, ip, port, trusted: false };
        yield { ...rest, verb: 'announce', names: [], special: false };
        for (const names of [[], ...found]) {
          yield { ...rest, verb: 'connect', names, special: false };
          if (names.length > 0) yield { ...rest, verb: 'connect', names, special: true };
        }
      }
    }
  }
}

describe('covers', () => {
  const DOMAINS = ['x', 'y'];
  const found = (domains: readonly string[]): string[][] =>
    ['x', 'a.x', 'b.a.x'].flatMap(name => [[name], ...domains.map(domain => [name, `${name}.${domain}`])]);

  /** Whoever passes `bits` of the zones: whether a line that is covered changes one of his answers to yes. */
  function changes(
    { rules, zones }: Few,
    line: Line,
    bits: number,
    domains: readonly string[],
  ): string | undefined {
    const passes = (zone: Zone): boolean => ((bits >> zones.indexOf(zone)) & 1) === 1;
    const after = new Rules();
    for (const zone of zones) after.set(zone, rules.linesOf(zone));
    const own = zoneOf('own', 0o777);
    after.set(own, [line]);
    const passesOwn = (zone: Zone): boolean => zone === own || passes(zone);
    for (const q of everyQuestion(found(domains))) {
      if (after.decide(q, passesOwn).allowed && !rules.decide(q, passes).allowed) return show(q);
    }
    return found(domains)
      .filter(names => after.resolves(names, passesOwn).allowed && !rules.resolves(names, passes).allowed)
      .join();
  }

  /** How often it says yes, and how often it could have: a test in which it never does shows nothing. */
  function check(domains: readonly string[] | undefined): { yes: number; could: number } {
    const counts = { yes: 0, could: 0 };
    fc.assert(
      fc.property(few, fewLine, fc.nat(7), (world, line, bits) => {
        const passes = (zone: Zone): boolean => ((bits >> world.zones.indexOf(zone)) & 1) === 1;
        const covered = world.rules.covers(line, passes, domains);
        const change = changes(world, line, bits, domains ?? DOMAINS);
        if (covered) assert.equal(change, '', `${line.text}, ${bits}`);
        if (covered) counts.yes++;
        if (change === '') counts.could++;
      }),
      { numRuns: 500 },
    );
    return counts;
  }

  it('never calls covered what turns a no into a yes, and often enough says yes', () => {
    for (const domains of [undefined, ['x'], []]) {
      const { yes, could } = check(domains);
      assert(yes > 10 && yes > could * 0.1, `${yes} of ${could}, domains ${String(domains)}`);
    }
  });
});
