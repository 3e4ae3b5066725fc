/** The connection server, by every door: where to dial a name. ndb(8). */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { netdir } from '../../src/cli/serve.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { Handle, Reply, Req } from '../../src/netfs/node.ts';
import { Server, type ServerOptions } from '../../src/server/server.ts';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import { facts } from '../support/machine.ts';
import { forEachDialect, forEachDoor, isRefusal, opened, type Fixture } from '../support/fixture.ts';
import { FakeResolver } from '../support/resolver.ts';
import type { OpenFile, Tree } from '../support/tree.ts';

let resolver: FakeResolver;

const ZONE = {
  'www.example': { ip: ['198.51.100.1', '192.0.2.80'], ipv6: ['2001:db8:ffff::1', '2001:db8::80'] },
  'six.example': { ipv6: ['2001:db8:ffff::6'] },
  'loop.example': { ip: ['127.0.0.1'], ipv6: ['::1'] },
  'empty.example': {},
  'many.example': { ip: Array.from({ length: 60 }, (_, i) => `198.51.100.${i}`) },
  'slow.example': { ip: ['198.51.100.9'] },
  localhost: { ip: ['127.0.0.1'], ipv6: ['::1'] },
  '1.100.51.198.in-addr.arpa': { ptr: ['www.example'] },
};

const options = (interfaces: string[][]) => (): ServerOptions => {
  resolver = new FakeResolver(ZONE);
  return {
    resolver,
    facts: facts(interfaces),
    resolverSettings: { servers: ['192.0.2.53'], search: ['example'] },
  };
};

const BOTH = [
  ['127.0.0.1/8', '::1/128'],
  ['192.0.2.7/24', '2001:db8::7/64', 'fe80::7/64'],
];

/** Asks as libc does: writes, seeks back, reads an answer at a time. */
async function ask(t: Fixture, question: string, client: Tree = t.client): Promise<string[]> {
  const cs = await client.open('cs', 'rw');
  try {
    await cs.write(question, 0);
    return await answers(cs);
  } finally {
    await cs.close();
  }
}

async function answers(cs: OpenFile, from = 0): Promise<string[]> {
  const all: string[] = [];
  for (let offset = from; ;) {
    const answer = await cs.read(8192, offset);
    if (answer.length === 0) return all;
    all.push(answer.toString());
    offset += answer.length;
  }
}

const NDB = `
sys=mailer dom=mail.example ip=192.0.2.25 ip=2001:db8::25
	smtp=yes
	txt="two words"
tcp=mine port=4321
tcp=low port=600 restricted
udp=only port=7777
tcp=broken port=many
cname=www.example dom=alias.example
ipnet=office ip=192.0.2.0 ipmask=255.255.255.0
	auth=keys.example fs=192.0.2.99 ntp=www.example
dom=keys.example ip=192.0.2.88
`;

