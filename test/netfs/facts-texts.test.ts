/** The formats of iproute, ipselftab, arp and ipifc/N, to the letter. 9front's sys/src/9/ip. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { formatIp } from '../../src/netfs/address.ts';
import { formatNeighbours } from '../../src/netfs/arp.ts';
import type { Neighbour } from '../../src/netfs/hostfacts.ts';
import { formatAddr, formatLocal, formatStatus, networkOf } from '../../src/netfs/ipifctext.ts';
import { formatRoutes } from '../../src/netfs/iproute.ts';
import { formatSelves } from '../../src/netfs/ipselftab.ts';
import { address, ifc, ip, lo, net, route } from '../support/facts.ts';

describe('a line of iproute', () => {
  const numbers = new Map([
    [1, 0],
    [2, 1],
    [7, 123],
  ]);
  const line = (...args: Parameters<typeof route>): string => formatRoutes([route(...args)], numbers);

  const lines: [string, string, string][] = [
    [
      'of an attached network is 4i, the network its own gateway',
      line('192.0.2.0/24'),
      '192.0.2.0       /120 192.0.2.0       4i   ifc    1 0.0.0.0         /96 \n',
    ],
    [
      'of an attached network of IPv6 is 6i',
      line('2001:db8::/64'),
      '2001:db8::      /64  2001:db8::      6i   ifc    1 ::              /0  \n',
    ],
    [
      'by a gateway is 4',
      line('0.0.0.0/0', { gateway: ip('192.0.2.1') }),
      '0.0.0.0         /96  192.0.2.1       4    none   1 0.0.0.0         /96 \n',
    ],
    [
      'by a gateway of IPv6 is 6',
      line('::/0', { gateway: ip('fe80::1') }),
      '::              /0   fe80::1         6    none   1 ::              /0  \n',
    ],
    [
      'by a gateway of the other family shows it',
      line('198.51.100.0/24', { gateway: ip('fe80::1') }),
      '198.51.100.0    /120 fe80::1         4    none   1 0.0.0.0         /96 \n',
    ],
    [
      'of the other end of a point-to-point link is 4ip',
      line('10.0.0.2/32'),
      '10.0.0.2        /128 10.0.0.2        4ip  ifc    1 0.0.0.0         /96 \n',
    ],
    [
      'of an own address is 4u',
      line('192.0.2.7/32', { kind: 'local' }),
      '192.0.2.7       /128 192.0.2.7       4u   ifc    1 0.0.0.0         /96 \n',
    ],
    [
      'of an own network, such as the loopback, is 4i',
      line('127.0.0.0/8', { kind: 'local', interfaceIndex: 1 }),
      '127.0.0.0       /104 127.0.0.0       4i   ifc    0 0.0.0.0         /96 \n',
    ],
    [
      "of IPv6's loopback is 6i",
      line('::1/128', { kind: 'local', interfaceIndex: 1 }),
      '::1             /128 ::1             6i   ifc    0 ::              /0  \n',
    ],
    [
      'of a broadcast address is 4b',
      line('192.0.2.255/32', { kind: 'broadcast' }),
      '192.0.2.255     /128 192.0.2.255     4b   ifc    1 0.0.0.0         /96 \n',
    ],
    [
      'of groups is 6m',
      line('ff00::/8', { kind: 'multicast' }),
      'ff00::          /8   ff00::          6m   ifc    1 ::              /0  \n',
    ],
    [
      'only for some sources names them',
      line('2001:db8:1::/48', { gateway: ip('fe80::1'), source: net('2001:db8::/64') }),
      '2001:db8:1::    /48  fe80::1         6    none   1 2001:db8::      /64 \n',
    ],
    [
      'grows with an address that is longer than its column',
      line('fe80::fc:ff:fe00:1/128', { kind: 'local' }),
      'fe80::fc:ff:fe00:1 /128 fe80::fc:ff:fe00:1 6u   ifc    1 ::              /0  \n',
    ],
    [
      'of an interface that has no number has a dash',
      line('192.0.2.0/24', { interfaceIndex: 3 }),
      '192.0.2.0       /120 192.0.2.0       4i   ifc    - 0.0.0.0         /96 \n',
    ],
    [
      'has room for a number of three digits',
      line('192.0.2.0/24', { interfaceIndex: 7 }),
      '192.0.2.0       /120 192.0.2.0       4i   ifc  123 0.0.0.0         /96 \n',
    ],
    ['is not there for a route that refuses', line('192.0.2.0/24', { kind: 'refused' }), ''],
  ];
  for (const [what, is, expected] of lines) it(what, () => assert.equal(is, expected));

  it('is there once for two that differ in nothing that is shown', () => {
    const twice = formatRoutes([route('192.0.2.0/24', { metric: 1 }), route('192.0.2.0/24')], numbers);
    assert.equal(twice, line('192.0.2.0/24'));
  });
});

describe('ipselftab', () => {
  const selves = formatSelves({
    interfaces: [
      lo('127.0.0.1/8', '::1/128'),
      ifc(2, 'a', { addresses: [address('192.0.2.7/24')] }),
      ifc(3, 'b', { addresses: [address('192.0.2.7/24'), address('fe80::1/64')] }),
    ],
    routes: [
      route('192.0.2.0/24'),
      route('192.0.2.7/32', { kind: 'local' }),
      route('203.0.113.5/32', { kind: 'local', interfaceIndex: 1 }),
      route('127.0.0.0/8', { kind: 'local', interfaceIndex: 1 }),
      route('192.0.2.255/32', { kind: 'broadcast' }),
      route('192.0.2.255/32', { kind: 'broadcast', interfaceIndex: 3 }),
    ],
    groups: [
      { ip: ip('224.0.0.1'), interfaceIndex: 2 },
      ...[1, 2, 3].map(interfaceIndex => ({ ip: ip('ff02::1'), interfaceIndex })),
    ],
  });

  it('has a line for each address with its kind and on how many interfaces it is', () => {
    assert.equal(
      selves,
      [
        '127.0.0.1                                    01   4u\n',
        '::1                                          01   6u\n',
        '192.0.2.7                                    02   4u\n',
        'fe80::1                                      01   6u\n',
        '203.0.113.5                                  01   4u\n',
        '192.0.2.255                                  02   4b\n',
        '255.255.255.255                              02   4b\n',
        '224.0.0.1                                    01   4m\n',
        'ff02::1                                      03   6m\n',
      ].join(''),
    );
  });

  it('is empty on a machine without interfaces', () => {
    assert.equal(formatSelves({ interfaces: [], routes: [], groups: [] }), '');
  });
});

describe('a line of arp', () => {
  const here = [
    ifc(2, 'a', { addresses: [address('192.0.2.7/24'), address('10.1.2.3/8'), address('fe80::2/64')] }),
    ifc(3, 'tun', { mac: new Uint8Array() }),
  ];
  const line = (to: string, more: Partial<Neighbour> = {}): string => {
    const mac = Uint8Array.of(0, 0x1b, 0x21, 0xab, 0xcd, 0xef);
    return formatNeighbours([{ ip: ip(to), mac, interfaceIndex: 2, state: 'reachable', ...more }], here);
  };

  it('has medium, state, address, hardware address and our own there', () => {
    assert.equal(
      line('192.0.2.1'),
      'ether  OK   192.0.2.1                                001b21abcdef     192.0.2.7\n',
    );
  });

  it('names of our own the one that has the most bits in common', () => {
    assert.match(line('10.9.9.9'), / 10\.1\.2\.3\n$/);
    assert.match(line('192.0.2.6'), / 192\.0\.2\.7\n$/);
    assert.match(line('192.0.2.7'), / 192\.0\.2\.7\n$/);
  });

  it('is the same for IPv6', () => {
    assert.equal(
      line('fe80::1', { state: 'permanent' }),
      'ether  OK   fe80::1                                  001b21abcdef     fe80::2\n',
    );
  });

  it('says WAIT for one that has not answered yet', () => {
    assert.equal(
      line('192.0.2.9', { mac: new Uint8Array(), state: 'incomplete' }),
      'ether  WAIT 192.0.2.9                                                 192.0.2.7\n',
    );
  });

  it('is not there for one that did not answer', () =>
    assert.equal(line('192.0.2.9', { state: 'failed' }), ''));

  it('has the unset address where we have none of that family or the interface is gone', () => {
    assert.match(line('192.0.2.9', { interfaceIndex: 3 }), /^netdev OK .* 0\.0\.0\.0\n$/);
    assert.match(line('fe80::9', { interfaceIndex: 9 }), /^ether {2}OK .* ::\n$/);
  });
});

describe('the status of an interface', () => {
  const counters = { packetsIn: 5_000_000_000, packetsOut: 2, errorsIn: 3, errorsOut: 4 };

  it("has 9front's fields in its order, then a line for each address", () => {
    const addresses = [
      address('192.0.2.7/24', { broadcast: ip('192.0.2.255') }),
      address('10.0.0.1/32', { peer: ip('10.0.0.2') }),
      address('2001:db8::7/64', { validFor: 3600, preferredFor: 1800 }),
    ];
    assert.equal(
      formatStatus(ifc(2, 'a', { ...counters, mtu: 9000, speed: 1000, addresses }), '/net/ipifc/a'),
      [
        'device /net/ipifc/a maxtu 9000 sendra 0 recvra 0 mflag 0 oflag 0 maxraint 0 minraint 0 linkmtu 0',
        ' reachtime 0 rxmitra 0 ttl 0 routerlt 0 pktin 5000000000 pktout 2 errin 3 errout 4',
        ' speed 1000000000 delay 0\n',
        '\t192.0.2.7                                /120       192.0.2.0                                4294967295   4294967295  \n',
        '\t10.0.0.1                                 /128       10.0.0.2                                 4294967295   4294967295  \n',
        '\t2001:db8::7                              /64        2001:db8::                               3600         1800        \n',
      ].join(''),
    );
  });

  it('has an empty line where there is no address', () => {
    assert.match(formatStatus(ifc(2, 'a'), 'a'), /^device a .* delay 0\n\n$/);
  });

  it('has no speed that is more than an int of Plan 9 holds', () => {
    assert.match(formatStatus(ifc(2, 'a', { speed: 100_000 }), 'a'), / speed 2147483647 /);
  });
});

describe('the local of an interface', () => {
  it('has for each address what is taken for its sake', () => {
    const addresses = [
      address('192.0.2.7/24', { broadcast: ip('192.0.2.255') }),
      address('192.0.2.8/24'),
      address('fe80::7/64'),
    ];
    const column = (text: string): string => text.padEnd(40);
    assert.deepEqual(formatLocal(ifc(2, 'a', { addresses })).split('\n'), [
      `${column('192.0.2.7')} -> ${column('192.0.2.7')} ${column('192.0.2.255')}`,
      `${column('192.0.2.8')} -> ${column('192.0.2.8')}`,
      `${column('fe80::7')} -> ${column('fe80::7')}`,
      '',
    ]);
  });
});

describe('the addr of an interface', () => {
  it('is its hardware address in hexadecimal', () => assert.equal(formatAddr(ifc(2, 'a')), '020000000002\n'));
  it('is an empty line where there is none', () => assert.equal(formatAddr(lo()), '\n'));
});

describe('the network of an address', () => {
  it('is what another library says, for every prefix', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(bytes, fc.nat(128), (raw, any) => {
        const prefix = Math.min(any, raw.length * 8);
        const text = ipaddr.fromByteArray([...raw]).toString();
        const kind = raw.length === 4 ? ipaddr.IPv4 : ipaddr.IPv6;
        const expected = kind.networkAddressFromCIDR(`${text}/${prefix}`).toByteArray();
        const family = raw.length === 4 ? 4 : 6;
        const found = networkOf({ family, bytes: raw }, prefix);
        assert.deepEqual([...found.bytes], expected, formatIp(found));
      }),
    );
  });
});
