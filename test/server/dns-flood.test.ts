/** Ten thousand questions at the same time, to a name server that says nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Abort } from '../../src/abort.ts';
import { connect, NinepError, type Client } from '../../src/client/index.ts';
import { HostResolver } from '../../src/host/dns/resolver.ts';
import { FsError } from '../../src/netfs/error.ts';
import { Server } from '../../src/server/server.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { Clock, record, reply, ScriptedServer } from '../host/dns/wire.ts';
import { ALICE, BOB, CAROL } from '../support/callers.ts';
import { DirectTree } from '../support/direct.ts';
import { until } from './rig.ts';

const QUESTIONS = 10_000;
/** What the resolver has out of one user at a time, and what it lets wait: half of all. */
const IN_FLIGHT = 256;
const WAITING = 2048;
/** Beside the sockets of the questions. */
const SPARE = 100;

const HERE = record({ type: 1, data: [127, 0, 0, 1] });

describe('ten thousand questions at once', () => {
  let dir: string;
  let silent: ScriptedServer;
  let clock: Clock;
  let resolver: HostResolver;
  let server: Server;

  const descriptors = (): number => readdirSync('/proc/self/fd').length;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-flood-'));
    silent = await ScriptedServer.start();
    clock = new Clock();
    resolver = new HostResolver({ servers: [silent.at], timers: clock });
    server = new Server({ resolver });
  });

  afterEach(() => {
    server.close();
    silent.stop();
    rmSync(dir, { recursive: true });
  });

  it('each get an error, with a bounded number of sockets, and the rest of the tree answers meanwhile', async () => {
    const tree = new DirectTree(server, server.owner);
    const before = descriptors();
    const outcomes = { failed: 0 };
    const asking = Array.from({ length: QUESTIONS }, async (_, i) => {
      const file = await tree.open('dns', 'rw');
      await assert.rejects(file.write(`host${i}.test. ip`), (error: unknown) => {
        return error instanceof FsError && error.message === 'dns: dns failure';
      });
      outcomes.failed++;
      await file.close();
    });
    // Those beyond the line are refused at once; the others wait.
    await until(() => outcomes.failed === QUESTIONS - IN_FLIGHT - WAITING);
    // Not all arrive: so many at once are more than the socket of one server holds.
    await silent.until(() => silent.queries.length > 0);
    assert(descriptors() - before >= IN_FLIGHT);
    assert(descriptors() - before < IN_FLIGHT + SPARE);
    assert.equal(clock.length, IN_FLIGHT + WAITING);
    assert.match((await tree.readFile('tcp/stats')).toString(), /MaxConn/);
    const clone = await tree.open('tcp/clone', 'rw');
    assert.equal((await clone.read(32, 0)).toString(), '0');
    while (outcomes.failed < QUESTIONS) {
      clock.ring();
      await new Promise(setImmediate);
    }
    await Promise.all(asking);
    assert.equal(clock.length, 0);
    await until(() => descriptors() <= before + SPARE);
    tree.close();
  });

  it('of one user, and of another, leave a third and his dials alone', async () => {
    const listener = createServer(socket => socket.destroy()).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const { port } = listener.address() as AddressInfo;
    const signal = new Abort();
    silent.script = query =>
      query.name.startsWith('here') ? reply(query, { answers: query.type === 1 ? [HERE] : [] }) : undefined;
    for (const file of ['dns', 'cs', 'tcp/clone'])
      await new DirectTree(server, server.owner).chmod(file, 0o666);
    const flood = [ALICE, BOB].flatMap(by => {
      return Array.from({ length: IN_FLIGHT + WAITING }, (_, i) =>
        resolver.records(`host${i}.test`, 'ip', signal, by).catch((error: unknown) => error),
      );
    });
    const carol = new DirectTree(server, CAROL);
    const dns = await carol.open('dns', 'rw');
    await dns.write('here.test ip', 0);
    assert.equal((await dns.read(100, 0)).toString(), 'here.test ip\t127.0.0.1');
    const cs = await carol.open('cs', 'rw');
    await cs.write('tcp!here.test!80', 0);
    assert.equal((await cs.read(100, 0)).toString(), '/net/tcp/clone 127.0.0.1!80');
    const ctl = await carol.open('tcp/clone', 'rw');
    await ctl.write(`connect here.test!${port}`);
    signal.abort(new FsError('Eintr'));
    await Promise.all(flood);
    carol.close();
    listener.close();
  });

  it('are cancelled, and leave nothing behind', async () => {
    const before = descriptors();
    const reason = new FsError('Eintr');
    const requests = Array.from({ length: IN_FLIGHT + WAITING }, () => new Abort());
    const asking = requests.map((signal, i) =>
      assert.rejects(resolver.records(`host${i}.test`, 'ip', signal), error => error === reason),
    );
    await silent.until(() => silent.queries.length > 0);
    for (const request of requests.reverse()) request.abort(reason);
    await Promise.all(asking);
    assert.equal(clock.length, 0);
    await until(() => descriptors() <= before + SPARE);
  });

  it('of one 9P client end with it', async () => {
    const door = { mode: 0o600, squash: false, users: server.users };
    await server.addDoor(onClient => unixDoor(join(dir, 'sock'), door, onClient));
    const client: Client = await connect(`unix!${join(dir, 'sock')}`, { dialect: '9P2000' });
    const other = await connect(`unix!${join(dir, 'sock')}`, { dialect: '9P2000' });
    const files = await Promise.all(Array.from({ length: 600 }, () => client.open('dns', 'rw')));
    const asking = files.map((file, i) => file.write(`host${i}.test. ip`).catch((error: unknown) => error));
    await silent.until(() => silent.queries.length > 0);
    assert.match((await other.readFile('tcp/stats')).toString(), /MaxConn/);
    client.close();
    await Promise.all(asking);
    await until(() => clock.length === 0);
    await assert.rejects((await other.open('dns', 'rw')).write('x y'), error => {
      return error instanceof NinepError && error.message === 'dns: unknown type y';
    });
    other.close();
  });
});
