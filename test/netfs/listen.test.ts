/** listen: taking calls. ip(3). */
import assert from 'node:assert/strict';
import { ALICE, BOB, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import {
  close,
  eventually,
  forEachDialect,
  forEachDoor,
  type Conv,
  type Fixture,
} from '../support/fixture.ts';
import { call, ending, receive } from '../support/remote.ts';

const FLUSHED = new Error('flushed');

forEachDoor('listen', t => {
  it('waits for a call, and opens the ctl of its conversation', async () => {
    const announced = await t.announce();
    const opening = t.client.open(`${announced.dir}/listen`, 'rw');
    assert(await t.pending(opening));
    await dial(t, announced);
    const ctl = await opening;
    assert.deepEqual((await ctl.stat()).qid, (await t.client.stat('tcp/1/ctl')).qid);
    assert.equal(await t.number(ctl), '1');
  });

  it('makes no conversation before the call comes', async () => {
    const announced = await t.announce();
    const listening = t.listen(announced);
    assert(await t.pending(listening));
    assert.deepEqual(await conversations(t), ['0']);
  });

  it("gives a conversation that is established, with the call's addresses", async () => {
    const announced = await t.announce();
    const socket = await dial(t, announced);
    const taken = await t.listen(announced);
    assert.equal(await t.state(taken), 'Established');
    assert.equal(await t.text(`${taken.dir}/local`), `127.0.0.1!${announced.port}\n`);
    assert.equal(await t.text(`${taken.dir}/remote`), `127.0.0.1!${socket.localPort}\n`);
    assert.equal(await t.state(announced), 'Listen');
  });

  it('gives a conversation that carries bytes both ways', async () => {
    const announced = await t.announce();
    const socket = await dial(t, announced);
    socket.write('first words');
    const { dir } = await t.listen(announced);
    const data = await t.client.open(`${dir}/data`, 'rw');
    assert.equal((await data.read()).toString(), 'first words');
    await data.write('welcome');
    assert.equal((await receive(socket, 7)).toString(), 'welcome');
  });

  it('may be opened for reading only, as Go does', async () => {
    const announced = await t.announce();
    const socket = await dial(t, announced);
    const ctl = await t.client.open(`${announced.dir}/listen`, 'r');
    assert.equal(await t.number(ctl), '1');
    await t.refuses(ctl.write('hangup'), 'inappropriate use of fd', 'EBADF');
    await t.client.writeFile('tcp/1/ctl', 'hangup');
    assert.equal((await ending(socket)).by, 'RST');
  });

  it('holds one reference on the new conversation: closed without more, the call ends', async () => {
    const announced = await t.announce();
    const socket = await dial(t, announced);
    const taken = await t.listen(announced);
    await taken.ctl.close();
    assert.equal((await ending(socket)).by, 'FIN');
    socket.end();
    await eventually(async () => (await t.state(taken)) === 'Closed');
    assert.equal((await t.clone()).number, taken.number);
  });

  it('takes messages as any ctl: hangup resets the call and not the announcement', async () => {
    const announced = await t.announce();
    const socket = await dial(t, announced);
    const { ctl } = await t.listen(announced);
    await ctl.write('hangup');
    assert.equal((await ending(socket)).by, 'RST');
    assert.equal(await t.state(announced), 'Listen');
  });

  it('refuses what dial(2) writes to accept a call, without harm', async () => {
    const announced = await t.announce();
    await dial(t, announced);
    const taken = await t.listen(announced);
    await t.refuses(taken.ctl.write(`accept ${taken.number}`), 'unknown control request', 'EINVAL');
    assert.equal(await t.state(taken), 'Established');
  });

  it('takes calls in the order in which they came', async () => {
    const announced = await t.announce();
    const sockets = [await dial(t, announced), await dial(t, announced), await dial(t, announced)];
    for (const socket of sockets) {
      const { dir } = await t.listen(announced);
      assert.equal(await t.text(`${dir}/remote`), `127.0.0.1!${socket.localPort}\n`);
    }
  });

  it('lets a hundred calls wait for it', async () => {
    const announced = await t.announce();
    const sockets = await Promise.all(Array.from({ length: 100 }, () => dial(t, announced)));
    const taken = await Promise.all(sockets.map(() => t.listen(announced)));
    assert.deepEqual(await remotePorts(t, taken), new Set(sockets.map(({ localPort }) => localPort)));
  });

  it('may wait several times at once, by any clients: each call goes to one', async () => {
    const announced = await t.announce();
    const other = await t.another();
    const listening = [t.listen(announced), t.listen(announced, other), t.listen(announced)];
    assert(await t.pending(Promise.race(listening)));
    const first = await dial(t, announced);
    const winner = await Promise.race(listening);
    assert.deepEqual(await remotePorts(t, [winner]), new Set([first.localPort]));
    const sockets = [first, await dial(t, announced), await dial(t, announced)];
    const taken = await Promise.all(listening);
    assert.deepEqual(new Set(taken.map(({ number }) => number)), new Set([1, 2, 3]));
    assert.deepEqual(await remotePorts(t, taken), new Set(sockets.map(({ localPort }) => localPort)));
  });

  it('takes a call that comes through this very /net', async () => {
    const announced = await t.announce();
    const out = await t.tell(`connect 127.0.0.1!${announced.port}`);
    const taken = await t.listen(announced);
    assert.equal(await t.text(`${taken.dir}/remote`), await t.text(`${out.dir}/local`));
    assert.equal(await t.text(`${taken.dir}/local`), await t.text(`${out.dir}/remote`));
  });

  it('takes IPv6 calls', async () => {
    const announced = await t.announce('::1!0');
    const socket = await dial(t, announced, '::1');
    const { dir } = await t.listen(announced);
    assert.equal(await t.text(`${dir}/local`), `::1!${announced.port}\n`);
    assert.equal(await t.text(`${dir}/remote`), `::1!${socket.localPort}\n`);
  });

  it('on every address shows the one that was called, IPv4 as such', async () => {
    const announced = await t.announce('*!0');
    for (const host of ['127.0.0.1', '127.0.0.2', '::1']) {
      const socket = await dial(t, announced, host);
      const { dir } = await t.listen(announced);
      assert.equal(await t.text(`${dir}/local`), `${host}!${announced.port}\n`);
      const from = host === '::1' ? '::1' : '127.0.0.1';
      assert.equal(await t.text(`${dir}/remote`), `${from}!${socket.localPort}\n`);
    }
  });

  it('is `not announced` on a conversation that is idle, connected or hung up', async () => {
    const idle = await t.clone();
    const connected = await t.connect();
    const hungup = await t.announce();
    await hungup.ctl.write('hangup');
    for (const conv of [idle, connected, hungup]) {
      await t.refuses(t.listen(conv), 'not announced', 'EINVAL');
    }
  });

  it('does not hold up anything else', async () => {
    const announced = await t.announce();
    const listening = t.listen(announced);
    await t.connect();
    await t.number(announced.ctl);
    assert(await t.pending(listening));
  });
});

forEachDoor('a flush of listen', t => {
  it('is answered, and the call that comes later goes to the next listen', async () => {
    const announced = await t.announce();
    const aborter = new AbortController();
    const listening = t.listen(announced, t.client, aborter.signal);
    assert(await t.pending(listening));
    aborter.abort(FLUSHED);
    await assert.rejects(listening, FLUSHED);
    const socket = await dial(t, announced);
    const taken = await t.listen(announced);
    assert.deepEqual(await remotePorts(t, [taken]), new Set([socket.localPort]));
    assert.equal(taken.number, 1);
  });

  it('leaves the others waiting', async () => {
    const announced = await t.announce();
    const aborter = new AbortController();
    const flushed = t.listen(announced, t.client, aborter.signal);
    const listening = t.listen(announced);
    assert(await t.pending(Promise.race([flushed, listening])));
    aborter.abort(FLUSHED);
    await assert.rejects(flushed, FLUSHED);
    const socket = await dial(t, announced);
    assert.deepEqual(await remotePorts(t, [await listening]), new Set([socket.localPort]));
  });

  it('loses no call, whenever it comes', async () => {
    const announced = await t.announce();
    const taken: Conv[] = [];
    const sockets = [];
    for (let i = 0; i < 50; i++) {
      const aborter = new AbortController();
      const listening = t.listen(announced, t.client, aborter.signal).then(
        conv => taken.push(conv),
        () => {},
      );
      const dialling = dial(t, announced);
      if (i % 2 === 0) await dialling;
      aborter.abort(FLUSHED);
      sockets.push(await dialling);
      await listening;
    }
    while (taken.length < sockets.length) taken.push(await t.listen(announced));
    assert.deepEqual(await remotePorts(t, taken), new Set(sockets.map(({ localPort }) => localPort)));
  });

  it('of which the call came first gives a conversation all the same, and no second one', async () => {
    const announced = await t.announce();
    const aborter = new AbortController();
    const socket = await dial(t, announced);
    const opening = t.client.open(`${announced.dir}/listen`, 'rw', { signal: aborter.signal });
    aborter.abort(FLUSHED);
    const ctl = await opening.catch(async () => (await t.listen(announced)).ctl);
    assert.equal(await t.number(ctl), '1');
    assert.deepEqual(await conversations(t), ['0', '1']);
    await ctl.close();
    assert.equal((await ending(socket)).by, 'FIN');
  });
});

forEachDoor('the end of a listen', t => {
  for (const message of ['hangup', 'close']) {
    it(`is \`listen hungup\` when the announcement is told to ${message}`, async () => {
      const announced = await t.announce();
      const listening = [t.listen(announced), t.listen(announced)];
      assert(await t.pending(Promise.race(listening)));
      await announced.ctl.write(message);
      for (const each of listening) await t.refuses(each, 'listen hungup', 'ECONNABORTED');
    });
  }

  it('does not come with the close of ctl: the listen itself keeps the announcement', async () => {
    const announced = await t.announce();
    const listening = t.listen(announced);
    assert(await t.pending(listening));
    await announced.ctl.close();
    assert.equal(await t.state(announced), 'Listen');
    assert.equal((await t.clone()).number, 1);
    const socket = await dial(t, announced);
    assert.deepEqual(await remotePorts(t, [await listening]), new Set([socket.localPort]));
  });

  it('is the end of an announcement that nothing else keeps', async () => {
    const announced = await t.announce();
    const aborter = new AbortController();
    const listening = t.listen(announced, t.client, aborter.signal);
    assert(await t.pending(listening));
    await announced.ctl.close();
    aborter.abort(FLUSHED);
    await assert.rejects(listening, FLUSHED);
    assert.equal(await t.state(announced), 'Closed');
    await t.announce(`127.0.0.1!${announced.port}`);
  });

  it('with the last call too: what it took goes on alone', async () => {
    const announced = await t.announce();
    const listening = t.listen(announced);
    assert(await t.pending(listening));
    await announced.ctl.close();
    await dial(t, announced);
    const taken = await listening;
    assert.equal(await t.state(announced), 'Closed');
    assert.equal(await t.state(taken), 'Established');
  });

  it('comes with the end of its client, and loses no call', async () => {
    const announced = await t.announce();
    const other = await t.another();
    const listening = t.listen(announced, other);
    assert(await t.pending(listening, other));
    const failed = assert.rejects(
      listening,
      t.door === 'in process' ? { name: 'Ehungup' } : { name: 'TransportError' },
    );
    await t.leave(other);
    await failed;
    const socket = await dial(t, announced);
    assert.deepEqual(await remotePorts(t, [await t.listen(announced)]), new Set([socket.localPort]));
  });
});

forEachDialect('a listen on a fid', t => {
  it("that waits for a call becomes the ctl of the call's conversation", async () => {
    const announced = await t.announce();
    const fid = await t.client.walk(`${announced.dir}/listen`);
    const opening = fid.open('rw');
    assert(await t.pending(opening));
    await dial(t, announced);
    await opening;
    assert.deepEqual(fid.qid, (await t.client.walk('tcp/1/ctl')).qid);
    assert.equal((await fid.read(0, 32)).toString(), '1');
  });

  it('gives up when it is clunked, and loses no call', async () => {
    const announced = await t.announce();
    const fid = await t.client.walk(`${announced.dir}/listen`);
    const opening = fid.open('rw');
    assert(await t.pending(opening));
    await fid.clunk();
    await t.refuses(opening, 'i/o on hungup channel', 'EPIPE');
    const socket = await dial(t, announced);
    assert.deepEqual(await remotePorts(t, [await t.listen(announced)]), new Set([socket.localPort]));
  });
});

forEachDoor('the end of an announcement', t => {
  for (const end of ['close of its files', 'hangup', 'close'] as const) {
    it(`by ${end} ends the calls that nobody took, and refuses new ones`, async () => {
      const announced = await t.announce();
      const sockets = [await dial(t, announced), await dial(t, announced)];
      if (end === 'close of its files') await announced.ctl.close();
      else await announced.ctl.write(end);
      for (const socket of sockets) await ending(socket);
      await assert.rejects(call(announced.port), { code: 'ECONNREFUSED' });
    });
  }

  it('leaves the calls that were taken', async () => {
    const announced = await t.announce();
    const socket = await dial(t, announced);
    const { dir } = await t.listen(announced);
    await announced.ctl.close();
    const data = await t.client.open(`${dir}/data`, 'rw');
    await data.write('still here');
    assert.equal((await receive(socket, 10)).toString(), 'still here');
  });

  it('frees its number at once, though calls that it took live on', async () => {
    const announced = await t.announce();
    await dial(t, announced);
    await t.listen(announced);
    await announced.ctl.close();
    assert.equal((await t.clone()).number, announced.number);
  });
});

forEachDoor(
  'a call',
  t => {
    it("belongs to the announcement's owner, whoever listened, and starts 0600", async () => {
      await t.client.chmod('tcp/clone', 0o666);
      const alice = await t.as(ALICE);
      const bob = await t.as(BOB);
      const announced = await t.announce('127.0.0.1!0', alice);
      await alice.setStat(`${announced.dir}/ctl`, {
        gid: t.door === '9P2000' ? 'team' : TEAM,
        mode: 0o660,
      });
      await dial(t, announced);
      const taken = await t.listen(announced, bob);
      const stat = await t.client.stat(`${taken.dir}/data`);
      assert.equal(stat.mode, 0o600);
      if (t.door !== '9P2000') assert.deepEqual([stat.uid, stat.gid], [ALICE.uid, ALICE.gid]);
      if (t.door !== '9P2000.L' && t.door !== 'FUSE')
        assert.deepEqual([stat.owner, stat.group], ['alice', 'alice']);
      await t.refuses(bob.open(`${taken.dir}/data`, 'rw'), 'permission denied', 'EACCES');
      await close(await alice.open(`${taken.dir}/data`, 'rw'), taken.ctl);
    });

    it('is taken only by those who may open listen', async () => {
      await t.client.chmod('tcp/clone', 0o666);
      const alice = await t.as(ALICE);
      const announced = await t.announce('127.0.0.1!0', alice);
      await dial(t, announced);
      for (const caller of [BOB, CAROL]) {
        await t.refuses(t.listen(announced, await t.as(caller)), 'permission denied', 'EACCES');
      }
      await t.listen(announced, alice);
    });
  },
  () => ({ owner: GLENDA, users: people }),
);

/** A call from outside; gone when the test is. */
async function dial(t: Fixture, { port }: { readonly port: number }, host?: string) {
  const socket = await call(port, host);
  t.after(() => socket.destroy());
  return socket;
}

/** The ports at the other ends of conversations. */
async function remotePorts(t: Fixture, convs: readonly Conv[]): Promise<Set<number>> {
  const remotes = await Promise.all(convs.map(({ dir }) => t.text(`${dir}/remote`)));
  return new Set(remotes.map(remote => Number(remote.trimEnd().split('!')[1])));
}

/** The numbers in /net/tcp. */
async function conversations(t: Fixture): Promise<string[]> {
  return (await t.client.readdir('tcp')).map(({ name }) => name).filter(name => /^\d/.test(name));
}
