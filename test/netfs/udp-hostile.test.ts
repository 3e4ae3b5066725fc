/** udp under attack: remotes that go away or flood, clients that poll and never read, messages at the wrong time. */
import assert from 'node:assert/strict';
import { Abort } from '../../src/abort.ts';
import { hostDialer } from '../../src/host/dialer.ts';
import type { Dialer } from '../../src/netfs/dialer.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { Readiness } from '../../src/netfs/node.ts';
import { Station } from '../support/datagrams.ts';
import type { DirectFile } from '../support/direct.ts';
import { eventually, forEachDoor, inProcess, onFuse, type Conv, type Fixture } from '../support/fixture.ts';
import { POLLERR, POLLIN, type FuseFile } from '../support/fusefs.ts';
import type { OpenFile } from '../support/tree.ts';

/** The host's dialer; it counts how often the event loop tells of its sockets. */
class CountingDialer implements Dialer {
  told = 0;
  readonly connect = hostDialer.connect;
  readonly announce = hostDialer.announce;
  probe: Dialer['probe'] = hostDialer.probe;

  readonly datagrams: Dialer['datagrams'] = (remote, options) => {
    const socket = hostDialer.datagrams(remote, options);
    const own = socket.whenReadable.bind(socket);
    const known = new Map<() => void, () => void>();
    socket.whenReadable = run => own(run && this.counted(run, known));
    return socket;
  };

  private counted(run: () => void, known: Map<() => void, () => void>): () => void {
    const before = known.get(run);
    if (before !== undefined) return before;
    const counted = (): void => {
      this.told++;
      run();
    };
    known.set(run, counted);
    return counted;
  }
}

let dialer: CountingDialer;

const counting = (): { dialer: Dialer } => {
  dialer = new CountingDialer();
  return { dialer };
};

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/** In 100 turns of the loop in which nothing comes, a socket is told of hardly ever. */
async function assertQuiet(): Promise<void> {
  const before = dialer.told;
  for (let i = 0; i < 100; i++) await turn();
  const told = dialer.told - before;
  assert.ok(told < 10, `${told} notices in 100 turns`);
}

async function station(t: Fixture, host?: string): Promise<Station> {
  const made = await Station.bind(host);
  t.after(() => made.close());
  return made;
}

/** Where a socket was; nobody is there any more. */
async function deadEnd(): Promise<string> {
  const gone = await Station.bind();
  const { address } = gone;
  await gone.leave();
  return address;
}

async function connected(t: Fixture, address: string): Promise<{ conv: Conv; data: OpenFile; port: number }> {
  const conv = await t.tell(`connect ${address}`, t.client, 'udp');
  const data = await t.client.open(`${conv.dir}/data`, 'rw');
  return { conv, data, port: Number((await t.text(`${conv.dir}/local`)).trim().split('!')[1]) };
}

/** Two calls of one announcement, each with its first datagram read; `left` is the first one's remote. */
async function twoCalls(t: Fixture) {
  const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
  const [left, here] = [await station(t), await station(t)];
  const calls = [];
  for (const there of [left, here]) {
    await there.send('first', announced.port);
    const call = await t.listen(announced);
    const data = await t.client.open(`${call.dir}/data`, 'rw');
    assert.equal((await data.read(100)).toString(), 'first');
    calls.push({ ...call, data });
  }
  return { announced, left, here, calls: [calls[0]!, calls[1]!] as const };
}

/** Somebody who watches an opened file in process, as FUSE's poll does. */
function watcher(t: Fixture, { handle }: DirectFile) {
  const end = new AbortController();
  t.after(() => end.abort());
  const watch = { told: 0, changed: () => void watch.told++, closed: end.signal };
  return { watch, poll: (): Readiness => handle.poll!(watch) };
}