forEachDoor(
  'cs',
  t => {
    const says = async (question: string, ...expected: string[]): Promise<void> =>
      assert.deepEqual(await ask(t, question), expected, question);
    const fails = async (
      question: string | Buffer,
      text: string,
      code: 'EINVAL' | 'ENOENT',
    ): Promise<void> => {
      const cs = await t.client.open('cs', 'rw');
      await t.refuses(cs.write(question, 0), text, code);
      assert.deepEqual(await answers(cs), []);
      await cs.close();
    };

    it('translates NET!HOST!SERVICE into a file to open and what to write there', async () => {
      await says('tcp!198.51.100.1!80', '/net/tcp/clone 198.51.100.1!80');
      await says('udp!198.51.100.1!53', '/net/udp/clone 198.51.100.1!53');
      await says('tcp!198.51.100.1!http\n', '/net/tcp/clone 198.51.100.1!80');
      await says('tcp!198.51.100.1!exportfs', '/net/tcp/clone 198.51.100.1!17007');
      await says('net!198.51.100.1!9fs', '/net/tcp/clone 198.51.100.1!564');
      assert.deepEqual(resolver.asked, []);
    });

    it('puts addresses on attached networks first, then IPv4 before IPv6', async () => {
      await says(
        'tcp!www.example!80',
        '/net/tcp/clone 192.0.2.80!80',
        '/net/tcp/clone 2001:db8::80!80',
        '/net/tcp/clone 198.51.100.1!80',
        '/net/tcp/clone 2001:db8:ffff::1!80',
      );
    });

    it('gives twenty answers at most', async () => {
      assert.equal((await ask(t, 'tcp!many.example!80')).length, 20);
    });

    it('gives one answer a read, and the rest of one where the read was short', async () => {
      const cs = await t.client.open('cs', 'rw');
      await cs.write('tcp!www.example!80', 0);
      assert.equal((await cs.read(5, 0)).toString(), '/net/');
      assert.equal((await cs.read(8192, 5)).toString(), 'tcp/clone 192.0.2.80!80');
      assert.equal((await cs.read(8192, 28)).toString(), '/net/tcp/clone 2001:db8::80!80');
    });

    it('is read as lines from where the question ended by who cannot seek', async () => {
      const cs = await t.client.open('cs', 'rw');
      for (const port of [80, 81]) {
        await cs.write(`tcp!loop.example!${port}\n`);
        assert.equal((await cs.read(8192)).toString(), `/net/tcp/clone 127.0.0.1!${port}\n`);
        assert.equal((await cs.read(8192)).toString(), `/net/tcp/clone ::1!${port}\n`);
        assert.equal((await cs.read(8192)).length, 0);
      }
    });

    it("knows Plan 9's services", async () => {
      const ports = { '9fs': 564, rcpu: 17019, exportfs: 17007, venti: 17034, whoami: 565, guard: 566 };
      for (const [service, port] of Object.entries({ ...ports, ticket: 567, rexexec: 17009, secstore: 5356 }))
        await says(`tcp!198.51.100.1!${service}`, `/net/tcp/clone 198.51.100.1!${port}`);
    });

    it('may be asked on a file that is truncated first', async () => {
      const cs = await t.client.open('cs', 'rw', { truncate: true });
      await cs.write('tcp!198.51.100.1!80\n');
      assert.equal((await cs.read(200)).toString(), '/net/tcp/clone 198.51.100.1!80\n');
    });

    it('passes on what follows the service', async () => {
      await says('tcp!198.51.100.1!513!r', '/net/tcp/clone 198.51.100.1!513!r!r');
      await says('tcp!198.51.100.1!80!r', '/net/tcp/clone 198.51.100.1!80!r');
      await says('tcp!198.51.100.1!80!r!fasttimeout', '/net/tcp/clone 198.51.100.1!80!r!fasttimeout');
    });

    it('takes * and :: for any address, and * for any service', async () => {
      for (const any of ['*', '::', '[::]']) await says(`tcp!${any}!80`, '/net/tcp/clone 80');
      await says('tcp!*!*', '/net/tcp/clone *');
      await says('tcp!198.51.100.1!*', '/net/tcp/clone 198.51.100.1!*');
      await says('tcp!*!0', '/net/tcp/clone 0');
    });

    it('takes IPv6 addresses with and without brackets', async () => {
      for (const host of ['2001:db8::1', '[2001:db8::1]', '2001:DB8:0::1']) {
        await says(`tcp!${host}!80`, '/net/tcp/clone 2001:db8::1!80');
      }
      await says('tcp!::ffff:192.0.2.1!80', '/net/tcp/clone 192.0.2.1!80');
    });

    it('leaves networks that it does not know as they are', async () => {
      await says('icmp!www.example!1', '/net/icmp/clone www.example!1');
      await says('dk!nj/astro', '/net/dk/clone nj/astro');
    });

    it("asks ndb for services before the host, and udp's for net where tcp has none", async () => {
      await t.client.writeFile('ndb', NDB);
      await says('tcp!198.51.100.1!mine', '/net/tcp/clone 198.51.100.1!4321');
      await says('net!198.51.100.1!only', '/net/udp/clone 198.51.100.1!7777');
      await fails('tcp!198.51.100.1!only', "cs: can't translate service", 'EINVAL');
      await fails('tcp!198.51.100.1!broken', "cs: can't translate service", 'EINVAL');
      await says('tcp!198.51.100.1!low', '/net/tcp/clone 198.51.100.1!600!r');
      await says('tcp!198.51.100.1!600', '/net/tcp/clone 198.51.100.1!600!r');
      await says('udp!198.51.100.1!600', '/net/udp/clone 198.51.100.1!600');
    });

    it('asks ndb for names before the host, whatever their case', async () => {
      await t.client.writeFile('ndb', NDB);
      const both = ['/net/tcp/clone 192.0.2.25!25', '/net/tcp/clone 2001:db8::25!25'];
      for (const host of ['mailer', 'mail.example', 'MAIL.Example.']) await says(`tcp!${host}!smtp`, ...both);
      assert.deepEqual(resolver.asked, []);
      assert.equal((await ask(t, 'tcp!alias.example!80')).length, 4);
      assert.deepEqual(resolver.asked, ['www.example']);
    });

    it('takes $ATTR for what this machine has or inherits in ndb', async () => {
      await says('tcp!$dns!53', '/net/tcp/clone 192.0.2.53!53');
      await t.client.writeFile('ndb', NDB);
      await says('tcp!$fs!564', '/net/tcp/clone 192.0.2.99!564');
      await says('tcp!$auth!ticket', '/net/tcp/clone 192.0.2.88!567');
      await fails('tcp!$nothing!80', "cs: can't translate address", 'ENOENT');
    });

    it('fails in the words of cs(8)', async () => {
      const address = "cs: can't translate address";
      const service = "cs: can't translate service";
      await fails('tcp!no.example!80', `${address}: dns: name does not exist`, 'ENOENT');
      await fails('tcp!empty.example!80', `${address}: dns: resource does not exist; negrcode 0`, 'ENOENT');
      for (const host of [
        '127.1',
        '1.2.3',
        '0x7f.1',
        '1.2.3.4.5',
        ':::',
        'a..b',
        '-',
        '[1.2.3.4]',
        'a_b.7',
      ]) {
        await fails(`tcp!${host}!80`, address, 'ENOENT');
      }
      await fails('tcp!!80', address, 'ENOENT');
      for (const bad of ['no-such-service', '65536', '-1', '80x!', '', '%', '99999999999']) {
        await fails(`tcp!198.51.100.1!${bad}`, service, 'EINVAL');
      }
      for (const question of ['www.example', 'tcp!www.example', 'net!www.example']) {
        await fails(question, service, 'EINVAL');
      }
      const cs = await t.client.open('cs', 'rw');
      await t.refuses(
        cs.write('tcp!broken.example!80', 0),
        'cs: temporary problem: dns: dns failure',
        'EHOSTUNREACH',
      );
    });

    it('refuses what is no question', async () => {
      const bad = [
        '',
        '\n',
        'a\nb',
        'tcp!a\0!80',
        'tcp!a b!80',
        '/!a!80',
        '..!a!80',
        'a/b!c',
        '!',
        '! ',
        '!a',
      ];
      const bytes = Buffer.from([0x74, 0x63, 0x70, 0x21, 0xff]);
      // A write of nothing is none on Linux.
      for (const question of [...bad.filter(each => each !== ''), bytes]) {
        await fails(question, 'cs: bad query', 'EINVAL');
      }
      const cs = await t.client.open('cs', 'rw');
      await t.refuses(cs.write('a'.repeat(128), 0), 'cs: request too long', 'EMSGSIZE');
      await t.refuses(cs.write(`tcp!${'a.'.repeat(50_000)}!80`, 0), 'cs: request too long', 'EMSGSIZE');
      await cs.write(`x!${'a'.repeat(125)}\n`, 0);
    });

    it('drops the answers to a question when the next one is asked, and after a failure too', async () => {
      const cs = await t.client.open('cs', 'rw');
      await cs.write('tcp!loop.example!80', 0);
      await cs.write('tcp!198.51.100.1!80', 0);
      assert.deepEqual(await answers(cs), ['/net/tcp/clone 198.51.100.1!80']);
      await assert.rejects(cs.write('tcp!no.example!80', 0), isRefusal);
      assert.deepEqual(await answers(cs), []);
    });

    it('answers general queries with the lines of an entry', async () => {
      await t.client.writeFile('ndb', NDB);
      await says(
        '!sys=mailer',
        'sys=mailer dom=mail.example ip=192.0.2.25 ip=2001:db8::25',
        'smtp=yes',
        'txt=two words',
      );
      await says('!tcp=mine', 'tcp=mine port=4321');
      await says('!tcp=http', 'tcp=http port=80');
      await says('!port=4321 tcp=*', 'tcp=mine port=4321');
      await says('!protocol=tcp', 'protocol=tcp ipv4proto=6');
      for (const query of ['!sys=nobody', '!sys=mailer smtp=no', '!tcp=mine udp=*', '!port=4321 udp=mine']) {
        await fails(query, 'cs: no match', 'ENOENT');
      }
      await fails('!sys', 'cs: bad query', 'EINVAL');
      await fails('!=x', 'cs: bad query', 'EINVAL');
    });

    it('asks the host for domains and addresses that no database has', async () => {
      await says('!dom=loop.example', 'dom=loop.example ip=127.0.0.1', 'dom=loop.example ip=::1');
      await says('!ip=198.51.100.1', 'ptr=1.100.51.198.in-addr.arpa dom=www.example');
      await fails('!dom=no.example', 'cs: no match', 'ENOENT');
      await fails('!ip=198.51.100.2', 'cs: no match', 'ENOENT');
    });

    it('answers ipinfo with what a system has or inherits', async () => {
      await t.client.writeFile('ndb', NDB);
      await says('!ipinfo sys=mailer auth smtp', 'smtp=yes auth=keys.example');
      await says('!ipinfo fs', 'fs=192.0.2.99');
      await says('!ipinfo ip=192.0.2.200 auth ipmask', 'ipmask=255.255.255.0 auth=keys.example');
      await says('!ipinfo sys=mailer @auth', 'auth=192.0.2.88');
      await fails('!ipinfo sys=nobody auth', 'cs: no match', 'ENOENT');
      await fails('!ipinfo nothing', 'cs: no match', 'ENOENT');
      await fails('!ipinfo', 'cs: bad query', 'EINVAL');
      await fails('!ipinfo sys=mailer', 'cs: bad query', 'EINVAL');
    });

    it('is told by its owner what to answer', async () => {
      for (const word of ['add il', 'debug', 'refresh']) await says(word);
      await says('ipv6');
      await says('tcp!loop.example!80', '/net/tcp/clone 127.0.0.1!80');
      await says('ipv6');
      assert.equal((await ask(t, 'tcp!loop.example!80')).length, 2);
    });

    it('answers one descriptor while another waits', async () => {
      const slow = await t.client.open('cs', 'rw');
      const waiting = slow.write('tcp!slow.example!80', 0);
      assert(await t.pending(waiting));
      await says('tcp!loop.example!80', '/net/tcp/clone 127.0.0.1!80', '/net/tcp/clone ::1!80');
      assert(await t.pending(waiting));
      resolver.release();
      await waiting;
      assert.deepEqual(await answers(slow), ['/net/tcp/clone 198.51.100.9!80']);
    });

    it('gives up one question, and leaves another', async () => {
      const [one, two] = [await t.client.open('cs', 'rw'), await t.client.open('cs', 'rw')];
      const flushing = new AbortController();
      const flushed = one.write('tcp!slow.example!80', 0, flushing.signal);
      const other = two.write('tcp!slow.example!81', 0);
      assert(await t.pending(flushed));
      assert(await t.pending(other));
      flushing.abort();
      await assert.rejects(flushed);
      assert(await t.pending(other));
      resolver.release();
      await other;
      assert.deepEqual(await answers(two), ['/net/tcp/clone 198.51.100.9!81']);
      await one.write('tcp!198.51.100.1!80', 0);
      assert.deepEqual(await answers(one), ['/net/tcp/clone 198.51.100.1!80']);
    });

    it("serves what Go's net asks it", async () => {
      // lookup_plan9.go: queryProtocol, queryCS, lookupHost; net_plan9.go dials and announces what it says.
      const fields = async (query: string): Promise<string[]> => (await ask(t, query))[0]!.split(' ');
      assert.equal((await fields('!protocol=tcp'))[1], 'ipv4proto=6');
      assert.deepEqual(await fields('tcp!*!http'), ['/net/tcp/clone', '80']);
      assert.deepEqual(await fields('tcp!127.0.0.1!http'), ['/net/tcp/clone', '127.0.0.1!80']);
      const hosts = (await ask(t, 'net!localhost!1')).map(line => line.split(' ')[1]!.split('!')[0]);
      assert.deepEqual(hosts, ['127.0.0.1', '::1']);
      const listening = createServer().listen(0, '127.0.0.1');
      t.after(() => listening.close());
      await once(listening, 'listening');
      const { port } = listening.address() as { port: number };
      const [path, address] = await fields(`tcp!localhost!${port}`);
      const { ctl, dir } = await opened(await t.client.open(path!.replace('/net/', ''), 'rw'));
      const accepted = once(listening, 'connection');
      await ctl.write(`connect ${address}`);
      await accepted;
      assert.equal(await t.text(`${dir}/remote`), `127.0.0.1!${port}\n`);
      const [, local] = await fields('tcp!*!0');
      const announced = await opened(await t.client.open('tcp/clone', 'rw'));
      await announced.ctl.write(`announce ${local}`);
      assert.match(await t.text(`${announced.dir}/local`), /^::!\d+\n$/);
    });
  },
  options(BOTH),
);

