/** clone and ctl: numbers, who keeps a conversation alive, and how it ends. ip(3). */
import assert from 'node:assert/strict';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import {
  close,
  eventually,
  forEachDialect,
  forEachDoor,
  opened,
  type Call,
  type Conv,
  type Fixture,
} from '../support/fixture.ts';
import { call, closedPort, ending } from '../support/remote.ts';
import type { Tree } from '../support/tree.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'slashnet');

forEachDoor('clone', t => {
  it("opens the new conversation's ctl: what is open is that file, not clone", async () => {
    const ctl = await (await t.client.open('tcp/clone', 'rw')).stat();
    assert.deepEqual(ctl.qid, (await t.client.stat('tcp/0/ctl')).qid);
    assert.notDeepEqual(ctl.qid, (await t.client.stat('tcp/clone')).qid);
  });

  it('leaves the clone file itself as it was', async () => {
    const before = await t.client.stat('tcp/clone');
    await t.clone();
    assert.deepEqual(await t.client.stat('tcp/clone'), before);
  });

  it('reads as the decimal number, without newline or padding', async () => {
    const { ctl } = await t.clone();
    assert.equal(await t.number(ctl), '0');
    assert.deepEqual((await opened(await t.client.open('tcp/clone', 'r'))).number, 1);
  });

  if (t.door === 'FUSE') {
    it('reads on from where the last read ended, and behind the end from the start again', async () => {
      for (let i = 0; i < 12; i++) await t.clone();
      const ctl = await t.client.open('tcp/clone', 'rw');
      for (let i = 0; i < 2; i++) {
        const parts = [await ctl.read(1), await ctl.read(32), await ctl.read(32), await ctl.read(32)];
        assert.deepEqual(parts.map(String), ['1', '2', '', '12']);
        assert.equal((await ctl.read(32)).length, 0);
      }
    });
  } else {
    it('reads from an offset, and is empty behind the number', async () => {
      for (let i = 0; i < 12; i++) await t.clone();
      const { ctl } = await t.clone();
      assert.equal((await ctl.read(32, 0)).toString(), '12');
      assert.equal((await ctl.read(1, 0)).toString(), '1');
      assert.equal((await ctl.read(32, 1)).toString(), '2');
      assert.equal((await ctl.read(32, 2)).length, 0);
      assert.equal((await ctl.read(32, 2 ** 40)).length, 0);
    });
  }

  it('reads the same from N/ctl', async () => {
    const { dir } = await t.clone();
    assert.equal(await t.text(`${dir}/ctl`), '0');
  });

  it('makes a conversation in any mode of opening, and grants only that mode', async () => {
    const reader = await t.clone(t.client, 'r');
    await t.refuses(reader.ctl.write('hangup'), 'inappropriate use of fd', 'EBADF');
    const writer = await t.client.open('tcp/clone', 'w');
    await writer.write('announce 127.0.0.1!0');
    await t.refuses(writer.read(32), 'inappropriate use of fd', 'EBADF');
    assert.match(await t.text('tcp/1/status'), /^Listen /);
  });

  it('ignores truncation', async () => {
    const clone = await t.client.open('tcp/clone', 'rw', { truncate: true });
    assert.equal(await t.number(clone), '0');
  });

  it('starts a conversation closed and without addresses', async () => {
    const { dir } = await t.clone();
    assert.match(await t.text(`${dir}/status`), /^Closed /);
    assert.equal(await t.text(`${dir}/local`), '::!0\n');
    assert.equal(await t.text(`${dir}/remote`), '::!0\n');
    assert.equal(await t.text(`${dir}/err`), '');
  });

  it('gives the lowest free number first', async () => {
    const convs: Conv[] = [];
    for (let i = 0; i < 6; i++) convs.push(await t.clone());
    assert.deepEqual(
      convs.map(({ number }) => number),
      [0, 1, 2, 3, 4, 5],
    );
    await close(convs[4]!.ctl, convs[1]!.ctl, convs[3]!.ctl);
    assert.deepEqual(
      [(await t.clone()).number, (await t.clone()).number, (await t.clone()).number],
      [1, 3, 4],
    );
    assert.equal((await t.clone()).number, 6);
  });

  it('gives each of many opened at once a number of its own', async () => {
    const convs = await Promise.all(Array.from({ length: 50 }, () => t.clone()));
    const numbers = convs.map(({ number }) => number).sort((a, b) => a - b);
    assert.deepEqual(
      numbers,
      Array.from({ length: 50 }, (_, i) => i),
    );
  });
});

