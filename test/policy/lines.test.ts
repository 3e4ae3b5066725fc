/** The lines of zones. What is not surely right is refused, and the refusal says where and what would be right. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatLine, LineError, parseLine, parseZone, zoneErrors } from '../../src/policy/lines.ts';

const LONG = `connect tcp!github.com!${'443,'.repeat(300)}443`;
const LABEL63 = 'a'.repeat(63);
/** What is written, and its one form. */
const GOOD: [string, string][] = [
  ['connect tcp!github.com!22,443', 'connect tcp!github.com!22,443'],
  ['  connect\ttcp!GitHub.COM.!443   # the site', 'connect tcp!github.com!443'],
  ['connect tcp!github.com!443\r', 'connect tcp!github.com!443'],
  ['connect tcp!github.com!443#near', 'connect tcp!github.com!443'],
  ['connect tcp!*.GitHub.com.!443', 'connect tcp!*.github.com!443'],
  ['connect tcp!*.com!443', 'connect tcp!*.com!443'],
  ['connect *!*!*', 'connect *!*!*'],
  ['connect tcp!140.82.112.0/20!443', 'connect tcp!140.82.112.0/20!443'],
  ['connect tcp!192.0.2.7/32!443', 'connect tcp!192.0.2.7!443'],
  ['connect tcp!0.0.0.0/0!*', 'connect tcp!0.0.0.0/0!*'],
  ['connect tcp!2001:DB8:0:0::1!443', 'connect tcp!2001:db8::1!443'],
  ['connect tcp![2001:db8::1]!443', 'connect tcp!2001:db8::1!443'],
  ['connect tcp![2001:db8::]/32!443', 'connect tcp!2001:db8::/32!443'],
  ['connect udp!::/0!53', 'connect udp!::/0!53'],
  ['connect tcp!::ffff:10.0.0.0/104!443', 'connect tcp!10.0.0.0/8!443'],
  ['connect tcp!::ffff:0:0/96!443', 'connect tcp!0.0.0.0/0!443'],
  ['connect tcp!::ffff:192.0.2.7!443', 'connect tcp!192.0.2.7!443'],
  ['connect tcp!x!443,22,443,80-90,22-22', 'connect tcp!x!22,80-90,443'],
  ['connect tcp!x!80-90,80', 'connect tcp!x!80,80-90'],
  ['connect tcp!x!https,ssh,HTTP', 'connect tcp!x!22,80,443'],
  ['connect *!x!https', 'connect *!x!443'],
  ['connect tcp!x!ftp-data', 'connect tcp!x!20'],
  ['connect tcp!x!1-65535', 'connect tcp!x!1-65535'],
  ['announce tcp!127.0.0.1!8000-8999', 'announce tcp!127.0.0.1!8000-8999'],
  ['announce *!*!*', 'announce *!*!*'],
  ['announce tcp!0.0.0.0/0!80', 'announce tcp!0.0.0.0/0!80'],
  ['accept tcp!10.0.0.0/8!8080', 'accept tcp!10.0.0.0/8!8080'],
  ['resolve *', 'resolve *'],
  ['resolve *.Github.com', 'resolve *.github.com'],
  ['resolve _dns.example.', 'resolve _dns.example'],
];
/** What is written, the column and the reason. */
const BAD: [string, number, string][] = [
  ['tcp!github.com!443', 1, 'a line begins with what it allows; write connect tcp!github.com!443'],
  ['allow tcp!x!1', 1, "'allow' is no verb; write connect, announce, accept or resolve"],
  ['constructor tcp!x!1', 1, "'constructor' is no verb; write connect, announce, accept or resolve"],
  [' Connect tcp!x!1', 2, "'Connect' is no verb; write connect"],
  ['connect', 8, 'connect needs an address; write connect tcp!github.com!443'],
  ['accept # all', 7, 'accept needs an address; write accept tcp!10.0.0.0/8!8080'],
  ['connect github.com', 9, "'github.com' is no PROTOCOL!HOST!PORTS; write connect tcp!github.com!443"],
  ['connect tcp!x', 14, 'the ports are missing; write tcp!x!443, or !* for every port'],
  ['connect tcp!x!', 15, 'the ports are missing; write 443, 8000-8999, https or *'],
  ['connect tcp!x!1!r', 17, 'nothing follows the ports; write PROTOCOL!HOST!PORTS'],
  ['connect tcp!x!1 2', 17, "'2' is too much: a line has one address; write # before a comment"],
  ['connect tcp!x!1, 2', 17, 'a port is missing; write lists without blanks, 22,443'],
  ['connect net!x!1', 9, "'net' is no protocol here; write * for every protocol"],
  ['connect TCP!x!1', 9, "'TCP' is no protocol; write tcp, udp or *"],
  ['connect !x!1', 9, "'' is no protocol; write tcp, udp or *"],
  ['connect tcp!!1', 13, 'the host is missing; write a name, *.NAME, an address, a network or *'],
  ['connect tcp!10.1!1', 13, "'10.1' is no IP address; write 192.0.2.7 or 2001:db8::1"],
  ['connect tcp!0x7f000001!1', 13, "'0x7f000001' is no IP address; write 192.0.2.7 or 2001:db8::1"],
  ['connect tcp!2130706433!1', 13, "'2130706433' is no IP address; write 192.0.2.7 or 2001:db8::1"],
  ['connect tcp!0177.0.0.1!1', 13, "'0177.0.0.1' is no IP address; write 192.0.2.7 or 2001:db8::1"],
  ['connect tcp!127.0.0.1.!1', 13, "'127.0.0.1.' is no IP address; write 192.0.2.7 or 2001:db8::1"],
  ['connect tcp!fe80::1%eth0!1', 13, "'fe80::1%eth0' is no IP address; write 192.0.2.7 or 2001:db8::1"],
  ['connect tcp![10.0.0.1]!1', 13, "'[10.0.0.1]' is neither an IP address nor a host name"],
  ['connect tcp!a..b!1', 13, "'a..b' is neither an IP address nor a host name"],
  ['connect tcp!bücher.example!1', 13, "'b?cher.example' is neither an IP address nor a host name"],
  [`connect tcp!a${LABEL63}!1`, 13, `'a${LABEL63}' is neither an IP address nor a host name`],
  ['connect tcp!10.1.2.3/8!1', 13, "'10.1.2.3/8' has bits behind its prefix; write 10.0.0.0/8"],
  ['connect tcp!2001:db8::1/64!1', 13, "'2001:db8::1/64' has bits behind its prefix; write 2001:db8::/64"],
  [
    'connect tcp!::ffff:10.0.0.1/104!1',
    13,
    "'::ffff:10.0.0.1/104' has bits behind its prefix; write 10.0.0.0/8",
  ],
  ['connect tcp!10.0.0.0/33!1', 22, "'33' is no length of a prefix; write 0 to 32"],
  ['connect tcp!10.0.0.0/08!1', 22, "'08' is no length of a prefix; write 0 to 32"],
  ['connect tcp!10.0.0.0/255.0.0.0!1', 22, "'255.0.0.0' is no length of a prefix; write 0 to 32"],
  ['connect tcp!2001:db8::/129!1', 24, "'129' is no length of a prefix; write 0 to 128"],
  [
    'connect tcp!::ffff:0.0.0.0/95!1',
    28,
    'v4-mapped addresses are IPv4, whose prefixes begin at 96 here; write 10.0.0.0/8',
  ],
  ['connect tcp!10.0.0.0/8/8!1', 13, "'10.0.0.0/8/8' is no network; write 10.0.0.0/8 or 2001:db8::/32"],
  ['connect tcp!github.com/24!1', 13, "'github.com/24' is no network; write 10.0.0.0/8 or 2001:db8::/32"],
  [
    'connect tcp!*github.com!1',
    13,
    "'*github.com': * stands alone, or for the first labels of a name; write *.github.com",
  ],
  [
    'connect tcp!a.*.com!1',
    13,
    "'a.*.com': * stands alone, or for the first labels of a name; write *.github.com",
  ],
  ['connect tcp!*.*.com!1', 13, "'*.*.com' has no name behind its *.; write *.github.com"],
  ['connect tcp!*.!1', 13, "'*.' has no name behind its *.; write *.github.com"],
  ['connect tcp!*.0.0.1!1', 13, "'*.0.0.1': *. stands before names; write a network such as 10.0.0.0/8"],
  [
    'connect tcp!*.10.0.0.1!1',
    13,
    "'*.10.0.0.1': *. stands before names; write a network such as 10.0.0.0/8",
  ],
  ['connect tcp!x!0', 15, 'port 0 is no port; write 1 to 65535, or * for every port'],
  ['connect tcp!x!22,0-5', 18, 'port 0 is no port; write 1 to 65535, or * for every port'],
  ['connect tcp!x!65536', 15, "'65536' is no port; write 1 to 65535"],
  ['connect tcp!x!1-99999999999999999999', 15, "'99999999999999999999' is no port; write 1 to 65535"],
  ['connect tcp!x!0443', 15, "'0443' is no port; write 443"],
  ['connect tcp!x!90-80', 15, "'90-80' is no range; write 80-90"],
  ['connect tcp!x!22,*', 18, '* is every port and stands alone; write * or the ports'],
  ['connect tcp!x!22,,80', 18, 'a port is missing; write lists without blanks, 22,443'],
  ['connect tcp!x!80-', 15, "'80-' is no port; write 1 to 65535, a range, or a service such as https"],
  ['connect tcp!x!-1', 15, "'-1' is no port; write 1 to 65535, a range, or a service such as https"],
  ['connect tcp!x!nosuch', 15, "'nosuch' is no port; write 1 to 65535, a range, or a service such as https"],
  ['announce tcp!localhost!80', 14, 'announce judges addresses, not names; write an address, a network or *'],
  ['accept tcp!*.example!80', 12, 'accept judges addresses, not names; write an address, a network or *'],
  ['announce tcp!0.0.0.0!80', 14, "'0.0.0.0' stands for every address of the host; write *"],
  ['resolve tcp!x!1', 9, 'resolve has a name and no protocol and ports; write resolve *.github.com'],
  ['resolve 10.0.0.1', 9, "resolve judges names, and '10.0.0.1' is an address; write resolve *.github.com"],
  ['resolve ::/0', 9, "resolve judges names, and '::/0' is an address; write resolve *.github.com"],
  ['connect tcp!x!1 # \u0000', 19, 'U+0000 is not seen where it stands; leave it out'],
  ['connect *!*!*\r# connect tcp!x!1', 14, 'U+000D is not seen where it stands; leave it out'],
  ['connect tcp!x!1 # \u001b[2J', 19, 'U+001B is not seen where it stands; leave it out'],
  ['# 😀 \u202E1!x!pct', 5, 'U+202E is not seen where it stands; leave it out'],
  ['\uFEFFconnect tcp!x!1', 1, 'U+FEFF is not seen where it stands; leave it out'],
  [LONG, 1025, 'a line has at most 1024 bytes; write several'],
];