forEachDoor(
  'udp and what the network says',
  t => {
    it('of one call it says nothing to another: a refusal keeps none of its datagrams back', async () => {
      const { left, here, announced, calls } = await twoCalls(t);
      await left.leave();
      const [dead, alive] = calls;
      await dead.data.write('anybody?');
      assert.equal(await alive.data.write('fine'), 4);
      assert.equal((await here.next()).text, 'fine');
      const read = alive.data.read(100);
      assert.ok(await t.pending(read));
      await assertQuiet();
      await here.send('more', announced.port);
      assert.equal((await read).toString(), 'more');
      await t.refuses(dead.data.read(100), 'connection refused', 'ECONNREFUSED');
      await t.refuses(dead.data.write('x'), 'connection refused', 'ECONNREFUSED');
    });

    it('a refusal that a write meets ends the read that waits', async () => {
      const { conv, data } = await connected(t, await deadEnd());
      const read = data.read(100);
      assert.ok(await t.pending(read));
      const refused = t.refuses(read, 'connection refused', 'ECONNREFUSED');
      // A descriptor of its own, since a write may have to wait for its turn.
      const other = await t.client.open(`${conv.dir}/data`, 'w');
      await Promise.allSettled([other.write('one'), other.write('two')]);
      await refused;
      await assertQuiet();
    });

    it('what has come is read before the reason why nothing more comes', async () => {
      const there = await station(t);
      const { data, port } = await connected(t, there.address);
      await there.send('last words', port);
      await there.leave();
      await data.write('x');
      assert.equal((await data.read(100)).toString(), 'last words');
      await t.refuses(data.read(100), 'connection refused', 'ECONNREFUSED');
    });

    it('a datagram that is too large leaves nothing behind that disturbs a read', async () => {
      const there = await station(t);
      const { data, port } = await connected(t, there.address);
      const { left, here, announced, calls } = await twoCalls(t);
      t.after(() => left.close());
      for (const [file, from, to] of [
        [data, there, port],
        [calls[1].data, here, announced.port],
      ] as const) {
        const read = file.read(100);
        assert.ok(await t.pending(read));
        const other = file === data ? data : calls[1].data;
        if (t.door !== 'FUSE') {
          await t.refuses(other.write(Buffer.alloc(65508)), 'read or write too large', 'EMSGSIZE');
        }
        await assertQuiet();
        await from.send('small', to);
        assert.equal((await read).toString(), 'small');
      }
    });
  },
  counting,
);

forEachDoor(
  'udp messages at the wrong time',
  t => {
    it('headers while a read without room for them waits: that read fails, and no datagram is lost', async () => {
      const there = await station(t);
      const { conv, data, port } = await connected(t, there.address);
      const small = data.read(10);
      assert.ok(await t.pending(small));
      // Of two reads of one descriptor the kernel does not say which is first.
      const large = t.door === 'FUSE' ? undefined : data.read(100);
      await (await t.beside(conv as never)).write('headers');
      const refused = t.refuses(small, 'i/o count too small', 'EINVAL');
      await there.send('kept', port);
      await refused;
      assert.equal((await (large ?? data.read(100))).subarray(52).toString(), 'kept');
    });

    it('headers is no message for a call, which has one remote', async () => {
      const { left, calls } = await twoCalls(t);
      t.after(() => left.close());
      await t.refuses(calls[0].ctl.write('headers'), 'connection in use', 'EBUSY');
    });
  },
  counting,
);

forEachDoor('udp groups by the thousand', t => {
  it('of a conversation that does nothing yet are limited; the same twice is once', async () => {
    const conv = await t.clone(t.client, 'rw', 'udp');
    for (let i = 0; i < 256; i++) await conv.ctl.write(`addmulti 127.0.0.1 239.1.${i}.1`);
    await conv.ctl.write('addmulti 127.0.0.1 239.1.0.1');
    await t.refuses(conv.ctl.write('addmulti 127.0.0.1 239.2.0.1'), 'no free devices', 'ENFILE');
  });

  it('the same group twice before announce is no trouble', async () => {
    const conv = await t.clone(t.client, 'rw', 'udp');
    await conv.ctl.write('addmulti 127.0.0.1 239.1.2.3');
    await conv.ctl.write('addmulti 127.0.0.1 239.1.2.3');
    await conv.ctl.write('announce *!0');
    await conv.ctl.write('addmulti 127.0.0.1 239.1.2.3');
  });

  it('a group that a call joined is left when the call ends', async () => {
    const announced = await t.announce('*!0', t.client, 'udp');
    const there = await station(t);
    const ring = async (): Promise<Conv> => {
      await there.send('ring', announced.port);
      return t.listen(announced);
    };
    const first = await ring();
    await first.ctl.write('addmulti 127.0.0.1 239.1.2.3');
    await first.ctl.close();
    await eventually(async () => (await t.state(first)) === 'Closed');
    // One socket joins a group once.
    const second = await ring();
    await second.ctl.write('addmulti 127.0.0.1 239.1.2.3');
  });
});

forEachDoor('udp and whose a port is', t => {
  it('what is announced at one address does not send from another', async () => {
    const conv = await t.announce('127.0.0.2!0', t.client, 'udp');
    await conv.ctl.write('headers');
    const data = await t.client.open(`${conv.dir}/data`, 'rw');
    const there = await station(t);
    await there.send('x', conv.port, '127.0.0.2');
    const answer = await data.read(100);
    answer.set([127, 0, 0, 1], 28);
    await data.write(answer);
    assert.equal((await there.next()).from.address, '127.0.0.2');
  });
});

