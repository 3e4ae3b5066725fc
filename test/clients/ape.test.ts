/**
 * What the socket library of APE does: it keeps data open and nothing else, and opens ctl anew for each
 * thing it wants done.
 */
import assert from 'node:assert/strict';
import { close, forEachDoor, type Fixture } from '../support/fixture.ts';
import { call, closedPort, ending, receive } from '../support/remote.ts';
import type { OpenFile, Tree } from '../support/tree.ts';
import { endpoint, open, read } from './libc.ts';

/** A socket of APE: its descriptor is data. */
interface Sock {
  readonly data: OpenFile;
  /** `/net/tcp/3/ctl` */
  readonly ctl: string;
}

/** Opens the data of the conversation of a ctl, and closes that. */
async function dataOf(tree: Tree, ctl: OpenFile): Promise<Sock> {
  const dir = `/net/tcp/${await read(ctl, 64)}`;
  const data = await open(tree, `${dir}/data`);
  await ctl.close();
  return { data, ctl: `${dir}/ctl` };
}

const socket = async (tree: Tree): Promise<Sock> => dataOf(tree, await open(tree, '/net/tcp/clone'));

async function control(tree: Tree, { ctl }: Sock, ...messages: string[]): Promise<void> {
  const file = await open(tree, ctl);
  try {
    for (const message of messages) await file.write(message);
  } finally {
    await file.close();
  }
}

const beside = ({ ctl }: Sock, name: string): string => ctl.replace(/ctl$/, name);

/** getsockname(2) */
const nameOf = (t: Fixture, sock: Sock) => endpoint(t.client, beside(sock, 'local'));

/** A bound socket that listens, and its port. */
async function listening(t: Fixture): Promise<Sock & { readonly port: number }> {
  const sock = await socket(t.client);
  const port = await closedPort();
  await control(t.client, sock, `bind 127.0.0.1!${port}`);
  await control(t.client, sock, 'bind 0', `announce 127.0.0.1!${port}`);
  return { ...sock, port };
}

forEachDoor('a socket of APE', t => {
  it('connects by a ctl that it opens and closes again', async () => {
    const remote = await t.remote();
    const sock = await socket(t.client);
    await control(t.client, sock, `connect 127.0.0.1!${remote.port}`);
    const peer = await remote.accept();
    peer.write('hello');
    assert.equal((await sock.data.read()).toString(), 'hello');
    assert.equal((await endpoint(t.client, beside(sock, 'remote'))).service, String(remote.port));
    await sock.data.close();
    assert.equal((await ending(peer)).by, 'FIN');
  });

  for (const message of ['bind 0', 'bind 127.0.0.1!0', 'bind *']) {
    it(`bound without a port learns it from local and connects from there: ${message}`, async () => {
      const remote = await t.remote();
      const sock = await socket(t.client);
      await control(t.client, sock, message);
      const { service } = await nameOf(t, sock);
      assert.notEqual(service, '0');
      await control(t.client, sock, `connect 127.0.0.1!${remote.port} ${service}`);
      assert.equal((await remote.accept()).remotePort, Number(service));
    });
  }

  it('tells a connect that is refused by the write', async () => {
    const sock = await socket(t.client);
    const connecting = control(t.client, sock, `connect 127.0.0.1!${await closedPort()}`);
    await t.refuses(connecting, 'connection refused', 'ECONNREFUSED');
    await sock.data.close();
  });

  it('listens by a process that waits for calls and hands on the names of their ctls', async () => {
    const sock = await listening(t);
    const peer = await call(sock.port);
    // The process: opens listen, reads the number, has data and closes the ctl; names it through a pipe ...
    const waiting = await dataOf(t.client, await open(t.client, beside(sock, 'listen')));
    // ... and accept(2) opens that, and data for itself. The process closes its own when it is told.
    const taken = await dataOf(t.client, await open(t.client, waiting.ctl));
    await waiting.data.close();
    assert.equal((await endpoint(t.client, beside(taken, 'remote'))).service, String(peer.localPort));
    peer.write('call');
    assert.equal((await taken.data.read()).toString(), 'call');
    await taken.data.write('back');
    assert.equal((await receive(peer, 4)).toString(), 'back');
    await taken.data.close();
    assert.equal((await ending(peer)).by, 'FIN');
    peer.destroy();
  });

  it('that listens ends its announcement when it is closed', async () => {
    const sock = await listening(t);
    await sock.data.close();
    const again = await socket(t.client);
    await control(t.client, again, 'bind 0', `announce 127.0.0.1!${sock.port}`);
    await close(again.data);
  });
});