const errorOf = (text: string): LineError => {
  const [error] = zoneErrors(Buffer.from(text));
  assert(error !== undefined, text);
  return error;
};

describe('a line of a zone', () => {
  it('is read in all forms that it may have', () => {
    for (const [written, text] of GOOD) assert.equal(parseLine(written)!.text, text, written);
  });

  it('is refused with the column and the reason where it is not surely right', () => {
    for (const [written, column, reason] of BAD) {
      const error = errorOf(`\n${written}`);
      assert.deepEqual(
        [error.line, error.column, error.reason],
        [2, column, reason],
        JSON.stringify(written),
      );
      assert.equal(error.detail, `line 2, column ${column}: ${reason}`);
      assert.equal(error.name, 'Esyntax');
    }
  });

  it('may be blank or a comment, in any language', () => {
    for (const text of ['', ' \t', '\r', '# connect tcp!x!1', '  # größer 😀'])
      assert.equal(parseLine(text), undefined);
  });

  it('keeps each range of its ports, for its width counts, in their order', () => {
    const ports = parseLine('connect tcp!x!80-90,85,80-85,85')!.ports;
    assert.deepEqual(
      ports.map(({ low, high }) => [low, high]),
      [
        [80, 85],
        [80, 90],
        [85, 85],
      ],
    );
  });

  it('names a service for every protocol only where that is one port', () => {
    const ports: Record<string, number> = {
      'a/tcp': 7,
      'b/udp': 8,
      'c/tcp': 9,
      'c/udp': 9,
      'd/tcp': 512,
      'd/udp': 513,
    };
    const portOf = (name: string, protocol: string): number | undefined => ports[`${name}/${protocol}`];
    const read = (text: string): string => parseLine(text, 1, portOf)!.text;
    assert.equal(read('connect *!x!a,b,c'), 'connect *!x!7,8,9');
    assert.equal(read('connect udp!x!d'), 'connect udp!x!513');
    assert.throws(() => read('connect udp!x!a'), { column: 15 });
    const reason = "'d' is 512 of tcp and 513 of udp; write the number";
    assert.throws(() => read('connect *!x!c,d'), { column: 15, reason });
  });

  it('of 1024 bytes is the longest', () => {
    const text = `connect tcp!x!1 #${'é'.repeat(503)}`;
    assert.equal(Buffer.byteLength(text), 1023);
    assert.equal(parseLine(`${text}.`)!.source, `${text}.`);
    assert.throws(() => parseLine(`${text}é`), { column: 521 });
  });
});

