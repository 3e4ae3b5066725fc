/** Messages of rtnetlink(7), as <linux/rtnetlink.h>, if_link.h, if_addr.h and neighbour.h have them. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseIgmp, parseIgmp6 } from '../../src/host/multicast.ts';
import { decodeAttributes, decodeMessages, encodeMessage } from '../../src/host/netlinkmessages.ts';
import { decodeAddress, decodeLink, decodeNeighbour, decodeRoutes } from '../../src/host/rtmessages.ts';
import { formatIp, type Ip } from '../../src/netfs/address.ts';
import { ip } from '../support/facts.ts';
import { attribute, ifaddrmsg, ifinfomsg, message, ndmsg, nexthop, rtmsg, u32 } from './rtwire.ts';

const [INET, INET6] = [2, 10];
const bytes = (text: string): Buffer => Buffer.from(ip(text).bytes);
const shown = (found: Ip | undefined): string | undefined => found && formatIp(found);

describe('netlink messages', () => {
  it('are divided by their lengths, each begun at a multiple of four', () => {
    const three = [
      message(16, 2, 1, Buffer.from('abc')),
      message(17, 0, 1),
      message(3, 2, 1, Buffer.from('abcd')),
    ];
    const found = [...decodeMessages(Buffer.concat(three))];
    assert.deepEqual(
      found.map(({ type, flags, body }) => [type, flags, body.toString()]),
      [
        [16, 2, 'abc'],
        [17, 0, ''],
        [3, 2, 'abcd'],
      ],
    );
  });

  it('are written as they are read', () => {
    const [found] = decodeMessages(encodeMessage(18, 0x301, 7, Buffer.from('body')));
    assert.deepEqual(found, { type: 18, flags: 0x301, sequence: 7, body: Buffer.from('body') });
    assert.deepEqual(
      encodeMessage(18, 0x301, 7, Buffer.from('body')),
      message(18, 0x301, 7, Buffer.from('body')),
    );
  });

  it('end with one that is cut off, or that is shorter than its header', () => {
    const whole = Buffer.concat([message(16, 0, 1, Buffer.alloc(8)), message(17, 0, 1, Buffer.alloc(8))]);
    for (let end = 0; end < whole.length; end++) {
      const types = [...decodeMessages(whole.subarray(0, end))].map(({ type }) => type);
      assert.deepEqual(types, end < 24 ? [] : [16], String(end));
    }
    whole.writeUInt32LE(15, 0);
    assert.deepEqual([...decodeMessages(whole)], []);
    whole.writeUInt32LE(0xffffffff, 0);
    assert.deepEqual([...decodeMessages(whole)], []);
  });
});

describe('a link', () => {
  const STATS = Buffer.alloc(192);
  [11, 12, 13, 14, 15, 16].forEach((n, i) => STATS.writeBigUInt64LE(BigInt(n), 8 * i));
  const attributes = [
    attribute(3, Buffer.from('eth0\0')),
    attribute(1, [2, 0, 0, 0, 0, 9]),
    attribute(4, u32(1400)),
    attribute(23, STATS),
  ];

  it('has name, hardware address, mtu and counters', () => {
    assert.deepEqual(decodeLink(Buffer.concat([ifinfomsg(3, 0x11043), ...attributes])), {
      index: 3,
      name: 'eth0',
      up: true,
      loopback: false,
      mac: Uint8Array.of(2, 0, 0, 0, 0, 9),
      mtu: 1400,
      traffic: { packetsIn: 11, packetsOut: 12, errorsIn: 15, errorsOut: 16 },
    });
  });

  it('is up when it is and has a carrier', () => {
    for (const [flags, up] of [
      [0, false],
      [1, false],
      [0x40, false],
      [0x41, true],
    ] as const)
      assert.equal(decodeLink(Buffer.concat([ifinfomsg(3, flags), ...attributes]))?.up, up);
  });

  it('has no hardware address as the loopback', () => {
    const link = decodeLink(Buffer.concat([ifinfomsg(1, 0x49), ...attributes]));
    assert.deepEqual([link?.loopback, link?.mac], [true, new Uint8Array()]);
  });

  it('without a name, or cut off in its fixed part, is none', () => {
    assert.equal(decodeLink(ifinfomsg(3, 1)), undefined);
    assert.equal(decodeLink(ifinfomsg(3, 1).subarray(0, 15)), undefined);
  });
});

describe('an address', () => {
  const read = (...parts: Buffer[]): ReturnType<typeof decodeAddress> => decodeAddress(Buffer.concat(parts));

  it('of IPv4 has its broadcast address', () => {
    const found = read(
      ifaddrmsg(INET, 24, 3),
      attribute(1, bytes('192.0.2.7')),
      attribute(2, bytes('192.0.2.7')),
      attribute(4, bytes('192.0.2.255')),
    );
    assert.deepEqual(found, {
      index: 3,
      address: {
        ip: ip('192.0.2.7'),
        prefix: 24,
        broadcast: ip('192.0.2.255'),
        peer: undefined,
        validFor: Infinity,
        preferredFor: Infinity,
      },
    });
  });

  it('with another end is our own, and the other its peer', () => {
    for (const [family, own, other] of [
      [INET, '10.0.0.1', '10.0.0.2'],
      [INET6, 'fd00::1', 'fd00::2'],
    ] as const) {
      const found = read(ifaddrmsg(family, 32, 3), attribute(1, bytes(other)), attribute(2, bytes(own)));
      assert.deepEqual([shown(found?.address.ip), shown(found?.address.peer)], [own, other]);
    }
  });

  it('of IPv6 has its lifetimes', () => {
    const lifetimes = Buffer.concat([u32(1800), u32(0xffffffff), u32(0), u32(0)]);
    const found = read(ifaddrmsg(INET6, 64, 3), attribute(1, bytes('fe80::1')), attribute(6, lifetimes));
    assert.deepEqual([found?.address.preferredFor, found?.address.validFor], [1800, Infinity]);
  });

  it('of another family or length, or with too long a prefix, is none', () => {
    assert.equal(read(ifaddrmsg(7, 24, 3), attribute(1, bytes('192.0.2.7'))), undefined);
    assert.equal(read(ifaddrmsg(INET6, 24, 3), attribute(1, bytes('192.0.2.7'))), undefined);
    assert.equal(read(ifaddrmsg(INET, 33, 3), attribute(1, bytes('192.0.2.7'))), undefined);
    assert.equal(read(ifaddrmsg(INET, 24, 3)), undefined);
  });
});

describe('a route', () => {
  const read = (...parts: Buffer[]): ReturnType<typeof decodeRoutes> => decodeRoutes(Buffer.concat(parts));
  const shownAll = (...parts: Buffer[]): string[] =>
    read(...parts).map(
      ({ target, prefix, kind, gateway, interfaceIndex, metric }) =>
        `${kind} ${formatIp(target)}/${prefix} ${shown(gateway) ?? '-'} ${interfaceIndex} ${metric}`,
    );

  it('has target, gateway, interface and metric', () => {
    const found = shownAll(
      rtmsg(INET, 24),
      attribute(1, bytes('192.0.2.0')),
      attribute(5, bytes('10.0.0.1')),
      attribute(4, u32(3)),
      attribute(6, u32(100)),
    );
    assert.deepEqual(found, ['unicast 192.0.2.0/24 10.0.0.1 3 100']);
  });

  it('to everywhere has no target of its own', () => {
    assert.deepEqual(shownAll(rtmsg(INET6, 0), attribute(4, u32(3))), ['unicast ::/0 - 3 0']);
  });

  it('by several ways is one for each', () => {
    const ways = Buffer.concat([
      nexthop(3, attribute(5, bytes('10.0.0.1'))),
      nexthop(4),
      nexthop(5, attribute(18, Buffer.concat([Buffer.from([INET6, 0]), bytes('fe80::1')]))),
    ]);
    assert.deepEqual(shownAll(rtmsg(INET, 8), attribute(1, bytes('10.0.0.0')), attribute(9, ways)), [
      'unicast 10.0.0.0/8 10.0.0.1 3 0',
      'unicast 10.0.0.0/8 - 4 0',
      'unicast 10.0.0.0/8 fe80::1 5 0',
    ]);
  });

  it('for some sources has them', () => {
    const [found] = read(
      rtmsg(INET6, 0, { sourcePrefix: 48 }),
      attribute(2, bytes('2001:db8::')),
      attribute(4, u32(3)),
    );
    assert.deepEqual(found?.source, { ip: ip('2001:db8::'), prefix: 48 });
  });

  it('that refuses has neither way nor interface', () => {
    for (const type of [6, 7, 8, 9])
      assert.deepEqual(shownAll(rtmsg(INET, 0, { type }), attribute(4, u32(3))), ['refused 0.0.0.0/0 - 0 0']);
  });

  it('of another table, or a copy for one destination, is none', () => {
    assert.deepEqual(shownAll(rtmsg(INET, 0, { table: 100 }), attribute(4, u32(3))), []);
    assert.deepEqual(shownAll(rtmsg(INET, 0), attribute(15, u32(1000)), attribute(4, u32(3))), []);
    assert.deepEqual(shownAll(rtmsg(INET, 0, { flags: 0x200 }), attribute(4, u32(3))), []);
    assert.equal(shownAll(rtmsg(INET, 0, { table: 252 }), attribute(15, u32(254))).length, 1);
  });
});

describe('a neighbour', () => {
  const read = (state: number): ReturnType<typeof decodeNeighbour> =>
    decodeNeighbour(
      Buffer.concat([
        ndmsg(INET6, 3, state),
        attribute(1, bytes('fe80::9')),
        attribute(2, [1, 2, 3, 4, 5, 6]),
      ]),
    );

  it('has address, hardware address and state', () => {
    const mac = Uint8Array.of(1, 2, 3, 4, 5, 6);
    assert.deepEqual(read(2), { ip: ip('fe80::9'), mac, interfaceIndex: 3, state: 'reachable' });
    const states = [1, 2, 4, 8, 0x10, 0x20, 0x80].map(state => read(state)?.state);
    assert.deepEqual(states, ['incomplete', 'reachable', 'stale', 'stale', 'stale', 'failed', 'permanent']);
  });

  it('that needs no hardware address is none', () => {
    for (const state of [0, 0x40]) assert.equal(read(state), undefined);
  });
});

describe('the groups that are joined', () => {
  it('are read from /proc/net/igmp', () => {
    const text = [
      'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter',
      '1\tlo        :     1      V3',
      '\t\t\t\t010000E0     1 0:00000000\t\t0',
      '4\teth0      :     2      V3',
      '\t\t\t\tFB0000E0     1 0:00000000\t\t0',
      '\t\t\t\t010000E0     1 0:00000000\t\t0',
      '',
    ].join('\n');
    assert.deepEqual(
      parseIgmp(text).map(({ ip, interfaceIndex }) => `${formatIp(ip)} ${interfaceIndex}`),
      ['224.0.0.1 1', '224.0.0.251 4', '224.0.0.1 4'],
    );
  });

  it('are read from /proc/net/igmp6', () => {
    const text = '1    lo              ff020000000000000000000000000001     1 0000000C 0\n';
    assert.deepEqual(
      parseIgmp6(text).map(({ ip, interfaceIndex }) => `${formatIp(ip)} ${interfaceIndex}`),
      ['ff02::1 1'],
    );
  });

  it('are none of any other text', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        assert(Array.isArray(parseIgmp(text)));
        assert(Array.isArray(parseIgmp6(text)));
      }),
    );
  });
});

describe('whatever the kernel might send', () => {
  const small = fc.uint8Array({ maxLength: 40 }).map(found => Buffer.from(found));
  const number = fc.nat(30);
  const any = fc.tuple(number, small).map(([type, value]) => attribute(type, value));
  const address = fc.constantFrom('192.0.2.7', 'fe80::1').map(bytes);
  const likely = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 9, 18, 23), fc.oneof(address, small));
  const attributes = fc.array(
    fc.oneof(
      any,
      likely.map(([type, value]) => attribute(type, value)),
    ),
    {
      maxLength: 10,
    },
  );
  const head = fc.oneof(
    fc.uint8Array({ maxLength: 16 }).map(found => Buffer.from(found)),
    fc.constantFrom(ifinfomsg(1, 0x49), ifaddrmsg(INET, 24, 1), ifaddrmsg(INET6, 64, 1)),
    fc.constantFrom(rtmsg(INET, 24), rtmsg(INET6, 64), ndmsg(INET, 1, 2), ndmsg(INET6, 1, 4)),
  );
  const body = fc.tuple(head, attributes).map(([first, rest]) => Buffer.concat([first, ...rest]));
  /** Bytes of it changed. */
  const broken = fc
    .tuple(body, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }), fc.nat())
    .map(([whole, changes, end]) => {
      const copy = Buffer.from(whole);
      for (const [at, byte] of changes) if (copy.length > 0) copy[at % copy.length] = byte;
      return copy.subarray(0, copy.length - (end % (copy.length + 1)));
    });

  const decode = (found: Buffer): void => {
    decodeLink(found);
    const held = decodeAddress(found);
    if (held !== undefined) assert(held.address.prefix <= held.address.ip.bytes.length * 8);
    for (const { target, prefix, gateway } of decodeRoutes(found)) {
      assert(prefix <= target.bytes.length * 8);
      if (gateway !== undefined) formatIp(gateway);
    }
    decodeNeighbour(found);
    for (const value of decodeAttributes(found, 0).values()) assert(value.length <= found.length);
  };

  it('is decoded or is nothing', () =>
    fc.assert(fc.property(fc.oneof(body, broken), decode), { numRuns: 3000 }));

  it('is divided into messages that lie inside', () => {
    const messages = fc.array(
      fc.tuple(fc.nat(65535), fc.oneof(body, broken)).map(([type, inner]) => message(type, 2, 1, inner)),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(messages, fc.nat(), fc.nat(), fc.nat(255), (parts, end, at, byte) => {
        const whole = Buffer.concat(parts);
        if (whole.length > 0) whole[at % whole.length] = byte;
        const cut = whole.subarray(0, whole.length - (end % (whole.length + 1)));
        let total = 0;
        for (const { body: inner } of decodeMessages(cut)) {
          total += 16 + inner.length;
          decode(inner);
        }
        assert(total <= cut.length);
      }),
      { numRuns: 2000 },
    );
  });
});