forEachDialect(
  'one open cs',
  t => {
    it('answers one question at a time', async () => {
      const cs = await t.client.open('cs', 'rw');
      const first = cs.write('tcp!slow.example!80', 0);
      assert(await t.pending(first));
      await t.refuses(cs.write('tcp!198.51.100.1!80', 0), 'cs: query already in progress', 'EBUSY');
      resolver.release();
      await first;
      assert.deepEqual(await answers(cs), ['/net/tcp/clone 198.51.100.9!80']);
    });

    it('takes no question of no bytes', async () => {
      const cs = await t.client.open('cs', 'rw');
      await t.refuses(cs.write('', 0), 'cs: bad query', 'EINVAL');
    });
  },
  options(BOTH),
);

forEachDoor(
  'cs of a tree that is elsewhere',
  t => {
    it('says where', async () => {
      const [found] = await ask(t, 'tcp!198.51.100.1!80');
      assert.equal(found, '/n/other/tcp/clone 198.51.100.1!80');
      assert.deepEqual(await ask(t, 'tcp!*!80'), ['/n/other/tcp/clone 80']);
      assert.deepEqual(await ask(t, 'dk!nj/astro'), ['/n/other/dk/clone nj/astro']);
    });
  },
  () => ({ ...options(BOTH)(), netdir: '/n/other' }),
);