forEachDoor('a conversation', t => {
  for (const file of ['ctl', 'data', 'err']) {
    it(`is kept by an open ${file}`, async () => {
      const { ctl, dir } = await t.clone();
      const kept = await t.client.open(`${dir}/${file}`, 'r');
      await ctl.close();
      assert.equal((await t.clone()).number, 1);
      await kept.close();
      assert.equal((await t.clone()).number, 0);
    });
  }

  for (const file of ['local', 'remote', 'status']) {
    it(`is not kept by an open ${file}`, async () => {
      const { ctl, dir } = await t.clone();
      await t.client.open(`${dir}/${file}`, 'r');
      await ctl.close();
      assert.equal((await t.clone()).number, 0);
    });
  }

  it('is kept until the last of several openings of one file is closed', async () => {
    const { ctl, dir } = await t.clone();
    const again = [await t.client.open(`${dir}/ctl`, 'r'), await t.client.open(`${dir}/ctl`, 'w')] as const;
    await close(ctl, again[0]);
    assert.equal((await t.clone()).number, 1);
    await again[1].close();
    assert.equal((await t.clone()).number, 0);
  });

  it('stays connected while only its data is open, and while only its ctl is', async () => {
    const { ctl, data, dir, socket } = await t.connect();
    await ctl.close();
    socket.write('a');
    assert.equal((await data.read()).toString(), 'a');
    const again = await t.client.open(`${dir}/ctl`, 'rw');
    await data.close();
    assert.equal(await t.state(await opened(again)), 'Established');
  });

  it('ends when its client goes away', async () => {
    const other = await t.another();
    const call = await t.connect(other);
    other.close();
    assert.equal((await ending(call.socket)).by, 'FIN');
    call.socket.end();
    await eventually(async () => (await t.state(call)) === 'Closed');
    assert.equal((await t.clone()).number, 0);
  });

  it('keeps its directory when it is closed, with the old addresses', async () => {
    const call = await t.connect();
    const addresses = [await t.text(`${call.dir}/local`), await t.text(`${call.dir}/remote`)];
    await close(call.ctl, call.data);
    call.socket.end();
    await eventually(async () => (await t.state(call)) === 'Closed');
    assert.deepEqual([await t.text(`${call.dir}/local`), await t.text(`${call.dir}/remote`)], addresses);
  });

  it('is a new one when its number is given again: nothing of the old one shows', async () => {
    const call = await t.connect();
    await t.client.chmod(`${call.dir}/ctl`, 0o666);
    await t.refuses(call.ctl.write('nonsense'), 'unknown control request', 'EINVAL');
    await close(call.ctl, call.data);
    call.socket.end();
    await eventually(async () => (await t.state(call)) === 'Closed');
    const { dir } = await t.clone();
    assert.equal(dir, call.dir);
    assert.equal(await t.text(`${dir}/local`), '::!0\n');
    assert.equal(await t.text(`${dir}/remote`), '::!0\n');
    assert.equal(await t.text(`${dir}/err`), '');
    assert.equal((await t.client.stat(`${dir}/ctl`)).mode, 0o600);
  });

  it('is told of as closed by a status that was opened before', async () => {
    const { ctl, dir } = await t.clone();
    const status = await t.client.open(`${dir}/status`, 'r');
    await ctl.close();
    assert.match((await status.read(4096, 0)).toString(), /^Closed /);
  });
});

