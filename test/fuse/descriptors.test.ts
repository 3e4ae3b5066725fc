/** What only descriptors can show: dup, fork, poll, O_NONBLOCK, signals, and who a process is to the kernel. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { constants, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { onAbort } from '../../src/abort.ts';
import { hostDialer } from '../../src/host/dialer.ts';
import type { Dialer } from '../../src/netfs/dialer.ts';
import { ALICE, BOB, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import { close, eventually, onFuse, type FuseFixture } from '../support/fixture.ts';
import {
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  type FuseFile,
  type FuseTree,
  type Reader,
} from '../support/fusefs.ts';
import { call, ending, receive } from '../support/remote.ts';

const { O_RDONLY, O_RDWR, O_WRONLY, O_NONBLOCK, O_TRUNC } = constants;
/** open(2); Node has no name for it. */
const O_PATH = 0o10000000;
const CHUNK = Buffer.alloc(64 * 1024, 'slashnet');
const STOPPED = new Error('stopped');
const DENIED = ['permission denied', 'EACCES'] as const;
const AGAIN = ['would block', 'EAGAIN'] as const;

/** Writes until a write has to wait, and returns that write and how many bytes went before. */
async function fill(t: FuseFixture, data: FuseFile, signal?: AbortSignal) {
  for (let before = 0; ; before += CHUNK.length) {
    const write = data.write(CHUNK, undefined, signal);
    if (await t.pending(write)) return { write, before };
  }
}

/** A connection on whose data a write would wait. */
async function full(t: FuseFixture) {
  const connected = await t.connect();
  const aborter = new AbortController();
  const { write, before } = await fill(t, connected.data, aborter.signal);
  aborter.abort(STOPPED);
  const taken = await write.catch(() => 0);
  return { ...connected, sent: before + taken };
}

async function dial(t: FuseFixture, port: number) {
  const socket = await call(port);
  t.after(() => socket.destroy());
  return socket;
}

onFuse('a descriptor', t => {
  it("on which clone was opened is the conversation's ctl, opened again by /proc/self/fd too", async () => {
    const { ctl, number } = await t.clone();
    const again = await t.client.openWith(`/proc/self/fd/${ctl.fd}`, O_RDWR);
    assert.equal(await t.number(again), String(number));
    await again.write('announce 127.0.0.1!0');
    assert.equal(await t.state({ ctl, number, dir: `tcp/${number}` }), 'Listen');
    assert.equal((await t.clone()).number, 1);
  });

  it('changes by chmod what it is open on', async () => {
    const { ctl, dir } = await t.clone();
    await t.client.chmod(`/proc/self/fd/${ctl.fd}`, 0o640);
    assert.equal((await t.client.stat(`${dir}/data`)).mode, 0o640);
    assert.equal((await t.client.stat('tcp/clone')).mode, 0o600);
  });

  it('that was duplicated keeps the conversation until both are closed', async () => {
    const { ctl, data, socket } = await t.connect();
    const again = await data.dup();
    await close(ctl, data);
    socket.write('still here');
    assert.equal((await again.read()).toString(), 'still here');
    assert.equal((await t.clone()).number, 1);
    await again.close();
    assert.equal((await ending(socket)).by, 'FIN');
  });

  it('that was duplicated reads ctl on from where the other stopped', async () => {
    for (let i = 0; i < 12; i++) await t.clone();
    const ctl = await t.client.open('tcp/clone', 'rw');
    const again = await ctl.dup();
    assert.deepEqual([await ctl.read(1), await again.read(1), await ctl.read(1)].map(String), ['1', '2', '']);
  });

  it('that was inherited is read by the child, and keeps the conversation for it', async () => {
    const { ctl, data, socket } = await t.connect();
    const child = await data.readInChild(100);
    await close(ctl, data);
    socket.write('to the child');
    const { read } = await child.ended;
    assert.equal(read.toString(), 'to the child');
    assert.equal((await ending(socket)).by, 'FIN');
  });

  it('that was only looked up by O_PATH keeps nothing', async () => {
    const { ctl, dir } = await t.clone();
    for (const file of ['', 'ctl', 'data', 'err', 'listen'])
      await t.client.openWith(`${dir}/${file}`, O_PATH);
    await ctl.close();
    assert.equal((await t.clone()).number, 0);
  });

  it('has no position where there is a stream: lseek(2) is refused', async () => {
    const { ctl, data } = await t.connect();
    for (const file of [ctl, data]) await t.refuses(file.seek(0), 'illegal seek', 'ESPIPE');
  });

  it('reads while another thread writes to it, however long both wait', async () => {
    const { data, socket } = await t.connect();
    const read = data.read();
    assert(await t.pending(read));
    assert.equal(await data.write('question'), 8);
    assert.equal((await receive(socket, 8)).toString(), 'question');
    const { write, before } = await fill(t, data);
    socket.write('answer');
    assert.equal((await read).toString(), 'answer');
    await receive(socket, before + CHUNK.length);
    assert.equal(await write, CHUNK.length);
  });

  it('is closed with its process, whatever that was doing', async () => {
    const other = await t.another();
    const { data, socket } = await t.connect(other);
    const reads = [data.read(), data.read()].map(read => assert.rejects(read));
    assert(await t.pending(Promise.race(reads)));
    process.kill(other.client.pid, 'SIGKILL');
    await Promise.all(reads);
    assert.equal((await ending(socket)).by, 'FIN');
  });
});

