/** Datagram sockets on interfaces that are not loopback's, in a network namespace of the test's own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { need } from '../support/packages.ts';

const CHILD = new URL('datagrams-child.ts', import.meta.url).pathname;

describe('datagrams of an interface', () => {
  let seen: Record<'group' | 'linkLocal' | 'broadcast' | 'trace4' | 'trace6', Record<string, unknown>>;

  before(async () => {
    need({ ip: 'iproute2' });
    const { stdout } = await promisify(execFile)('unshare', [
      '-Urmn',
      process.execPath,
      '--import=tsx',
      CHILD,
    ]);
    seen = JSON.parse(stdout) as typeof seen;
  });

  it('an IPv6 group is received by the interface it was joined on', () => {
    assert.deepEqual(
      { ...seen.group, interface: undefined },
      { text: 'to all', from: 'fd00::1', to: 'ff02::1234', interface: undefined, ours: true },
    );
  });

  it('a link-local peer is answered on his own link', () => {
    assert.deepEqual(seen.linkLocal, { text: 'here', answer: 'there', by: true });
  });

  it('a broadcast is told from what was sent to the machine itself', () => {
    assert.deepEqual(seen.broadcast, {
      text: 'to all',
      from: '10.9.0.1',
      to: '10.9.0.255',
      interface: '10.9.0.1',
    });
  });

  it('a ttl that ends at a router hangs the conversation up, and err names the router, as traceroute wants', () => {
    assert.deepEqual(
      [seen.trace4, seen.trace6],
      [
        { failure: 'no route', err: 'no route: icmp type 11 code 0 from 10.8.0.2\n' },
        { failure: 'no route', err: 'no route: icmp6 type 3 code 0 from fd08::2\n' },
      ],
    );
  });
});
