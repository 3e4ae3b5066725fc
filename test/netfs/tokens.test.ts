/** The words of a ctl message: tokenize(2). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { FsError } from '../../src/netfs/error.ts';
import { ctlWords, MAX_CTL, tokenize } from '../../src/netfs/tokens.ts';

/** As quotestrdup(2) writes a word. */
const quote = (word: string): string => `'${word.replaceAll("'", "''")}'`;

const texts = fc.string({ unit: fc.constantFrom(...`ab' \t\n\r'''`), maxLength: 30 });

describe('tokenize', () => {
  for (const [text, words] of [
    ['', []],
    ['  \t\r\n ', []],
    ['connect 1.2.3.4!80', ['connect', '1.2.3.4!80']],
    [' a\tb\r\n c ', ['a', 'b', 'c']],
    ["'a b' c", ['a b', 'c']],
    ["a'b c'd", ['ab cd']],
    ["''", ['']],
    ["a '' b", ['a', '', 'b']],
    ["'it''s'", ["it's"]],
    ["''''", ["'"]],
    ["'open", ['open']],
    ["'", ['']],
    ['"a b"', ['"a', 'b"']],
    ['a\\ b', ['a\\', 'b']],
  ] as const) {
    it(`splits ${JSON.stringify(text)} into ${JSON.stringify(words)}`, () => {
      assert.deepEqual(tokenize(text), words);
    });
  }

  it('gives back the words that were quoted', () => {
    fc.assert(
      fc.property(fc.array(texts), words => assert.deepEqual(tokenize(words.map(quote).join(' ')), words)),
    );
    fc.assert(
      fc.property(fc.array(fc.string()), words =>
        assert.deepEqual(tokenize(words.map(quote).join('\t ')), words),
      ),
    );
  });

  it('splits text without quotes at its blanks', () => {
    fc.assert(
      fc.property(texts, text => {
        const plain = text.replaceAll("'", '');
        assert.deepEqual(
          tokenize(plain),
          plain.split(/[ \t\r\n]+/).filter(word => word !== ''),
        );
      }),
    );
  });
});

describe('ctlWords', () => {
  const fails = (data: Buffer, name: string): void =>
    assert.throws(
      () => ctlWords(data),
      (error: unknown) => error instanceof FsError && error.name === name,
    );

  it('drops one final newline', () => {
    assert.deepEqual(ctlWords(Buffer.from('hangup\n')), ['hangup']);
    assert.deepEqual(ctlWords(Buffer.from("'a\n")), ['a']);
    assert.deepEqual(ctlWords(Buffer.from("'a\n\n")), ['a\n']);
  });

  it('refuses a message without words, one with a NUL, and one that is too long', () => {
    for (const text of ['', '\n', ' \n']) fails(Buffer.from(text), 'Eshortctl');
    for (const text of ['a\0', '\0', 'a b\0c']) fails(Buffer.from(text), 'Ebadctl');
    fails(Buffer.alloc(MAX_CTL + 1, 'a'), 'Ebadctl');
    assert.equal(ctlWords(Buffer.alloc(MAX_CTL, 'a'))[0]!.length, MAX_CTL);
  });

  it('takes any bytes for words or an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        try {
          assert(ctlWords(Buffer.from(bytes)).length > 0);
        } catch (error) {
          assert(error instanceof FsError);
        }
      }),
    );
  });
});