for (const by of ['poll', 'select', 'epoll'] as const) {
  onFuse(`${by} of data`, t => {
    it('says at once what can be done', async () => {
      const { data, socket } = await t.connect();
      assert.equal(await data.poll(POLLIN | POLLOUT, 0, by), POLLOUT);
      assert.equal(await data.poll(POLLIN, 0, by), 0);
      socket.write('x');
      await eventually(async () => (await data.poll(POLLIN, 0, by)) === POLLIN);
      assert.equal(await data.poll(POLLIN | POLLOUT, 0, by), POLLIN | POLLOUT);
    });

    it('wakes when bytes come, and takes none', async () => {
      const { data, socket } = await t.connect();
      const polling = data.poll(POLLIN, -1, by);
      assert(await t.pending(polling));
      socket.write('hello');
      assert.equal(await polling, POLLIN);
      assert.equal((await data.read()).toString(), 'hello');
      assert.equal(await data.poll(POLLIN, 0, by), 0);
    });

    it('wakes everybody who waits, again and again', async () => {
      const { data, dir, socket } = await t.connect();
      const other = await (await t.another()).open(`${dir}/data`, 'r');
      for (let i = 0; i < 3; i++) {
        const polling = [data, data, other].map(file => file.poll(POLLIN, -1, by));
        assert(await t.pending(Promise.race(polling)));
        socket.write('x');
        assert.deepEqual(await Promise.all(polling), [POLLIN, POLLIN, POLLIN]);
        assert.equal((await data.read()).toString(), 'x');
      }
    });

    it('wakes when there is room to write', async () => {
      const { data, sent, socket } = await full(t);
      assert.equal(await data.poll(POLLOUT, 0, by), 0);
      const polling = data.poll(POLLOUT, -1, by);
      assert(await t.pending(polling));
      await receive(socket, sent);
      assert.equal(await polling, POLLOUT);
      assert.equal(await data.write('more'), 4);
    });

    it('wakes at the end of the stream, which is read as such', async () => {
      const { data, socket } = await t.connect();
      const polling = data.poll(POLLIN, -1, by);
      assert(await t.pending(polling));
      socket.end();
      assert.equal(await polling, POLLIN);
      assert.equal((await data.read()).length, 0);
    });

    it('wakes when the conversation is hung up', async () => {
      const { ctl, data } = await t.connect();
      const polling = data.poll(POLLIN, -1, by);
      assert(await t.pending(polling));
      await ctl.write('hangup');
      assert((await polling) & POLLIN);
      await t.refuses(data.read(), 'i/o on hungup channel', 'EPIPE');
    });

    it('ends with its time, and by a signal', async () => {
      const { data } = await t.connect();
      assert.equal(await data.poll(POLLIN, 1, by), 0);
      const aborter = new AbortController();
      const polling = data.client.call(by, { a: data.fd, b: POLLIN, c: -1 }, aborter.signal);
      assert(await t.pending(polling));
      aborter.abort(STOPPED);
      await assert.rejects(polling, STOPPED);
    });
  });
}

