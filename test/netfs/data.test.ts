/** data: the stream of a connection. ip(3). */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { hostDialer } from '../../src/host/dialer.ts';
import type { Dialer } from '../../src/netfs/dialer.ts';
import { close, eventually, forEachDialect, forEachDoor, type Fixture } from '../support/fixture.ts';
import { closedPort, ending, receive } from '../support/remote.ts';
import { readAll, type OpenFile } from '../support/tree.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'slashnet');
const FLUSHED = new Error('flushed');

/** One read of up to `count` bytes, as text. */
const text = async (data: OpenFile, count?: number): Promise<string> => (await data.read(count)).toString();

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** Writes until a write has to wait, and returns that write and how many bytes were taken before. */
async function fill(t: Fixture, data: OpenFile, signal?: AbortSignal) {
  for (let before = 0; ; before += CHUNK.length) {
    const write = data.write(CHUNK, undefined, signal);
    if (await t.pending(write)) return { write, before };
  }
}

forEachDoor('reading data', t => {
  it('waits for the first byte, and not for more', async () => {
    const { data, socket } = await t.connect();
    const read = text(data, 1000);
    assert(await t.pending(read));
    socket.write('a');
    assert.equal(await read, 'a');
  });

  it('takes no more than was asked for, and keeps the rest', async () => {
    const { data, socket } = await t.connect();
    socket.write('hello');
    assert.equal(await text(data, 2), 'he');
    assert.equal(await text(data, 2), 'll');
    assert.equal(await text(data, 2), 'o');
  });

  if (t.door === 'FUSE') {
    it('has no offset: pread(2) is refused and takes nothing', async () => {
      const { data, socket } = await t.connect();
      socket.write('hello');
      for (const offset of [0, 1, 4096]) await t.refuses(data.read(2, offset), 'illegal seek', 'ESPIPE');
      assert.equal(await text(data), 'hello');
    });
  } else {
    it('ignores the offset', async () => {
      const { data, socket } = await t.connect();
      socket.write('hello');
      for (const [offset, expected] of [
        [4096, 'he'],
        [0, 'll'],
        [1, 'o'],
      ] as const) {
        assert.equal((await data.read(2, offset)).toString(), expected);
      }
    });
  }

  it('serves several reads that wait in the order in which they were asked', async () => {
    const { data, socket } = await t.connect();
    const reads = [text(data, 2), text(data, 2), text(data, 9), text(data, 2)];
    assert(await t.pending(Promise.race(reads)));
    socket.write('aabbc');
    assert.deepEqual(await Promise.all(reads.slice(0, 3)), ['aa', 'bb', 'c']);
    assert(await t.pending(reads[3]!));
    socket.write('d');
    assert.equal(await reads[3], 'd');
  });

  it('serves reads of several opened files in their order too', async () => {
    const { data, dir, socket } = await t.connect();
    const other = await t.client.open(`${dir}/data`, 'r');
    const reads = [text(data, 1), text(other, 1), text(data, 1)];
    assert(await t.pending(Promise.race(reads)));
    socket.write('abc');
    assert.deepEqual(await Promise.all(reads), ['a', 'b', 'c']);
  });

  it('that is flushed takes nothing', async () => {
    const { data, socket } = await t.connect();
    const aborter = new AbortController();
    const read = data.read(100, undefined, aborter.signal);
    assert(await t.pending(read));
    aborter.abort(FLUSHED);
    await assert.rejects(read, FLUSHED);
    socket.write('kept');
    assert.equal(await text(data), 'kept');
  });

  it('that is flushed among others leaves its bytes to them', async () => {
    const { data, socket } = await t.connect();
    const aborter = new AbortController();
    const first = text(data, 1);
    const second = data.read(1, undefined, aborter.signal);
    const third = text(data, 1);
    assert(await t.pending(third));
    aborter.abort(FLUSHED);
    await assert.rejects(second, FLUSHED);
    socket.write('ab');
    assert.deepEqual(await Promise.all([first, third]), ['a', 'b']);
  });

  it('either answers or is flushed, and loses nothing, whenever the flush comes', async () => {
    const { data, socket } = await t.connect();
    const sent = randomBytes(400);
    const got: Buffer[] = [];
    for (const byte of sent) {
      const aborter = new AbortController();
      const read = data.read(1, undefined, aborter.signal);
      socket.write(Buffer.of(byte));
      aborter.abort(FLUSHED);
      const part = await read.catch(() => data.read(1));
      got.push(part);
    }
    assert(Buffer.concat(got).equals(sent));
  });

  it('of no bytes answers at once with none', async () => {
    const { data, socket } = await t.connect();
    assert.equal((await data.read(0)).length, 0);
    socket.write('a');
    assert.equal(await text(data), 'a');
  });

  it('needs data to be open for it', async () => {
    const { dir } = await t.connect();
    const writer = await t.client.open(`${dir}/data`, 'w');
    await t.refuses(writer.read(1), 'inappropriate use of fd', 'EBADF');
    const reader = await t.client.open(`${dir}/data`, 'r');
    await t.refuses(reader.write('x'), 'inappropriate use of fd', 'EBADF');
  });
});

