/** The form of a network database: ndb(6). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FsError } from '../../src/netfs/error.ts';
import { formatTuple, parse } from '../../src/netfs/ndb/parse.ts';

/** Each entry's lines as `attr=value attr=value`. */
const read = (text: string | Buffer): string[][] =>
  parse(Buffer.from(text)).map(entry =>
    entry.map(line => line.map(({ attr, value }) => `${attr}=${value}`).join(' ')),
  );

describe('parse of ndb', () => {
  it('begins an entry at the start of a line and goes on in indented ones', () => {
    assert.deepEqual(read('ip=192.0.2.7 sys=a\n\tdom=a.example\n  x=1\nip=192.0.2.8\n'), [
      ['ip=192.0.2.7 sys=a', 'dom=a.example', 'x=1'],
      ['ip=192.0.2.8'],
    ]);
  });

  it('passes over comments and empty lines, also within an entry', () => {
    assert.deepEqual(read('# one\n\na=1 # two\n\n\t# three\n#four\n\tb=2\n'), [['a=1', 'b=2']]);
  });

  it('takes a # inside a value for a part of it, and one behind = for a comment', () => {
    assert.deepEqual(read('a=x#y b=#z\n'), [['a=x#y b=']]);
  });

  it('takes a word without = for an attribute with an empty value', () => {
    assert.deepEqual(read('restricted\na b=2 c\n'), [['restricted='], ['a= b=2 c=']]);
  });

  it('lets quotes hold blanks and =, and = follow blanks', () => {
    assert.deepEqual(read('txt="a = b" x  =1\n'), [['txt=a = b x=1']]);
  });

  it('lets = stand in values', () => {
    assert.deepEqual(read('txt=v=spf1\n'), [['txt=v=spf1']]);
  });

  it('needs no newline at the end, and takes those of other systems', () => {
    assert.deepEqual(read('a=1\r\nb=2'), [['a=1'], ['b=2']]);
  });

  it('says where and why it does not understand', () => {
    const bad: [string | Buffer, RegExp][] = [
      ['a=1\n  =2\n', /^line 2, column 3: '='/],
      ['a="x\n', /^line 1, column 3: a quote that does not end/],
      ['a="x"y\n', /^line 1, column 6: something follows the quote/],
      ['a=1 "b"=2', /^line 1, column 5: a quoted attribute/],
      ['a=1\0', /^line 1, column 4: a control character, 0x00/],
      ['\n\n\x1b[1m', /^line 3, column 1: a control character, 0x1b/],
      ['a=1 b="\u009b1m"\n', /^line 1, column 8: a control character, 0x9b/],
      ['a="x\ry"\n', /^line 1, column 5: a control character, 0x0d/],
      ['a=1 \r b=2\n', /^line 1, column 5: a control character, 0x0d/],
      [Buffer.from([0x61, 0x3d, 0xff]), /^line 1, column 3: this is not UTF-8/],
      [Buffer.from('a=\ufffd \xff', 'latin1'), /^line 1, column \d: this is not UTF-8/],
    ];
    for (const [text, detail] of bad) {
      assert.throws(
        () => parse(Buffer.from(text)),
        (error: FsError) => {
          assert.equal(error.name, 'Esyntax');
          assert.match(error.detail!, detail);
          assert.match(error.detail!, /; write attr=value/);
          return true;
        },
      );
    }
  });

  it('reads any bytes or refuses them with Esyntax', () => {
    const alphabet = fc.constantFrom('a', 'ip', '=', '"', '#', ' ', '\t', '\n', '\r', '\0', 'é', '192.0.2.7');
    const texts = fc.array(alphabet, { maxLength: 80 }).map(parts => Buffer.from(parts.join('')));
    const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array));
    fc.assert(
      fc.property(fc.oneof(texts, bytes), text => {
        try {
          for (const entry of parse(text)) assert(entry.length > 0 && entry.every(line => line.length > 0));
        } catch (error) {
          assert(error instanceof FsError && error.name === 'Esyntax' && error.detail!.startsWith('line '));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('reads back what formatTuple writes', () => {
    const attr = fc.stringMatching(/^[a-z0-9.-]{1,8}$/);
    const value = fc.stringMatching(/^[a-z0-9=#é \t.-]{0,12}$/);
    fc.assert(
      fc.property(fc.record({ attr, value }, { noNullPrototype: true }), tuple => {
        assert.deepEqual(parse(Buffer.from(formatTuple(tuple))), [[[tuple]]]);
      }),
    );
  });

  it('does not stumble over megabytes of the same', () => {
    for (const part of ['a', '=', '"', '#', ' ', '\n', 'a=', 'a ', '\ta\n', 'a="', '\r']) {
      try {
        parse(Buffer.alloc(2 ** 21, part));
      } catch (error) {
        assert.equal((error as FsError).name, 'Esyntax');
      }
    }
  });
});
