/** /net/dns, asked about a real name server's zones. dns(8). */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostResolver } from '../../src/host/dns/resolver.ts';
import { parseNameServer, type NameServer as At } from '../../src/host/dns/resolvconf.ts';
import type { ServerOptions } from '../../src/server/server.ts';
import { Clock, record, reply, RESPONSE, ScriptedServer } from '../host/dns/wire.ts';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import { forEachDoor, type Fixture } from '../support/fixture.ts';
import { NameServer } from '../support/nameserver.ts';
import type { OpenFile } from '../support/tree.ts';

/** Questions and all of their answers, where the order is the server's sorted. */
const ANSWERS: readonly (readonly [question: string, ...answers: string[]])[] = [
  ['web.example.test ip', 'web.example.test ip\t192.0.2.80', 'web.example.test ip\t192.0.2.81'],
  ['web.example.test ipv6', 'web.example.test ipv6\t2001:db8::80'],
  ['www.example.test cname', 'www.example.test cname\tweb.example.test'],
  ['example.test ns', 'example.test ns\tns1.example.test', 'example.test ns\tns2.example.test'],
  ['example.test soa', 'example.test soa\tns1.example.test hostmaster.example.test 7 3600 600 86400 60'],
  ['example.test mx', 'example.test mx\t10 mail.example.test', 'example.test mx\t20 backup.elsewhere.test'],
  ['nomail.example.test mx', 'nomail.example.test mx\t0 .'],
  ['_sip._tcp.example.test srv', '_sip._tcp.example.test srv\t1 5 5060 sip.example.test'],
  ['example.test txt', 'example.test txt\tone, two', 'example.test txt\tv=spf1 -all'],
  ['utf.example.test txt', 'utf.example.test txt\tgrüße'],
  ['quote.example.test txt', 'quote.example.test txt\tsay "hello"\\010back\\\\slash'],
  [
    'big.example.test txt',
    `big.example.test txt\t${[...'abcdef'].map(letter => letter.repeat(255)).join('')}`,
  ],
  ['80.2.0.192.in-addr.arpa ptr', '80.2.0.192.in-addr.arpa ptr\tweb.example.test'],
  ['192.0.2.80 ptr', '80.2.0.192.in-addr.arpa ptr\tweb.example.test'],
  ['2001:db8::80 ptr', `0.8.${'0.'.repeat(22)}8.b.d.0.1.0.0.2.ip6.arpa ptr\tweb.example.test`],
  [
    `0.8.${'0.'.repeat(22)}8.b.d.0.1.0.0.2.ip6.arpa ptr`,
    `0.8.${'0.'.repeat(22)}8.b.d.0.1.0.0.2.ip6.arpa ptr\tweb.example.test`,
  ],
  // Other types are data.
  ['example.test caa', `example.test caa\t\\# 22 0005${hex('issue')}${hex('ca.example.test')}`],
  ['example.test 257', `example.test caa\t\\# 22 0005${hex('issue')}${hex('ca.example.test')}`],
  ['typed.example.test https', 'typed.example.test https\t\\# 3 000100'],
  ['typed.example.test 65', 'typed.example.test https\t\\# 3 000100'],
  ['typed.example.test TYPE65', 'typed.example.test https\t\\# 3 000100'],
  ['new.example.test 65333', 'new.example.test 65333\t\\# 4 deadbeef'],
  [
    'key.example.test sshfp',
    `key.example.test sshfp\t\\# 34 0402${'123456789abcdef67890'.repeat(2)}123456789abcdef123456789`,
  ],
  ['cert.example.test tlsa', `cert.example.test tlsa\t\\# 35 030101${'0123456789abcdef'.repeat(4)}`],
  // Behind an alias the name is that of the record.
  ['www.example.test ip', 'web.example.test ip\t192.0.2.80', 'web.example.test ip\t192.0.2.81'],
  ['far.example.test ip', 'host.other.test ip\t192.0.2.200'],
  ['odd\\.label.example.test ip', 'odd\\.label.example.test ip\t192.0.2.99'],
  ['WEB.Example.TEST ipv6', 'WEB.Example.TEST ipv6\t2001:db8::80'],
  // A final dot, and the local domain for a name without any.
  ['six.example.test. ipv6', 'six.example.test ipv6\t2001:db8::6'],
  ['six ipv6', 'six.example.test ipv6\t2001:db8::6'],
  // What this machine knows by itself.
  ['desk ip', 'desk ip\t192.0.2.111'],
  ['desk.home.test ipv6', 'desk.home.test ipv6\t2001:db8::111'],
  ['192.0.2.111 ptr', '111.2.0.192.in-addr.arpa ptr\tdesk.home.test'],
  ['four.example.test ip', 'four.example.test ip\t192.0.2.144'],
  ['localhost ip', 'localhost ip\t127.0.0.1'],
  ['x.localhost ipv6', 'x.localhost ipv6\t::1'],
  // As attributes.
  ['!six.example.test ipv6', 'dom=six.example.test ip=2001:db8::6'],
  ['!www.example.test cname', 'dom=www.example.test cname=web.example.test'],
  [
    '!example.test mx',
    'dom=example.test pref=10 mx=mail.example.test',
    'dom=example.test pref=20 mx=backup.elsewhere.test',
  ],
  [
    '!_sip._tcp.example.test srv',
    'dom=_sip._tcp.example.test pri=1 weight=5 port=5060 target=sip.example.test',
  ],
  ['!192.0.2.80 ptr', 'ptr=80.2.0.192.in-addr.arpa dom=web.example.test'],
  ['!example.test ns', 'dom=example.test ns=ns1.example.test', 'dom=example.test ns=ns2.example.test'],
  [
    '!example.test soa',
    'dom=example.test ns=ns1.example.test mbox=hostmaster.example.test serial=7 refresh=3600 retry=600 expire=86400 ttl=60',
  ],
  ['!example.test txt', 'dom=example.test txt="one, two"', 'dom=example.test txt="v=spf1 -all"'],
  ['!utf.example.test txt', 'dom=utf.example.test txt=grüße'],
  ['!typed.example.test https', 'dom=typed.example.test https="\\# 3 000100"'],
];