const MACHINES: [what: string, interfaces: string[][], answers: Record<string, string[]>][] = [
  [
    'IPv4 alone',
    [
      ['127.0.0.1/8', '::1/128'],
      ['192.0.2.7/24', 'fe80::7/64'],
    ],
    {
      'www.example': ['192.0.2.80', '198.51.100.1'],
      'loop.example': ['127.0.0.1', '::1'],
      'six.example': ['2001:db8:ffff::6'],
    },
  ],
  [
    'IPv6 alone',
    [['127.0.0.1/8', '::1/128'], ['2001:db8::7/64']],
    { 'www.example': ['2001:db8::80', '2001:db8:ffff::1'], 'loop.example': ['127.0.0.1', '::1'] },
  ],
  [
    'nothing but a loopback',
    [['127.0.0.1/8']],
    {
      'www.example': ['198.51.100.1', '192.0.2.80', '2001:db8:ffff::1', '2001:db8::80'],
      'loop.example': ['127.0.0.1'],
    },
  ],
  ['no interfaces that are known', [], { 'loop.example': ['127.0.0.1', '::1'] }],
];

for (const [what, interfaces, expected] of MACHINES) {
  forEachDoor(
    `cs of a machine with ${what}`,
    t => {
      it('leaves out the addresses of families that it does not have, but never all', async () => {
        for (const [host, addresses] of Object.entries(expected)) {
          const told = addresses.map(address => `/net/tcp/clone ${address}!80`);
          assert.deepEqual(await ask(t, `tcp!${host}!80`), told, host);
        }
      });
    },
    options(interfaces),
  );
}

