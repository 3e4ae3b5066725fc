/** Streams as a v9fs client reads them: each byte once and in order, and no read that waits for more. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FsError } from '../../src/netfs/error.ts';
import { Replay, ReplayBudget } from '../../src/server/9p/v9fs/replay.ts';
import { StreamReader } from '../../src/server/9p/v9fs/streams.ts';
import { content, Pieces, V9fsFile } from './v9fs-client.ts';

const RSIZE = 64;

function opened(pieces: readonly number[], end?: FsError, rsize = RSIZE) {
  const stream = new Pieces(pieces, end);
  return { stream, file: new V9fsFile(new StreamReader(stream, rsize, new ReplayBudget()), rsize) };
}

describe('a stream that v9fs reads', () => {
  it('gives what is there and does not wait for the rest', async () => {
    const { stream, file } = opened([6, 0, 6]);
    assert.deepEqual(await file.read(50), content(6));
    assert.equal(stream.waits, 1);
    assert.deepEqual(await file.read(50), content(12).subarray(6));
  });

  it('gives what has come meanwhile, too', async () => {
    const { file } = opened([6, 6, 0]);
    assert.deepEqual(await file.read(50), content(12));
  });

  it('never gives two datagrams for one, however much is asked for', async () => {
    const stream = Object.assign(new Pieces([6, 6, 6]), { datagrams: true });
    const file = new V9fsFile(new StreamReader(stream, RSIZE, new ReplayBudget()), RSIZE);
    assert.deepEqual(await file.read(50), content(6));
    assert.deepEqual(await file.read(10 * RSIZE), content(12).subarray(6));
    assert.deepEqual(await file.read(10 * RSIZE), content(18).subarray(12));
  });

  it('a read of more than a message never waits once it has something', async () => {
    const { stream, file } = opened([RSIZE, 0, RSIZE]);
    const first = await file.read(10 * RSIZE);
    assert.equal(stream.waits, 1);
    assert.deepEqual(Buffer.concat([first, await file.read(10 * RSIZE)]), content(2 * RSIZE));
  });

  it('ends: the end is told once, by an empty read', async () => {
    const { file } = opened([6]);
    assert.equal((await file.read(50)).length, 6);
    assert.equal((await file.read(50)).length, 0);
  });

  it('an error comes after the bytes before it, not in their place', async () => {
    const { file } = opened([6], new FsError('Econreset'));
    assert.deepEqual(await file.read(50), content(6));
    await assert.rejects(file.read(50), { name: 'Econreset' });
  });

  it('only an exact continuation is one: another read waits', async () => {
    const { stream, file } = opened([6, 0, 0, 6]);
    assert.equal((await file.tread(0, 50)).length, 6);
    assert.equal((await file.tread(6, 43)).length, 6, 'not 50 - 6');
    assert.equal(stream.waits, 2);
  });

  it('only one continuation is due', async () => {
    const { file } = opened([6, 0, 0, 6]);
    await file.tread(0, 50);
    assert.equal((await file.tread(6, 44)).length, 0);
    assert.equal((await file.tread(6, 44)).length, 6);
  });

  it('what was read and sought back over is read again', async () => {
    const { file } = opened([100]);
    const first = await file.read(100);
    file.position -= first.length - 10;
    assert.deepEqual(await file.read(20), content(30).subarray(10));
  });

  it('a write moves what was sought back over with the place', async () => {
    const { file } = opened([100]);
    await file.read(100);
    file.position = 10;
    await file.write('hello');
    assert.equal(file.position, 15);
    assert.deepEqual(await file.read(20), content(30).subarray(10));
  });

  it('a write in the middle of a read is a pwrite and moves nothing', async () => {
    const { file } = opened([6, 0, 6]);
    assert.equal((await file.tread(0, 50)).length, 6);
    await file.pwrite(6, 'hello');
    assert.equal((await file.tread(6, 44)).length, 0);
    assert.deepEqual(await file.tread(4, 50), content(6).subarray(4));
  });

  it('a write while a read waits moves nothing', async () => {
    const { file } = opened([6, 6]);
    await file.tread(0, 6);
    const reading = file.tread(6, 6);
    await file.pwrite(6, 'hello');
    await reading;
    assert.deepEqual(await file.tread(4, 4), content(12).subarray(4, 8));
  });

  it('64 KiB can be sought back over', async () => {
    const size = 200_000;
    const { file } = opened([size], undefined, 70_000);
    await file.read(size);
    file.position -= 65_536;
    assert.deepEqual(await file.read(65_536), content(size).subarray(-65_536));
  });

  it('below the size that another open gave the file, it waits rather than end again and again', async () => {
    const stream = new Pieces([6, 0, 0, 20]);
    const file = new V9fsFile(new StreamReader(stream, RSIZE, new ReplayBudget()), RSIZE);
    file.size = 20;
    assert.deepEqual(await file.read(50), content(26));
  });

  it('whatever comes when, and whatever is asked: each byte once, in order, without waiting for more', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 300 }) }) },
      { weight: 2, arbitrary: fc.record({ line: fc.integer({ min: 1, max: 200 }) }) },
      { weight: 1, arbitrary: fc.record({ write: fc.integer({ min: 1, max: 100 }) }) },
    );
    const pieces = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 200 })), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(step, { maxLength: 30 }), async (sizes, steps) => {
        const { stream, file } = opened(sizes);
        const got: Buffer[] = [];
        for (const each of [...steps, ...Array<{ read: number }>(100).fill({ read: 300 })]) {
          if ('write' in each) {
            await file.write(content(each.write));
            continue;
          }
          const bytes = await readAsAShell(stream, file, each);
          if (bytes.length === 0) break;
          got.push(bytes);
        }
        assert.deepEqual(Buffer.concat(got), stream.content);
      }),
    );
  });
});

/** A read, or a line as a shell takes it: reads much and seeks back over what it did not want. */
async function readAsAShell(
  stream: Pieces,
  file: V9fsFile,
  step: { read: number } | { line: number },
): Promise<Buffer> {
  const before = stream.waits;
  const bytes = await file.read('read' in step ? step.read : 128);
  assert(stream.waits - before <= 1, 'it waited although it had something');
  if ('read' in step) return bytes;
  const line = bytes.subarray(0, step.line);
  file.position -= bytes.length - line.length;
  return line;
}

describe('what a v9fs session keeps of streams to serve again', () => {
  it('has a bound: the stream that was read the longest ago gives its own', () => {
    const budget = new ReplayBudget();
    const replays = Array.from({ length: 100 }, () => new Replay(budget));
    for (const replay of replays) replay.add(Buffer.alloc(64 * 1024, 1));
    const held = replays.map(replay => replay.length > 0);
    assert.equal(held.at(-1), true);
    assert.equal(held[0], false);
    assert(held.filter(Boolean).length * 64 * 1024 <= 4 * 1024 * 1024);
    for (const replay of replays) replay.clear();
    replays[0]!.add(Buffer.from('again'));
    assert.equal(replays[0]!.from(5).toString(), 'again');
  });
});
