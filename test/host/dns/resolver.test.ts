/** The addresses of hosts, as this machine's programs find them. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostResolver } from '../../../src/host/dns/resolver.ts';
import { formatIp } from '../../../src/netfs/address.ts';
import type { HostAddress } from '../../../src/netfs/resolver.ts';
import { ADDRESS, Clock, name, record, reply, RESPONSE, ScriptedServer, type Arrived } from './wire.ts';

const NEVER = new AbortController().signal;
const A = 1;
const AAAA = 28;
const SIX = record({ type: AAAA, data: [0x20, 1, 0xd, 0xb8, ...Array<number>(11).fill(0), 7] });
const NO_NAME = RESPONSE | 3;
const FAILED = RESPONSE | 2;

describe('the addresses of a host', () => {
  let dir: string;
  let server: ScriptedServer;
  let resolver: HostResolver;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-resolver-'));
    server = await ScriptedServer.start(query => reply(query, { flags: NO_NAME }));
    write('hosts', '');
    write(
      'resolv.conf',
      `nameserver [127.0.0.1]:${server.at.port}`,
      'search a.test b.test',
      'options attempts:1',
    );
    resolver = new HostResolver({ hosts: join(dir, 'hosts'), resolvConf: join(dir, 'resolv.conf') });
  });

  afterEach(() => {
    server.stop();
    rmSync(dir, { recursive: true });
  });

  /** As editors do: the new file takes the old one's place. */
  function write(file: string, ...lines: string[]): void {
    writeFileSync(join(dir, 'new'), lines.join('\n'));
    renameSync(join(dir, 'new'), join(dir, file));
  }

  const show = (found: readonly HostAddress[]): string[] =>
    found.map(({ ip, ttl }) => `${formatIp(ip)} ${ttl}`);
  const find = async (host: string): Promise<string[]> => show(await resolver.addresses(host, NEVER));
  const asked = (): string[] => server.queries.map(({ name: asked, type }) => `${asked} ${type}`);
  /** Both families of one name. */
  const answering = (host: string) => (query: Arrived) =>
    query.name === host
      ? reply(query, { answers: query.type === A ? [ADDRESS] : [SIX] })
      : reply(query, { flags: NO_NAME });

  it('are asked for in both families at the same time, and IPv4 comes first', async () => {
    const held: (() => void)[] = [];
    server.script = (query, send) => {
      held.push(() => send(answering('web.test')(query)));
      return undefined;
    };
    const finding = find('web.test');
    await server.until(() => held.length === 2);
    // The later question is answered first.
    held[1]!();
    held[0]!();
    assert.deepEqual(await finding, ['192.0.2.7 300', '2001:db8::7 300']);
  });

  it('are those of one family where the other has none or fails', async () => {
    for (const flags of [RESPONSE, FAILED]) {
      server.script = query =>
        query.type === A ? reply(query, { answers: [ADDRESS] }) : reply(query, { flags });
      assert.deepEqual(await find('web.test'), ['192.0.2.7 300']);
      server.script = query =>
        query.type === AAAA ? reply(query, { answers: [SIX] }) : reply(query, { flags });
      assert.deepEqual(await find('web.test'), ['2001:db8::7 300']);
    }
  });

  it('are unknown, not absent, where one family fails and the other has none', async () => {
    server.script = query => reply(query, { flags: query.type === A ? RESPONSE : FAILED });
    await assert.rejects(find('web.test.'), { name: 'Edns' });
  });

  it('behind an alias are good for as long as the shortest of both', async () => {
    const alias = record({ type: 5, ttl: 20, data: name('real.test') });
    const real = record({ owner: name('REAL.test'), type: A, ttl: 60, data: [192, 0, 2, 9] });
    server.script = query => reply(query, { answers: query.type === A ? [real, alias] : [alias] });
    assert.deepEqual(await find('web.test'), ['192.0.2.9 20']);
  });

  it('are searched for in the local domains: first for a name of one label, last for others', async () => {
    server.script = answering('web.b.test');
    assert.equal((await find('web')).length, 2);
    assert.deepEqual(asked().sort(), ['web.a.test 1', 'web.a.test 28', 'web.b.test 1', 'web.b.test 28']);
    server.queries.length = 0;
    server.script = answering('x.y.b.test');
    assert.equal((await find('x.y')).length, 2);
    const names = server.queries.filter(({ type }) => type === A).map(query => query.name);
    assert.deepEqual(names, ['x.y', 'x.y.a.test', 'x.y.b.test']);
  });

  it('of a name that ends in a dot are not searched for', async () => {
    await assert.rejects(find('web.'), { name: 'Enoname' });
    assert.deepEqual(asked().sort(), ['web 1', 'web 28']);
  });

  it('of a name that is there in some domain, but without addresses, are missing as records', async () => {
    server.script = query => reply(query, { flags: query.name === 'web.a.test' ? RESPONSE : NO_NAME });
    await assert.rejects(find('web'), { name: 'Enorecord' });
  });

  it('are in the file of hosts, and then nobody is asked', async () => {
    write('hosts', '2001:db8::9 Desk', '192.0.2.9 desk.home.test desk');
    for (const host of ['desk', 'DESK', 'desk.']) {
      assert.deepEqual(await find(host), ['192.0.2.9 Infinity', '2001:db8::9 Infinity']);
    }
    assert.deepEqual(await find('x.localhost'), ['127.0.0.1 Infinity', '::1 Infinity']);
    assert.deepEqual(await find('192.0.2.1'), ['192.0.2.1 Infinity']);
    assert.deepEqual(asked(), []);
  });

  it('follow the files when they change', async () => {
    server.script = answering('web.c.test');
    await assert.rejects(find('web'), { name: 'Enoname' });
    write('resolv.conf', `nameserver [127.0.0.1]:${server.at.port}`, 'search c.test');
    assert.equal((await find('web')).length, 2);
    write('hosts', '192.0.2.1 web');
    assert.deepEqual(await find('web'), ['192.0.2.1 Infinity']);
    rmSync(join(dir, 'hosts'));
    assert.equal((await find('web')).length, 2);
  });

  it('have one error for a name that is not there, one for a name without any, another where nobody answers', async () => {
    await assert.rejects(resolver.addresses('web.test', NEVER), { name: 'Enoname' });
    server.script = query => reply(query);
    await assert.rejects(resolver.addresses('web.test', NEVER), { name: 'Enorecord' });
    server.script = query => reply(query, { flags: FAILED });
    await assert.rejects(resolver.addresses('web.test', NEVER), { name: 'Edns' });
    server.script = answering('web.test');
    assert.deepEqual(
      (await resolver.addresses('web.test', NEVER)).map(({ ip }) => formatIp(ip)),
      ['192.0.2.7', '2001:db8::7'],
    );
  });

  it('of what is no domain name do not exist, and nobody is asked', async () => {
    const wrong = ['', '..', 'a..b.test', `${'a'.repeat(64)}.test`, 'a.'.repeat(200)];
    for (const host of wrong) await assert.rejects(find(host), { name: 'Enoname' }, host);
    assert.deepEqual(asked(), []);
  });

  it('of a name with other letters are those of its form for the network (IDNA)', async () => {
    server.script = answering('xn--bcher-kva.test');
    assert.equal((await find('bücher.test')).length, 2);
  });

  it('fail with the reason of the signal, and then nothing waits', async () => {
    const clock = new Clock();
    const silent = await ScriptedServer.start();
    const aborter = new AbortController();
    const reason = new Error('enough');
    const quiet = new HostResolver({ servers: [silent.at], timers: clock });
    const finding = assert.rejects(quiet.addresses('web.test', aborter.signal), reason);
    await silent.until(() => silent.queries.length === 2);
    aborter.abort(reason);
    await finding;
    assert.equal(clock.length, 0);
    silent.stop();
  });
});