onFuse('poll', t => {
  it('of data tells the ends apart: RDHUP is the other side, HUP both, ERR a reset', async () => {
    const events = POLLIN | POLLOUT | POLLRDHUP;
    const half = await t.connect();
    half.socket.end();
    await eventually(async () => ((await half.data.poll(events, 0)) & POLLRDHUP) !== 0);
    assert.equal(await half.data.poll(events, 0), POLLIN | POLLOUT | POLLRDHUP);
    await half.ctl.write('close');
    assert.equal(await half.data.poll(events, 0), POLLIN | POLLOUT | POLLRDHUP | POLLHUP);

    const broken = await t.connect();
    const polling = broken.data.poll(POLLIN);
    broken.socket.resetAndDestroy();
    assert.equal(await polling, POLLIN | POLLERR | POLLHUP);
    await t.refuses(broken.data.read(), 'connection refused', 'ECONNRESET');
  });

  it('of data before there is a connection is ready, and hung up: what is tried fails at once', async () => {
    const { dir } = await t.clone();
    const data = await t.client.open(`${dir}/data`, 'rw');
    assert.equal(await data.poll(POLLIN | POLLOUT, 0), POLLIN | POLLOUT | POLLHUP);
  });

  it('of err wakes when there is a text that was not read', async () => {
    const { ctl, dir } = await t.clone();
    const err = await t.client.open(`${dir}/err`, 'r');
    assert.equal(await err.poll(POLLIN, 0), 0);
    const polling = err.poll(POLLIN);
    assert(await t.pending(polling));
    await t.refuses(ctl.write('nonsense'), 'unknown control request', 'EINVAL');
    assert.equal(await polling, POLLIN);
    assert.match((await err.read()).toString(), /^unknown control request/);
    assert.equal(await err.poll(POLLIN, 0), 0);
  });

  it('of what only tells something is always ready', async () => {
    const { dir } = await t.clone();
    for (const path of [`${dir}/status`, `${dir}/local`, 'tcp/stats']) {
      assert.equal(await (await t.client.open(path, 'r')).poll(POLLIN, 0), POLLIN, path);
    }
    const ctl = await t.client.open(`${dir}/ctl`, 'rw');
    assert.equal(await ctl.poll(POLLIN | POLLOUT, 0), POLLIN | POLLOUT);
  });
});