forEachDoor('the end of the stream', t => {
  it('is three reads of nothing, and then `i/o on hungup channel`', async () => {
    const { data, socket } = await t.connect();
    socket.end('bye');
    assert.equal(await text(data), 'bye');
    for (let i = 0; i < 3; i++) assert.equal(await text(data), '');
    for (let i = 0; i < 3; i++) await t.refuses(data.read(), 'i/o on hungup channel', 'EPIPE');
  });

  it('is counted once for all opened files of the conversation', async () => {
    const { data, dir, socket } = await t.connect();
    const other = await t.client.open(`${dir}/data`, 'r');
    socket.end();
    assert.deepEqual([await text(data), await text(other), await text(data)], ['', '', '']);
    await t.refuses(other.read(), 'i/o on hungup channel', 'EPIPE');
  });

  it('answers all reads that wait', async () => {
    const { data, socket } = await t.connect();
    const reads = Array.from({ length: 5 }, () =>
      data.read().then(
        bytes => bytes.toString(),
        () => 'hungup',
      ),
    );
    assert(await t.pending(Promise.race(reads)));
    socket.end('x');
    assert.deepEqual(await Promise.all(reads), ['x', '', '', '', 'hungup']);
  });

  it('is not counted by reads of no bytes', async () => {
    const { data, socket } = await t.connect();
    socket.end();
    for (let i = 0; i < 10; i++) assert.equal((await data.read(0)).length, 0);
    for (let i = 0; i < 3; i++) assert.equal(await text(data), '');
    await t.refuses(data.read(), 'i/o on hungup channel', 'EPIPE');
  });

  it('comes after all bytes, however small the reads', async () => {
    const { data, socket } = await t.connect();
    socket.end('abcdef');
    const parts: string[] = [];
    for (let i = 0; i < 4; i++) parts.push(await text(data, 2));
    assert.deepEqual(parts, ['ab', 'cd', 'ef', '']);
  });

  it('leaves the other direction open', async () => {
    const call = await t.connect();
    call.socket.end();
    assert.equal(await text(call.data), '');
    assert.equal(await t.state(call), 'Close_wait');
    for (const word of ['still', 'there']) {
      assert.equal(await call.data.write(word), 5);
      assert.equal((await receive(call.socket, 5)).toString(), word);
    }
    const end = ending(call.socket);
    await close(call.ctl, call.data);
    assert.equal((await end).by, 'FIN');
  });
});

forEachDoor('a reset by the remote', t => {
  it('fails a read that waits: `connection refused`, as Plan 9 says it, with the number of a reset', async () => {
    const { data, socket } = await t.connect();
    const read = data.read();
    assert(await t.pending(read));
    socket.resetAndDestroy();
    await t.refuses(read, 'connection refused', 'ECONNRESET');
  });

  it('fails every later read and write with the same reason', async () => {
    const call = await t.connect();
    call.socket.resetAndDestroy();
    for (let i = 0; i < 4; i++) await t.refuses(call.data.read(), 'connection refused', 'ECONNRESET');
    await t.refuses(call.data.write('x'), 'connection refused', 'ECONNRESET');
    assert.equal(await t.state(call), 'Closed');
  });

  it('comes after the bytes that were there', async () => {
    const call = await t.connect();
    call.socket.write('last words');
    assert.equal(await text(call.data, 4), 'last');
    call.socket.resetAndDestroy();
    assert.equal(await text(call.data), ' words');
    await t.refuses(call.data.read(), 'connection refused', 'ECONNRESET');
  });

  it('fails a write that waits', async () => {
    const { data, socket } = await t.connect();
    const { write } = await fill(t, data);
    socket.resetAndDestroy();
    await t.refuses(write, 'connection refused', 'ECONNRESET');
  });

  it('after the end of the stream hangs the channel up', async () => {
    const call = await t.connect();
    call.socket.end();
    assert.equal(await text(call.data), '');
    call.socket.resetAndDestroy();
    await eventually(async () => (await t.state(call)) === 'Closed');
    await t.refuses(call.data.write('x'), 'i/o on hungup channel', 'EPIPE');
    await t.refuses(call.data.write('x'), 'i/o on hungup channel', 'EPIPE');
  });
});

