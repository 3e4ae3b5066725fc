/** The numbers of conversations. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { NumberPool } from '../../src/netfs/numbers.ts';

type Step = { take: true } | { give: number } | { claim: number };

const steps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.constant<Step>({ take: true }) },
    { weight: 3, arbitrary: fc.nat(30).map((give): Step => ({ give })) },
    { weight: 1, arbitrary: fc.nat(30).map((claim): Step => ({ claim })) },
  ),
  { maxLength: 200 },
);

describe('a pool of numbers', () => {
  it('gives the lowest free number below the limit, whatever was taken, claimed and given back', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 20 }), (todo, limit) => {
        const pool = new NumberPool();
        const taken = new Set<number>();
        let highest = 0;
        for (const step of todo) {
          const lowest = Array.from({ length: limit }, (_, n) => n).find(n => !taken.has(n));
          assert.equal(pool.has(limit), lowest !== undefined);
          if ('take' in step) {
            assert.equal(pool.take(limit), lowest);
            if (lowest === undefined) continue;
            taken.add(lowest);
            highest = Math.max(highest, lowest + 1);
          } else if ('give' in step) {
            if (taken.delete(step.give)) pool.give(step.give);
          } else {
            const free = step.claim < highest && !taken.has(step.claim);
            assert.equal(pool.claim(step.claim), free);
            if (free) taken.add(step.claim);
          }
          assert.equal(pool.size, highest);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('gives ten thousand back in any order and finds them again in theirs', () => {
    const pool = new NumberPool();
    const count = 10_000;
    for (let n = 0; n < count; n++) assert.equal(pool.take(count), n);
    assert.equal(pool.take(count), undefined);
    // 7919 is prime to 10,000: every number once, far from any order.
    for (let i = 0; i < count; i++) pool.give((i * 7919) % count);
    for (let n = 0; n < count; n++) assert.equal(pool.take(count), n);
  });
});