forEachDialect('a fid', t => {
  it("on which clone was opened is the new conversation's ctl: the qid is its own, not clone's", async () => {
    const clone = await t.client.walk('tcp/clone');
    const before = clone.qid;
    await clone.open('rw');
    const ctl = await t.client.walk('tcp/0/ctl');
    assert.deepEqual(clone.qid, ctl.qid);
    assert.notDeepEqual(clone.qid, before);
  });

  it('opens clone once', async () => {
    const clone = await t.client.walk('tcp/clone');
    await clone.open('rw');
    await t.refuses(clone.open('rw'), 'bad use of fid', 'EBADF');
  });

  it('that was only walked to a file keeps no conversation', async () => {
    const { ctl, dir } = await t.clone();
    for (const file of ['', 'ctl', 'data', 'err', 'listen']) await t.client.walk(`${dir}/${file}`);
    await ctl.close();
    assert.equal((await t.clone()).number, 0);
  });

  it('that was closed reads nothing', async () => {
    const { ctl } = await t.clone();
    await ctl.close();
    await t.refuses(
      t.client.rpc('Tread', { fid: ctl.fid.number, offset: 0, count: 1 }),
      'unknown fid',
      'EBADF',
    );
  });
});

forEachDoor('the last close', t => {
  it('sends what was written and then FIN, not RST', async () => {
    const { ctl, data, socket } = await t.connect();
    await data.write('goodbye');
    await close(ctl, data);
    const { by, bytes } = await ending(socket);
    assert.equal(by, 'FIN');
    assert.equal(bytes.toString(), 'goodbye');
  });

  it('sends FIN and not RST when bytes that came were never read', async () => {
    const call = await t.connect();
    call.socket.write(CHUNK);
    await eventually(async () => (await queued(t, call)) > 0);
    await call.data.write('goodbye');
    await close(call.ctl, call.data);
    const { by, bytes } = await ending(call.socket);
    assert.equal(by, 'FIN');
    assert.equal(bytes.toString(), 'goodbye');
  });

  it('does not reset afterwards either because of bytes that came before and were never read', async () => {
    const call = await t.connect();
    call.socket.write(CHUNK.subarray(1000));
    await eventually(async () => (await queued(t, call)) === CHUNK.length - 1000);
    await close(call.ctl, call.data);
    assert.equal((await ending(call.socket)).by, 'FIN');
    for (let i = 0; i < 20; i++) assert.match(await t.state(call), /^Finwait[12]$/);
  });

  it('sends FIN and not RST when some bytes were read and others not', async () => {
    const call = await t.connect();
    call.socket.write(CHUNK);
    await call.data.read(10);
    await close(call.ctl, call.data);
    assert.equal((await ending(call.socket)).by, 'FIN');
  });

  it('sends all of what could not be sent at once, and then FIN', async () => {
    const { ctl, data, socket } = await t.connect();
    const sent = await writeUntilFull(t, data);
    await close(ctl, data);
    const { by, bytes } = await ending(socket);
    assert.equal(by, 'FIN');
    assert.equal(bytes.length, sent);
  });

  it('sends all of it when the client hangs up', async () => {
    const other = await t.another();
    const { data, socket } = await t.connect(other);
    const sent = await writeUntilFull(t, data, other);
    other.close();
    const { by, bytes } = await ending(socket);
    assert.equal(by, 'FIN');
    assert.equal(bytes.length, sent);
  });

  it('of a conversation whose remote has ended lets its number go at once', async () => {
    const call = await t.connect();
    call.socket.end();
    assert.equal((await call.data.read()).length, 0);
    await close(call.ctl, call.data);
    await eventually(async () => (await t.state(call)) === 'Closed');
    assert.equal((await t.clone()).number, call.number);
  });

  it('gives the number to nobody before the connection is gone', async () => {
    const call = await t.connect();
    await close(call.ctl, call.data);
    assert.equal((await ending(call.socket)).by, 'FIN');
    assert.match(await t.state(call), /^Finwait[12]$/);
    const other = await t.clone();
    assert.notEqual(other.number, call.number);
    await t.refuses(t.touch(`${call.dir}/ctl`), 'i/o on hungup channel', 'EPIPE');
    call.socket.end();
    await eventually(async () => (await t.state(call)) === 'Closed');
    assert.equal((await t.clone()).number, call.number);
  });

  it('gives the number free when the remote resets', async () => {
    const call = await t.connect();
    await close(call.ctl, call.data);
    await ending(call.socket);
    call.socket.resetAndDestroy();
    await eventually(async () => (await t.state(call)) === 'Closed');
    assert.equal((await t.clone()).number, call.number);
  });

  it('does not wait for a remote that goes on sending for ever', async () => {
    const call = await t.connect();
    await close(call.ctl, call.data);
    const { by } = await ending(call.socket);
    assert.equal(by, 'FIN');
    const reset = new Promise(resolve => call.socket.once('error', resolve));
    const pump = (): void => void call.socket.write(CHUNK, error => error ?? pump());
    pump();
    await reset;
    await eventually(async () => (await t.state(call)) === 'Closed');
  });

  it('is not that of a file from which others still read: they keep the conversation', async () => {
    const { ctl, data, dir, socket } = await t.connect();
    const other = await t.client.open(`${dir}/data`, 'r');
    const read = other.read();
    await close(ctl, data);
    assert(await t.pending(read));
    socket.write('still here');
    assert.equal((await read).toString(), 'still here');
  });

  if (t.door === 'FUSE') {
    it('comes after a read that waits on the closed descriptor itself: the kernel lets it end', async () => {
      const { ctl, data, socket } = await t.connect();
      const read = data.read();
      assert(await t.pending(read));
      await close(data, ctl);
      assert(await t.pending(read));
      socket.write('late');
      assert.equal((await read).toString(), 'late');
      assert.equal((await ending(socket)).by, 'FIN');
    });
  } else {
    it('fails a read that waits on the closed file itself', async () => {
      const { ctl, data, socket } = await t.connect();
      const read = data.read();
      assert(await t.pending(read));
      await close(data, ctl);
      await t.refuses(read, 'i/o on hungup channel', 'EPIPE');
      assert.equal((await ending(socket)).by, 'FIN');
    });
  }

  it('of an announced conversation frees its port', async () => {
    const { ctl, port } = await t.announce();
    await ctl.close();
    assert.equal(await t.state(await t.announce(`127.0.0.1!${port}`)), 'Listen');
  });
});