forEachDoor(
  "another's cs",
  t => {
    let alice: Tree;
    beforeEach(async () => {
      alice = await t.as(ALICE);
    });

    it('is for who may read and write it', async () => {
      for (const bits of [0o600, 0o604, 0o602]) {
        await t.client.chmod('cs', bits);
        await t.refuses(alice.open('cs', 'rw'), 'permission denied', 'EACCES');
      }
      await t.client.chmod('cs', 0o606);
      assert.deepEqual(await ask(t, 'tcp!198.51.100.1!http', alice), ['/net/tcp/clone 198.51.100.1!80']);
    });

    it('gives addresses to all, and names to who may use dns', async () => {
      await t.client.chmod('cs', 0o606);
      await t.client.writeFile('ndb', NDB);
      for (const question of [
        'tcp!www.example!80',
        'tcp!mailer!80',
        '!dom=www.example',
        '!ip=198.51.100.1',
      ]) {
        const cs = await alice.open('cs', 'rw');
        await t.refuses(cs.write(question, 0), 'permission denied', 'EACCES');
      }
      assert.deepEqual(resolver.asked, []);
      assert.deepEqual(await ask(t, 'tcp!$fs!80', alice), ['/net/tcp/clone 192.0.2.99!80']);
      assert.deepEqual(await ask(t, 'tcp!*!80', alice), ['/net/tcp/clone 80']);
      await t.client.chmod('dns', 0o606);
      assert.equal((await ask(t, 'tcp!www.example!80', alice)).length, 4);
    });

    it('says nothing of an ndb that somebody may not read, unless he may use dns', async () => {
      await t.client.chmod('cs', 0o606);
      await t.client.writeFile('ndb', NDB);
      const secrets = ['!sys=mailer', '!dom=mail.example', '!ipinfo sys=mailer auth', 'tcp!$fs!80'];
      for (const question of secrets) assert.notEqual((await ask(t, question, alice)).length, 0);
      await t.client.chmod('ndb', 0o600);
      for (const question of secrets) await assert.rejects(ask(t, question, alice), isRefusal, question);
      assert.deepEqual(await ask(t, '!protocol=tcp', alice), ['protocol=tcp ipv4proto=6']);
      await t.client.chmod('dns', 0o606);
      for (const question of secrets) assert.notEqual((await ask(t, question, alice)).length, 0);
    });

    it("takes its owner's words for questions", async () => {
      await t.client.chmod('cs', 0o606);
      for (const word of ['debug', 'ipv6', 'refresh']) {
        const cs = await alice.open('cs', 'rw');
        await t.refuses(cs.write(word, 0), "cs: can't translate service", 'EINVAL');
      }
    });

    it('and connect by a name are the same right; by an address needs none', async () => {
      await t.client.chmod('tcp/clone', 0o606);
      const remote = await t.remote();
      const byName = await t.clone(alice);
      const name = `connect localhost!${remote.port}`;
      await t.refuses(byName.ctl.write(name), 'permission denied', 'EACCES');
      assert.match(
        await t.text(`${byName.dir}/err`),
        /^permission denied: to use names alice needs read and write permission on dns, mode 0600, .*; to allow: chmod o\+rw \/net\/dns/,
      );
      await (await t.clone(alice)).ctl.write(`connect 127.0.0.1!${remote.port}`);
      await t.client.chmod('dns', 0o606);
      await (await t.clone(alice)).ctl.write(name);
    });
  },
  () => ({ ...options(BOTH)(), owner: GLENDA, users: people }),
);

