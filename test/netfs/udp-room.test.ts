/** Writes of datagrams when the host has no room for them. */
import assert from 'node:assert/strict';
import { Abort, onAbort, WaitQueue } from '../../src/abort.ts';
import { hostDialer } from '../../src/host/dialer.ts';
import type { Dialer } from '../../src/netfs/dialer.ts';
import { FsError } from '../../src/netfs/error.ts';
import { Station } from '../support/datagrams.ts';
import { forEachDoor, inProcess, isRefusal } from '../support/fixture.ts';

let full: boolean;
let tries: number;
let room: WaitQueue<void>;

/** The host's dialer; its sockets have no room while `full`. */
const tight = (): { dialer: Dialer } => {
  full = true;
  tries = 0;
  room = new WaitQueue();
  return {
    dialer: {
      ...hostDialer,
      datagrams(remote, options) {
        const socket = hostDialer.datagrams(remote, options);
        const send = socket.send.bind(socket);
        socket.send = (bytes, route) => {
          tries++;
          return !full && send(bytes, route);
        };
        socket.room = signal => {
          if (!signal.aborted) return room.wait(signal);
          return new Promise((_, reject) => onAbort(signal, () => reject(signal.reason as Error)));
        };
        return socket;
      },
    },
  };
};

forEachDoor(
  'udp without room',
  t => {
    let there: Station;
    let data: Awaited<ReturnType<typeof t.client.open>>;
    let ctl: typeof data;
    let more: typeof data;

    beforeEach(async () => {
      there = await Station.bind();
      t.after(() => there.close());
      const conv = await t.tell(`connect ${there.address}`, t.client, 'udp');
      data = await t.client.open(`${conv.dir}/data`, 'rw');
      // Of one descriptor the kernel lets one write at a time go on.
      more = await t.client.open(`${conv.dir}/data`, 'rw');
      ctl = await t.client.open(`${conv.dir}/ctl`, 'rw');
    });

    it('writes wait for their turn, and only the first of them tries', async () => {
      const one = data.write('one');
      assert.ok(await t.pending(one));
      const two = more.write('two');
      assert.ok(await t.pending(two));
      const before = tries;
      for (let i = 0; i < 10; i++) {
        assert.ok(room.wake());
        await new Promise(setImmediate);
      }
      assert.equal(tries, before + 10);
      full = false;
      room.wake();
      assert.deepEqual([await one, await two], [3, 3]);
      assert.deepEqual([(await there.next()).text, (await there.next()).text], ['one', 'two']);
    });

    it('a flushed write is not sent, and the next has its turn', async () => {
      const abort = new AbortController();
      const one = data.write('one', undefined, abort.signal);
      assert.ok(await t.pending(one));
      const two = more.write('two');
      assert.ok(await t.pending(two));
      full = false;
      abort.abort();
      await assert.rejects(one);
      assert.equal(await two, 3);
      assert.equal((await there.next()).text, 'two');
    });

    it('hangup ends all of them at once', async () => {
      const one = data.write('one');
      assert.ok(await t.pending(one));
      const two = more.write('two');
      assert.ok(await t.pending(two));
      const hangup = ctl.write('hangup');
      await Promise.all([assert.rejects(one, isRefusal), assert.rejects(two, isRefusal), hangup]);
    });

    it('the end of the client ends all of them', async () => {
      const other = await t.another();
      const conv = await t.tell(`connect ${there.address}`, other, 'udp');
      const file = await other.open(`${conv.dir}/data`, 'rw');
      const one = file.write('one');
      assert.ok(await t.pending(one, other));
      const gone = assert.rejects(one);
      await t.leave(other);
      await gone;
    });
  },
  tight,
);

inProcess(
  'udp without room, watched',
  t => {
    it('is not writable until it is worth trying again, for who may not wait', async () => {
      const there = await Station.bind();
      t.after(() => there.close());
      const { dir } = await t.tell(`connect ${there.address}`, t.client, 'udp');
      const { handle } = await t.client.open(`${dir}/data`, 'rw');
      const end = new Abort();
      t.after(() => end.abort(new FsError('Eintr')));
      const watch = { told: 0, changed: () => void watch.told++, closed: end };
      const write = (): unknown =>
        handle.write(0, Buffer.from('x'), { caller: t.server.owner, signal: end, nonblocking: true });
      assert.equal(handle.poll!(watch).writable, true);
      for (let i = 0; i < 3; i++) assert.throws(write, { name: 'Eagain' });
      assert.equal(handle.poll!(watch).writable, false);
      assert.equal(watch.told, 0);
      full = false;
      room.wake();
      await new Promise(setImmediate);
      assert.equal(watch.told, 1);
      assert.equal(handle.poll!(watch).writable, true);
      assert.equal(write(), 1);
      assert.equal((await there.next()).text, 'x');
    });

    it('is not writable while a write waits', async () => {
      const there = await Station.bind();
      t.after(() => there.close());
      const { dir } = await t.tell(`connect ${there.address}`, t.client, 'udp');
      const data = await t.client.open(`${dir}/data`, 'rw');
      const one = data.write('one');
      assert.ok(await t.pending(one));
      const end = new Abort();
      t.after(() => end.abort(new FsError('Eintr')));
      const watch = { told: 0, changed: () => void watch.told++, closed: end };
      assert.equal(data.handle.poll!(watch).writable, false);
      full = false;
      room.wake();
      await one;
      assert.equal(watch.told, 1);
      assert.equal(data.handle.poll!(watch).writable, true);
    });
  },
  tight,
);