forEachDoor('a closed conversation', t => {
  for (const file of ['ctl', 'data']) {
    it(`lives again, as a new one, when the server's owner opens its ${file}`, async () => {
      const remote = await t.remote();
      const { ctl, dir } = await t.announce();
      await ctl.close();
      const file1 = await t.client.open(`${dir}/${file}`, 'rw');
      assert.equal((await t.clone()).number, 1);
      assert.equal(await t.text(`${dir}/local`), '::!0\n');
      await t.client.writeFile(`${dir}/ctl`, `connect ${remote.address}`);
      assert.equal(await t.text(`${dir}/remote`), `${remote.address}\n`);
      await file1.close();
    });
  }

  it('is not woken by err, which never waits', async () => {
    const { ctl, dir } = await t.clone();
    await ctl.close();
    const err = await t.client.open(`${dir}/err`, 'r');
    assert.equal((await err.read()).length, 0);
    assert.equal((await t.clone()).number, 0);
  });

  it('is not woken by stat, listing, local, remote or status', async () => {
    const { ctl, dir } = await t.clone();
    await ctl.close();
    await t.client.ls(dir);
    for (const file of ['local', 'remote', 'status']) await t.text(`${dir}/${file}`);
    assert.equal((await t.clone()).number, 0);
  });

  it('cannot be listened on', async () => {
    const { ctl, dir } = await t.announce();
    await ctl.close();
    await t.refuses(t.touch(`${dir}/listen`), 'not announced', 'EINVAL');
    assert.equal((await t.clone()).number, 0);
  });
});

