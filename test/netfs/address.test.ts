/** Addresses as they are written to ctl. What is judged must be what is dialled, so parsing is strict. */
import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import fc from 'fast-check';
import {
  ANY,
  formatEndpoint,
  formatIp,
  parseDestination,
  parseIp,
  parseLocal,
  sameIp,
} from '../../src/netfs/address.ts';
import { isLoopback, isUnspecified } from '../../src/netfs/address.ts';
import { FsError, type ErrorName } from '../../src/netfs/error.ts';

/** What can stand in an address, and what looks like it. */
const addressLike = fc.string({ unit: fc.constantFrom(...'0123456789abcdefx.:.:.:%[]! '), maxLength: 24 });
const octets = fc.array(fc.oneof(fc.nat(300), fc.constantFrom('00', '01', '0x1', '')), {
  minLength: 1,
  maxLength: 5,
});

const failsAs = (run: () => unknown, name: ErrorName): void =>
  assert.throws(run, (error: unknown) => error instanceof FsError && error.name === name);

describe('parseIp', () => {
  it('takes exactly what inet_pton takes', () => {
    const texts = fc.oneof(
      addressLike,
      octets.map(parts => parts.join('.')),
      fc.ipV4(),
      fc.ipV6(),
      fc.string(),
    );
    fc.assert(
      fc.property(texts, text => {
        assert.equal(parseIp(text) !== undefined, isIP(text) !== 0 && !text.includes('%'), text);
      }),
      { numRuns: 5000 },
    );
  });

  it('reads an IPv4 address as its four bytes', () => {
    fc.assert(
      fc.property(fc.ipV4(), text => {
        const { family, bytes } = parseIp(text)!;
        assert.equal(family, 4);
        assert.deepEqual([...bytes], text.split('.').map(Number));
        assert.equal(formatIp({ family, bytes }), text);
      }),
    );
  });

  it('reads what formatIp wrote', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), bytes => {
        const ip = parseIp(formatIp({ family: 6, bytes }))!;
        assert.deepEqual([...ip.bytes].slice(-4), [...bytes].slice(-4));
        assert(sameIp(parseIp(formatIp(ip))!, ip));
      }),
    );
  });

  it('takes every v4-mapped form as IPv4', () => {
    for (const text of ['::ffff:1.2.3.4', '::FFFF:102:304', '0:0:0:0:0:ffff:1.2.3.4', '0::ffff:0102:0304']) {
      assert.deepEqual(parseIp(text), { family: 4, bytes: Uint8Array.of(1, 2, 3, 4) }, text);
    }
  });

  it('leaves other embeddings of IPv4 as the IPv6 that they are', () => {
    for (const text of ['::1.2.3.4', '64:ff9b::1.2.3.4', '::ffff:0:1.2.3.4', '2002:102:304::']) {
      assert.equal(parseIp(text)!.family, 6, text);
    }
  });

  it('knows loopback and the unspecified address in both families', () => {
    for (const text of ['127.0.0.1', '127.255.0.9', '::1', '::ffff:127.0.0.1'])
      assert(isLoopback(parseIp(text)!), text);
    for (const text of ['128.0.0.1', '::', '::2', '1::1', '0.0.0.0'])
      assert(!isLoopback(parseIp(text)!), text);
    for (const text of ['0.0.0.0', '::', '::ffff:0.0.0.0']) assert(isUnspecified(parseIp(text)!), text);
    for (const text of ['0.0.0.1', '::1']) assert(!isUnspecified(parseIp(text)!), text);
    assert(!sameIp(parseIp('0.0.0.0')!, parseIp('::')!));
  });
});