onFuse('O_NONBLOCK', t => {
  it('lets a read that would wait answer EAGAIN, and takes nothing', async () => {
    const { dir, socket } = await t.connect();
    const data = await t.client.openWith(`${dir}/data`, O_RDWR | O_NONBLOCK);
    for (let i = 0; i < 3; i++) await t.refuses(data.read(), ...AGAIN);
    socket.write('hello');
    await data.poll(POLLIN);
    assert.equal((await data.read()).toString(), 'hello');
    await t.refuses(data.read(), ...AGAIN);
    socket.end();
    await data.poll(POLLIN);
    assert.equal((await data.read()).length, 0);
  });

  it('may be set and taken away later, and is for one descriptor only', async () => {
    const { data, dir, socket } = await t.connect();
    const other = await t.client.open(`${dir}/data`, 'r');
    await data.setNonblocking(true);
    await t.refuses(data.read(), ...AGAIN);
    const waiting = other.read();
    assert(await t.pending(waiting));
    await data.setNonblocking(false);
    const second = data.read(1);
    assert(await t.pending(second));
    socket.write('a');
    assert.equal((await waiting).toString(), 'a');
    socket.write('b');
    assert.equal((await second).toString(), 'b');
  });

  it('does not let a read overtake one that waits', async () => {
    const { data, dir, socket } = await t.connect();
    const other = await t.client.openWith(`${dir}/data`, O_RDONLY | O_NONBLOCK);
    const waiting = data.read(1);
    assert(await t.pending(waiting));
    await t.refuses(other.read(1), ...AGAIN);
    socket.write('ab');
    assert.equal((await waiting).toString(), 'a');
    await other.poll(POLLIN);
    assert.equal((await other.read(1)).toString(), 'b');
  });

  it('lets a write that would wait answer EAGAIN or less than all, and nothing is lost or sent twice', async () => {
    const { data, socket } = await t.connect();
    await data.setNonblocking(true);
    const bytes = randomBytes(32 * 1024 * 1024);
    // The remote begins to read when the first write was refused.
    let received: Promise<Buffer> | undefined;
    let short = 0;
    for (let sent = 0; sent < bytes.length;) {
      const part = bytes.subarray(sent, sent + 100_000);
      const n = await data.writeOnce(part).catch(async (error: Error) => {
        await t.refuses(Promise.reject(error), ...AGAIN);
        received ??= receive(socket, bytes.length);
        await data.poll(POLLOUT);
        return 0;
      });
      if (n < part.length) short++;
      sent += n;
    }
    assert(short > 0);
    assert((await received!).equals(bytes));
  });

  it('lets a write to a full connection answer EAGAIN at once, and sends nothing of it', async () => {
    const { data, sent, socket } = await full(t);
    await data.setNonblocking(true);
    for (let i = 0; i < 3; i++) await t.refuses(data.writeOnce('never'), ...AGAIN);
    await receive(socket, sent);
    await data.poll(POLLOUT);
    assert.equal(await data.writeOnce('now'), 3);
    assert.equal((await receive(socket, 3)).toString(), 'now');
  });

  it('lets listen be opened at once: it polls ready when a call waits, and its first read takes it', async () => {
    const announced = await t.announce();
    const listen = await t.client.openWith(`${announced.dir}/listen`, O_RDWR | O_NONBLOCK);
    assert.equal(await listen.poll(POLLIN, 0), 0);
    await t.refuses(listen.read(), ...AGAIN);
    const polling = listen.poll(POLLIN);
    assert(await t.pending(polling));
    const socket = await dial(t, announced.port);
    assert.equal(await polling, POLLIN);
    assert.equal((await listen.read()).toString(), '1');
    assert.equal(await t.text('tcp/1/remote'), `127.0.0.1!${socket.localPort}\n`);
    assert.deepEqual((await listen.stat()).qid, (await t.client.stat('tcp/1/ctl')).qid);
    await listen.write('hangup');
    assert.equal((await ending(socket)).by, 'RST');
    assert.equal(await t.state(announced), 'Listen');
  });

  it('lets two such listens take a call each, and one too many take none', async () => {
    const announced = await t.announce();
    const path = `${announced.dir}/listen`;
    const [first, second] = [
      await t.client.openWith(path, O_RDWR | O_NONBLOCK),
      await t.client.openWith(path, O_RDWR | O_NONBLOCK),
    ];
    const polling = [first, second].map(file => file.poll(POLLIN));
    assert(await t.pending(Promise.race(polling)));
    await dial(t, announced.port);
    assert.deepEqual(await Promise.all(polling), [POLLIN, POLLIN]);
    assert.equal((await second.read()).toString(), '1');
    await t.refuses(first.read(), ...AGAIN);
    await dial(t, announced.port);
    await first.poll(POLLIN);
    assert.equal((await first.read()).toString(), '2');
  });

  it('keeps an announcement open by such a listen, until it is closed', async () => {
    const announced = await t.announce();
    const listen = await t.client.openWith(`${announced.dir}/listen`, O_RDWR | O_NONBLOCK);
    await announced.ctl.close();
    assert.equal(await t.state(announced), 'Listen');
    await listen.close();
    assert.equal(await t.state(announced), 'Closed');
  });

  it('does not keep an announcement by the call that such a listen took', async () => {
    const announced = await t.announce();
    const listen = await t.client.openWith(`${announced.dir}/listen`, O_RDWR | O_NONBLOCK);
    const socket = await call(announced.port);
    t.after(() => socket.destroy());
    assert.deepEqual(await listen.poll(POLLIN, -1), POLLIN);
    assert.notEqual((await listen.read()).toString(), String(announced.number));
    await announced.ctl.close();
    await eventually(async () => (await t.state(announced)) === 'Closed');
    await listen.close();
  });

  it('makes a listen of what is not announced fail when it is opened', async () => {
    const { dir } = await t.clone();
    const opening = t.client.openWith(`${dir}/listen`, O_RDWR | O_NONBLOCK);
    await t.refuses(opening, 'not announced', 'EINVAL');
  });
});

