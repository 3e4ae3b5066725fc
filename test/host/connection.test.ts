/** Sockets of this host as Connection and Listener, and what Linux itself says of them. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import { hostDialer } from '../../src/host/dialer.ts';
import type { Endpoint } from '../../src/netfs/address.ts';
import { Abort } from '../../src/abort.ts';
import { parseIp, UNSET } from '../../src/netfs/address.ts';
import type { Connection, ConnectOptions } from '../../src/netfs/dialer.ts';
import { need } from '../support/packages.ts';
import { call, ending, Remote, Tarpit } from '../support/remote.ts';

const NEVER = new AbortController().signal;

const at = (text: string): Endpoint => {
  const [host, port] = text.split('!');
  return { ip: parseIp(host!)!, port: Number(port) };
};

describe('a connection of the host', () => {
  const cleanups: (() => void)[] = [];
  before(function () {
    this.timeout(120_000);
    need({ ss: 'iproute2' });
  });
  afterEach(() => {
    for (const clean of cleanups.splice(0)) clean();
  });

  async function connect(
    options: ConnectOptions = {},
    host?: string,
  ): Promise<{ connection: Connection; socket: Socket }> {
    const remote = await Remote.listen(host);
    cleanups.push(() => remote.close());
    const connection = await hostDialer.connect(at(remote.address), options, NEVER);
    cleanups.push(() => connection.reset());
    return { connection, socket: await remote.accept() };
  }

  /** What ss(8) says of it, the options among it. */
  function ss(connection: Connection): string {
    const filter = `sport = :${connection.local.port} and dport = :${connection.remote.port}`;
    return execFileSync('ss', ['-tnoi', '--tos', filter], { encoding: 'utf8' });
  }

  it('has the type of service that was asked before and after', async () => {
    const { connection } = await connect({ tos: 16 });
    assert.match(ss(connection), /tos:(0x)?10\b/);
    connection.configure({ tos: 8 });
    assert.match(ss(connection), /tos:(0x)?8\b/);
  });

  it('probes an idle peer after so many milliseconds', async () => {
    const { connection } = await connect();
    assert.doesNotMatch(ss(connection), /keepalive/);
    connection.keepalive(7000);
    assert.match(ss(connection), /timer:\(keepalive,(7|6)/);
  });

  for (const [ms, timer] of [
    [50, /(\d+ms|1sec)/],
    [61_500, /1min[12]?(sec)?/],
    [2 ** 31 - 1, /54[56]min/],
  ] as const) {
    it(`probes after whole seconds, at least one and as many as the kernel has: ${ms}`, async () => {
      const { connection } = await connect();
      connection.keepalive(ms);
      assert.match(ss(connection), new RegExp(`timer:\\(keepalive,${timer.source},`));
    });
  }

  it('sends small writes at once', async () => {
    const { connection } = await connect();
    // Without TCP_NODELAY the second of two small writes waits for an acknowledgement.
    const req = { signal: NEVER, caller: { name: 'x', uid: 1, gid: 1, groups: [] } };
    for (const word of ['a', 'b', 'c']) assert.equal(await connection.write(Buffer.from(word), req), 1);
    assert.doesNotMatch(ss(connection), /notsent/);
  });

  it('tells who watches of the next bytes although he does not ask again, as an edge-triggered epoll', async () => {
    const { connection, socket } = await connect();
    const watch = { told: () => {}, closed: new Abort(), changed: () => watch.told() };
    const change = (): Promise<void> => new Promise(resolve => (watch.told = resolve));
    const first = change();
    connection.poll(watch);
    socket.write('zero');
    await first;
    for (const text of ['one', 'two', 'three']) {
      const changed = change();
      assert(connection.poll(watch).readable);
      const reply = {
        count: 100,
        room: (n: number) => room.subarray(0, n),
        drop: () => {},
        mayAnswer: () => true,
      };
      const room = Buffer.alloc(100);
      const req = { signal: NEVER, caller: { name: 'x', uid: 1, gid: 1, groups: [] }, nonblocking: true };
      // All is taken, until there is no more.
      for (;;) {
        try {
          await connection.read(reply, req);
        } catch (error) {
          assert.equal((error as Error).name, 'Eagain');
          break;
        }
      }
      socket.write(text);
      await changed;
    }
  });

  it('settles gone when it is reset by either side, and tells no state any more', async () => {
    const first = await connect();
    first.connection.reset();
    await first.connection.gone;
    assert.equal(first.connection.info(), undefined);
    const second = await connect();
    second.connection.close();
    second.socket.resetAndDestroy();
    await second.connection.gone;
  });

  it('that is closed goes when the peer has ended too, and not before', async () => {
    const { connection, socket } = await connect();
    let gone = false;
    void connection.gone.then(() => (gone = true));
    connection.close();
    assert.equal((await ending(socket)).by, 'FIN');
    assert.equal(gone, false);
    socket.end();
    await connection.gone;
  });

  it('that is reset while its FIN waits leaves no descriptor', async () => {
    const sockets = (): number =>
      readdirSync('/proc/self/fd').filter(fd => linkOf(fd).startsWith('socket:')).length;
    const { connection, socket } = await connect();
    const before = sockets();
    connection.close();
    connection.reset();
    assert.equal((await ending(socket)).by, 'RST');
    await connection.gone;
    assert(sockets() < before);
  });

  it('may be closed and reset any number of times', async () => {
    const { connection } = await connect();
    connection.close();
    connection.close();
    connection.reset();
    connection.reset();
    connection.close();
    await connection.gone;
  });
});

