/** Which addresses somebody was given, for which names, and for how long. */
import assert from 'node:assert/strict';
import { Given } from '../../src/netfs/given.ts';
import { ALICE } from '../support/callers.ts';
import { ip } from '../support/machine.ts';

const DAY = 24 * 60 * 60 * 1000;

describe('an address that was given for a name', () => {
  for (const [ttl, ms] of [
    [0, 10_000],
    [60, 60_000],
    [2 ** 31, DAY],
    [Infinity, DAY],
  ] as const) {
    it(`holds for ${ms / 1000} seconds when its answer said ${ttl}`, () => {
      let now = 5;
      const given = new Given(() => now);
      given.remember(ALICE, ip('198.41.0.4'), { names: ['a.example'], trusted: false }, ttl);
      now += ms - 1;
      assert.equal(given.namings(ALICE, ip('198.41.0.4')).length, 1);
      now += 1;
      assert.deepEqual(given.namings(ALICE, ip('198.41.0.4')), []);
    });
  }

  it('is forgotten when there are too many, the oldest first', () => {
    const given = new Given(() => 0);
    const at = (i: number) => ip(`10.0.${i >> 8}.${i & 255}`);
    for (let i = 0; i <= 4096; i++) given.remember(ALICE, at(i), { names: ['a'], trusted: false }, 60);
    assert.deepEqual(given.namings(ALICE, at(0)), []);
    assert.equal(given.namings(ALICE, at(1)).length, 1);
    for (let i = 0; i <= 16; i++) given.remember(ALICE, at(1), { names: [`n${i}`], trusted: false }, 60);
    const names = given.namings(ALICE, at(1)).map(each => each.names[0]);
    assert.deepEqual([names.length, names[0], names.at(-1)], [16, 'n16', 'n1']);
  });
});
