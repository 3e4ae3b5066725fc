/** The framer: however a stream is cut into chunks, the messages are the same. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Framer, FramingError, type ReadNow } from '../../src/server/9p/framer.ts';
import * as b from './bytes.ts';

const MAX = 1024 * 1024;

/** What came out of a framer; the frames are copied, as they are only lent. */
function framed(chunks: readonly Buffer[], maxSize = MAX, readNow?: ReadNow): Buffer[] {
  const frames: Buffer[] = [];
  const framer = new Framer(maxSize, frame => void frames.push(Buffer.from(frame)), readNow);
  for (const chunk of chunks) {
    // A chunk is lent, too: it is somebody else's afterwards.
    const lent = Buffer.from(chunk);
    framer.push(lent);
    lent.fill(0xee);
  }
  return frames;
}

const message = (size: number, seed = size): Buffer =>
  b.frame(118, seed & 0xffff, Buffer.from(Uint8Array.from({ length: size - 7 }, (_, i) => i * 31 + seed)));

/** Small ones, some of them the least there can be. */
const SMALL = [7, 8, 11, 7, 7, 100, 9, 23, 300].map(message);
/** With some that are put together in buffers which are used again. */
const LARGE = [70_000, 7, 40_000, 100, MAX, 8, 150_000, 64 * 1024, 33].map(message);

const split = (stream: Buffer, cuts: readonly number[]): Buffer[] => {
  const at = [0, ...[...cuts].sort((x, y) => x - y), stream.length];
  return at.slice(1).map((end, i) => stream.subarray(at[i], end));
};

function assertFrames(got: readonly Buffer[], expected: readonly Buffer[]): void {
  assert.deepEqual(
    got.map(({ length }) => length),
    expected.map(({ length }) => length),
  );
  for (const [i, frame] of got.entries()) assert(frame.equals(expected[i]!), `message ${i}`);
}

