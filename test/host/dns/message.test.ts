/** Messages of the domain name system: what is sent, and what is made of whatever comes. RFC 1035, 4. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { decodeAnswer, encodeQuery, isAnswerTo, isTruncated } from '../../../src/host/dns/message.ts';
import { Malformed } from '../../../src/host/dns/reader.ts';
import { domainOctets } from '../../../src/netfs/domain.ts';
import { answer, ASKED, name, question, record, RESPONSE, to, TRUNCATED, u16, u32 } from './wire.ts';

const QUESTION = { name: domainOctets('example.test')!, type: 1 };

/** The values of an answer's records. */
const values = (...answers: number[][]): string[] =>
  decodeAnswer(answer({ answers })).records.map(({ value }) => value);

const refused = (message: Buffer): void => assert.throws(() => decodeAnswer(message), Malformed);

describe('a query', () => {
  it('is a question for recursion with an id', () => {
    const expected = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...question('example.test', 1)];
    assert.deepEqual([...encodeQuery(QUESTION, 0x1234, false)], expected);
  });

  it('says by EDNS that 1232 octets fit', () => {
    const opt = [0, ...u16(41), ...u16(1232), ...u32(0), ...u16(0)];
    const expected = [0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, ...question('example.test', 1), ...opt];
    assert.deepEqual([...encodeQuery(QUESTION, 7, true)], expected);
  });
});

describe('isAnswerTo', () => {
  const query = encodeQuery(QUESTION, 0x1234, true);
  const is = (more: Parameters<typeof answer>[0]): boolean =>
    isAnswerTo(answer({ id: 0x1234, ...more }), query);

  it('takes an answer with the id and the question, in any case', () => {
    assert(is({}));
    assert(is({ question: question('EXAMPLE.tEST', 1) }));
  });

  it('takes no other id, name, type or class, no query and no other operation', () => {
    assert(!is({ id: 0x1235 }));
    assert(!is({ question: question('example.tesu', 1) }));
    assert(!is({ question: question('example.test.', 28) }));
    assert(!is({ question: [...name('example.test'), ...u16(1), ...u16(3)] }));
    assert(!is({ question: question('a.example.test', 1) }));
    assert(!is({ flags: 0x0100 }));
    assert(!is({ flags: RESPONSE | 0x2800 }));
  });

  it('takes an error without a question, but neither an answer nor a "no such name" without one', () => {
    assert(is({ question: [], flags: RESPONSE | 1 }));
    assert(!is({ question: [], flags: RESPONSE }));
    assert(!is({ question: [], flags: RESPONSE | 3 }));
  });

  it('takes nothing that is shorter than it', () => {
    const whole = answer({ id: 0x1234 });
    for (let end = 0; end < whole.length; end++) assert(!isAnswerTo(whole.subarray(0, end), query));
  });
});