describe('a connect of the host', () => {
  let tarpit: Tarpit;
  before(async () => (tarpit = await Tarpit.dig()));
  after(() => tarpit.fill());

  it('that is aborted fails with the reason and leaves no socket', async () => {
    const aborter = new AbortController();
    const before = process.getActiveResourcesInfo().filter(name => name.startsWith('TCP')).length;
    const connecting = hostDialer.connect(at(tarpit.address), {}, aborter.signal);
    const reason = new Error('enough');
    aborter.abort(reason);
    await assert.rejects(connecting, reason);
    await new Promise(setImmediate);
    assert.equal(process.getActiveResourcesInfo().filter(name => name.startsWith('TCP')).length, before);
  });

  it('that is aborted beforehand does not begin', async () => {
    const reason = new Error('enough');
    const remote = await Remote.listen();
    await assert.rejects(hostDialer.connect(at(remote.address), {}, AbortSignal.abort(reason)), reason);
    remote.close();
  });
});

describe('an announcement of the host', () => {
  it('probes a port without keeping it', async () => {
    const { port } = await hostDialer.probe(at('127.0.0.1!0'));
    assert(port > 0);
    const listener = await hostDialer.announce(at(`127.0.0.1!${port}`));
    assert.equal(listener.local.port, port);
    await assert.rejects(hostDialer.probe(at(`127.0.0.1!${port}`)), { name: 'Eaddrinuse' });
    listener.close();
  });

  it('gives an accept that is aborted no call, and the next one the call', async () => {
    const listener = await hostDialer.announce(at('127.0.0.1!0'));
    const aborter = new AbortController();
    const reason = new Error('enough');
    const accepting = listener.accept(aborter.signal);
    aborter.abort(reason);
    await assert.rejects(accepting, reason);
    const socket = await call(listener.local.port);
    const connection = await listener.accept(NEVER);
    assert.equal(connection.remote.port, socket.localPort);
    connection.reset();
    listener.close();
    await assert.rejects(listener.accept(NEVER), { name: 'Elistenhungup' });
  });

  it('lets 128 calls wait for an accept, and resets those that nobody takes', async () => {
    const listener = await hostDialer.announce(at('127.0.0.1!0'));
    const calls = Array.from({ length: 200 }, () => call(listener.local.port));
    await Promise.allSettled(calls);
    const endings = calls.map(each =>
      each.then(
        socket => ending(socket).then(({ by }) => (socket.end(), by)),
        () => 'RST' as const,
      ),
    );
    for (let i = 0; i < 128; i++) (await listener.accept(NEVER)).close();
    listener.close();
    const by = await Promise.all(endings);
    assert.equal(by.filter(each => each === 'FIN').length, 128);
  });

  it('on any address shows it as it was asked for', async () => {
    const listener = await hostDialer.announce(UNSET);
    assert.deepEqual(listener.local.ip, UNSET.ip);
    listener.close();
  });
});

/** What a descriptor of this process is; empty for the one that listed them. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}