describe('the text of a zone', () => {
  it('has its lines by number, blank ones counted', () => {
    const lines = parseZone(Buffer.from('# a zone\r\n\r\nconnect tcp!x!1\r\nresolve y'));
    assert.deepEqual(
      lines.map(({ number, text, source }) => [number, text, source]),
      [
        [3, 'connect tcp!x!1', 'connect tcp!x!1\r'],
        [4, 'resolve y', 'resolve y'],
      ],
    );
  });

  it('is refused for its first bad line, and all are told to who asks', () => {
    const text = Buffer.from('connect tcp!x!0\nresolve x\nfoo\n');
    assert.throws(() => parseZone(text), { line: 1, column: 15 });
    assert.deepEqual(
      zoneErrors(text).map(({ line, column }) => [line, column]),
      [
        [1, 15],
        [3, 1],
      ],
    );
  });

  it('is UTF-8, and what is not has its place', () => {
    const bad = Buffer.concat([
      Buffer.from('resolve x\n# é '),
      Buffer.from([0xc3]),
      Buffer.from('\nresolve y'),
    ]);
    const [error, ...more] = zoneErrors(bad);
    assert.deepEqual([error!.line, error!.column, more.length], [2, 5, 0]); // What is shown for bytes that are no characters does not excuse them.
    const before = parseZone(Buffer.from('resolve x # \uFFFD'));
    assert.throws(() => parseZone(Buffer.from('resolve x # \xFF', 'latin1'), before), {
      line: 1,
      column: 13,
    });
  });

  it('after an edit is what it would be anew, and lines that stay where they are are the same', () => {
    const text = fc.array(fc.constantFrom('resolve a', 'resolve b', 'resolve c', '# d', '', 'resolve A'), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(text, text, (first, second) => {
        const [a, b] = [first, second].map(lines => Buffer.from(lines.join('\n')));
        const before = parseZone(a!);
        const after = parseZone(b!, before);
        assert.deepEqual(after, parseZone(b!));
        assert.deepEqual(parseZone(a!, before), before);
      }),
    );
    const before = parseZone(Buffer.from('resolve a\nresolve b\nresolve c'));
    const after = parseZone(Buffer.from('resolve a\nresolve x\nresolve c'), before);
    assert.equal(after[0], before[0]);
    assert.equal(after[2], before[2]);
  });

  it('is read or refused with LineError, whatever it is', () => {
    const pieces = fc.constantFrom(
      ...[
        'connect',
        'announce',
        'accept',
        'resolve',
        ' ',
        '!',
        'tcp',
        '*',
        '*.',
        '.',
        'a',
        ':',
        '::',
        '/',
        '-',
      ],
      ...[
        ',',
        '0',
        '10',
        '65535',
        '255',
        '[',
        ']',
        '#',
        '\r',
        '\n',
        '\t',
        '%',
        'é',
        '\uD800',
        '\u0000',
        'x'.repeat(300),
      ],
    );
    const texts = fc.oneof(
      fc.array(pieces, { maxLength: 24 }).map(parts => Buffer.from(parts.join(''))),
      fc.string({ unit: 'binary' }).map(text => Buffer.from(text)),
      fc.uint8Array({ maxLength: 64 }).map(bytes => Buffer.from(bytes)),
    );
    fc.assert(
      fc.property(texts, text => {
        const errors = zoneErrors(text);
        for (const { line, column } of errors) assert(line >= 1 && column >= 1 && column <= 1026);
        try {
          for (const line of parseZone(text)) checkSame(line.text);
          assert.equal(errors.length, 0);
        } catch (error) {
          assert(error instanceof LineError);
          assert.equal(error.detail, errors[0]!.detail);
        }
      }),
      { numRuns: 5000 },
    );
  });

  it('gives back what was written in its one form', () => {
    for (const [, text] of GOOD) checkSame(text);
    const host = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.domain(),
      fc.domain().map(name => `*.${name}`),
      fc.constant('*'),
    );
    const port = fc.integer({ min: 1, max: 65535 });
    const range = fc.tuple(port, port).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`);
    const ports = fc.array(fc.oneof(port.map(String), range), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(host, ports, (name, list) => {
        const written = `connect tcp!${name}!${list.join()}`;
        const line = parseLine(written)!;
        checkSame(line.text);
      }),
    );
  });

  function checkSame(text: string): void {
    const line = parseLine(text)!;
    assert.equal(line.text, text);
    assert.equal(formatLine(line), text);
  }
});
