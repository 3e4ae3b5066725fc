/** `slashnet resolve`, as its users run it. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostUsers } from '../../src/host/users.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { Door } from '../../src/server/transport/door.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { Asked, dnsError } from '../support/answers.ts';
import { run, type Outcome } from './process.ts';

const asked = new Asked({
  cs: {
    'tcp!example.org!http': ['/net/tcp/clone 192.0.2.7!80', '/net/tcp/clone 2001:db8::7!80'],
    '!protocol=tcp': ['protocol=tcp ipv4proto=6'],
    'tcp!nobody!http': new FsError('Enotrans', undefined, "cs: can't translate address"),
  },
  dns: {
    'example.org ip': ['example.org ip\t192.0.2.7'],
    'example.org ipv6': dnsError('Enorecord'),
    'example.org txt': ['example.org txt\tplain', 'example.org txt\t\x1b[2Jred\nline'],
    '7.2.0.192.in-addr.arpa ptr': ['7.2.0.192.in-addr.arpa ptr\texample.org'],
  },
});

describe('slashnet resolve', () => {
  let dir: string;
  let door: Door;

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    const how = { mode: 0o600, squash: false, users: hostUsers() };
    door = await unixDoor(join(dir, 'sock'), how, (...client) => void asked.serve(...client));
  });

  after(() => {
    door.close();
    rmSync(dir, { recursive: true });
  });

  const resolve = (...args: string[]): Promise<Outcome> =>
    run(['resolve', '--at', `unix!${dir}/sock`, ...args]);

  async function prints(text: string, ...args: string[]): Promise<void> {
    assert.deepEqual(await resolve(...args), { code: 0, signal: null, stdout: text, stderr: '' });
  }

  it('tells the addresses of a name', () => prints('example.org ip\t192.0.2.7\n', 'example.org'));

  it('tells the records of a type, and lets none move the cursor', () =>
    prints('example.org txt\tplain\nexample.org txt\t?[2Jred?line\n', 'example.org', 'txt'));

  it('tells the names of an address', () => prints('7.2.0.192.in-addr.arpa ptr\texample.org\n', '192.0.2.7'));

  it('tells what to open and to write for an address to be dialled', async () => {
    await prints('/net/tcp/clone 192.0.2.7!80\n/net/tcp/clone 2001:db8::7!80\n', 'tcp!example.org!http');
    await prints('protocol=tcp ipv4proto=6\n', '!protocol=tcp');
  });

  it('--json gives objects', async () => {
    const json = async (...args: string[]) =>
      JSON.parse((await resolve('--json', ...args)).stdout) as unknown;
    assert.deepEqual(await json('example.org'), [{ name: 'example.org', type: 'ip', value: '192.0.2.7' }]);
    assert.deepEqual(await json('tcp!example.org!http'), [
      { clone: '/net/tcp/clone', address: '192.0.2.7!80' },
      { clone: '/net/tcp/clone', address: '2001:db8::7!80' },
    ]);
    assert.deepEqual(await json('!protocol=tcp'), [{ answer: 'protocol=tcp ipv4proto=6' }]);
  });

  for (const [args, message] of [
    [['nobody.example'], 'slashnet: resolve nobody.example: dns: name does not exist\n'],
    [['example.org', 'ipv6'], 'slashnet: resolve example.org: dns: resource does not exist; negrcode 0\n'],
    [['tcp!nobody!http'], "slashnet: resolve tcp!nobody!http: cs: can't translate address\n"],
    [['a b'], 'slashnet: resolve a b: "a b" is no name; write one word\n'],
  ] as const) {
    it(`ends with 1 and the reason: ${args.join(' ')}`, async () => {
      assert.deepEqual(await resolve(...args), { code: 1, signal: null, stdout: '', stderr: message });
    });
  }

  it('ends with 2 on an address to be dialled with a type', async () => {
    const { code, stderr } = await resolve('tcp!example.org!http', 'mx');
    assert.deepEqual(
      [code, stderr],
      [2, "slashnet: tcp!example.org!http is to be dialled and has no records; leave out 'mx'\n"],
    );
  });
});