describe('the connection server', () => {
  const req = (server: Server): Req => ({ caller: server.owner, signal: new AbortController().signal });

  async function write(server: Server, question: Buffer): Promise<Handle> {
    const node = await server.mount.walk(server.mount.root, 'cs', req(server));
    const handle = await server.mount.open(node, { read: true, write: true, truncate: false }, req(server));
    await handle.write(0, question, req(server));
    return handle;
  }

  it('begins its answers with the directory that it was told', async () => {
    const handle = await write(new Server({ netdir: '/home/glenda/net' }), Buffer.from('tcp!*!80'));
    const room = Buffer.alloc(100);
    const n = await handle.read(0, replyInto(room), req(new Server()));
    assert.equal(room.toString('utf8', 0, n), '/home/glenda/net/tcp/clone 80');
  });

  it('is told by --netdir, else by the first --mount, else by nobody', () => {
    const flags = { mountName: '', socketMode: 0, conversations: 1, logLevel: '' };
    assert.equal(netdir(flags), '/net');
    assert.equal(netdir({ ...flags, mount: ['/a//b/', '/c'] }), '/a/b');
    assert.equal(netdir({ ...flags, mount: ['net'] }), join(process.cwd(), 'net'));
    assert.equal(netdir({ ...flags, mount: ['/a'], netdir: '/net.alt/' }), '/net.alt');
    assert.equal(netdir({ ...flags, netdir: '/' }), '/');
  });

  it('answers each of ten thousand questions at once, or says why not', async () => {
    const server = new Server(options(BOTH)());
    const hosts = ['www.example', 'no.example', 'broken.example', 'slow.example', '192.0.2.1'];
    const outcomes = Array.from({ length: 10_000 }, (_, i) =>
      write(server, Buffer.from(`tcp!${hosts[i % 5]!}!${i}`)).then(
        () => 'answered',
        (error: FsError) => error.message,
      ),
    );
    await Promise.all(outcomes.filter((_, i) => i % 5 !== 3));
    resolver.release();
    const counts = new Map<string, number>();
    for (const outcome of await Promise.all(outcomes)) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
    assert.deepEqual(Object.fromEntries(counts), {
      answered: 6000,
      "cs: can't translate address: dns: name does not exist": 2000,
      'cs: temporary problem: dns: dns failure': 2000,
    });
  });

  it('answers any bytes, or refuses them in its own words', async () => {
    const server = new Server(options(BOTH)());
    const words = [
      'tcp',
      'net',
      'udp',
      '!',
      '!',
      '!',
      '$dns',
      '$',
      '*',
      '::',
      '[',
      ']',
      '80',
      'http',
      'ipinfo',
    ];
    const more = [
      'www.example',
      '=',
      'ip',
      'dom',
      '@',
      ' ',
      '/',
      '..',
      '\0',
      '\n',
      'é',
      '0x7f',
      '1.2.3.4',
      'ipv6',
    ];
    const text = fc
      .array(fc.constantFrom(...words, ...more), { maxLength: 12 })
      .map(parts => Buffer.from(parts.join('')));
    const bytes = fc.uint8Array({ maxLength: 140 }).map(array => Buffer.from(array));
    const asked = fc.asyncProperty(fc.oneof(text, bytes), async question => {
      await write(server, question).catch((error: unknown) => {
        assert(error instanceof FsError && error.message.startsWith('cs: '), String(error));
      });
    });
    await fc.assert(asked, { numRuns: 3000 });
  });
});

function replyInto(room: Buffer): Reply {
  return { count: room.length, room: () => room, drop: () => {}, mayAnswer: () => true };
}