describe('decodeAnswer', () => {
  it('gives each record of class IN its name, type, time to live and value', () => {
    const answers = [
      record({ type: 1, ttl: 60, data: [192, 0, 2, 7] }),
      record({
        owner: name('Other.Test'),
        type: 28,
        data: [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 9],
      }),
      record({ type: 16, class: 3, data: [1, 65] }),
    ];
    assert.deepEqual(decodeAnswer(answer({ answers })).records, [
      { name: 'example.test', type: 1, ttl: 60, value: '192.0.2.7' },
      { name: 'Other.Test', type: 28, ttl: 300, value: '2001:db8::9' },
    ]);
  });

  it('takes a time to live with its uppermost bit set for 0 (RFC 2181, 8)', () => {
    const answers = [record({ type: 1, ttl: 0x80000001, data: [1, 2, 3, 4] })];
    assert.equal(decodeAnswer(answer({ answers })).records[0]!.ttl, 0);
  });

  it('writes values as dns(8) does', () => {
    const mail = [...name('mail')].slice(0, -1);
    assert.deepEqual(
      values(
        record({ type: 2, data: [2, 0x6e, 0x73, ...ASKED] }),
        record({ type: 5, data: ASKED }),
        record({ type: 12, data: name('host.test') }),
        record({ type: 15, data: [...u16(10), ...mail, ...ASKED] }),
        record({ type: 33, data: [...u16(1), ...u16(2), ...u16(5060), ...name('sip.test')] }),
        record({ type: 6, data: [...ASKED, ...name('me.test'), ...[1, 2, 3, 4, 0xffffffff].flatMap(u32)] }),
        record({ type: 15, data: [...u16(0), 0] }),
      ),
      [
        'ns.example.test',
        'example.test',
        'host.test',
        '10 mail.example.test',
        '1 2 5060 sip.test',
        'example.test me.test 1 2 3 4 4294967295',
        '0 .',
      ],
    );
  });

  it('puts the strings of a TXT together, as text that is one line', () => {
    const txt = (...bytes: number[]): number[] => record({ type: 16, data: bytes });
    assert.deepEqual(values(txt(2, 65, 66, 0, 1, 67)), ['ABC']);
    assert.deepEqual(values(txt(4, 10, 92, 9, 127)), ['\\010\\\\\\009\\127']);
    assert.deepEqual(values(txt(2, 0xc3, 0xbc)), ['ü']);
    // A letter may be cut by the end of a string.
    assert.deepEqual(values(txt(1, 0xc3, 1, 0xbc)), ['ü']);
    assert.deepEqual(values(txt(3, 0xff, 0xc3, 0xbc)), ['\\255\\195\\188']);
    // CSI of C1, a line separator, what turns the direction of writing: a terminal obeys them.
    const utf8 = (text: string): number[] => txt(Buffer.byteLength(text), ...Buffer.from(text));
    assert.deepEqual(values(utf8('\u009b31m')), ['\\194\\15531m']);
    assert.deepEqual(values(utf8('\u2028')), ['\\226\\128\\168']);
    assert.deepEqual(values(utf8('\u202e')), ['\\226\\128\\174']);
    assert.deepEqual(values(utf8('ﷺ😀')), ['ﷺ😀']);
    assert.deepEqual(values(txt()), ['']);
  });

  it('gives other types as data (RFC 3597, 5), its names whole', () => {
    assert.deepEqual(
      values(
        record({ type: 65, data: [0, 1, 0] }),
        record({ type: 65280, data: [] }),
        record({ type: 39, data: ASKED }),
        record({ type: 18, data: [...u16(1), ...ASKED] }),
        record({ type: 35, data: [...u16(1), ...u16(2), 1, 65, 0, 0, ...ASKED] }),
        record({ type: 17, data: [...ASKED, 0] }),
      ),
      [
        '\\# 3 000100',
        '\\# 0',
        `\\# 14 ${Buffer.from(name('example.test')).toString('hex')}`,
        `\\# 16 0001${Buffer.from(name('example.test')).toString('hex')}`,
        `\\# 22 0001000201410000${Buffer.from(name('example.test')).toString('hex')}`,
        `\\# 15 ${Buffer.from(name('example.test')).toString('hex')}00`,
      ],
    );
  });

  it('escapes in names what is no part of a text', () => {
    const odd = [6, 0x61, 0x2e, 0x5c, 0x20, 0x00, 0xff, 0];
    assert.deepEqual(values(record({ type: 2, data: odd })), ['a\\.\\\\\\032\\000\\255']);
    assert.deepEqual([...domainOctets('a\\.\\\\\\032\\000\\255')!], odd);
  });

  it('follows pointers to pointers, and into the middle of names', () => {
    const first = record({ type: 2, data: [1, 0x61, ...ASKED] });
    const at = 12 + question('example.test', 1).length + 12;
    assert.deepEqual(
      values(first, record({ owner: to(at), type: 2, data: to(at + 2) }), record({ type: 2, data: to(20) })),
      ['a.example.test', 'example.test', 'test'],
    );
  });

  it('refuses pointers that lead forward, to themselves, into the header or in a circle', () => {
    const at = 12 + question('example.test', 1).length + 12;
    for (const pointer of [at, at + 2, 0x3fff, 0, 11])
      refused(answer({ answers: [record({ type: 2, data: to(pointer) })] }));
    // A label, and then back to it.
    refused(answer({ answers: [record({ type: 2, data: [1, 0x61, ...to(at)] })] }));
    refused(answer({ answers: [record({ owner: [1, 0x61, ...to(at - 12)], type: 2, data: ASKED })] }));
  });

  it('refuses labels of 64 octets and more, and names of more than 255', () => {
    for (const length of [64, 0x80, 0xbf]) {
      refused(
        answer({ answers: [record({ type: 2, data: [length, ...Array<number>(length).fill(65), 0] })] }),
      );
    }
    const label = [63, ...Array<number>(63).fill(65)];
    refused(answer({ answers: [record({ type: 2, data: [...label, ...label, ...label, ...label, 0] })] }));
    const most = [...label, ...label, ...label, 61, ...Array<number>(61).fill(65), 0];
    assert.equal(values(record({ type: 2, data: most }))[0]!.length, 253);
  });

  it('refuses data that is shorter or longer than what it holds', () => {
    const wrong: [number, number[]][] = [
      [1, [1, 2, 3]],
      [1, [1, 2, 3, 4, 5]],
      [28, [1]],
      [15, [0]],
      [15, [...u16(1), ...ASKED, 0]],
      [6, [...ASKED, ...ASKED, 0]],
      [33, []],
      [16, [5, 65]],
      [39, [...ASKED, 0]],
    ];
    for (const [type, data] of wrong) refused(answer({ answers: [record({ type, data })] }));
    // What stands behind it belongs to somebody else.
    refused(
      answer({ answers: [record({ type: 1, data: [1, 2, 3] }), record({ type: 1, data: [1, 2, 3, 4] })] }),
    );
  });

  it('refuses counts that promise more than is there', () => {
    const message = answer({ answers: [record({ type: 1, data: [1, 2, 3, 4] })] });
    for (const at of [4, 6, 8, 10]) {
      const lying = Buffer.from(message);
      lying.writeUInt16BE(0xffff, at);
      refused(lying);
    }
  });

  it('tells what the authority has, and the code that EDNS makes longer', () => {
    const authority = [record({ type: 6, data: [0] }), record({ type: 2, data: [0xff] })];
    const opt = record({ owner: [0], type: 41, class: 1232, ttl: 0x01000000, data: [] });
    const { rcode, authority: types } = decodeAnswer(answer({ authority, additional: [opt] }));
    assert.deepEqual(types, [6, 2]);
    assert.equal(rcode, 16);
  });

  it('refuses an answer that makes much text out of little', () => {
    const label = [63, ...Array<number>(63).fill(7)];
    const long = [...label, ...label, ...label, 0];
    const first = record({ type: 2, data: long });
    const at = 12 + question('example.test', 1).length + 12;
    const more = Array<number[]>(4000).fill(record({ owner: to(at), type: 2, data: to(at) }));
    refused(answer({ answers: [first, ...more] }));
  });
});