describe('parseDestination', () => {
  it('reads HOST!PORT', () => {
    const { host, port, reserved } = parseDestination('192.0.2.7!80', 'tcp');
    assert.deepEqual([formatIp(host as never), port, reserved], ['192.0.2.7', 80, false]);
  });

  it('reads names, in lower case, and keeps the final dot', () => {
    for (const [text, name] of [
      ['Example.COM!80', 'example.com'],
      ['example.com.!80', 'example.com.'],
      ['a_b.example!80', 'a_b.example'],
      ['1password.com!80', '1password.com'],
      ['xn--bcher-kva.example!80', 'xn--bcher-kva.example'],
      ['localhost!80', 'localhost'],
      ['1.2.3.4.in-addr.arpa!80', '1.2.3.4.in-addr.arpa'],
      ['0x7f.example!80', '0x7f.example'],
    ]) {
      assert.equal(parseDestination(text!, 'tcp').host, name);
    }
  });

  it('reads !r among the options behind the port', () => {
    for (const text of ['h!1!r', 'h!1!fasttimeout!r', 'h!1!r!fasttimeout']) {
      assert.equal(parseDestination(text, 'tcp').reserved, true, text);
    }
    assert.equal(parseDestination('h!1!fasttimeout', 'tcp').reserved, false);
    for (const text of ['h!1!x', 'h!1!', 'h!1!R', 'h!1!!r'])
      failsAs(() => parseDestination(text, 'tcp'), 'Ebadaddr');
  });

  it('takes services, in any case, for the protocol that was asked', () => {
    for (const [service, port] of [
      ['http', 80],
      ['HTTPS', 443],
      ['9fs', 564],
      ['ssh', 22],
    ] as const) {
      assert.equal(parseDestination(`h!${service}`, 'tcp').port, port);
    }
    for (const service of ['', 'nothing-like-it', 'toString', '__proto__', 'http ', '80http!', '٣']) {
      assert.throws(() => parseDestination(`h!${service}`, 'tcp'), FsError);
    }
  });

  it('takes a host that ends in a number for an address or an error, never for a name', () => {
    const label = fc.string({ unit: fc.constantFrom(...'abc019xf'), minLength: 1, maxLength: 5 });
    const numeric = fc.oneof(
      fc.nat(2 ** 32).map(String),
      fc.nat(0xffff).map(n => `0x${n.toString(16)}`),
    );
    fc.assert(
      fc.property(
        fc.array(label, { maxLength: 4 }),
        numeric,
        fc.constantFrom('', '.'),
        (labels, last, dot) => {
          const text = [...labels, last].join('.') + dot;
          try {
            assert.notEqual(typeof parseDestination(`${text}!80`, 'tcp').host, 'string', text);
            assert.notEqual(isIP(text), 0, text);
          } catch (error) {
            assert(error instanceof FsError, String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('takes anything at all for a well-formed destination or one of its errors', () => {
    const errors = new Set<string>(['Ebadaddr', 'Ebadip', 'Ebadport']);
    const anything = fc.oneof(
      fc.string(),
      addressLike,
      fc.tuple(fc.string(), fc.string()).map(pair => pair.join('!')),
    );
    fc.assert(
      fc.property(anything, text => {
        try {
          const { host, port } = parseDestination(text, 'tcp');
          assert(port > 0 && port <= 65535);
          if (typeof host === 'string') assert.match(host, /^[a-z0-9_.-]{1,253}$/);
          else assert(!isUnspecified(host));
        } catch (error) {
          assert(error instanceof FsError && errors.has(error.name), String(error));
        }
      }),
      { numRuns: 5000 },
    );
  });
});

describe('parseLocal', () => {
  it('reads any address as `::`', () => {
    for (const text of ['*!7', '7', '::!7']) assert.deepEqual(parseLocal(text, 'tcp'), { ip: ANY, port: 7 });
  });

  it('reads an address and a port, 0 included', () => {
    for (const text of ['127.0.0.1!0', '::1!65535', '0.0.0.0!7']) {
      assert.equal(formatEndpoint(parseLocal(text, 'tcp')), text);
    }
    assert.equal(formatEndpoint(parseLocal('[::1]!http', 'tcp')), '::1!80');
  });

  it('takes no names and nothing else', () => {
    for (const text of ['localhost!0', '127.1!0', '!7', '[]!7'])
      failsAs(() => parseLocal(text, 'tcp'), 'Ebadip');
    for (const text of ['', '127.0.0.1!', '65536', '-1', '127.0.0.1', 'x!y']) {
      failsAs(() => parseLocal(text, 'tcp'), 'Ebadport');
    }
    failsAs(() => parseLocal('1!2!3', 'tcp'), 'Ebadaddr');
  });
});
