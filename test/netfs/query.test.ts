/** Files that are asked: what is kept of their answers. */
import assert from 'node:assert/strict';
import { Abort } from '../../src/abort.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { DirNode, Handle, Reply } from '../../src/netfs/node.ts';
import { QueryFile, type Ask } from '../../src/netfs/query.ts';
import type { Caller } from '../../src/policy/identity.ts';
import { Authority } from '../../src/policy/permissions.ts';
import { ALICE, BOB, GLENDA } from '../support/callers.ts';

const by = (caller: Caller) => ({ caller, signal: new Abort() });
const RW = { read: true, write: true, truncate: false };
const QUESTION = Buffer.from('question');
const BIG = 'x'.repeat(64 * 1024);
/** As many of these as a user may leave unread: 16 MiB. */
const MOST = 255;

const make = (ask: Ask): QueryFile =>
  new QueryFile({} as DirNode, 'asked', { path: 1, since: 0, authority: new Authority(GLENDA) }, ask, () => {
    return new FsError('Einprogress');
  });

function readFrom(handle: Handle, offset: number, count = 100): string {
  let bytes = Buffer.alloc(0);
  const reply: Reply = {
    count,
    room: size => (bytes = Buffer.alloc(size)),
    drop: () => {},
    mayAnswer: () => true,
  };
  const n = handle.read(offset, reply, by(GLENDA)) as number;
  return bytes.toString('utf8', 0, n);
}

describe('answers', () => {
  it('that nobody reads are kept to 16 MiB of a user, and others have their own', async () => {
    const file = make(() => [BIG]);
    const handles = Array.from({ length: MOST + 2 }, () => file.open(RW, by(ALICE)));
    const ask = async (handle: Handle): Promise<number> => handle.write(0, QUESTION, by(ALICE));
    for (const handle of handles.slice(0, MOST)) assert.equal(await ask(handle), QUESTION.length);
    await assert.rejects(ask(handles[MOST]!), { name: 'Enofids' });
    assert.equal(readFrom(handles[MOST]!, 0), '');
    // Those that there are may be asked again, and another's may be.
    await ask(handles[0]!);
    await ask(file.open(RW, by(BOB)));
    handles[0]!.close();
    handles[0]!.close();
    await ask(handles[MOST]!);
    await assert.rejects(ask(handles[MOST + 1]!), { name: 'Enofids' });
  });

  it('of one byte each count as well, for the room that each takes', async () => {
    const file = make(() => new Array<string>(200_000).fill('x'));
    await assert.rejects(async () => file.open(RW, by(ALICE)).write(0, QUESTION, by(ALICE)), {
      name: 'Enofids',
    });
  });

  it('that come when the file is closed are not kept', async () => {
    const go: (() => void)[] = [];
    const file = make(() => new Promise(resolve => go.push(() => resolve([BIG]))));
    for (let i = 0; i < 2 * MOST; i++) {
      const handle = file.open(RW, by(ALICE));
      const asking = handle.write(0, QUESTION, by(ALICE));
      handle.close();
      go.shift()!();
      await asking;
      assert.equal(readFrom(handle, 0), '');
    }
  });

  it('are read from any offset, or not, but never otherwise', async () => {
    const file = make(question => (String(question) === 'none' ? [] : ['one', 'two', 'three']));
    const handle = file.open(RW, by(GLENDA));
    const odd = [0, 1, 7, 100, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 2 ** 64];
    for (const offset of odd) assert.equal(readFrom(handle, offset), '');
    await handle.write(0, QUESTION, by(GLENDA));
    assert.deepEqual(
      odd.map(offset => readFrom(handle, offset)),
      ['one', 'ne', 'hree', '', '', '', '', '', ''],
    );
    let bytes = '';
    for (let n = 0; n < 20; n++) bytes += readFrom(handle, n, 1);
    assert.equal(bytes, 'onetwothree');
    await handle.write(2 ** 53, QUESTION, by(GLENDA));
    for (const offset of odd) readFrom(handle, offset);
    await handle.write(0, Buffer.from('none'), by(GLENDA));
    for (const offset of odd) assert.equal(readFrom(handle, offset), '');
  });
});
