/** Names as ndb says them, or else the host. ndb(6), ndb(8). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Abort } from '../../src/abort.ts';
import { formatIp } from '../../src/netfs/address.ts';
import { FsError } from '../../src/netfs/error.ts';
import { Names } from '../../src/netfs/names.ts';
import { Database } from '../../src/netfs/ndb/database.ts';
import { parse } from '../../src/netfs/ndb/parse.ts';
import { reverseAddress, reverseName } from '../../src/netfs/domain.ts';
import { unauthenticated } from '../../src/policy/identity.ts';
import { lookupsOf } from '../support/lookups.ts';
import { ALICE, GLENDA } from '../support/callers.ts';
import { ip } from '../support/machine.ts';
import { FakeResolver } from '../support/resolver.ts';

const NDB = `
sys=mailer dom=mail.example ip=2001:db8::25 ip=192.0.2.25
	mx=relay.example pref=10
	mx=last.example
	ns=ns.example
	txt="v=spf1 -all"
	srv=mail.example pri=1 weight=2 port=25
dom=alias.example cname=mail.example
dom=abroad.example cname=www.elsewhere
dom=a.example cname=b.example
dom=b.example cname=a.example
dom=localhost ip=192.0.2.66
dom=short.corp.example ip=192.0.2.30
	dnsdomain=corp.example
ipnet=office ip=192.0.2.0 dom=office.example
dom=bad.example ip=nonsense
`;

const ELSEWHERE = {
  'www.elsewhere': { ip: ['198.51.100.1'], ipv6: ['2001:db8:ffff::1'] },
  'mail.example': { soa: ['ns.example me.example 1 2 3 4 5'] },
  localhost: { ip: ['127.0.0.1'] },
};

const signal = new Abort();

function names(ndb = NDB, resolver = new FakeResolver(ELSEWHERE)): Names {
  const database = new Database(parse(Buffer.from(ndb)));
  return new Names({ database: () => database, resolver });
}

const records = async (name: string, type: string): Promise<string[]> =>
  (await names().records(name, type, signal, GLENDA)).map(each => `${each.name} ${each.type} ${each.value}`);

const addresses = async (name: string): Promise<string[]> =>
  (await names().addresses(name, signal, GLENDA)).map(each => formatIp(each.ip));

const failsWith = (name: string) => (error: FsError) => error.name === name;

describe('addresses of a name', () => {
  it('are those of ndb, IPv4 first, or else those of the host', async () => {
    for (const name of ['mailer', 'mail.example', 'Mail.Example.']) {
      assert.deepEqual(await addresses(name), ['192.0.2.25', '2001:db8::25'], name);
    }
    assert.deepEqual(await addresses('www.elsewhere'), ['198.51.100.1', '2001:db8:ffff::1']);
    await assert.rejects(addresses('no.where'), failsWith('Enoname'));
  });

  it('are found by a short name in the domains of ndb', async () => {
    assert.deepEqual(await addresses('short'), ['192.0.2.30']);
  });

  it('are those of nothing else where the name ends in a dot', async () => {
    await assert.rejects(addresses('short.'), failsWith('Enoname'));
    await assert.rejects(addresses('mailer.'), failsWith('Enoname'));
    await assert.rejects(records('short.', 'ip'), failsWith('Enoname'));
  });

  it('are asked of the host with the dot in which the name ends, so that it does not search either', async () => {
    const resolver = new FakeResolver(ELSEWHERE);
    const found = names(NDB, resolver).addresses('www.elsewhere.', signal, GLENDA);
    await assert.rejects(found, failsWith('Enoname'));
    assert.deepEqual(resolver.asked, ['www.elsewhere.']);
  });

  it('are those of what the name is an alias of, here or elsewhere', async () => {
    assert.deepEqual(await addresses('alias.example'), ['192.0.2.25', '2001:db8::25']);
    assert.deepEqual(await addresses('abroad.example'), ['198.51.100.1', '2001:db8:ffff::1']);
    await assert.rejects(addresses('a.example'), failsWith('Edns'));
  });

  it('are this machine for localhost, whatever ndb says', async () => {
    assert.deepEqual(await addresses('localhost'), ['127.0.0.1']);
  });

  it('are no networks, and nothing that is no address', async () => {
    for (const name of ['office.example', 'bad.example']) {
      await assert.rejects(addresses(name), failsWith('Enoname'), name);
    }
  });
});

describe('records of a name', () => {
  it('are what its entry in ndb says, by type', async () => {
    assert.deepEqual(await records('mail.example', 'ip'), ['mail.example ip 192.0.2.25']);
    assert.deepEqual(await records('mail.example', '28'), ['mail.example ipv6 2001:db8::25']);
    assert.deepEqual(await records('mail.example', 'AAAA'), ['mail.example ipv6 2001:db8::25']);
    assert.deepEqual(await records('mail.example', 'mx'), [
      'mail.example mx 10 relay.example',
      'mail.example mx 0 last.example',
    ]);
    assert.deepEqual(await records('mail.example', 'ns'), ['mail.example ns ns.example']);
    assert.deepEqual(await records('mail.example', 'txt'), ['mail.example txt v=spf1 -all']);
    assert.deepEqual(await records('mail.example', 'srv'), ['mail.example srv 1 2 25 mail.example']);
    assert.deepEqual(await records('alias.example', 'cname'), ['alias.example cname mail.example']);
    assert.equal((await records('mail.example', 'all')).length, 7);
  });

  it('come after the alias that led to them', async () => {
    assert.deepEqual(await records('alias.example', 'ip'), [
      'alias.example cname mail.example',
      'mail.example ip 192.0.2.25',
    ]);
    assert.deepEqual((await records('abroad.example', 'ip')).slice(1), ['www.elsewhere ip 198.51.100.1']);
    await assert.rejects(records('b.example', 'ip'), failsWith('Edns'));
  });

  it('say whose an address is, by either of its names', async () => {
    const expected = ['25.2.0.192.in-addr.arpa ptr mail.example'];
    assert.deepEqual(await records('25.2.0.192.in-addr.arpa', 'ptr'), expected);
    assert.deepEqual(await records('192.0.2.25', 'ptr'), expected);
    assert.equal((await records(reverseName(ip('2001:db8::25')), '12')).length, 1);
    await assert.rejects(records('192.0.2.26', 'ptr'), failsWith('Enoname'));
  });

  it('are asked for by the whole name, of which a dot behind a backslash is part', async () => {
    const resolver = new FakeResolver({ 'dot\\.': { ip: ['192.0.2.9'] } });
    const [found] = await names(NDB, resolver).records('dot\\.', 'ip', signal, GLENDA);
    assert.equal(found?.value, '192.0.2.9');
  });

  it('are asked of the host where ndb has none of the type', async () => {
    assert.deepEqual(await records('mail.example', 'soa'), [
      'mail.example soa ns.example me.example 1 2 3 4 5',
    ]);
    await assert.rejects(records('www.elsewhere', 'mx'), failsWith('Enorecord'));
    for (const type of ['__proto__', 'toString', '99']) {
      await assert.rejects(records('mail.example', type), failsWith('Enorecord'));
    }
  });
});

/** As large as an ndb may be, made of one thing. */
const full = (head: string, part: string): string => head + part.repeat((32_767 - head.length) / part.length);

