/** Turns: so many at once, shared by those who ask. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Abort } from '../../../src/abort.ts';
import { Turns } from '../../../src/host/dns/turns.ts';
import { Clock } from './wire.ts';

const NEVER = new Abort();
const [ALICE, BOB, CAROL] = [1, 2, 3];

describe('turns', () => {
  let clock: Clock;
  let turns: Turns;
  /** Whose turns have begun, in their order. */
  let begun: number[];

  const make = (most: number, waiting: number): Turns => {
    begun = [];
    clock = new Clock();
    return (turns = new Turns({ most, waiting, timers: clock }));
  };

  /** Asks so many times; how many of them are refused at once. */
  function ask(key: number, times = 1, signal: Abort = NEVER): number {
    let refused = 0;
    for (let i = 0; i < times; i++) {
      const begin = turns.begin(key, 1000, signal);
      if (begin === false) refused++;
      else if (begin === true) begun.push(key);
      else
        void begin.then(
          has => void (has && begun.push(key)),
          () => {},
        );
    }
    return refused;
  }

  const settled = (): Promise<unknown> => new Promise(setImmediate);

  it('leave room for who comes next, however many one asks for', () => {
    make(8, 8);
    assert.equal(ask(ALICE, 100), 100 - 4 - 4);
    assert.deepEqual(begun, [ALICE, ALICE, ALICE, ALICE]);
    assert.equal(ask(BOB, 100), 100 - 2 - 2);
    assert.deepEqual(begun.slice(4), [BOB, BOB]);
    ask(CAROL);
    assert.deepEqual(begun.slice(6), [CAROL]);
  });

  it('that are given back go to those who wait, one of each in turn', async () => {
    make(4, 100);
    ask(ALICE, 10);
    ask(BOB, 10);
    assert.deepEqual(begun, [ALICE, ALICE, BOB]);
    for (const key of [ALICE, ALICE, BOB, ALICE, BOB, BOB]) {
      turns.end(key);
      await settled();
    }
    // Who has just had one is behind the other, however quickly he gives it back.
    assert.deepEqual(begun.slice(3), [ALICE, BOB, ALICE, BOB, ALICE, BOB]);
  });

  it('are not taken by who has gone from the line', async () => {
    make(2, 100);
    const gone = new Abort();
    ask(ALICE);
    ask(ALICE, 3, gone);
    ask(ALICE);
    gone.abort(new Error('enough'));
    turns.end(ALICE);
    await settled();
    assert.deepEqual(begun, [ALICE, ALICE]);
    assert.equal(clock.length, 0);
  });

  it('are not waited for longer than the patience lasts', async () => {
    make(2, 100);
    ask(ALICE, 5);
    clock.ring();
    await settled();
    turns.end(ALICE);
    assert.deepEqual(begun, [ALICE]);
    assert.equal(clock.length, 0);
  });

  it('are never more than there are, and never lost, whoever asks, ends or gives up', async () => {
    const steps = fc.array(fc.tuple(fc.nat(2), fc.nat(4), fc.constantFrom('ask', 'end', 'quit', 'ring')));
    await fc.assert(
      fc.asyncProperty(steps, fc.integer({ min: 1, max: 9 }), fc.nat(9), async (all, most, waiting) => {
        make(most, waiting);
        let ended = 0;
        let signals: Abort[] = [];
        const end = (key: number): void => {
          const at = begun.indexOf(key, ended);
          if (at < 0) return;
          [begun[ended], begun[at]] = [begun[at]!, begun[ended]!];
          ended++;
          turns.end(key);
        };
        for (const [key, n, what] of all) {
          const signal = new Abort();
          if (what === 'ask') ask(key, n, signal);
          if (what === 'end') end(key);
          if (what === 'ring') clock.ring();
          if (what === 'quit') for (const each of signals.splice(0)) each.abort(new Error());
          else signals = [...signals, signal];
          await settled();
          assert(begun.length - ended <= most);
          assert(clock.length <= waiting);
        }
        while (ended < begun.length) {
          end(begun[ended]!);
          await settled();
        }
        assert.equal(clock.length, 0, 'nobody waits while there is room');
        assert.equal(ask(CAROL), 0);
        assert.equal(begun.length - ended, 1);
      }),
    );
  });
});