forEachDoor('err', t => {
  it('is empty, and at its end at once, when nothing went wrong', async () => {
    const { dir } = await t.clone();
    assert.equal(await t.text(`${dir}/err`), '');
  });

  it('tells why a message failed, in a line', async () => {
    const { ctl, dir } = await t.clone();
    await t.refuses(ctl.write('nonsense'), 'unknown control request', 'EINVAL');
    assert.match(await t.text(`${dir}/err`), /^unknown control request.*\n$/);
  });

  it('tells why a connect failed', async () => {
    const { ctl, dir } = await t.clone();
    await t.refuses(
      ctl.write(`connect 127.0.0.1!${await closedPort()}`),
      'connection refused',
      'ECONNREFUSED',
    );
    assert.match(await t.text(`${dir}/err`), /^connection refused.*\n$/);
  });

  it('tells why a listen failed, and where a connect or an announce was to go', async () => {
    const { ctl, dir } = await t.clone();
    await t.refuses(t.touch(`${dir}/listen`), 'not announced', 'EINVAL');
    assert.match(await t.text(`${dir}/err`), /^not announced: write announce/);
    const port = await closedPort();
    await t.refuses(ctl.write(`connect 127.0.0.1!${port}`), 'connection refused', 'ECONNREFUSED');
    assert.equal(await t.text(`${dir}/err`), `connection refused: 127.0.0.1!${port}\n`);
    const { port: taken } = await t.announce();
    const second = await t.clone();
    await t.refuses(second.ctl.write(`announce 127.0.0.1!${taken}`), 'address in use', 'EADDRINUSE');
    assert.equal(await t.text(`${second.dir}/err`), `address in use: 127.0.0.1!${taken}\n`);
  });

  it('tells who names the protocol in a connect to leave it out', async () => {
    const { ctl, dir } = await t.clone();
    await t.refuses(ctl.write('connect tcp!127.0.0.1!80'), 'malformed address', 'EINVAL');
    assert.match(await t.text(`${dir}/err`), /leave out 'tcp!'.*write HOST!PORT/);
  });

  it('tells the last error, not the first', async () => {
    const { ctl, dir } = await t.clone();
    await t.refuses(ctl.write('nonsense'), 'unknown control request', 'EINVAL');
    await t.refuses(ctl.write('connect 127.0.0.1'), 'malformed address', 'EINVAL');
    assert.match(await t.text(`${dir}/err`), /^malformed address/);
  });

  it('tells why reading stopped', async () => {
    const { data, dir, socket } = await t.connect();
    socket.resetAndDestroy();
    await t.refuses(data.read(), 'connection refused', 'ECONNRESET');
    assert.match(await t.text(`${dir}/err`), /^connection refused.*\n$/);
  });

  it('keeps its text when the conversation is closed, until the number is given again', async () => {
    const { ctl, dir } = await t.clone();
    await t.refuses(ctl.write('nonsense'), 'unknown control request', 'EINVAL');
    await ctl.close();
    assert.match(await t.text(`${dir}/err`), /^unknown control request/);
    assert.match(await t.text(`${dir}/err`), /^unknown control request/);
    await t.clone();
    assert.equal(await t.text(`${dir}/err`), '');
  });

  it('is read from an offset', async () => {
    const { ctl, dir } = await t.clone();
    await t.refuses(ctl.write('nonsense'), 'unknown control request', 'EINVAL');
    const err = await t.client.open(`${dir}/err`, 'r');
    assert.equal((await err.read(7, 8)).toString(), 'control');
  });

  it('cannot be written', async () => {
    const { dir } = await t.clone();
    await t.refuses(t.touch(`${dir}/err`, 'w'), 'permission denied', 'EACCES');
    await t.refuses(t.touch(`${dir}/err`, 'rw'), 'permission denied', 'EACCES');
  });
});