describe('any octets', () => {
  /** Nothing but Malformed is thrown; whether it was. */
  function survives(message: Buffer): boolean {
    const query = encodeQuery(QUESTION, 0x1234, true);
    if (isAnswerTo(message, query)) isTruncated(message);
    try {
      decodeAnswer(message);
      return true;
    } catch (error) {
      assert(error instanceof Malformed, String(error));
      return false;
    }
  }

  /** One of each kind. */
  const GOOD = answer({
    id: 0x1234,
    answers: [
      record({ type: 1, data: [192, 0, 2, 7] }),
      record({ type: 28, data: Array<number>(16).fill(1) }),
      record({ type: 5, data: [1, 0x61, ...ASKED] }),
      record({ type: 15, data: [...u16(10), ...ASKED] }),
      record({ type: 6, data: [...ASKED, ...ASKED, ...[1, 2, 3, 4, 5].flatMap(u32)] }),
      record({ type: 16, data: [3, 65, 66, 67, 0] }),
      record({ type: 33, data: [...u16(1), ...u16(2), ...u16(3), ...name('sip.test')] }),
      record({ type: 35, data: [...u16(1), ...u16(2), 1, 65, 0, 0, ...ASKED] }),
      record({ type: 257, data: [0, 1, 2] }),
    ],
    authority: [record({ type: 6, data: [0] })],
    additional: [record({ owner: [0], type: 41, class: 1232, ttl: 0, data: [] })],
  });

  it('are refused or understood', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), bytes => void survives(Buffer.from(bytes))));
  });

  it('behind a good header are refused or understood', () => {
    const header = [0x12, 0x34, ...u16(RESPONSE), ...u16(1), ...u16(3), ...u16(1), ...u16(1)];
    // Octets that mean something, so that more is understood.
    const octet = fc.oneof(fc.constantFrom(0, 1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 0xc0, 63), fc.nat(255));
    fc.assert(
      fc.property(
        fc.array(octet, { maxLength: 300 }),
        rest => void survives(Buffer.from([...header, ...question('example.test', 1), ...rest])),
      ),
      { numRuns: 1000 },
    );
  });

  it('of a good answer with some of them changed are refused or understood', () => {
    assert(survives(GOOD));
    const change = fc.tuple(fc.nat(GOOD.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), changes => {
        const mutated = Buffer.from(GOOD);
        for (const [at, octet] of changes) mutated[at] = octet;
        survives(mutated);
      }),
      { numRuns: 2000 },
    );
  });

  it('of a good answer that are cut anywhere are refused', () => {
    for (let end = 0; end < GOOD.length; end++) assert(!survives(GOOD.subarray(0, end)), `cut at ${end}`);
  });

  it('that are each one pointer do not lead anywhere', () => {
    for (let at = 0; at < 600; at += 7) {
      const header = [0x12, 0x34, ...u16(RESPONSE), 0, 0, ...u16(200), 0, 0, 0, 0];
      survives(Buffer.from([...header, ...Array.from({ length: 600 }, (_, i) => to((at + i) % 700)).flat()]));
    }
  });

  it('take steps in proportion to how many they are, whatever they hold', () => {
    // A ladder of 30,000 pointers, each to the one before, and then names that begin at its top.
    const ladder = Array.from({ length: 8000 }, (_, i) => to(12 + 2 * Math.max(0, i - 1)));
    const top = to(12 + 2 * 7999);
    const names = Array.from({ length: 3000 }, () => record({ owner: top, type: 10, data: [] }));
    const header = [0x12, 0x34, ...u16(RESPONSE), 0, 0, ...u16(3001), 0, 0, 0, 0];
    const first = record({ owner: [0], type: 10, data: [] });
    assert(!survives(Buffer.from([...header, ...first, ...ladder.flat(), ...names.flat()])));
    let steps = 0;
    const counted = new Proxy(Buffer.from([...header, ...names.flat(), ...ladder.flat()]), {
      get(target, key) {
        if (typeof key === 'string' && /^\d/.test(key)) steps++;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
    survives(counted);
    assert(steps < 200 * counted.length);
  });

  it('say by a flag that they are cut', () => {
    assert(isTruncated(answer({ flags: RESPONSE | TRUNCATED })));
    assert(!isTruncated(answer({})));
  });
});
