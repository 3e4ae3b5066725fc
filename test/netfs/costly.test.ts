/** What is made when it is asked for, when making it takes long and somebody asks all the time. */
import assert from 'node:assert/strict';
import { costly } from '../../src/netfs/costly.ts';
import { sharedText } from '../../src/netfs/sharedtext.ts';

describe('what is costly to make', () => {
  let clock: number;
  let made: number;

  beforeEach(() => {
    clock = 0;
    made = 0;
  });

  /** Takes so long to make, and is the number of the time it was. */
  const making = (ms: number, large = true, make = () => made): (() => number) =>
    costly(
      () => {
        clock += ms;
        made++;
        return make();
      },
      () => large,
      () => clock,
    );

  it('is made for everybody where it is small, however long that takes, or quickly made', () => {
    for (const ask of [making(1000, false), making(5)]) {
      made = 0;
      assert.deepEqual([ask(), ask()], [1, 2]);
    }
  });

  it('is not made again at once, and takes a fifth of the time at most', () => {
    const ask = making(100);
    assert.equal(ask(), 1);
    clock = 499;
    assert.equal(ask(), 1);
    clock = 500;
    assert.equal(ask(), 2);
    for (let i = 0; i < 10_000; i++) {
      ask();
      clock++;
    }
    assert.ok(made * 100 <= clock / 5 + 200, `${made} times in ${clock} ms`);
  });

  it('is not tried again at once where it takes long to fail', () => {
    const ask = making(100, false, () => {
      throw new Error(`failure ${made}`);
    });
    assert.throws(ask, /failure 1/);
    assert.throws(ask, /failure 1/);
    clock = 500;
    assert.throws(ask, /failure 2/);
  });
});

describe('a text that all share', () => {
  it('is the same bytes as long as nothing changes', () => {
    let content = 'one';
    const read = sharedText(() => content);
    assert.equal(read(), read());
    content = 'two';
    assert.equal(read().toString(), 'two');
  });
});
