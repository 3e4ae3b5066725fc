/** resolv.conf(5), and name servers on the command line. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { candidates, parseNameServer, parseResolvConf } from '../../../src/host/dns/resolvconf.ts';

const parse = (...lines: string[]) => parseResolvConf(lines.join('\n'), '');

describe('parseResolvConf', () => {
  it('reads at most three name servers, on port 53', () => {
    const { servers } = parse(
      'nameserver 192.0.2.1 # one',
      ' nameserver\t2001:db8::1',
      'nameserver fe80::1%eth0',
      'nameserver 192.0.2.4',
    );
    assert.deepEqual(servers, [
      { address: '192.0.2.1', port: 53 },
      { address: '2001:db8::1', port: 53 },
      { address: 'fe80::1%eth0', port: 53 },
    ]);
  });

  it('takes a port as OpenBSD writes it', () => {
    assert.deepEqual(parse('nameserver [192.0.2.1]:5353').servers, [{ address: '192.0.2.1', port: 5353 }]);
  });

  it('asks this machine where no name server is named', () => {
    const local = [{ address: '127.0.0.1', port: 53 }];
    assert.deepEqual(parse('').servers, local);
    assert.deepEqual(parse('nameserver example.test', 'nameserver', 'nameserver [1.2.3.4]:0').servers, local);
  });

  it('searches what the last search or domain says', () => {
    assert.deepEqual(parse('domain a.test', 'search b.test c.test.').search, ['b.test', 'c.test']);
    assert.deepEqual(parse('search b.test', 'domain a.test d.test').search, ['a.test']);
    assert.deepEqual(parse('search .').search, []);
  });

  it("searches the host's own domain where it says nothing", () => {
    assert.deepEqual(parseResolvConf('', 'home.test').search, ['home.test']);
    assert.deepEqual(parseResolvConf('search a.test', 'home.test').search, ['a.test']);
  });

  it('searches no domain that is longer than names are', () => {
    const long = 'x'.repeat(100_000);
    assert.deepEqual(parseResolvConf(`search ${long} a.test`, '').search, ['a.test']);
  });

  it('reads options within their bounds', () => {
    const usual = parse('');
    assert.deepEqual([usual.ndots, usual.timeoutMs, usual.attempts, usual.rotate], [1, 5000, 2, false]);
    const set = parse('options ndots:2 timeout:1', 'options attempts:3 rotate edns0');
    assert.deepEqual([set.ndots, set.timeoutMs, set.attempts, set.rotate], [2, 1000, 3, true]);
    const most = parse('options ndots:99 timeout:9999 attempts:99');
    assert.deepEqual([most.ndots, most.timeoutMs, most.attempts], [15, 30_000, 5]);
    const least = parse('options ndots:0 timeout:0 attempts:0 ndots:x timeout:-1');
    assert.deepEqual([least.ndots, least.timeoutMs, least.attempts], [0, 1000, 1]);
  });

  it('takes any text', () => {
    const word = fc.oneof(
      fc.constantFrom('nameserver', 'search', 'options', 'ndots:', '#', '__proto__', '.'),
      fc.ipV4(),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(fc.array(word).map(words => words.join(' '))), lines => {
        const { servers, timeoutMs, attempts } = parse(...lines);
        assert(servers.length > 0 && servers.length <= 3 && timeoutMs > 0 && attempts > 0);
      }),
    );
  });
});

describe('candidates', () => {
  const conf = parse('search a.test b.test', 'options ndots:2');

  it('searches first for a name with few dots, and last for one with many', () => {
    assert.deepEqual(candidates('x', conf), ['x.a.test', 'x.b.test', 'x']);
    assert.deepEqual(candidates('x.y', conf), ['x.y.a.test', 'x.y.b.test', 'x.y']);
    assert.deepEqual(candidates('x.y.z', conf), ['x.y.z', 'x.y.z.a.test', 'x.y.z.b.test']);
  });

  it('does not search for one that ends in a dot', () => {
    assert.deepEqual(candidates('x.', conf), ['x.']);
  });
});

describe('parseNameServer', () => {
  it('reads an address with or without a port', () => {
    assert.deepEqual(parseNameServer('192.0.2.1'), { address: '192.0.2.1', port: 53 });
    assert.deepEqual(parseNameServer('192.0.2.1!5353'), { address: '192.0.2.1', port: 5353 });
    assert.deepEqual(parseNameServer('2001:db8::1'), { address: '2001:db8::1', port: 53 });
    assert.deepEqual(parseNameServer('[2001:db8::1]!5353'), { address: '2001:db8::1', port: 5353 });
    assert.deepEqual(parseNameServer('fe80::1%eth0!53'), { address: 'fe80::1%eth0', port: 53 });
  });

  it('reads nothing else', () => {
    const wrong = ['', 'example.test', '192.0.2.1!', '192.0.2.1!0', '192.0.2.1!65536', '192.0.2.1!domain'];
    const more = [
      '192.0.2.1!53!r',
      '192.0.2',
      '[192.0.2.1]',
      '[2001:db8::1',
      '192.0.2.1:53',
      'udp!192.0.2.1!53',
    ];
    for (const text of [...wrong, ...more]) assert.equal(parseNameServer(text), undefined, text);
  });
});
