/** What scripts of rc do, by its redirections. */
import assert from 'node:assert/strict';
import { forEachDoor } from '../support/fixture.ts';
import { call, ending, receive } from '../support/remote.ts';
import { readAll, type OpenFile } from '../support/tree.ts';

/** read(1): a byte at a time, to the end of the line or the file. */
async function line(file: OpenFile): Promise<string> {
  let text = '';
  for (;;) {
    const byte = (await file.read(1)).toString();
    if (byte === '' || byte === '\n') return text;
    text += byte;
  }
}

forEachDoor('a script of rc', t => {
  it('reads the number from clone and writes to it through the same descriptor: <>clone', async () => {
    const remote = await t.remote();
    const clone = await t.client.open('tcp/clone', 'rw');
    const n = await line(clone);
    await clone.write(`connect 127.0.0.1!${remote.port}\n`);
    const socket = await remote.accept();
    assert.equal(await t.text(`tcp/${n}/local`), `127.0.0.1!${socket.remotePort}\n`);
    assert.match(await t.text(`tcp/${n}/status`), /^Established /);
  });

  it('opens ctl for writing, truncated, and keeps it: >[3] ctl', async () => {
    const { dir, data, socket } = await t.connect();
    const three = await t.client.open(`${dir}/ctl`, 'w', { truncate: true });
    await three.write('keepalive 30000\n');
    await three.write('ttl 64\n');
    await data.write('still there');
    assert.equal((await receive(socket, 11)).toString(), 'still there');
    await three.write('hangup\n');
    assert.equal((await ending(socket)).by, 'RST');
  });

  it('announces a free port of every address and learns it from local', async () => {
    const { ctl, dir } = await t.clone();
    await ctl.write('announce *!0\n');
    const [, port] = /^::!(\d+)\n$/.exec(await t.text(`${dir}/local`))!;
    assert.notEqual(port, '0');
    const socket = await call(Number(port));
    const listen = await t.client.open(`${dir}/listen`, 'rw');
    assert.equal(await t.text(`tcp/${await line(listen)}/remote`), `127.0.0.1!${socket.localPort}\n`);
    socket.destroy();
  });

  it('copies both ways with cat: <data and >data, each opened by itself', async () => {
    const { dir, data, ctl, socket } = await t.connect();
    const [from, to] = [
      await t.client.open(`${dir}/data`, 'r'),
      await t.client.open(`${dir}/data`, 'w', { truncate: true }),
    ];
    await data.close();
    await ctl.close();
    await to.write('up');
    assert.equal((await receive(socket, 2)).toString(), 'up');
    socket.end('down');
    assert.equal((await readAll(from)).toString(), 'down');
    await to.close();
    await from.close();
    assert.equal((await ending(socket)).by, 'FIN');
  });

  it('dials in one redirection: <>[3] dial/tcp!HOST!PORT', async () => {
    const remote = await t.remote();
    const three = await t.client.open(`dial/tcp!127.0.0.1!${remote.port}`, 'rw', { truncate: true });
    const socket = await remote.accept();
    socket.end('a line\nand more\n');
    assert.equal(await line(three), 'a line');
    assert.equal(await line(three), 'and more');
    assert.equal(await line(three), '');
  });
});
