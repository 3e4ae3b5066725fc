/**
 * Judges from outside: diod's own clients, which speak 9P2000.L over TCP. Debian has them in the package
 * diod, in /usr/sbin.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Server } from '../../src/server/server.ts';
import type { Door } from '../../src/server/transport/door.ts';
import { tcpDoor } from '../../src/server/transport/tcp.ts';
import { need } from '../support/packages.ts';
import { until } from './rig.ts';

const run = promisify(execFile);

describe("diod's clients", () => {
  let server: Server;
  let door: Door;

  before(function () {
    this.timeout(120_000);
    need({ diodls: 'diod', diodcat: 'diod' });
  });

  beforeEach(async () => {
    server = new Server();
    door = await server.addDoor(onClient => tcpDoor('127.0.0.1', 0, { trust: true }, onClient));
  });

  afterEach(async () => {
    server.close();
    await until(() => server.sessions.size === 0);
  });

  /** What the command prints; it attaches to the whole tree. */
  async function judge(command: 'diodls' | 'diodcat', ...args: string[]): Promise<string> {
    const at = ['-s', `127.0.0.1:${door.address!.port}`, '-t', '10'];
    return (await run(`/usr/sbin/${command}`, [...at, ...args])).stdout;
  }

  it('list the root and tcp', async () => {
    assert.match(await judge('diodls', '-a', '/', '/'), /^tcp$/m);
    const tcp = await judge('diodls', '-a', '/', 'tcp');
    assert.match(tcp, /^clone$/m);
    assert.match(tcp, /^stats$/m);
  });

  it('list with attributes', async () => {
    const listed = await judge('diodls', '-l', '-a', '/', 'tcp');
    assert.match(listed, /^-rw-------\S* .*clone$/m);
    assert.match(listed, /^-r--r--r--\S* .*stats$/m);
  });

  it('list a directory of many conversations, whole, with a small msize', async () => {
    for (let i = 0; i < 300; i++) server.tcp.allocate(server.owner);
    const names = (await judge('diodls', '-m', '4096', '-a', 'tcp', '/'))
      .split('\n')
      .filter(name => /^\d+$/.test(name));
    assert.equal(new Set(names).size, 300);
  });

  it('print tcp/stats', async () => {
    assert.match(await judge('diodcat', '-a', '/', 'tcp/stats'), /^MaxConn: \d+$/m);
    assert.match(await judge('diodcat', '-a', 'tcp', 'stats'), /^MaxConn: \d+$/m);
  });

  it('make a conversation by reading clone', async () => {
    assert.equal(await judge('diodcat', '-a', '/', 'tcp/clone'), '0');
    await until(() => !server.tcp.at(0).inUse);
  });

  it('are told what is not there, and who may not', async () => {
    const failure = async (...args: string[]): Promise<string> => {
      const failed = await judge('diodcat', ...args).then(
        () => assert.fail('it should have failed'),
        (error: unknown) => error as { stderr: string },
      );
      return failed.stderr;
    };
    assert.match(await failure('-a', '/', 'tcp/nothing'), /No such file/);
    assert.match(await failure('-u', '65534', '-a', '/', 'tcp/clone'), /[Pp]ermission denied/);
  });
});
