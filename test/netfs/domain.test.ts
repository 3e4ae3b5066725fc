/** Domain names as text and in octets: there is one text for all octets, and it can be in a line. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Reader } from '../../src/host/dns/reader.ts';
import { canonicalName, domainOctets } from '../../src/netfs/domain.ts';

const octets = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));

const LABEL = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 63 }),
  fc
    .constantFrom(
      '.',
      '\\',
      '\\.',
      '.\\',
      '\\\\',
      'xn--a',
      '192',
      '0x7f',
      '[',
      '%2e',
      '\0',
      '\n',
      '\x9b',
      '\xad',
    )
    .map(octets),
);

describe('a name that a server sends', () => {
  it('is printable text without blanks, whatever it holds, and means the same octets when it is asked for', () => {
    fc.assert(
      fc.property(fc.array(LABEL, { maxLength: 128 }), labels => {
        const wire = Buffer.concat([
          ...labels.flatMap(label => [Buffer.of(label.length), label]),
          Buffer.of(0),
        ]);
        fc.pre(wire.length <= 255);
        const reader = new Reader(Buffer.concat([Buffer.alloc(12), wire]));
        reader.at = 12;
        const text = reader.name();
        assert.match(text, /^[!-~]+$/);
        assert.deepEqual(Buffer.from(domainOctets(text)!), wire);
        assert.equal(canonicalName(text), text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a name that somebody writes', () => {
  it('is none, or has one canonical form', () => {
    const piece = fc.constantFrom(
      ...'a.\\0256ü。％２xn- \0\nßİ',
      '\ud800',
      'xn--',
      '\\.',
      '\\000',
      'a'.repeat(63),
      'b'.repeat(64),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), pieces => {
        const bytes = domainOctets(pieces.join(''));
        const canonical = canonicalName(pieces.join(''));
        assert.equal(bytes === undefined, canonical === undefined);
        if (bytes === undefined || canonical === undefined) return;
        assert(bytes.length <= 255);
        assert.match(canonical, /^[!-~]+$/);
        assert.deepEqual(domainOctets(canonical), bytes);
      }),
      { numRuns: 5000 },
    );
  });

  it('takes no longer the more dots, backslashes or letters of elsewhere it has', () => {
    for (const part of ['.', '\\', '\\.', 'a.', 'ü', 'ü.', '\\0', '\\032']) {
      assert.equal(canonicalName(part.repeat(100_000)), undefined);
    }
  });
});
