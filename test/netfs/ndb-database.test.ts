/** What a network database is asked, and what it says of the machine at first. ndb(2), ndb(8). */
import assert from 'node:assert/strict';
import { formatIp } from '../../src/netfs/address.ts';
import { FsError } from '../../src/netfs/error.ts';
import { commonDatabase } from '../../src/netfs/ndb/common.ts';
import { Database, valuesOf } from '../../src/netfs/ndb/database.ts';
import { formatMask } from '../../src/netfs/columns.ts';
import { inNetwork, parseMask } from '../../src/netfs/ndb/masks.ts';
import { parse } from '../../src/netfs/ndb/parse.ts';
import { hostEntry } from '../../src/netfs/ndb/prefill.ts';
import { facts, ip } from '../support/machine.ts';

const database = (text: string): Database => new Database(parse(Buffer.from(text)));

/** An example after ndb(6)'s own. */
const NETWORKS = database(`
ipnet=all ip=10.0.0.0 ipmask=255.0.0.0
	dns=10.0.0.53 dns=10.0.1.53
	auth=keys.example fs=files.example
ipnet=upstairs ip=10.4.0.0 ipmask=/112 ipgw=10.4.0.1
	auth=upstairs.example
ipnet=new ip=2001:db8:: ipmask=/32
	ntp=2001:db8::123
sys=jerq dom=jerq.example ip=10.4.7.7 ip=10.9.9.9
	fs=jerq.example
sys=terminal ip=2001:db8:4::1
sys=nowhere dom=nowhere.example
`);

const info = (db: Database, attr: string, value: string, ...wanted: string[]): string[] =>
  db.ipinfo(attr, value, wanted).map(tuple => `${tuple.attr}=${tuple.value}`);

describe('a search of ndb', () => {
  it('finds the entries that have a tuple, names in any case and addresses in any form', () => {
    for (const [attr, value] of [
      ['sys', 'jerq'],
      ['dom', 'JERQ.example.'],
      ['ip', '10.9.9.9'],
      ['ip', '::ffff:10.4.7.7'],
    ] as const) {
      assert.deepEqual(
        NETWORKS.search(attr, value).map(entry => valuesOf(entry, 'sys')),
        [['jerq']],
        value,
      );
    }
    assert.deepEqual(NETWORKS.search('ip', '10.4.7.8'), []);
    assert.deepEqual(NETWORKS.search('__proto__', ''), []);
  });

  it('gives every value, those of the line that matched first', () => {
    const db = database('dom=a ip=192.0.2.1\n\tdom=b ip=192.0.2.2 ip=192.0.2.3\n');
    assert.deepEqual(db.values('dom', 'b', 'ip'), ['192.0.2.2', '192.0.2.3', '192.0.2.1']);
  });

  it('knows the services and protocols that everybody knows', () => {
    assert.deepEqual(commonDatabase().values('tcp', 'exportfs', 'port'), ['17007']);
    assert.deepEqual(commonDatabase().values('udp', 'domain', 'port'), ['53']);
    assert.deepEqual(commonDatabase().values('protocol', 'udp', 'ipv4proto'), ['17']);
  });
});

describe('ipinfo', () => {
  it("takes an attribute from the system's own entry, else from the smallest network around it that has it", () => {
    assert.deepEqual(info(NETWORKS, 'sys', 'jerq', 'fs'), ['fs=jerq.example']);
    assert.deepEqual(info(NETWORKS, 'sys', 'jerq', 'auth'), ['auth=upstairs.example']);
    assert.deepEqual(info(NETWORKS, 'sys', 'jerq', 'dns', 'ipgw'), [
      'ipgw=10.4.0.1',
      'dns=10.0.0.53',
      'dns=10.0.1.53',
    ]);
  });

  it('needs no entry for an address', () => {
    assert.deepEqual(info(NETWORKS, 'ip', '10.200.0.1', 'auth'), ['auth=keys.example']);
    assert.deepEqual(info(NETWORKS, 'ip', '192.0.2.1', 'auth'), []);
  });

  it('knows networks of IPv6', () => {
    assert.deepEqual(info(NETWORKS, 'sys', 'terminal', 'ntp', 'dns'), ['ntp=2001:db8::123']);
  });

  it("says a mask of the address's class where none is written", () => {
    assert.deepEqual(info(NETWORKS, 'ip', '192.0.2.1', 'ipmask'), ['ipmask=/120']);
    assert.deepEqual(info(NETWORKS, 'sys', 'jerq', 'ipmask'), ['ipmask=/112']);
  });

  it('lets the first of several entries of one network that has an attribute say it, in the order written', () => {
    const db = database(`
ipnet=a ip=10.0.0.0 b=1 a=2 b=3
ipnet=b ip=10.0.0.0 a=4 c=5
ipnet=c ip=10.1.2.3 ipmask=/104 d=6
sys=x ip=10.9.9.9
`);
    assert.deepEqual(info(db, 'sys', 'x', 'c', 'a', 'b'), ['b=1', 'a=2', 'b=3', 'c=5']);
    // As Plan 9 does not: bits beyond the mask count for nothing.
    assert.deepEqual(info(db, 'sys', 'x', 'd'), ['d=6']);
  });

  it('says what all systems of a name have or inherit, each once', () => {
    const db = database(
      'sys=x ip=10.0.0.1 own=1\nsys=x ip=10.0.0.2 own=2\nipnet=a ip=10.0.0.0 own=3 dns=4\n',
    );
    assert.deepEqual(info(db, 'sys', 'x', 'own', 'dns'), ['own=1', 'dns=4', 'own=2']);
  });

  it('says nothing of who has no address', () => {
    assert.deepEqual(info(NETWORKS, 'sys', 'nowhere', 'dom'), []);
    assert.deepEqual(info(NETWORKS, 'sys', 'nobody', 'dom'), []);
    assert.deepEqual(info(NETWORKS, 'ip', 'no address', 'dns'), []);
  });
});