forEachDoor('writing data', t => {
  it('answers with the number of bytes, and the remote has them', async () => {
    const { data, socket } = await t.connect();
    assert.equal(await data.write('hello'), 5);
    assert.equal((await receive(socket, 5)).toString(), 'hello');
  });

  if (t.door === 'FUSE') {
    it('has no offset: pwrite(2) is refused and sends nothing', async () => {
      const { data, socket } = await t.connect();
      for (const offset of [0, 5000]) await t.refuses(data.write('world', offset), 'illegal seek', 'ESPIPE');
      await data.write('hello');
      assert.equal((await receive(socket, 5)).toString(), 'hello');
    });
  } else {
    it('ignores the offset', async () => {
      const { data, socket } = await t.connect();
      await data.write('world', 5000);
      await data.write('hello', 0);
      assert.equal((await receive(socket, 10)).toString(), 'worldhello');
    });
  }

  it('of no bytes sends none', async () => {
    const { data, socket } = await t.connect();
    assert.equal(await data.write(''), 0);
    await data.write('x');
    assert.equal((await receive(socket, 1)).toString(), 'x');
  });

  it('waits while the remote does not read, and is answered in full when it does', async () => {
    const { data, socket } = await t.connect();
    const { write, before } = await fill(t, data);
    const all = receive(socket, before + CHUNK.length);
    assert.equal(await write, CHUNK.length);
    assert.equal(sha256(await all), sha256(Buffer.alloc(before + CHUNK.length, 'slashnet')));
  });

  it('keeps nobody else waiting: not the reads of its conversation, not another conversation', async () => {
    const { data, socket } = await t.connect();
    const { write } = await fill(t, data);
    socket.write('hi');
    assert.equal(await text(data), 'hi');
    const other = await t.connect();
    await other.data.write('x');
    assert.equal((await receive(other.socket, 1)).toString(), 'x');
    assert(await t.pending(write));
  });

  it('that waits lets the writes behind it wait, and keeps their order', async () => {
    const { data, socket } = await t.connect();
    const { write, before } = await fill(t, data);
    const second = data.write('second');
    const third = data.write('third');
    assert(await t.pending(Promise.race([second, third])));
    const all = await receive(socket, before + CHUNK.length + 'secondthird'.length);
    assert.deepEqual(await Promise.all([write, second, third]), [CHUNK.length, 6, 5]);
    assert.equal(all.subarray(-11).toString(), 'secondthird');
  });

  it('that is flushed half-way answers how much went, and that much arrives', async () => {
    // What is left of the write that blocks may be less than the server hands on in one piece: then
    // all of it went, and another conversation, with some bytes more before it, shows the half.
    let taken = CHUNK.length;
    for (let more = 0; taken === CHUNK.length && more < CHUNK.length; more += 10_000) {
      taken = await flushHalfWay(more);
    }
    assert(taken < CHUNK.length);
  });

  async function flushHalfWay(more: number): Promise<number> {
    const { data, socket } = await t.connect();
    await data.write(CHUNK.subarray(0, more));
    const aborter = new AbortController();
    const { write, before } = await fill(t, data, aborter.signal);
    aborter.abort(FLUSHED);
    const taken = await write.catch(() => 0);
    const mark = data.write('mark');
    const all = await receive(socket, more + before + taken + 4);
    await mark;
    assert.equal(all.subarray(-4).toString(), 'mark');
    assert(all.subarray(0, more).equals(CHUNK.subarray(0, more)));
    assert(all.subarray(more, -4).equals(bytesOf(before, taken)));
    return taken;
  }

  it('that is flushed while it waits for its turn has sent nothing', async () => {
    const { data, dir, socket } = await t.connect();
    // The kernel itself lets one write wait for the other where it is the same descriptor.
    const other = await t.client.open(`${dir}/data`, 'w');
    const { write, before } = await fill(t, data);
    const aborter = new AbortController();
    const second = (t.door === 'FUSE' ? other : data).write('never', undefined, aborter.signal);
    assert(await t.pending(second));
    aborter.abort(FLUSHED);
    await assert.rejects(second, FLUSHED);
    const third = data.write('third');
    const all = await receive(socket, before + CHUNK.length + 5);
    await Promise.all([write, third]);
    assert.equal(all.subarray(-5).toString(), 'third');
  });

  it('of 64 KB is one piece in the stream, whoever else writes', async () => {
    const { data, dir, socket } = await t.connect();
    const other = await t.client.open(`${dir}/data`, 'w');
    const rounds = 12;
    const writes = Array.from({ length: rounds }, () => [
      data.write(Buffer.alloc(CHUNK.length, 'a')),
      other.write(Buffer.alloc(CHUNK.length, 'b')),
    ]).flat();
    const all = await receive(socket, 2 * rounds * CHUNK.length);
    assert(writes.length === 2 * rounds && (await Promise.all(writes)).every(n => n === CHUNK.length));
    for (let at = 0; at < all.length; at += CHUNK.length) {
      const piece = all.subarray(at, at + CHUNK.length);
      assert(piece.equals(Buffer.alloc(CHUNK.length, piece[0])), `piece at ${at} is mixed`);
    }
  });

  it('that waits fails when the conversation is hung up', async () => {
    const { ctl, data } = await t.connect();
    const waiting = await fill(t, data);
    await ctl.write('hangup');
    await t.refuses(waiting.write, 'i/o on hungup channel', 'EPIPE');
  });

  if (t.door === 'FUSE') {
    it('that waits ends with its process, and has sent nothing if it waited for its turn', async () => {
      const { data, dir, socket } = await t.connect();
      const process = await t.another();
      const other = await process.open(`${dir}/data`, 'w');
      const { write, before } = await fill(t, data);
      const second = other.write('never');
      assert(await t.pending(second));
      process.close();
      await assert.rejects(second, { name: 'TransportError' });
      const third = data.write('third');
      const all = await receive(socket, before + CHUNK.length + 5);
      await Promise.all([write, third]);
      assert.equal(all.subarray(-5).toString(), 'third');
    });
  } else {
    it('that waits fails when its own file is closed', async () => {
      const { data, dir } = await t.connect();
      const other = await t.client.open(`${dir}/data`, 'w');
      await fill(t, data);
      const write = other.write('x');
      assert(await t.pending(write));
      await other.close();
      await t.refuses(write, 'i/o on hungup channel', 'EPIPE');
    });
  }
});

