/** What programs that use dial(2) do, and listen1 of listen(8). */
import assert from 'node:assert/strict';
import { eventually, forEachDoor, isRefusal } from '../support/fixture.ts';
import { call, closedPort, ending, receive } from '../support/remote.ts';
import { accept, announce, dial, endpoint, listen, open, reject } from './libc.ts';

forEachDoor('dial(2)', t => {
  it('connects, and goes on by data alone', async () => {
    const remote = await t.remote();
    const { data, ctl } = await dial(t.client, `tcp!127.0.0.1!${remote.port}`);
    await ctl.close();
    const socket = await remote.accept();
    await data.write('hello');
    assert.equal((await receive(socket, 5)).toString(), 'hello');
    socket.write('there');
    assert.equal((await data.read()).toString(), 'there');
    await data.close();
    assert.equal((await ending(socket)).by, 'FIN');
  });

  it('tries whatever network there is for net!', async () => {
    const remote = await t.remote();
    const { dir } = await dial(t.client, `net!127.0.0.1!${remote.port}`);
    await remote.accept();
    assert.equal(dir, '/net/tcp/0');
  });

  it('from a local port, with the ctl to hang up by', async () => {
    const remote = await t.remote();
    const port = await closedPort();
    const { ctl, dir } = await dial(t.client, `tcp!127.0.0.1!${remote.port}`, `127.0.0.1!${port}`);
    const socket = await remote.accept();
    assert.equal(socket.remotePort, port);
    assert.deepEqual(await endpoint(t.client, `${dir}/local`), {
      system: '127.0.0.1',
      service: String(port),
    });
    await ctl.write('hangup');
    assert.equal((await ending(socket)).by, 'RST');
  });

  it('has both ends told by getnetconninfo(2)', async () => {
    const remote = await t.remote();
    const { dir } = await dial(t.client, `tcp!127.0.0.1!${remote.port}`);
    const socket = await remote.accept();
    assert.deepEqual(
      [await endpoint(t.client, `${dir}/local`), await endpoint(t.client, `${dir}/remote`)],
      [
        { system: '127.0.0.1', service: String(socket.remotePort) },
        { system: '127.0.0.1', service: String(remote.port) },
      ],
    );
  });

  it('looks no further when it was refused, and leaves nothing behind', async () => {
    const failed = dial(t.client, `tcp!127.0.0.1!${await closedPort()}`);
    if (t.door === '9P2000') await assert.rejects(failed, /refused/);
    else await t.refuses(failed, 'connection refused', 'ECONNREFUSED');
    await eventually(() => Promise.resolve(t.server.tcp.at(0).isFree));
  });
});

forEachDoor('announce(2) and listen(2)', t => {
  it('take call after call, each with a data of its own', async () => {
    const { dir } = await announce(t.client, 'tcp!127.0.0.1!0');
    const { service } = await endpoint(t.client, `${dir}/local`);
    for (const text of ['first', 'second']) {
      const socket = await call(Number(service));
      const taken = await listen(t.client, dir);
      const data = await accept(t.client, taken);
      await taken.ctl.close();
      socket.write(text);
      assert.equal((await data.read()).toString(), text);
      const { service: port } = await endpoint(t.client, `${taken.dir}/remote`);
      assert.equal(port, String(socket.localPort));
      await data.close();
      assert.equal((await ending(socket)).by, 'FIN');
      socket.destroy();
    }
  });

  it('on every address', async () => {
    const { dir } = await announce(t.client, `tcp!*!${await closedPort()}`);
    const { system, service } = await endpoint(t.client, `${dir}/local`);
    assert.equal(system, '::');
    const socket = await call(Number(service));
    const taken = await listen(t.client, dir);
    assert.equal((await endpoint(t.client, `${taken.dir}/local`)).system, '127.0.0.1');
    socket.destroy();
  });

  it('reject says that this network takes no reason; closing is what refuses the call', async () => {
    const { dir } = await announce(t.client, 'tcp!127.0.0.1!0');
    const socket = await call(Number((await endpoint(t.client, `${dir}/local`)).service));
    const taken = await listen(t.client, dir);
    assert.equal(await reject(taken, 'host overloaded'), false);
    await taken.ctl.close();
    assert.equal((await ending(socket)).by, 'FIN');
    socket.destroy();
  });

  it('end when who announced hangs up', async () => {
    const { ctl, dir } = await announce(t.client, 'tcp!127.0.0.1!0');
    const other = await t.another();
    const listening = listen(other, dir);
    assert(await t.pending(listening, other));
    const failed = t.refuses(listening, 'listen hungup', 'ECONNABORTED');
    await ctl.write('hangup');
    await failed;
    await assert.rejects(listen(other, dir), isRefusal);
  });
});

forEachDoor('listen1', t => {
  it('serves calls by processes that close what announced them', async () => {
    const parent = await announce(t.client, 'tcp!127.0.0.1!0');
    const { service } = await endpoint(t.client, `${parent.dir}/local`);
    const served = [];
    for (let i = 0; i < 3; i++) {
      const socket = await call(Number(service));
      // The child has its own descriptors of both ctls, and asks for probes before it closes them.
      const taken = await listen(t.client, parent.dir);
      const child = await t.another();
      const [ctl, nctl] = [await open(child, `${parent.dir}/ctl`), await open(child, `${taken.dir}/ctl`)];
      await taken.ctl.close();
      const data = await accept(child, { ctl: nctl, dir: taken.dir });
      const { system } = await endpoint(child, `${taken.dir}/remote`);
      assert.equal(system, '127.0.0.1');
      await nctl.write('keepalive');
      await ctl.close();
      await nctl.close();
      served.push({ socket, data, child });
    }
    for (const [i, { socket, data, child }] of served.entries()) {
      socket.write(`echo ${i}`);
      await data.write(await data.read());
      assert.equal((await receive(socket, 6)).toString(), `echo ${i}`);
      await t.leave(child);
      assert.equal((await ending(socket)).by, 'FIN');
      socket.destroy();
    }
    assert.equal(await t.text('tcp/0/status').then(status => status.split(' ')[0]), 'Listen');
  });
});

forEachDoor("plan9port's dial of unix!PATH", t => {
  // It opens what is there before it takes it for a socket.
  it('opens the file for both directions: a connection, where the file is in dial', async () => {
    const remote = await t.remote();
    const data = await open(t.client, `/net/dial/tcp!127.0.0.1!${remote.port}`);
    const socket = await remote.accept();
    await data.write('ping');
    assert.equal((await receive(socket, 4)).toString(), 'ping');
    socket.end('pong');
    assert.equal((await data.read()).toString(), 'pong');
    assert.equal((await data.read()).length, 0);
  });
});