describe('a database of 32 KiB', () => {
  it('that is one line of srv, mx or addresses is asked like any other', async () => {
    // When each value looked through the whole line, these took a minute.
    const one = async (ndb: string, type: string): Promise<number> =>
      (await names(ndb).records('a.b', type, signal, GLENDA)).length;
    assert.equal(await one(full('dom=a.b pri=1 ', 'srv '), 'srv'), 1);
    assert.equal(await one(full('dom=a.b pref=1 ', 'mx '), 'all'), 1);
    assert.equal(await one(full('dom=a.b ', 'ip=192.0.2.1 '), 'ip'), 1);
    const many = Array.from({ length: 3000 }, (_, i) => `srv=s${i}`);
    assert.equal(await one(`dom=a.b ${many.join(' ')}`, 'srv'), 3000);
  });

  it('of hosts and networks is asked what all of them inherit', () => {
    const info = (ndb: string, ...wanted: string[]): number =>
      new Database(parse(Buffer.from(ndb))).ipinfo('sys', 'a', wanted).length;
    const hosts = 'sys=a ip=192.0.2.1\n'.repeat(850);
    assert.equal(info(hosts + 'ipnet ip=192.0.2.0\n'.repeat(850), ...'abcdefghijklmnopqrstuvwxyz'), 0);
    assert.equal(info(`${hosts}ipnet ip=192.0.2.0\n${' z\n'.repeat(5000)}`, 'z'), 1);
    const distinct = Array.from({ length: 2000 }, (_, i) => ` z=${i}\n`);
    assert.equal(info(`${hosts}ipnet ip=192.0.2.0\n${distinct.join('')}`, 'z'), 2000);
  });
});

