/** Texts that are made when they are read, when making them takes long and somebody reads them all the time. */
import assert from 'node:assert/strict';
import { sharedText } from '../../src/netfs/sharedtext.ts';

describe('a text that all share', () => {
  let clock: number;
  let made: number;

  beforeEach(() => {
    clock = 0;
    made = 0;
  });

  /** It takes so long to make, and its last word says which one it is. */
  const text = (ms: number, content = () => `${' '.repeat(256 * 1024)}${made}`): (() => Buffer) =>
    sharedText(
      () => {
        clock += ms;
        made++;
        return content();
      },
      () => clock,
    );

  const last = (read: () => Buffer): string => read().toString().trim();

  it('is made for every read where it is small, however long that takes', () => {
    const read = text(1000, () => String(made));
    assert.deepEqual([last(read), last(read)], ['1', '2']);
  });

  it('is made for every read where that is cheap', () => {
    const read = text(5);
    assert.deepEqual([last(read), last(read)], ['1', '2']);
  });

  it('is the same bytes as long as nothing changes', () => {
    const read = text(5, () => 'same');
    assert.equal(read(), read());
  });

  it('is not made again at once where it takes long, and takes a fifth of the time at most', () => {
    const read = text(100);
    assert.equal(last(read), '1');
    clock = 499;
    assert.equal(last(read), '1');
    clock = 500;
    assert.equal(last(read), '2');
    for (let i = 0; i < 10_000; i++) {
      read();
      clock++;
    }
    assert.ok(made * 100 <= clock / 5 + 200, `${made} times in ${clock} ms`);
  });

  it('that takes long to fail is not tried again at once either', () => {
    const read = text(100, () => {
      throw new Error(`failure ${made}`);
    });
    assert.throws(read, /failure 1/);
    assert.throws(read, /failure 1/);
    clock = 500;
    assert.throws(read, /failure 2/);
  });
});