/** Waits until a process sleeps in the kernel. */
const sleeps = ({ pid }: Reader): Promise<void> =>
  eventually(() => Promise.resolve(/\) S /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))));

onFuse('a reader that waits', t => {
  for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
    it(`is gone by ${signal}, and has taken nothing`, async () => {
      const { data, socket } = await t.connect();
      const reader = await data.readInChild(100);
      await sleeps(reader);
      process.kill(reader.pid, signal);
      assert.equal((await reader.ended).signal, os.signals[signal]);
      socket.write('kept');
      assert.equal((await data.read()).toString(), 'kept');
    });

    it(`is gone by ${signal} with bytes on the way, and has taken all of them or none`, async () => {
      const { data, socket } = await t.connect();
      for (let i = 0; i < 20; i++) {
        const reader = await data.readInChild(100);
        await sleeps(reader);
        socket.write('x');
        process.kill(reader.pid, signal);
        const { signal: by, read } = await reader.ended;
        // What read(2) returned in a process that was killed before it could tell is lost with it.
        if (by === 0) assert.equal(read.toString(), 'x');
        socket.write('|');
        let rest = '';
        while (!rest.endsWith('|')) rest += (await data.read()).toString();
        assert(by === 0 ? rest === '|' : /^x?\|$/.test(rest), rest);
      }
    });
  }

  it('is one of three thousand, all of which are stopped; none holds a thread of the server', async function () {
    this.timeout(60_000);
    const { data, socket } = await t.connect();
    const before = threads();
    const aborter = new AbortController();
    setMaxListeners(0, aborter.signal);
    const reads = Array.from({ length: 3000 }, () =>
      data.read(1, undefined, aborter.signal).then(
        () => 'read',
        (error: unknown) => error,
      ),
    );
    assert(await t.pending(Promise.race(reads)));
    assert(threads() <= before + 4, `${threads()} threads, and ${before} before`);
    aborter.abort(STOPPED);
    assert((await Promise.all(reads)).every(outcome => outcome === STOPPED));
    socket.write('kept');
    assert.equal((await data.read()).toString(), 'kept');
  });
});

const threads = (): number =>
  Number(/^Threads:\s*(\d+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))![1]);

/** Where nobody ever answers. */
const silence: Dialer = {
  ...hostDialer,
  connect: (_to, _options, signal) =>
    new Promise((_resolve, reject) => onAbort(signal, () => reject(signal.reason as Error))),
};

/** What else a process may do with a file that somebody writes to. */
async function useBeside(other: FuseTree, path: string): Promise<void> {
  assert.equal((await other.stat(path)).length, 0);
  await other.call('access', path, { a: constants.R_OK });
  await other.chmod(path, 0o640);
  await other.call('truncate', path);
  await other.call('utimes', path, { a: 1, b: 1 });
  const file = await other.openWith(path, O_WRONLY | O_TRUNC);
  assert.equal((await file.stat()).mode, 0o640);
  await other.client.call('ftruncate', { a: file.fd });
  await other.client.call('fsync', { a: file.fd });
  await file.close();
}