inProcess(
  'udp watched',
  t => {
    it('a datagram that waits is told of once, however often somebody looks, until he reads', async () => {
      const there = await station(t);
      const { data, port } = await connected(t, there.address);
      const { watch, poll } = watcher(t, data as DirectFile);
      assert.equal(poll().readable, false);
      await there.send('one', port);
      await eventually(() => Promise.resolve(watch.told === 1));
      for (let i = 0; i < 3; i++) assert.equal(poll().readable, true);
      await assertQuiet();
      assert.equal(watch.told, 1);
      // Who reads what he was told of is told of the next without looking again (EPOLLET).
      assert.equal((await data.read(100)).toString(), 'one');
      await there.send('two', port);
      await eventually(() => Promise.resolve(watch.told === 2));
      await assertQuiet();
    });

    it('so it is with calls', async () => {
      const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
      const conversation = t.server.udp.at(announced.number);
      const end = new AbortController();
      t.after(() => end.abort());
      const watch = { told: 0, changed: () => void watch.told++, closed: end.signal };
      assert.equal(conversation.pollListen(watch), false);
      await (await station(t)).send('ring', announced.port);
      await eventually(() => Promise.resolve(watch.told === 1));
      for (let i = 0; i < 3; i++) assert.equal(conversation.pollListen(watch), true);
      await assertQuiet();
      await t.listen(announced);
      await (await station(t)).send('ring', announced.port);
      await eventually(() => Promise.resolve(watch.told === 2));
    });

    it('who watches is told that a write met a refusal', async () => {
      const { data } = await connected(t, await deadEnd());
      const { watch, poll } = watcher(t, data as DirectFile);
      assert.equal(poll().readable, false);
      await Promise.allSettled([data.write('one'), data.write('two')]);
      assert.equal(watch.told, 1);
      assert.deepEqual(poll(), { readable: true, writable: true, failed: true });
      await assertQuiet();
    });

    it('nobody reads and nobody watches: a flood costs no turn of the loop', async () => {
      const there = await station(t);
      const { data, port } = await connected(t, there.address);
      const read = data.read(100);
      assert.ok(await t.pending(read));
      for (let i = 0; i < 100; i++) await there.send('x', port);
      await read;
      await assertQuiet();
    });

    it('a client that does not take its answers costs no turn of the loop', async () => {
      const there = await station(t);
      const { data, port } = await connected(t, there.address);
      const again = new Set<() => void>();
      let taken = Buffer.alloc(0);
      const reply = {
        count: 100,
        room: (size: number) => (taken = Buffer.alloc(size)),
        drop: () => {},
        mayAnswer: (run: () => void) => {
          again.add(run);
          return false;
        },
      };
      const end = new Abort();
      t.after(() => end.abort(new FsError('Eintr')));
      const { handle } = data as DirectFile;
      const read = handle.read(0, reply, { caller: t.server.owner, signal: end });
      const { poll } = watcher(t, data as DirectFile);
      for (let i = 0; i < 20; i++) {
        await there.send('x', port);
        poll();
        await turn();
      }
      await assertQuiet();
      assert.equal(again.size, 1);
      reply.mayAnswer = () => true;
      for (const run of again) run();
      assert.equal(await read, 1);
      assert.equal(taken.toString(), 'x');
    });

    it('a bind that ends after a connect has begun changes nothing', async () => {
      const there = await station(t);
      const conv = await t.clone(t.client, 'rw', 'udp');
      let go = (): void => {};
      const gate = new Promise<void>(resolve => (go = resolve));
      dialer.probe = async (local, protocol) => {
        await gate;
        return hostDialer.probe(local, protocol);
      };
      const bind = t.refuses(conv.ctl.write('bind 127.0.0.1!0'), 'connection in use', 'EBUSY');
      await conv.ctl.write(`connect ${there.address}`);
      go();
      await bind;
      const local = await t.text(`${conv.dir}/local`);
      const data = await t.client.open(`${conv.dir}/data`, 'rw');
      await data.write('x');
      assert.equal(local, `127.0.0.1!${(await there.next()).from.port}\n`);
    });
  },
  counting,
);

onFuse(
  'udp polled',
  t => {
    it('a refusal is readable, for as long as nobody reads it, and costs no turn of the loop', async () => {
      const { data } = await connected(t, await deadEnd());
      await data.write('anybody?');
      const file = data as FuseFile;
      for (let i = 0; i < 3; i++) {
        assert.equal(await file.poll(POLLIN | POLLERR), POLLIN);
        await assertQuiet();
      }
      await t.refuses(data.read(100), 'connection refused', 'ECONNREFUSED');
      assert.equal(await file.poll(POLLIN), POLLIN | POLLERR);
      await assertQuiet();
    });
  },
  counting,
);