describe('the domains of short names', () => {
  it("are ndb's, then the host's", () => {
    const host = new FakeResolver({});
    assert.deepEqual(names(NDB, host).domains('www'), ['corp.example']);
    host.domains = () => ['example.org', 'corp.example'];
    assert.deepEqual(names(NDB, host).domains('www'), ['corp.example', 'example.org']);
  });
});

describe('what a database or a server says too much of', () => {
  it('is not used up: six domains of a short name, twenty addresses of a connect', async () => {
    const domains = Array.from(
      { length: 100 },
      (_, i) => ` dnsdomain=d${i}.example dnsdomain=d${i}.example\n`,
    );
    const all = names(`sys=here ip=192.0.2.1\n${domains.join('')}dom=x.d5.example ip=192.0.2.5\n`);
    assert.deepEqual(
      all.domains('x'),
      [0, 1, 2, 3, 4, 5].map(i => `d${i}.example`),
    );
    assert.equal((await lookupsOf(all, GLENDA).destinations('x', GLENDA, signal)).length, 1);
    const ips = Array.from({ length: 4000 }, (_, i) => `198.51.${i >> 8}.${i & 255}`);
    const hostile = names('', new FakeResolver({ 'scan.example': { ip: ips } }));
    assert.deepEqual(
      (await lookupsOf(hostile, GLENDA).destinations('scan.example', GLENDA, signal)).map(({ ip }) =>
        formatIp(ip),
      ),
      ips.slice(0, 20),
    );
  });
});

describe('a lookup of a name', () => {
  it('is for who may read and write the file dns', async () => {
    const all = lookupsOf(names(), GLENDA);
    for (const caller of [ALICE, unauthenticated()]) {
      await assert.rejects(all.lookup('mailer', caller, signal), failsWith('Eperm'));
    }
    assert.equal((await all.lookup('mailer', GLENDA, signal)).length, 2);
    const { permissions } = all;
    permissions.mode = 0o604;
    await assert.rejects(all.lookup('mailer', ALICE, signal), failsWith('Eperm'));
    permissions.mode = 0o606;
    assert.equal((await all.lookup('mailer', ALICE, signal)).length, 2);
  });

  it('ends when it is given up, though the resolver never answers', async () => {
    const deaf = new FakeResolver({});
    deaf.addresses = () => new Promise(() => {});
    const given = new Abort();
    const waiting = lookupsOf(names('', deaf), GLENDA).lookup('www.example', GLENDA, given);
    given.abort(new FsError('Eintr'));
    await assert.rejects(waiting, failsWith('Eintr'));
  });
});

describe('the name of an address', () => {
  it('is read back', () => {
    const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });
    fc.assert(
      fc.property(fc.oneof(bytes(4), bytes(16)), each => {
        const address = ip(formatIp({ family: each.length === 4 ? 4 : 6, bytes: each }));
        assert.equal(formatIp(reverseAddress(reverseName(address))!), formatIp(address));
      }),
    );
  });

  it('is nothing else', () => {
    for (const name of [
      '',
      'in-addr.arpa',
      '1.2.3.in-addr.arpa',
      '256.1.1.1.in-addr.arpa',
      'g.ip6.arpa',
      'x',
    ]) {
      assert.equal(reverseAddress(name), undefined, name);
    }
  });
});