onFuse(
  'a connect that waits',
  t => {
    it("holds up no other process's open, write, chmod, stat and truncation of the same ctl", async () => {
      const conv = await t.clone();
      const other = await t.another();
      const connect = conv.ctl.write('connect 127.0.0.1!1');
      assert(await t.pending(connect));
      await useBeside(other, `${conv.dir}/ctl`);
      await useBeside(other, `${conv.dir}/data`);
      const ctl = await other.open(`${conv.dir}/ctl`, 'rw');
      assert.equal(await ctl.write('ttl 7'), 5);
      assert.equal((await ctl.read(32)).toString(), '0');
      assert(await t.pending(connect));
      await ctl.write('hangup');
      await t.refuses(connect, 'i/o on hungup channel', 'EPIPE');
    });

    it('lets its own descriptor be read', async () => {
      const conv = await t.clone();
      const connect = conv.ctl.write('connect 127.0.0.1!1');
      assert(await t.pending(connect));
      assert.equal(await t.number(conv.ctl), '0');
      await t.client.writeFile(`${conv.dir}/ctl`, 'hangup');
      await assert.rejects(connect);
    });

    it('waits on a descriptor with O_NONBLOCK, too', async () => {
      const ctl = await t.client.openWith('tcp/clone', O_RDWR | O_NONBLOCK);
      const aborter = new AbortController();
      const connect = ctl.write('connect 127.0.0.1!1', undefined, aborter.signal);
      assert(await t.pending(connect));
      aborter.abort(STOPPED);
      await assert.rejects(connect, STOPPED);
    });

    it('lets data poll as not ready, and with O_NONBLOCK answer EAGAIN', async () => {
      const conv = await t.clone();
      const data = await t.client.openWith(`${conv.dir}/data`, O_RDWR | O_NONBLOCK);
      const connect = conv.ctl.write('connect 127.0.0.1!1');
      assert(await t.pending(connect));
      assert.equal(await data.poll(POLLIN | POLLOUT, 0), 0);
      await t.refuses(data.read(), ...AGAIN);
      await t.refuses(data.write('x'), ...AGAIN);
      const polling = data.poll(POLLOUT);
      assert(await t.pending(polling));
      await t.client.writeFile(`${conv.dir}/ctl`, 'hangup');
      await assert.rejects(connect);
      assert.equal(await polling, POLLOUT | POLLHUP);
    });
  },
  () => ({ dialer: silence }),
);

onFuse('a write that waits', t => {
  it("holds up no other process's open, read, chmod, stat and truncation of the same data", async () => {
    const { data, dir, socket } = await t.connect();
    const { write, before } = await fill(t, data);
    const other = await t.another();
    await useBeside(other, `${dir}/data`);
    socket.write('hi');
    const reader = await other.open(`${dir}/data`, 'r');
    assert.equal((await reader.read()).toString(), 'hi');
    assert(await t.pending(write));
    await receive(socket, before + CHUNK.length);
    assert.equal(await write, CHUNK.length);
  });

  it("lets another process's write wait for its turn, and be stopped", async () => {
    const { data, dir } = await t.connect();
    const { write } = await fill(t, data);
    const other = await (await t.another()).open(`${dir}/data`, 'w');
    const aborter = new AbortController();
    const second = other.write('never', undefined, aborter.signal);
    assert(await t.pending(second));
    aborter.abort(STOPPED);
    await assert.rejects(second, STOPPED);
    assert(await t.pending(write));
  });
});

