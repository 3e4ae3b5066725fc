import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FrameSplitter } from '../../src/client/frames.ts';
import { ProtocolError } from '../../src/client/index.ts';

const MSIZE = 4096;

function frame(size: number, fill = size): Buffer {
  const bytes = Buffer.alloc(size, fill);
  bytes.writeUInt32LE(size, 0);
  return bytes;
}

function split(chunks: Iterable<Buffer>, msize = MSIZE): Buffer[] {
  const splitter = new FrameSplitter(msize);
  return [...chunks].flatMap(chunk => [...splitter.push(chunk)]);
}

function* cut(bytes: Buffer, at: readonly number[]): Generator<Buffer> {
  let start = 0;
  for (const end of [...at].sort((a, b) => a - b)) {
    yield bytes.subarray(start, end);
    start = end;
  }
  yield bytes.subarray(start);
}

describe('the frame splitter', () => {
  it('finds the messages wherever one cut falls', () => {
    const frames = [frame(7), frame(11), frame(300), frame(8)];
    const bytes = Buffer.concat(frames);
    for (let i = 0; i <= bytes.length; i++) assert.deepEqual(split(cut(bytes, [i])), frames);
  });

  it('finds the messages when every byte comes alone', () => {
    const frames = [frame(7), frame(64), frame(9)];
    const bytes = Buffer.concat(frames);
    assert.deepEqual(split(Array.from(bytes, byte => Buffer.of(byte))), frames);
  });

  it('finds the messages however the bytes are cut', () => {
    const sizes = fc.array(fc.integer({ min: 7, max: 600 }), { maxLength: 12 });
    const cuts = fc.array(fc.nat(4000), { maxLength: 30 });
    fc.assert(
      fc.property(sizes, cuts, (lengths, at) => {
        const frames = lengths.map(length => frame(length));
        const bytes = Buffer.concat(frames);
        const inside = at.map(i => Math.min(i, bytes.length));
        assert.deepEqual(split(cut(bytes, inside)), frames);
      }),
    );
  });

  it('does not copy a message that lies in one chunk', () => {
    const chunk = Buffer.concat([frame(20), frame(30)]);
    for (const found of split([chunk])) assert.equal(found.buffer, chunk.buffer);
  });

  it('takes a message of exactly the agreed size and refuses a longer one', () => {
    assert.equal(split([frame(MSIZE)]).length, 1);
    assert.throws(() => split([frame(MSIZE + 1)]), /a message of 4097 bytes; the limit is 4096/);
  });

  it('refuses a size that does not even hold a header', () => {
    for (const size of [0, 1, 4, 6]) {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32LE(size, 0);
      assert.throws(() => split([bytes]), ProtocolError);
    }
  });

  it('gives whole messages or a ProtocolError for any bytes at all', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 }), chunks => {
        try {
          for (const found of split(
            chunks.map(chunk => Buffer.from(chunk)),
            64,
          )) {
            assert.equal(found.readUInt32LE(0), found.length);
          }
        } catch (error) {
          assert(error instanceof ProtocolError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
