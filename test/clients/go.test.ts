/** What Go's net package for Plan 9 does with TCP. net-contract 8.4. */
import assert from 'node:assert/strict';
import { close, forEachDoor, isRefusal, type Fixture } from '../support/fixture.ts';
import { call, closedPort, ending, receive } from '../support/remote.ts';
import type { OpenFile } from '../support/tree.ts';
import { open, read, translate } from './libc.ts';

/** Its buffer for a number. */
const NUMBER = 16;
const DEADLINE = new Error('i/o timeout');

interface NetFd {
  readonly ctl: OpenFile;
  readonly dir: string;
  readonly data?: OpenFile;
  readonly listen?: OpenFile;
}

/** `192.0.2.7!80` of local or remote, taken apart as it does: strictly, and a newline ends the port. */
async function readAddress(t: Fixture, path: string): Promise<{ ip: string; port: number }> {
  const file = await open(t.client, path, 'r');
  const [, ip, port] = /^(.*)!(\d+)/.exec(await read(file, 128)) ?? assert.fail();
  await file.close();
  return { ip: ip!, port: Number(port) };
}

/** Asks cs, and takes a conversation at the file that it names. */
async function start(t: Fixture, address: string): Promise<NetFd & { readonly destination: string }> {
  const [[clone, destination]] = (await translate(t.client, address)) as [[string, string]];
  const ctl = await open(t.client, clone);
  return { ctl, dir: `/net/tcp/${await read(ctl, NUMBER)}`, destination };
}

async function dial(t: Fixture, port: number): Promise<NetFd & { readonly data: OpenFile }> {
  const { ctl, dir, destination } = await start(t, `tcp!127.0.0.1!${port}`);
  await ctl.write(`connect ${destination}`);
  return { ctl, dir, data: await open(t.client, `${dir}/data`) };
}

async function listenOn(t: Fixture, port: number): Promise<NetFd> {
  const { ctl, dir, destination } = await start(t, `tcp!*!${port}`);
  assert.equal(destination, String(port));
  await ctl.write(`announce ${destination}`);
  return { ctl, dir };
}

/** Reads listen, which it opened for that only, and opens ctl and data for itself; all three stay open. */
async function accept(t: Fixture, { dir }: NetFd): Promise<NetFd & Required<Pick<NetFd, 'data' | 'listen'>>> {
  const listen = await open(t.client, `${dir}/listen`, 'r');
  const call = `/net/tcp/${await read(listen, NUMBER)}`;
  const ctl = await open(t.client, `${call}/ctl`);
  return { ctl, dir: call, listen, data: await open(t.client, `${call}/data`) };
}

/** Conn.Close: the message wakes who reads, and its failure would be Close's. */
async function closeConn({ ctl, data, listen }: NetFd): Promise<void> {
  await ctl.write('close');
  await close(ctl, ...[data, listen].filter(file => file !== undefined));
}

forEachDoor("Go's net", t => {
  it('dials, and knows both ends', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    const socket = await remote.accept();
    assert.deepEqual(await readAddress(t, `${conn.dir}/local`), { ip: '127.0.0.1', port: socket.remotePort });
    assert.deepEqual(await readAddress(t, `${conn.dir}/remote`), { ip: '127.0.0.1', port: remote.port });
    await conn.data.write('ping');
    assert.equal((await receive(socket, 4)).toString(), 'ping');
    socket.write('pong');
    assert.equal((await conn.data.read()).toString(), 'pong');
  });

  it('closes a connection by close: what was written, then FIN', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    const socket = await remote.accept();
    await conn.data.write('last');
    await closeConn(conn);
    const { by, bytes } = await ending(socket);
    assert.deepEqual([by, bytes.toString()], ['FIN', 'last']);
  });

  it('closes one that the other side has closed, without an error', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    (await remote.accept()).end();
    assert.equal((await conn.data.read()).length, 0);
    await closeConn(conn);
  });

  it('wakes a read by Close', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    await remote.accept();
    const reading = conn.data.read();
    assert(await t.pending(reading));
    const woken = t.refuses(reading, 'i/o on hungup channel', 'EPIPE');
    await closeConn(conn);
    await woken;
  });

  it('sets keepalive, in milliseconds', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    await remote.accept();
    await conn.ctl.write('keepalive 15000');
  });

  it('loses nothing by a read whose deadline has passed', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    const socket = await remote.accept();
    const deadline = new AbortController();
    const reading = conn.data.read(100, undefined, deadline.signal);
    assert(await t.pending(reading));
    deadline.abort(DEADLINE);
    await assert.rejects(reading, DEADLINE);
    socket.write('late');
    assert.equal((await conn.data.read()).toString(), 'late');
  });

  it('tells a dial that is refused by the write of connect', async () => {
    await t.refuses(dial(t, await closedPort()), 'connection refused', 'ECONNREFUSED');
  });

  it('listens on every address, accepts, and keeps listen open with the call', async () => {
    const port = await closedPort();
    const listener = await listenOn(t, port);
    assert.deepEqual(await readAddress(t, `${listener.dir}/local`), { ip: '::', port });
    for (const text of ['one', 'two']) {
      const socket = await call(port);
      const conn = await accept(t, listener);
      const { ip, port: from } = await readAddress(t, `${conn.dir}/remote`);
      assert.deepEqual([ip, from], ['127.0.0.1', socket.localPort]);
      socket.write(text);
      assert.equal((await conn.data.read()).toString(), text);
      await closeConn(conn);
      assert.equal((await ending(socket)).by, 'FIN');
      socket.destroy();
    }
  });

  it('keeps the call alive by listen alone', async () => {
    const port = await closedPort();
    const listener = await listenOn(t, port);
    const socket = await call(port);
    const conn = await accept(t, listener);
    await close(conn.ctl, conn.data);
    const status = await t.text(conn.dir.replace('/net/', '') + '/status');
    assert.match(status, /^Established /);
    await conn.listen.close();
    assert.equal((await ending(socket)).by, 'FIN');
    socket.destroy();
  });

  it('wakes an accept by closing the listener, and frees the port', async () => {
    const port = await closedPort();
    const listener = await listenOn(t, port);
    const accepting = accept(t, listener);
    assert(await t.pending(accepting));
    const woken = t.refuses(accepting, 'listen hungup', 'ECONNABORTED');
    await listener.ctl.write('hangup');
    await listener.ctl.close();
    await woken;
    const again = await listenOn(t, port);
    await assert.rejects(listenOn(t, port), isRefusal);
    await again.ctl.close();
  });
});