onFuse(
  'who a process is',
  t => {
    const STRANGER = 71234;
    let dir: string;
    beforeEach(async () => {
      await t.client.chmod('tcp/clone', 0o666);
      dir = (await t.clone(await t.as(ALICE))).dir;
    });

    /** May he read, write? By open(2) and by access(2), which have to agree. */
    async function may(caller: { uid: number; gid: number; groups: readonly number[] }): Promise<string> {
      const client = await t.as(caller);
      const granted: string[] = [];
      for (const [letter, mode, bit] of [
        ['r', O_RDONLY, constants.R_OK],
        ['w', O_WRONLY, constants.W_OK],
      ] as const) {
        const answers = [
          client.openWith(`${dir}/data`, mode).then(file => file.close()),
          client.call('access', `${dir}/data`, { a: bit }),
        ];
        const outcomes = await Promise.all(
          answers.map(answer =>
            answer.then(
              () => true,
              (error: Error) => t.refuses(Promise.reject(error), ...DENIED).then(() => false),
            ),
          ),
        );
        assert.equal(outcomes[0], outcomes[1], `open and access, ${letter}`);
        if (outcomes[0]) granted.push(letter);
      }
      client.close();
      return granted.join('');
    }

    async function share(mode: number): Promise<void> {
      await t.client.setStat(`${dir}/ctl`, { gid: TEAM, mode });
    }

    it('is told by its supplementary groups, exactly as they are in that process', async () => {
      await share(0o640);
      assert.equal(await may({ uid: BOB.uid, gid: BOB.gid, groups: [BOB.gid, TEAM] }), 'r');
      assert.equal(await may({ uid: BOB.uid, gid: BOB.gid, groups: [TEAM] }), 'r');
      // The database knows Bob as a member; this process of his is none.
      assert.equal(await may({ uid: BOB.uid, gid: BOB.gid, groups: [BOB.gid] }), '');
      assert.equal(await may({ uid: BOB.uid, gid: BOB.gid, groups: [] }), '');
      // And Carol as none; this process of hers is one.
      assert.equal(await may({ uid: CAROL.uid, gid: CAROL.gid, groups: [TEAM] }), 'r');
      assert.equal(await may({ uid: CAROL.uid, gid: TEAM, groups: [] }), 'r');
    });

    it('finds a group among many', async () => {
      await share(0o660);
      const others = Array.from({ length: 50 }, (_, i) => 80000 + i);
      assert.equal(await may({ ...BOB, groups: others }), '');
      assert.equal(await may({ ...BOB, groups: [...others, TEAM] }), 'rw');
    });

    it('is a stranger by his number, whom the database does not know', async () => {
      await share(0o642);
      assert.equal(await may({ uid: STRANGER, gid: STRANGER, groups: [] }), 'w');
      assert.equal(await may({ uid: STRANGER, gid: STRANGER, groups: [TEAM] }), 'r');
    });

    it('counts as owner first, then as member, then as anybody, and never as two', async () => {
      await share(0o066);
      assert.equal(await may({ ...ALICE, groups: [TEAM] }), '');
      await share(0o426);
      assert.equal(await may({ ...ALICE, groups: [TEAM] }), 'r');
      assert.equal(await may({ ...BOB, groups: [TEAM] }), 'w');
      assert.equal(await may({ ...BOB, groups: [] }), 'rw');
      await share(0o606);
      assert.equal(await may({ ...BOB, groups: [TEAM] }), '');
    });

    it("is not the server's owner for being root", async () => {
      const root = { uid: 0, gid: 0, groups: [] };
      assert.equal(await may(root), '');
      await share(0o604);
      assert.equal(await may(root), 'r');
    });

    it('decides when a file is opened: what is open goes on when its directories are closed', async () => {
      const alice = await t.as(ALICE);
      const ctl = await alice.open(`${dir}/ctl`, 'rw');
      await t.client.chmod('tcp', 0o700);
      await t.refuses(alice.open(`${dir}/ctl`, 'rw'), ...DENIED);
      await t.refuses(alice.stat(`${dir}/ctl`), ...DENIED);
      assert.equal(await t.number(ctl), '0');
      await ctl.write('announce 127.0.0.1!0');
      assert.equal((await ctl.stat()).uid, ALICE.uid);
      assert.equal(await t.state({ ctl, number: 0, dir }), 'Listen');
    });

    it('is asked by chdir(2) and access(2) as by open(2)', async () => {
      const alice = await t.as(ALICE);
      await alice.call('access', 'tcp', { a: constants.X_OK });
      await t.client.chmod('tcp', 0o750);
      await t.refuses(alice.call('access', 'tcp', { a: constants.X_OK }), ...DENIED);
      await t.refuses(alice.call('access', `${dir}/ctl`, { a: constants.F_OK }), ...DENIED);
    });
  },
  () => ({ owner: GLENDA, users: people }),
);