const NO_NAME = ['dns: name does not exist', 'ENOENT'] as const;
const NO_RECORD = ['dns: resource does not exist; negrcode 0', 'ENODATA'] as const;
const FAILURE = ['dns: dns failure', 'EHOSTUNREACH'] as const;

const REFUSALS: readonly (readonly [
  question: string | Buffer,
  text: string,
  code: 'EINVAL' | 'ENOENT' | 'ENODATA' | 'EHOSTUNREACH' | 'EMSGSIZE',
])[] = [
  ['nothing.example.test ip', ...NO_NAME],
  ['gone.example.test ip', ...NO_NAME],
  ['web.example.test mx', ...NO_RECORD],
  ['nothing.example.test. all', ...NO_NAME],
  ['localhost mx', ...NO_RECORD],
  ['round.example.test ip', ...FAILURE],
  // A zone that the server does not have.
  ['elsewhere.invalid ip', ...FAILURE],
  ['example.test', 'dns: illegal request example.test', 'EINVAL'],
  ['', 'dns: illegal request ', 'EINVAL'],
  ['\n', 'dns: illegal request ', 'EINVAL'],
  ['!', 'dns: illegal request !', 'EINVAL'],
  [' ip', 'dns: illegal request  ip', 'EINVAL'],
  ['example.test nonsense', 'dns: unknown type nonsense', 'EINVAL'],
  ['example.test ip mx', 'dns: unknown type ip mx', 'EINVAL'],
  ['example.test ', 'dns: unknown type ', 'EINVAL'],
  ['example.test  ip', 'dns: unknown type  ip', 'EINVAL'],
  ['example.test 0', 'dns: unknown type 0', 'EINVAL'],
  ['example.test 41', 'dns: unknown type 41', 'EINVAL'],
  ['example.test 252', 'dns: unknown type 252', 'EINVAL'],
  ['example.test 65536', 'dns: unknown type 65536', 'EINVAL'],
  ['example.test constructor', 'dns: unknown type constructor', 'EINVAL'],
  ['exa\0mple.test ip', 'dns: illegal request exa?mple.test ip', 'EINVAL'],
  ['exa\nmple.test ip', 'dns: illegal request exa?mple.test ip', 'EINVAL'],
  ['exa\tmple.test ip', 'dns: illegal request exa?mple.test ip', 'EINVAL'],
  ['example.test ip\n\n', 'dns: unknown type ip?', 'EINVAL'],
  ['example..test ip', 'dns: illegal request example..test ip', 'EINVAL'],
  ['.example.test ip', 'dns: illegal request .example.test ip', 'EINVAL'],
  ['example\\256.test ip', 'dns: illegal request example\\256.test ip', 'EINVAL'],
  [`${'a'.repeat(64)}.test ip`, `dns: illegal request ${'a'.repeat(64)}.test ip`, 'EINVAL'],
  [`${'a.'.repeat(128)}test ip`, `dns: illegal request ${'a.'.repeat(128)}`.slice(0, 127), 'EINVAL'],
  [
    Buffer.from([0xff, 0xfe, ...Buffer.from('.test ip')]),
    'dns: illegal request \ufffd\ufffd.test ip',
    'EINVAL',
  ],
  [`example.test ${'x'.repeat(1011)}`, 'dns: request too long', 'EMSGSIZE'],
  [`example.test ${'x'.repeat(1010)}`, `dns: unknown type ${'x'.repeat(1010)}`.slice(0, 127), 'EINVAL'],
  ['a'.repeat(60_000), 'dns: request too long', 'EMSGSIZE'],
];

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}