forEachDoor('data without a connection', t => {
  it('fails at once before connect and on an announced conversation', async () => {
    const idle = await t.clone();
    const announced = await t.announce();
    for (const { dir } of [idle, announced]) {
      const data = await t.client.open(`${dir}/data`, 'rw');
      await t.refuses(data.read(), 'not connected', 'ENOTCONN');
      await t.refuses(data.write('x'), 'not connected', 'ENOTCONN');
    }
  });

  it('lets the conversation be connected afterwards', async () => {
    const remote = await t.remote();
    const { ctl, dir } = await t.clone();
    const data = await t.client.open(`${dir}/data`, 'rw');
    await t.refuses(data.read(), 'not connected', 'ENOTCONN');
    await ctl.write(`connect ${remote.address}`);
    const socket = await remote.accept();
    await data.write('hello');
    assert.equal((await receive(socket, 5)).toString(), 'hello');
  });

  it('fails after a failed connect', async () => {
    const { ctl, dir } = await t.clone();
    const data = await t.client.open(`${dir}/data`, 'rw');
    await t.refuses(
      ctl.write(`connect 127.0.0.1!${await closedPort()}`),
      'connection refused',
      'ECONNREFUSED',
    );
    await t.refuses(data.read(), 'i/o on hungup channel', 'EPIPE');
    await t.refuses(data.write('x'), 'i/o on hungup channel', 'EPIPE');
  });
});

/** Connects when the test says so. */
let letConnect: () => void;
const gated = (): Dialer => {
  const gate = new Promise<void>(resolve => (letConnect = resolve));
  return {
    ...hostDialer,
    async connect(to, options, signal) {
      await gate;
      if (signal.aborted) throw signal.reason;
      return hostDialer.connect(to, options, signal);
    },
  };
};

