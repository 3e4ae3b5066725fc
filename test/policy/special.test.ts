/** Special address space. Names that lead there are not believed. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { formatIp, ipFromBytes, parseIp } from '../../src/netfs/address.ts';
import { embedded, isSpecial } from '../../src/policy/special.ts';

/** First and last address of special blocks, and their neighbours that are not special. */
const EDGES: [string, string, string | undefined, string | undefined][] = [
  ['0.0.0.0', '0.255.255.255', undefined, '1.0.0.0'],
  ['10.0.0.0', '10.255.255.255', '9.255.255.255', '11.0.0.0'],
  ['100.64.0.0', '100.127.255.255', '100.63.255.255', '100.128.0.0'],
  ['127.0.0.0', '127.255.255.255', '126.255.255.255', '128.0.0.0'],
  ['169.254.0.0', '169.254.255.255', '169.253.255.255', '169.255.0.0'],
  ['172.16.0.0', '172.31.255.255', '172.15.255.255', '172.32.0.0'],
  ['192.0.0.0', '192.0.0.8', '191.255.255.255', '192.0.0.9'],
  ['192.0.0.11', '192.0.0.255', '192.0.0.10', '192.0.1.0'],
  ['192.0.2.0', '192.0.2.255', '192.0.1.255', '192.0.3.0'],
  ['192.88.99.0', '192.88.99.255', '192.88.98.255', '192.88.100.0'],
  ['192.168.0.0', '192.168.255.255', '192.167.255.255', '192.169.0.0'],
  ['198.18.0.0', '198.19.255.255', '198.17.255.255', '198.20.0.0'],
  ['198.51.100.0', '198.51.100.255', '198.51.99.255', '198.51.101.0'],
  ['203.0.113.0', '203.0.113.255', '203.0.112.255', '203.0.114.0'],
  ['224.0.0.0', '255.255.255.255', '223.255.255.255', undefined],
  ['::', '64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff', undefined, '64:ff9b::808:808'],
  ['64:ff9b:0:0:0:1::', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '64:ff9b::808:808', '2000::'],
  ['2001::', '2001:1::', '2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '2001:1::1'],
  ['2001:1::4', '2001:2:ffff:ffff:ffff:ffff:ffff:ffff', '2001:1::3', '2001:3::'],
  ['2001:4::', '2001:4:111:ffff:ffff:ffff:ffff:ffff', '2001:3:ffff::', '2001:4:112::'],
  ['2001:4:113::', '2001:1f:ffff:ffff:ffff:ffff:ffff:ffff', '2001:4:112:ffff::', '2001:20::'],
  ['2001:40::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff', '2001:3f:ffff::', '2001:200::'],
  ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', '2001:db7:ffff::', '2001:db9::'],
  ['3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff', '3ffe:ffff::', '3fff:1000::'],
  ['4000::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', '3fff:ffff:ffff:ffff::', undefined],
];

const SPECIAL = [
  ...['::1', '::7f00:1', '64:ff9b:1::8.8.8.8', '100::1', '2001:0:1::', '2001:10::1', '5f00::1', 'fc00::1'],
  ...['fdff::1', 'fe80::1', 'fec0::1', 'ff02::1', 'ff0e::1', '::ffff:127.0.0.1', '::ffff:0:8.8.8.8'],
  ...['64:ff9b::10.0.0.1', '64:ff9b::169.254.169.254', '2002:a9fe:a9fe::1', '2002:7f00:1::', '2002::'],
];
const GLOBAL = [
  ...['8.8.8.8', '::ffff:8.8.8.8', '64:ff9b::8.8.8.8', '2002:808:808::1', '2a00::1', '2606:4700::1111'],
  ...['2620:4f:8000::1', '192.31.196.1', '192.52.193.1', '192.175.48.1'],
];

const is = (text: string): boolean => isSpecial(parseIp(text)!);

describe('special address space', () => {
  it('begins and ends where the registries say', () => {
    for (const [first, last, before, behind] of EDGES) {
      assert(is(first) && is(last), `${first} to ${last}`);
      for (const text of [before, behind]) assert(text === undefined || !is(text), text);
    }
  });

  it('has what is private, local, multicast and reserved, in whatever form', () => {
    for (const text of SPECIAL) assert(is(text), text);
    for (const text of GLOBAL) assert(!is(text), text);
  });

  it('is what ipaddr.js does not call unicast', () => {
    // It calls these one thing as a whole, parts of which are another.
    const differs = (text: string): boolean =>
      /^(192\.0\.0\.|2001:|192\.(31\.196|52\.193|175\.48)\.|2620:4f:8000:|64:ff9b:|2002:)/.test(text);
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc
        .tuple(
          fc.constantFrom(0, 0x20, 0x26, 0x3f, 0xfc, 0xfe, 0xff),
          fc.uint8Array({ minLength: 15, maxLength: 15 }),
        )
        .map(([first, rest]) => Uint8Array.of(first, ...rest)),
    );
    fc.assert(
      fc.property(bytes, address => {
        const ip = ipFromBytes(address);
        const text = formatIp(ip);
        if (differs(text)) return;
        const range = ipaddr.process(text).range();
        if (range !== 'unicast') assert(isSpecial(ip), `${text} is ${range}`);
        else if (ip.family === 4) assert(!isSpecial(ip), text);
        else
          assert.equal(
            isSpecial(ip),
            address[0]! >> 5 !== 1 || (address[0] === 0x3f && address[1] === 0xff && address[2]! < 16),
            text,
          );
      }),
      { numRuns: 3000 },
    );
  });
});

describe('an IPv4 address inside an IPv6 one', () => {
  it('is found in NAT64 and in 6to4, and nowhere else', () => {
    const inside = (text: string): string | undefined => {
      const ip = embedded(parseIp(text)!);
      return ip && formatIp(ip);
    };
    assert.equal(inside('64:ff9b::192.0.2.7'), '192.0.2.7');
    assert.equal(inside('2002:c000:207:1::5'), '192.0.2.7');
    for (const text of [
      '192.0.2.7',
      '64:ff9b::1:0:0',
      '64:ff9b:1::c000:207',
      '2003:c000:207::',
      '::c000:207',
      '::',
    ]) {
      assert.equal(inside(text), undefined, text);
    }
  });
});
