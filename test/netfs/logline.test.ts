/** The lines of a log, taken apart by a parser that knows only what docs/log.md says. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fields, MOST_OF_VALUE, type Entry } from '../../src/netfs/logline.ts';

/** What a terminal would obey, what divides lines, and what turns the direction of writing. */
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\u200b-\u200f\ufeff\u061c]/;

const NASTY = [
  '',
  ' ',
  'root verdict=allowed',
  'x\ntime=2026-11-25T10:00:00.000Z verb=connect verdict=allowed',
  'x\r\nverb=policy',
  '"',
  '\\',
  '\\"',
  '" verdict=allowed user="',
  '\\" verdict=allowed user=\\"',
  'a=b',
  '\x1b[2J\x1b]0;owned\x07',
  '\u009b31m',
  '\u202egro.live',
  '\u2028verb=policy',
  '\ud800',
  '\udfff"',
  '\\x0a',
  '\\u{a}',
  '\u{e0041}\u{1f600}',
  '…',
  '=',
  'ünïcode',
];

/** The entry that a line says: every value is text. */
function parsed(line: string): Record<string, string> {
  const entry: Record<string, string> = {};
  let rest = line;
  while (rest !== '') {
    const [whole, key, quoted, bare] = /^([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^ "=]+))(?: |$)/u.exec(rest) ?? [];
    assert.ok(whole !== undefined && key !== undefined, `no field: ${rest}`);
    assert.ok(!(key in entry), `${key} is there twice`);
    entry[key] = quoted === undefined ? bare! : unquoted(quoted);
    rest = rest.slice(whole.length);
  }
  return entry;
}

const unquoted = (text: string): string =>
  text.replace(
    /\\(?:x([0-9a-f]{2})|u\{([0-9a-f]+)\}|(.))/gu,
    (_, byte?: string, code?: string, char?: string) =>
      char === undefined ? String.fromCodePoint(parseInt((byte ?? code)!, 16)) : char,
  );

function assertSame(entry: Entry): void {
  const line = fields(entry);
  assert.doesNotMatch(line, UNPRINTABLE);
  assert.doesNotMatch(line, /\p{Cs}/u);
  const expected = Object.entries(entry).filter(([, value]) => value !== undefined);
  assert.deepEqual(
    Object.entries(parsed(line)),
    expected.map(([key, value]) => [key, String(value)]),
  );
}

describe('a line of the log', () => {
  it('says the keys in their order, and leaves out what is undefined', () => {
    const entry = { verb: 'connect', user: 'alice', pid: 12, zone: undefined, dest: 'tcp!h!443', ms: 0 };
    assert.equal(fields(entry), 'verb=connect user=alice pid=12 dest=tcp!h!443 ms=0');
  });

  it('quotes what has a blank, a quote or an equals sign, and what is empty', () => {
    assert.equal(
      fields({ reason: 'no zone allows it', a: 'x"y', b: 'x=y', c: '', d: 'c:\\x' }),
      'reason="no zone allows it" a="x\\"y" b="x=y" c="" d=c:\\x',
    );
  });

  it('has controls and separators as numbers', () => {
    assert.equal(fields({ user: 'a\nb\x1b\x9b\u2028\u202e' }), 'user="a\\x0ab\\x1b\\x9b\\u{2028}\\u{202e}"');
  });

  it('says the same entry to who parses it, whatever somebody calls himself', () => {
    for (const user of NASTY) {
      for (const dest of NASTY) assertSame({ verb: 'connect', user, dest, verdict: 'refused' });
    }
  });

  it('says the same entry to who parses it, for values made at random', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.array(fc.constantFrom(...NASTY), { maxLength: 8 }).map(parts => parts.join('')),
      fc
        .array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 })
        .map(units => String.fromCharCode(...units)),
      fc.integer(),
    );
    const entry = fc.record({
      verb: value,
      user: value,
      dest: value,
      reason: value,
      in: fc.option(value, { nil: undefined }),
    });
    fc.assert(fc.property(entry, assertSame), { numRuns: 2000 });
  });

  it('cuts a long value, between characters', () => {
    const long = fields({ user: 'x'.repeat(100_000) });
    assert.equal(long, `user="${'x'.repeat(MOST_OF_VALUE)}…"`);
    assert.equal(fields({ user: 'x'.repeat(MOST_OF_VALUE) }), `user=${'x'.repeat(MOST_OF_VALUE)}`);
    const pairs = parsed(fields({ user: `x${'😀'.repeat(1000)}` }))['user']!;
    assert.doesNotMatch(pairs, /\p{Cs}/u);
    assert.ok(pairs.endsWith('😀…'));
  });

  it('is bounded, even where each character is written as a number', () => {
    assert.ok(fields({ user: '\u{e0001}'.repeat(10_000), dest: '\u202e'.repeat(10_000) }).length < 16 * 1024);
  });
});