forEachDoor(
  'data while a connect is on its way',
  t => {
    it('waits, and goes on when there is a connection', async () => {
      const remote = await t.remote();
      const { ctl, dir } = await t.clone();
      const data = await t.client.open(`${dir}/data`, 'rw');
      const connect = ctl.write(`connect ${remote.address}`);
      const [read, write] = [text(data), data.write('out')];
      assert(await t.pending(Promise.race([connect, read, write])));
      letConnect();
      await connect;
      const socket = await remote.accept();
      assert.equal(await write, 3);
      assert.equal((await receive(socket, 3)).toString(), 'out');
      socket.write('in');
      assert.equal(await read, 'in');
    });

    it('fails when the connect does', async () => {
      const { ctl, dir } = await t.clone();
      const data = await t.client.open(`${dir}/data`, 'rw');
      const connect = ctl.write(`connect 127.0.0.1!${await closedPort()}`);
      const reading = t.refuses(data.read(), 'i/o on hungup channel', 'EPIPE');
      const writing = t.refuses(data.write('x'), 'i/o on hungup channel', 'EPIPE');
      assert(await t.pending(Promise.race([connect, reading, writing])));
      letConnect();
      await Promise.all([reading, writing, t.refuses(connect, 'connection refused', 'ECONNREFUSED')]);
    });

    it('fails at once when it is hung up', async () => {
      const conv = await t.clone();
      const beside = await t.beside(conv);
      const data = await t.client.open(`${conv.dir}/data`, 'rw');
      const connect = conv.ctl.write(`connect 127.0.0.1!${await closedPort()}`);
      const reading = t.refuses(data.read(), 'i/o on hungup channel', 'EPIPE');
      assert(await t.pending(Promise.race([connect, reading])));
      await beside.write('hangup');
      letConnect();
      await Promise.all([reading, t.refuses(connect, 'i/o on hungup channel', 'EPIPE')]);
    });
  },
  () => ({ dialer: gated() }),
);

forEachDialect('a long stream', t => {
  for (const [size, msize] of [
    [16 * 1024 * 1024, 1024 * 1024],
    [16 * 1024 * 1024, 64 * 1024 + 24],
    [512 * 1024, 512],
  ] as const) {
    it(`of ${size / 1024} KB arrives whole both ways at once, with an msize of ${msize}`, async () => {
      const client = await t.another({ msize });
      assert.equal(client.msize, msize);
      const { data, socket } = await t.connect(client);
      const [out, back] = [randomBytes(size), randomBytes(size)];
      const received = receive(socket, size);
      socket.end(back);
      const [, , there] = await Promise.all([
        data.write(out),
        data.readAll().then(all => assert.equal(sha256(all), sha256(back))),
        received,
      ]);
      assert.equal(sha256(there), sha256(out));
    });
  }
});

forEachDoor('a stream', t => {
  it('of 16 MB arrives whole both ways at once', async () => {
    const { data, socket } = await t.connect();
    const [out, back] = [randomBytes(16 * 1024 * 1024), randomBytes(16 * 1024 * 1024)];
    const received = receive(socket, out.length);
    socket.end(back);
    const [taken, all, there] = await Promise.all([data.write(out), readAll(data), received]);
    assert.equal(taken, out.length);
    assert.equal(sha256(all), sha256(back));
    assert.equal(sha256(there), sha256(out));
  });

  it('arrives whole with eight reads and eight writes outstanding', async () => {
    const { data, dir, socket } = await t.connect();
    const parts = Array.from({ length: 64 }, () => randomBytes(64 * 1024));
    const size = parts.length * 64 * 1024;
    socket.pipe(socket);
    const got: Buffer[] = [];
    let length = 0;
    const reader = await t.client.open(`${dir}/data`, 'r');
    const read = async (): Promise<void> => {
      while (length < size) {
        const part = await reader.read();
        got.push(part);
        length += part.length;
        // The last reads have nothing left to wait for.
        if (length === size) socket.end();
      }
    };
    const next = parts.values();
    const write = async (): Promise<void> => {
      for (const part of next) await data.write(part);
    };
    // Reads that find the end a fourth time are told so; here that is no failure.
    const settled = (promise: Promise<void>): Promise<void> =>
      promise.catch((error: Error) => t.refuses(Promise.reject(error), 'i/o on hungup channel', 'EPIPE'));
    await Promise.all([...Array.from({ length: 8 }, read), ...Array.from({ length: 8 }, write)].map(settled));
    assert.equal(length, size);
    assert.equal(sha256(sorted(got)), sha256(sorted(parts)));
  });
});

/** The writers' order is theirs; what matters is that no byte is lost. */
const sorted = (parts: Buffer[]): Buffer => Buffer.concat(parts).sort();

/** What `fill` wrote: whole chunks, and a part of one. */
const bytesOf = (whole: number, part: number): Buffer =>
  Buffer.concat([Buffer.alloc(whole, 'slashnet'), CHUNK.subarray(0, part)]);