/** As a shell reads them, behind the question: lines. */
async function readLines(file: OpenFile): Promise<string[]> {
  const answers: string[] = [];
  for (;;) {
    const answer = (await file.read(8192)).toString();
    if (answer === '') return answers;
    assert.match(answer, /\n$/);
    answers.push(answer.slice(0, -1));
  }
}

/** As Plan 9's programs read them, which seek back. */
async function readAnswers(file: OpenFile): Promise<string[]> {
  const answers: string[] = [];
  for (let offset = 0; ;) {
    const answer = await file.read(8192, offset);
    if (answer.length === 0) return answers;
    answers.push(answer.toString());
    offset += answer.length;
  }
}

async function ask(t: Fixture, question: string): Promise<string[]> {
  const file = await t.client.open('dns', 'rw');
  try {
    await file.write(question);
    return await readAnswers(file);
  } finally {
    await file.close();
  }
}

describe('/net/dns', () => {
  let dir: string;
  let real: NameServer;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-dns-'));
    const hosts = ['127.0.0.1 localhost', '192.0.2.111 desk.home.test desk', '2001:db8::111 desk.home.test'];
    writeFileSync(join(dir, 'hosts'), [...hosts, '192.0.2.144 four.example.test'].join('\n'));
    writeFileSync(join(dir, 'resolv.conf'), 'search example.test\noptions attempts:1');
    real = await NameServer.start();
  });

  after(async () => {
    await real.stop();
    rmSync(dir, { recursive: true });
  });

  const resolver = (at: At, options: { timers?: Clock; inFlight?: number } = {}): HostResolver =>
    new HostResolver({
      servers: [at],
      hosts: join(dir, 'hosts'),
      resolvConf: join(dir, 'resolv.conf'),
      ...options,
    });

  const options = (): ServerOptions => ({ resolver: resolver(parseNameServer(real.address)!) });

  forEachDoor(
    'a question',
    t => {
      it('is answered with a record a read, whatever its type', async () => {
        for (const [question, ...answers] of ANSWERS) {
          assert.deepEqual((await ask(t, question)).sort(), answers, question);
        }
      });

      it('about all types is answered with every record of the name', async () => {
        const types = (answers: string[]): string[] =>
          answers.map(answer => answer.split('\t')[0]!.split(' ')[1]!);
        assert.deepEqual([...new Set(types(await ask(t, 'example.test all')))].sort(), [
          'caa',
          'https',
          'ip',
          'mx',
          'ns',
          'soa',
          'txt',
        ]);
        assert.deepEqual(await ask(t, 'www.example.test any'), ['www.example.test cname\tweb.example.test']);
        assert.deepEqual(await ask(t, 'desk all'), ['desk ip\t192.0.2.111']);
      });

      it('may end with a newline', async () => {
        assert.deepEqual(await ask(t, 'six.example.test ipv6\n'), ['six.example.test ipv6\t2001:db8::6']);
      });

      it('that cannot be answered says why', async () => {
        const file = await t.client.open('dns', 'rw');
        for (const [question, text, code] of REFUSALS) {
          // Linux keeps a write of nothing to itself.
          if (t.door === 'FUSE' && question.length === 0) continue;
          await t.refuses(file.write(question, 0), text, code);
        }
      });

      it('that cannot be answered leaves nothing to read', async () => {
        const file = await t.client.open('dns', 'rw');
        await file.write('example.test mx', 0);
        await t.refuses(file.write('nothing.example.test ip', 0), ...NO_NAME);
        assert.equal((await file.read(8192, 0)).length, 0);
      });

      it('and its answers may be read again from the start, in pieces that end where a record ends', async () => {
        const file = await t.client.open('dns', 'rw');
        await file.write('example.test mx', 0);
        for (let i = 0; i < 2; i++) {
          const first = (await file.read(8192, 0)).toString();
          const second = (await file.read(8192, first.length)).toString();
          assert.deepEqual([first, second].sort(), ANSWERS[5]!.slice(1));
          assert.equal((await file.read(8192, first.length + second.length)).length, 0);
          assert.equal((await file.read(7, 0)).toString(), 'example');
          assert.equal((await file.read(8192, 7)).toString(), first.slice(7));
        }
      });

      it('may be followed by another on the same descriptor, as in a shell that cannot seek', async () => {
        const file = await t.client.open('dns', 'rw');
        for (const [question, ...answers] of ANSWERS.slice(0, 6)) {
          await file.write(`${question}\n`);
          assert.deepEqual((await readLines(file)).sort(), answers);
        }
        // Without reading to the end.
        await file.write('example.test mx');
        await file.read(8192);
        await file.write('six ipv6');
        assert.deepEqual(await readLines(file), ['six.example.test ipv6\t2001:db8::6']);
      });

      it("stands apart from another opening's", async () => {
        const [a, b] = [await t.client.open('dns', 'rw'), await t.client.open('dns', 'rw')];
        await Promise.all([a.write('six ipv6'), b.write('example.test caa')]);
        assert.deepEqual(await readAnswers(a), ['six.example.test ipv6\t2001:db8::6']);
        assert.equal((await readAnswers(b)).length, 1);
      });

      it('of the owner may be one of his words, which change nothing here', async () => {
        for (const word of ['debug', 'refresh', 'target 4000', 'stats', 'dump\n']) {
          assert.deepEqual(await ask(t, word), [], word);
        }
      });

      it('may be asked on a file that is truncated first', async () => {
        const file = await t.client.open('dns', 'rw', { truncate: true });
        await file.write('six ipv6');
        assert.equal((await readAnswers(file)).length, 1);
      });
    },
    options,
  );

  forEachDoor(
    'dns of another user',
    t => {
      it('is not for others until its owner lets them', async () => {
        const alice = await t.as(ALICE);
        await t.refuses(alice.open('dns', 'rw'), 'permission denied', 'EACCES');
        await t.client.chmod('dns', 0o666);
        const file = await alice.open('dns', 'rw');
        await file.write('six ipv6');
        assert.equal((await readAnswers(file)).length, 1);
        await t.refuses(file.write('debug', 0), 'dns: illegal request debug', 'EINVAL');
      });
    },
    () => ({ ...options(), owner: GLENDA, users: people }),
  );

  describe('with a server that', () => {
    let server: ScriptedServer;
    let clock: Clock;
    const scripted = (): ServerOptions => ({ resolver: resolver(server.at, { timers: clock }) });

    beforeEach(async () => {
      clock = new Clock();
      server = await ScriptedServer.start();
    });

    afterEach(() => server.stop());

    forEachDoor(
      'is scripted',
      t => {
        it('is silent: the question fails when its time is over, and others are answered meanwhile', async () => {
          const file = await t.client.open('dns', 'rw');
          const asking = file.write('six.example.test ip', 0);
          await server.until(() => server.queries.length === 1);
          assert(await t.pending(asking));
          assert.deepEqual(await ask(t, 'desk ip'), ['desk ip\t192.0.2.111']);
          clock.ring();
          await t.refuses(asking, ...FAILURE);
        });

        if (t.door !== 'FUSE') {
          it('is silent: a second question on the same file meanwhile is refused', async () => {
            const file = await t.client.open('dns', 'rw');
            const asking = file.write('six.example.test ip', 0);
            await server.until(() => server.queries.length === 1);
            await t.refuses(file.write('six ip', 0), 'dns: query already in progress', 'EBUSY');
            clock.ring();
            await t.refuses(asking, ...FAILURE);
            await t.refuses(file.write('six xx', 0), 'dns: unknown type xx', 'EINVAL');
          });
        }

        it('is silent: a flush takes the question back, and its socket is closed', async () => {
          const file = await t.client.open('dns', 'rw');
          const aborter = new AbortController();
          const reason = new Error('enough');
          const asking = assert.rejects(file.write('six.example.test ip', 0, aborter.signal));
          await server.until(() => server.queries.length === 1);
          assert.equal(clock.length, 1);
          aborter.abort(reason);
          await asking;
          // By FUSE the client does not wait for what the server makes of it.
          while (clock.length > 0) await new Promise(setImmediate);
          server.script = query => reply(query, { answers: [record({ type: 1, data: [192, 0, 2, 9] })] });
          await file.write('six.example.test ip', 0);
          assert.equal((await file.read(8192, 0)).toString(), 'six.example.test ip\t192.0.2.9');
        });

        it('lies: what it says about other names is no answer', async () => {
          const other = [6, ...Buffer.from('victim'), 0];
          server.script = query =>
            reply(query, { answers: [record({ owner: other, type: 1, data: [6, 6, 6, 6] })] });
          const file = await t.client.open('dns', 'rw');
          await t.refuses(file.write('six.example.test ip', 0), ...NO_RECORD);
        });

        it('refuses to tell all (RFC 8482): the types are asked one by one', async () => {
          server.script = query => {
            if (query.type === 255) {
              const cpu = [7, ...Buffer.from('RFC8482'), 0];
              return reply(query, { answers: [record({ type: 13, data: cpu })] });
            }
            return reply(query, {
              answers: query.type === 1 ? [record({ type: 1, data: [192, 0, 2, 9] })] : [],
            });
          };
          assert.deepEqual(await ask(t, 'six.example.test all'), ['six.example.test ip\t192.0.2.9']);
          server.script = query => reply(query, { flags: RESPONSE | (query.type === 255 ? 4 : 3) });
          const file = await t.client.open('dns', 'rw');
          await t.refuses(file.write('six.example.test all', 0), ...NO_NAME);
        });

        it('knows aliases but not what is behind them: that is asked for', async () => {
          server.script = query => {
            const [, label] = /^c(\d+)\./.exec(query.name) ?? [];
            const next = [...Buffer.from(`c${Number(label) + 1}`)];
            const alias = record({ type: 5, data: [next.length, ...next, 4, ...Buffer.from('test'), 0] });
            const end = record({ type: 1, data: [192, 0, 2, 9] });
            return reply(query, { answers: [Number(label) === 5 ? end : alias] });
          };
          assert.deepEqual(await ask(t, 'c0.test ip'), ['c5.test ip\t192.0.2.9']);
          const file = await t.client.open('dns', 'rw');
          await t.refuses(file.write('c6.test ip', 0), ...FAILURE);
          assert(server.queries.length < 25);
        });

        it('says nothing: closing the file ends the question', async () => {
          const file = await t.client.open('dns', 'rw');
          const asking = assert.rejects(file.write('six.example.test ip', 0));
          await server.until(() => server.queries.length === 1);
          t.client.close();
          await asking;
          while (clock.length > 0) await new Promise(setImmediate);
        });
      },
      scripted,
    );
  });
});
