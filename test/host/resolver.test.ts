/** Host names of this host. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { parseHosts } from '../../src/host/dns/hosts.ts';
import { HostResolver } from '../../src/host/dns/resolver.ts';
import { formatIp } from '../../src/netfs/address.ts';
import type { Ip } from '../../src/netfs/address.ts';

const resolve = async (name: string, signal: AbortSignal): Promise<Ip[]> =>
  (await new HostResolver().addresses(name, signal)).map(({ ip }) => ip);

const NEVER = new AbortController().signal;
const show = (ips: readonly Ip[] | undefined): string[] | undefined => ips?.map(formatIp);
const hosts = (...lines: string[]) => parseHosts(lines.join('\n')).names;

describe('parseHosts', () => {
  it('reads an address, its name and its aliases, in any case', () => {
    const names = hosts('192.0.2.7\tWeb.example  www # the web', '2001:db8::1 six');
    assert.deepEqual([...names.keys()].sort(), ['six', 'web.example', 'www']);
    assert.deepEqual(show(names.get('www')), ['192.0.2.7']);
    assert.deepEqual(show(names.get('six')), ['2001:db8::1']);
  });

  it('gives a name on several lines all their addresses, IPv4 first and else in their order', () => {
    const names = hosts('::2 a', '192.0.2.2 a', '::1 a', '192.0.2.1 b a');
    assert.deepEqual(show(names.get('a')), ['192.0.2.2', '192.0.2.1', '::2', '::1']);
    assert.deepEqual(show(names.get('b')), ['192.0.2.1']);
  });

  it('passes over comments, lines without a name and addresses that are none', () => {
    const names = hosts(
      '# 192.0.2.1 a',
      '192.0.2.1',
      '',
      ' ',
      '127.1 a',
      '0177.0.0.1 a',
      'fe80::1%lo a',
      'x y',
      '192.0.2.1 b',
      'x y',
      '192.0.2.1 c',
      'x',
      '192.0.2.1 d',
      '192.0.2.1 e\x1b[2J',
      '192.0.2.1 f\x9b2J',
    );
    assert.deepEqual([...names.keys()], ['b', 'c', 'd']);
  });

  it('reads lines that end as on Windows', () => {
    assert.deepEqual(show(hosts('192.0.2.1 a\r', '192.0.2.2 b\r').get('a')), ['192.0.2.1']);
  });

  it('calls an address by the first name of its first line', () => {
    const { reverse } = parseHosts('192.0.2.7 Web.example www\n192.0.2.7 other\n2001:db8::1 six');
    assert.equal(reverse.get('7.2.0.192.in-addr.arpa'), 'Web.example');
    assert.equal(reverse.get(`1.${'0.'.repeat(23)}8.b.d.0.1.0.0.2.ip6.arpa`), 'six');
  });

  it('takes as many lines of one name or of one address as there are, and 64 addresses of one name', () => {
    const lines = Array.from({ length: 100_000 }, (_, i) => `192.0.${i % 9}.${i % 256} a a${i}`);
    const names = hosts(...lines);
    assert.equal(names.size, 100_001);
    assert.equal(names.get('a')!.length, 64);
    assert.equal(new Set(show(names.get('a'))).size, 64);
    assert.equal(hosts(`::1 ${'a '.repeat(100_000)}`).get('a')!.length, 1);
  });

  it('takes any text', () => {
    const word = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.domain(),
      fc.constantFrom('#', '\t', '__proto__'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(fc.array(word).map(words => words.join(' '))), lines => {
        for (const [name, ips] of hosts(...lines)) {
          assert.equal(name, name.toLowerCase());
          assert(ips.length > 0);
        }
      }),
    );
  });
});

describe('resolve', () => {
  it('knows localhost and all below it as this machine, IPv4 first, without asking anybody', async () => {
    assert.equal(show(await resolve('localhost', NEVER))![0], '127.0.0.1');
    for (const name of ['a.localhost', 'deep.below.localhost']) {
      assert.deepEqual(show(await resolve(name, NEVER)), ['127.0.0.1', '::1']);
    }
  });

  it('heeds a signal that fires while it asks', async () => {
    const reason = new Error('enough');
    const aborter = new AbortController();
    const resolving = resolve('slashnet.invalid', aborter.signal);
    aborter.abort(reason);
    await assert.rejects(resolving, reason);
  });
});