forEachDoor(
  'the limit of conversations',
  t => {
    it('makes clone answer `no free devices`, until one is closed', async () => {
      const convs = [await t.clone(), await t.clone(), await t.clone()];
      await t.refuses(t.touch('tcp/clone'), 'no free devices', 'ENFILE');
      await convs[1]!.ctl.close();
      assert.equal((await t.clone()).number, 1);
      await t.refuses(t.touch('tcp/clone'), 'no free devices', 'ENFILE');
    });

    it('makes room by cutting off what was closed the longest ago and lingers', async () => {
      const first = await t.connect();
      const second = await t.connect();
      await t.clone();
      await close(second.ctl, second.data);
      await close(first.ctl, first.data);
      assert.equal((await t.clone()).number, second.number);
      assert.match(await t.state(first), /^Finwait/);
      assert.equal((await t.clone()).number, first.number);
      await t.refuses(t.touch('tcp/clone'), 'no free devices', 'ENFILE');
    });

    it('makes a listen answer `no free devices`, and keeps the call for later', async () => {
      const announced = await t.announce();
      const others = [await t.clone(), await t.clone()];
      const socket = await call(announced.port);
      t.after(() => socket.destroy());
      await t.refuses(t.listen(announced), 'no free devices', 'ENFILE');
      await others[0]!.ctl.close();
      assert.equal(await t.state(await t.listen(announced)), 'Established');
    });

    it('keeps the call for later too when it was reached while the listen waited', async () => {
      const announced = await t.announce();
      const listening = t.listen(announced);
      assert(await t.pending(listening));
      const others = [await t.clone(), await t.clone()];
      const socket = await call(announced.port);
      t.after(() => socket.destroy());
      await t.refuses(listening, 'no free devices', 'ENFILE');
      await others[0]!.ctl.close();
      const taken = await t.listen(announced);
      assert.equal(await t.text(`${taken.dir}/remote`), `127.0.0.1!${socket.localPort}\n`);
    });
  },
  () => ({ conversations: 3 }),
);

forEachDoor(
  'the right to make conversations',
  t => {
    let alice: Tree;
    beforeEach(async () => {
      alice = await t.as(ALICE);
    });

    it("is the server's owner's alone at first", async () => {
      for (const mode of ['r', 'w', 'rw'] as const) {
        await t.refuses(t.touch('tcp/clone', mode, alice), 'permission denied', 'EACCES');
      }
      assert.equal((await t.clone()).number, 0);
    });

    it('needs read and write on clone, even to open it for one of both', async () => {
      for (const bits of [0o604, 0o602]) {
        await t.client.chmod('tcp/clone', bits);
        for (const mode of ['r', 'w', 'rw'] as const) {
          await t.refuses(t.touch('tcp/clone', mode, alice), 'permission denied', 'EACCES');
        }
      }
      await t.client.chmod('tcp/clone', 0o606);
      assert.equal((await t.clone(alice, 'r')).number, 0);
    });

    it('is needed to wake a closed conversation too', async () => {
      await (await t.clone()).ctl.close();
      await t.client.chmod('tcp/0/ctl', 0o666);
      for (const file of ['ctl', 'data']) {
        await t.refuses(t.touch(`tcp/0/${file}`, 'rw', alice), 'permission denied', 'EACCES');
      }
    });

    it("does not let anybody but the server's owner wake a closed conversation, its old owner included", async () => {
      await t.client.chmod('tcp/clone', 0o666);
      await (await t.clone(alice)).ctl.close();
      for (const file of ['ctl', 'data', 'err']) {
        await t.refuses(t.touch(`tcp/0/${file}`, 'r', alice), 'permission denied', 'EACCES');
      }
      await t.touch('tcp/0/ctl');
    });
  },
  () => ({ owner: GLENDA, users: people }),
);

async function queued(t: Fixture, { dir }: Conv): Promise<number> {
  return Number(/ qin (\d+) /.exec(await t.text(`${dir}/status`))![1]);
}

/** Writes until a write has to wait, and gives that one up half-way. Returns how many bytes were taken. */
async function writeUntilFull(t: Fixture, data: Call['data'], client = t.client): Promise<number> {
  for (let taken = 0; ; taken += CHUNK.length) {
    const aborter = new AbortController();
    const write = data.write(CHUNK, undefined, aborter.signal);
    if (!(await t.pending(write, client))) continue;
    aborter.abort();
    return taken + (await write.catch(() => 0));
  }
}