describe('the framer', () => {
  const small = Buffer.concat(SMALL);
  const large = Buffer.concat(LARGE);

  it('gives the same messages for every split into two', () => {
    for (let at = 0; at <= small.length; at++) assertFrames(framed(split(small, [at])), SMALL);
  });

  it('gives the same messages for every split into three of a short stream', () => {
    const messages = [7, 8, 12].map(message);
    const stream = Buffer.concat(messages);
    for (let one = 0; one <= stream.length; one++) {
      for (let two = one; two <= stream.length; two++)
        assertFrames(framed(split(stream, [one, two])), messages);
    }
  });

  it('gives the same messages byte by byte', () => {
    assertFrames(framed([...small].map(byte => Buffer.from([byte]))), SMALL);
  });

  it('gives the same messages for random splits of a stream with large ones', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(large.length), { maxLength: 40 }), cuts => {
        assertFrames(framed(split(large, cuts)), LARGE);
      }),
      { numRuns: 60 },
    );
  });

  it('gives each message as soon as its last byte is there', () => {
    const frames: Buffer[] = [];
    const framer = new Framer(MAX, frame => void frames.push(frame));
    const [bytes] = [message(50)];
    framer.push(bytes.subarray(0, 49));
    assert.equal(frames.length, 0);
    framer.push(bytes.subarray(49));
    assert.equal(frames.length, 1);
  });

  it('hands on a message that lies in one chunk without copying it', () => {
    const chunk = Buffer.concat(SMALL);
    const framer = new Framer(MAX, frame => assert.equal(frame.buffer, chunk.buffer));
    framer.push(chunk);
  });

  it('lends a buffer it put together only for the call: others are not written over', () => {
    const chunks = split(large, [1, 69_999, 70_003, 100_000, 110_100, 400_000, 900_000, 1_300_000]);
    const seen: Buffer[] = [];
    const framer = new Framer(MAX, frame => {
      const before = Buffer.from(frame);
      // Another framer at work inside the call must not get the same memory.
      framed([message(90_000).subarray(0, 5), message(90_000).subarray(5)]);
      assert(frame.equals(before));
      seen.push(before);
    });
    for (const chunk of chunks) framer.push(chunk);
    assertFrames(seen, LARGE);
  });

  describe('with a size', () => {
    for (const size of [0, 1, 4, 6]) {
      it(`of ${size}, less than a header, ends the stream`, () => {
        for (const chunks of [[b.u32(size)], [...b.u32(size)].map(byte => Buffer.from([byte]))]) {
          assert.throws(() => framed(chunks), FramingError);
        }
      });
    }

    for (const size of [8193, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff]) {
      it(`of ${size}, more than msize, ends the stream before it is there`, () => {
        for (const chunks of [[b.u32(size)], [...b.u32(size)].map(byte => Buffer.from([byte]))]) {
          assert.throws(() => framed(chunks, 8192), FramingError);
        }
      });
    }

    it('of msize to the byte is taken, whole or in parts', () => {
      const bytes = message(8192);
      assertFrames(framed([bytes], 8192), [bytes]);
      assertFrames(framed(split(bytes, [3, 8191]), 8192), [bytes]);
    });

    it('that is wrong still gives the messages before it', () => {
      const frames: Buffer[] = [];
      const framer = new Framer(8192, frame => void frames.push(frame));
      assert.throws(() => framer.push(Buffer.concat([message(10), message(20), b.u32(3)])), FramingError);
      assert.equal(frames.length, 2);
    });

    it('is judged by the msize of its time: a message may change it', () => {
      const seen: number[] = [];
      const framer = new Framer(100, frame => {
        seen.push(frame.length);
        framer.maxSize = 1000;
      });
      framer.push(Buffer.concat([message(50), message(900)]));
      assert.deepEqual(seen, [50, 900]);
      assert.throws(() => framer.push(message(1001)), FramingError);
    });
  });

  describe('that may read on by itself', () => {
    /** Pushes `first` bytes of the stream; the rest is there to be read, at most `most` at a time. */
    function readingOn(stream: Buffer, first: number, most: number): Buffer[] {
      const frames: Buffer[] = [];
      let at = first;
      const readNow: ReadNow = into => {
        const n = stream.copy(into, 0, at, Math.min(at + most, stream.length));
        at += n;
        return n;
      };
      const framer = new Framer(MAX, frame => void frames.push(Buffer.from(frame)), readNow);
      framer.push(stream.subarray(0, first));
      // What it left comes as chunks.
      while (at < stream.length) {
        const end = Math.min(at + 1000, stream.length);
        const chunk = stream.subarray(at, end);
        at = end;
        framer.push(chunk);
      }
      return frames;
    }

    it('gives the same messages wherever the chunk ended', () => {
      for (const first of [1, 3, 4, 5, 7, 69_000, 69_999, 70_000, 70_003, 70_008, 111_000, 600_000]) {
        for (const most of [100, 5000, MAX]) assertFrames(readingOn(large, first, most), LARGE);
      }
    });

    it('reads no byte beyond the message', () => {
      const stream = Buffer.concat([message(100_000), message(50)]);
      const asked: number[] = [];
      const framer = new Framer(
        MAX,
        () => {},
        into => {
          asked.push(into.length);
          return stream.copy(into, 0, 60_000, 60_000 + into.length);
        },
      );
      framer.push(stream.subarray(0, 60_000));
      assert.deepEqual(asked, [40_000]);
    });

    it('goes back to chunks when there is nothing, or the end, or an error', () => {
      for (const answer of [0, -1]) {
        let calls = 0;
        const bytes = message(100_000);
        const frames = framed(split(bytes, [50_000]), MAX, () => (calls++, answer));
        assertFrames(frames, [bytes]);
        assert.equal(calls, 1);
      }
    });

    it('does not try for what is nearly there', () => {
      const bytes = message(100_000);
      const frames = framed(split(bytes, [99_000]), MAX, () => assert.fail('not worth a system call'));
      assertFrames(frames, [bytes]);
    });
  });
});
