/** Whatever zones there are, in a view and around it: nobody in it gets further than its maker outside. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isUnspecified } from '../../src/netfs/address.ts';
import type { View } from '../../src/netfs/view.ts';
import { Learner } from '../../src/policy/learner.ts';
import type { Line } from '../../src/policy/lines.ts';
import type { Caller } from '../../src/policy/identity.ts';
import { X } from '../../src/policy/permissions.ts';
import type { Question, Zone } from '../../src/policy/rules.ts';
import { embedded, isSpecial } from '../../src/policy/special.ts';
import { Server } from '../../src/server/server.ts';
import { ALICE, BOB, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import { anyNames, lineOf, lines, mode, question } from './generated.ts';
import * as linear from './linear.ts';

const RUNS = { numRuns: 150 };

const zone = fc.record({
  lines,
  mode,
  owner: fc.constantFrom(GLENDA, ALICE, BOB),
  gid: fc.constantFrom(TEAM, GLENDA.gid, CAROL.gid),
});

const level = fc.record({
  zones: fc.array(zone, { minLength: 1, maxLength: 3 }),
  /** Who makes the view in it, or is inside the innermost. */
  who: fc.constantFrom(ALICE, BOB, CAROL, GLENDA),
  learns: fc.constantFrom(undefined, undefined, true, false),
});

type Spec = typeof level extends fc.Arbitrary<infer Level> ? Level : never;

interface Level {
  readonly view: View;
  readonly who: Caller;
  /** It allows whatever is not forbidden to everybody. */
  readonly allowsAll: boolean;
  readonly zones: linear.Zones;
}

/** The server's own /net first, then the views in one another. */
function build(spec: readonly Spec[]): Level[] {
  const server = new Server({ owner: GLENDA, users: people });
  server.net.zones.clear();
  let view = server.net;
  return spec.map(({ zones, who, learns }, i) => {
    if (i > 0) view = view.make(spec[i - 1]!.who);
    if (i > 0 && learns !== undefined) view.learn(learns, { caller: GLENDA });
    const made = zones.map(({ lines: all, owner, gid, mode: bits }, n) => {
      const text = all.map(line => `${line.text}\n`).join('');
      return [view.zones.add(`z${n}`, { owner, gid, mode: bits }, text), all] as const;
    });
    return { view, who, allowsAll: i > 0 && learns === true, zones: new Map<Zone, Line[]>(made) };
  });
}

/** What one /net alone says, by the rule. */
function mayHere({ view, who, allowsAll, zones }: Level, q: Question): boolean {
  const answer = linear.decide(zones, q, ({ permissions }) => view.authority.allows(who, permissions, X));
  return answer.allowed || (allowsAll && answer.reason !== 'veto');
}

/** As the gate asks: an address in which another lies is special where that is. */
const asked = question.map(q => ({ ...q, special: q.special || isSpecial(embedded(q.ip) ?? q.ip) }));

describe('a view', () => {
  it('lets nobody connect, announce or accept where its maker, and theirs, may not', () => {
    fc.assert(
      fc.property(
        fc.array(level, { minLength: 2, maxLength: 5 }),
        fc.array(asked, { minLength: 10, maxLength: 30 }),
        (spec, questions) => {
          const levels = build(spec);
          const { view, who } = levels.at(-1)!;
          for (const q of questions) {
            const { allowed } = view.judge.decide(q, who).verdict;
            assert.equal(
              allowed,
              levels.every(each => mayHere(each, q)),
            );
            for (const outer of allowed ? levels : []) {
              assert(outer.view.judge.decide(q, outer.who).verdict.allowed);
            }
          }
        },
      ),
      RUNS,
    );
  });

  it('lets nobody look up what its maker, and theirs, may not', () => {
    fc.assert(
      fc.property(
        fc.array(level, { minLength: 2, maxLength: 5 }),
        fc.array(anyNames, { minLength: 10, maxLength: 20 }),
        (spec, lookups) => {
          const levels = build(spec);
          const inner = levels.at(-1)!;
          for (const names of lookups) {
            if (!inner.view.judge.resolves(names, inner.who).verdict.allowed) continue;
            for (const { view, who } of levels.slice(0, -1)) {
              assert(view.judge.resolves(names, who).verdict.allowed);
            }
          }
        },
      ),
      RUNS,
    );
  });
});

describe('what a view has learned', () => {
  it('can be loaded, line by line, and allows what was asked', () => {
    fc.assert(
      fc.property(
        fc.array(asked, { maxLength: 20 }),
        fc.array(anyNames, { maxLength: 5 }),
        (questions, looked) => {
          const learner = new Learner();
          for (const q of questions) learner.asked(q);
          for (const [name] of looked) learner.lookedUp(name!);
          const text = learner.text.split('\n').filter(line => line !== '');
          for (const line of text) assert.equal(lineOf(line).text, line);
          assert.equal(new Set(text).size, text.length);
          const { view } = build([{ zones: [], who: ALICE, learns: undefined }])[0]!;
          view.zones.add('all', { owner: GLENDA, gid: 0, mode: 0o755 }, learner.text);
          for (const q of questions) {
            if (isUnspecified(embedded(q.ip) ?? q.ip) && (q.verb !== 'announce' || !isUnspecified(q.ip)))
              continue;
            assert(view.judge.decide(q, ALICE).verdict.allowed);
          }
          for (const names of looked) assert(view.judge.resolves(names, ALICE).verdict.allowed);
        },
      ),
      RUNS,
    );
  });

  it('is bounded, however many names are asked for, and however long', () => {
    const learner = new Learner();
    for (let i = 0; i < 20_000; i++) {
      const name = `${i}.${'x'.repeat(60)}.example`;
      learner.lookedUp(name);
      learner.asked({
        verb: 'connect',
        protocol: 'tcp',
        names: [name],
        ip: { family: 4, bytes: Buffer.from([192, 0, 2, 1]) },
        port: 1,
        trusted: false,
        special: false,
      });
    }
    assert(learner.text.length <= 256 * 1024);
    assert(learner.text.length > 128 * 1024);
  });

  it('holds no name that no line could have', () => {
    const learner = new Learner();
    for (const name of ['a b', 'a!b', 'x\nconnect *!*!*', '*', '*.example', '#', '', '1.2.3.4', 'a..b']) {
      learner.lookedUp(name);
    }
    assert.equal(learner.text, '');
  });
});