describe('a mask', () => {
  it('is read in the forms that are in use', () => {
    for (const mask of ['255.255.255.0', '/120', '/24'])
      assert.equal(parseMask(ip('192.0.2.1'), mask), 24, mask);
    assert.equal(parseMask(ip('2001:db8::1'), '/48'), 48);
    assert.equal(parseMask(ip('2001:db8::1'), 'ffff:ffff::'), 32);
    assert.equal(parseMask(ip('10.0.0.1'), undefined), 8);
    assert.equal(parseMask(ip('172.16.0.1'), 'nonsense'), 16);
    assert.equal(parseMask(ip('2001:db8::1'), '/999'), 128);
  });

  it('is written as the bits of an IPv6 address', () => {
    assert.equal(formatMask(4, 24), '/120');
    assert.equal(formatMask(6, 64), '/64');
  });

  it('says who is inside', () => {
    assert(inNetwork(ip('192.0.2.130'), ip('192.0.2.128'), 25));
    assert(!inNetwork(ip('192.0.2.127'), ip('192.0.2.128'), 25));
    assert(inNetwork(ip('192.0.2.1'), ip('0.0.0.0'), 0));
    assert(!inNetwork(ip('192.0.2.1'), ip('::'), 0));
  });
});

describe('what ndb says of the machine at first', () => {
  const machine = facts(
    [['127.0.0.1/8', '::1/128'], ['fe80::1/64', '2001:db8::7/64', '192.0.2.7/24'], ['10.0.0.7/8']],
    ['192.0.2.1', '2001:db8::1'],
  );

  it('is one entry: addresses, name, domain, resolvers, domains', () => {
    const text = hostEntry('jerq', machine, {
      servers: ['192.0.2.53', '2001:db8::53'],
      search: ['example.org', 'example.com'],
    });
    assert.equal(
      text,
      [
        'ip=192.0.2.7 ipmask=/120 ipgw=192.0.2.1',
        '\tip=10.0.0.7 ipmask=/104 ipgw=192.0.2.1',
        '\tip=2001:db8::7 ipmask=/64 ipgw=2001:db8::1',
        '\tsys=jerq',
        '\tdom=jerq.example.org',
        '\tdns=192.0.2.53',
        '\tdns=2001:db8::53',
        '\tdnsdomain=example.org',
        '\tdnsdomain=example.com',
        '',
      ].join('\n'),
    );
    assert.equal(parse(Buffer.from(text)).length, 1);
  });

  it('has the name of a machine without a network too', () => {
    assert.equal(hostEntry('a.example', facts([]), { servers: [], search: [] }), 'sys=a\n\tdom=a.example\n');
  });

  it('has what it is told where the kernel does not tell', () => {
    const refused = (): never => {
      throw new FsError('Eperm');
    };
    const silent = { ...machine, interfaces: refused, routes: refused };
    const settings = { servers: ['192.0.2.53', 'fe80::53%eth0'], search: [] };
    assert.equal(hostEntry('jerq', silent, settings), 'sys=jerq\n\tdns=192.0.2.53\n');
  });

  it('leaves out what a database cannot hold, whatever the host is called', () => {
    for (const name of ['', 'a b', 'a"b', 'a\nip=6.6.6.6', '\0', 'é', '#']) {
      const text = hostEntry(name, facts([['192.0.2.7/24']]), { servers: ['x\ny'], search: [name] });
      const entries = parse(Buffer.from(text));
      assert.deepEqual(
        entries.flatMap(entry => valuesOf(entry, 'ip')),
        [formatIp(ip('192.0.2.7'))],
      );
    }
  });
});
