/** Editors of a document: what they write is judged by the line, and takes room of their own. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Abort } from '../../src/abort.ts';
import type { FsError } from '../../src/netfs/error.ts';
import { NdbFile } from '../../src/netfs/ndb/file.ts';
import { parse } from '../../src/netfs/ndb/parse.ts';
import type { DirNode, Handle, Reply } from '../../src/netfs/node.ts';
import type { Caller } from '../../src/policy/identity.ts';
import { Qids } from '../../src/netfs/qid.ts';
import { Authority } from '../../src/policy/permissions.ts';
import { ALICE, BOB, GLENDA } from '../support/callers.ts';

const COPIES = 64;

const by = (caller: Caller) => ({ caller, signal: new Abort() });
const RW = { read: true, write: true, truncate: false };
const make = (text = ''): NdbFile =>
  new NdbFile({} as DirNode, { authority: new Authority(GLENDA), now: () => 0, qids: new Qids(0) }, text);

function textOf(handle: Handle): string {
  let bytes = Buffer.alloc(0);
  const reply: Reply = {
    count: 40_000,
    room: size => (bytes = Buffer.alloc(size)),
    drop: () => {},
    mayAnswer: () => true,
  };
  const n = handle.read(0, reply, by(GLENDA)) as number;
  return bytes.toString('utf8', 0, n);
}

const failsWith = (name: string) => (error: FsError) => error.name === name;

describe('an editor', () => {
  it('may write exactly what leaves no whole line that is none, however he goes about it', () => {
    const part = fc.constantFrom(
      'a=1\n',
      'b="x y"\n',
      '"',
      '=',
      '\n',
      '\n\n',
      ' ',
      'c',
      '#"\n',
      '\t',
      '\xff',
      'd="\n',
    );
    const step = fc.record({
      at: fc.nat(40),
      parts: fc.array(part, { maxLength: 4 }),
      cut: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), steps => {
        const editor = make('a=1\nb="2 3"\n').open(RW, by(GLENDA));
        let text = Buffer.from('a=1\nb="2 3"\n');
        for (const { at, parts, cut } of steps) {
          const where = at % (text.length + 1);
          if (cut) {
            void editor.truncate!(where, by(GLENDA));
            text = text.subarray(0, where);
            continue;
          }
          const data = Buffer.from(parts.join(''), 'latin1');
          const next = Buffer.concat([text.subarray(0, where), data, text.subarray(where + data.length)]);
          const whole = next.subarray(0, next.lastIndexOf('\n') + 1);
          let why: string | undefined;
          try {
            parse(whole);
          } catch (error) {
            why = (error as FsError).detail;
          }
          if (why === undefined) {
            void editor.write(where, data, by(GLENDA));
            text = next;
          } else {
            assert.throws(
              () => editor.write(where, data, by(GLENDA)),
              (error: FsError) => error.name === 'Esyntax' && error.detail === why,
            );
          }
        }
        assert.equal(textOf(editor), text.toString('utf8'));
      }),
      { numRuns: 3000 },
    );
  });

  it('has room for 64 copies, which others have too, and has it again when he closes them', () => {
    const ndb = make('a=1\n');
    const editors = Array.from({ length: 1000 }, () => ndb.open(RW, by(ALICE)));
    const write = (editor: Handle) => editor.write(0, Buffer.from('b=2\n'), by(ALICE));
    for (const editor of editors.slice(0, COPIES)) void write(editor);
    for (const editor of editors.slice(COPIES)) assert.throws(() => write(editor), failsWith('Enofids'));
    // He goes on with those that he has.
    void write(editors[0]!);
    assert.equal(textOf(editors[0]!), 'b=2\n');
    assert.equal(textOf(editors[COPIES]!), 'a=1\n');
    void write(ndb.open(RW, by(BOB)));
    editors[0]!.close();
    editors[0]!.close();
    void write(editors[COPIES]!);
    assert.throws(() => write(editors[COPIES + 1]!), failsWith('Enofids'));
  });

  it('needs no room to empty it, to look, or to append what is committed', () => {
    const ndb = make('a=1\n');
    for (let i = 0; i < 1000; i++) {
      void ndb.open({ ...RW, truncate: true }, by(ALICE));
      assert.equal(textOf(ndb.open(RW, by(ALICE))), `a=1\n${'#\n'.repeat(i)}`);
      const adder = ndb.open({ ...RW, append: true }, by(ALICE));
      void adder.write(0, Buffer.from('#\n'), by(ALICE));
      void adder.flush!(by(ALICE));
    }
  });

  it('writes no holes, and nothing beyond the end, at offsets of any size', () => {
    const editor = make('a=1\n').open(RW, by(GLENDA));
    for (const offset of [5, 32_768, 2 ** 31, 2 ** 32 + 4, 2 ** 53 - 1, 2 ** 53]) {
      assert.throws(() => editor.write(offset, Buffer.from('b'), by(GLENDA)), failsWith('Eio'));
      assert.throws(() => editor.write(offset, Buffer.alloc(0), by(GLENDA)), failsWith('Eio'));
      assert.throws(() => editor.truncate!(offset, by(GLENDA)), failsWith('Eio'));
    }
    assert.equal(textOf(editor), 'a=1\n');
  });
});
