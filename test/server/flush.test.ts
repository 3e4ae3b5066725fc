/** flush(5): what a client takes back is answered at once and has consumed nothing. */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import * as b from './bytes.ts';
import { DIALECTS, R } from './bytes.ts';
import { assertError, Rig, socketCount, turns, until, type RawClient } from './rig.ts';
import { BlackHole } from './sockets.ts';

const CTL = 1;
const DATA = 2;
const MiB = 1024 * 1024;

const types = (answers: readonly { type: number; tag: number }[]): string[] =>
  answers.map(({ type, tag }) => `${type} tag ${tag}`);
const rflush = (tag: number): string => `${R.flush} tag ${tag}`;

for (const dialect of DIALECTS) {
  describe(`Tflush in ${dialect}`, () => {
    let rig: Rig;
    let client: RawClient;

    beforeEach(async () => {
      rig = await Rig.start();
      client = await rig.client(dialect, MiB);
    });

    afterEach(() => rig.stop());

    /** A conversation with a peer that does what the test says. */
    async function dialled(): Promise<{ dir: string; peer: Socket }> {
      const { address, socket } = await rig.peers.one();
      const dir = await client.dial(CTL, DATA, address);
      return { dir, peer: await socket };
    }

    describe('of a blocked Tread of data', () => {
      it('is answered at once, and the read is not', async () => {
        await dialled();
        client.send(b.Tread(5, DATA, 0, 100));
        assert.equal((await client.call(b.Tflush(6, 5))).type, R.flush);
        assert.equal(client.session.requestsInFlight, 0);
      });

      it('takes no bytes: a later read gets them all', async () => {
        const { peer } = await dialled();
        client.send(b.Tread(5, DATA, 0, 100), b.Tflush(6, 5));
        assert.deepEqual(types([await client.next()]), [rflush(6)]);
        peer.write('hello');
        assert.equal((await client.read(DATA)).toString(), 'hello');
      });

      it('frees its tag for use in the next message', async () => {
        const { peer } = await dialled();
        client.send(b.Tread(5, DATA, 0, 100), b.Tflush(6, 5));
        await client.next();
        client.send(b.Tread(5, DATA, 0, 100));
        peer.write('again');
        const answer = await client.next();
        assert.equal(answer.tag, 5);
        assert.equal(answer.text, 'again');
      });

      it('leaves the reads before and behind it in line', async () => {
        const { peer } = await dialled();
        client.send(b.Tread(1, DATA, 0, 1), b.Tread(2, DATA, 0, 1), b.Tread(3, DATA, 0, 1));
        await client.call(b.Tflush(4, 2));
        peer.write('ab');
        const [first, second] = await client.nexts(2);
        assert.deepEqual([first!.tag, first!.text], [1, 'a']);
        assert.deepEqual([second!.tag, second!.text], [3, 'b']);
      });

      it('is no error of the conversation', async () => {
        const { dir } = await dialled();
        client.send(b.Tread(5, DATA, 0, 100), b.Tflush(6, 5));
        await client.next();
        assert.equal(await client.file(`${dir}/err`), '');
      });

      it('loses and repeats no byte when bytes come at the same time', async () => {
        const { peer } = await dialled();
        const rounds = 300;
        let got = Buffer.alloc(0);
        for (let i = 0; i < rounds; i++) {
          peer.write(Buffer.from([i & 0xff]));
          client.send(b.Tread(5, DATA, 0, 100));
          if (i % 3 > 0) await turns(i % 3);
          client.send(b.Tflush(6, 5));
          let answer = await client.next();
          if (answer.tag === 5) {
            got = Buffer.concat([got, answer.data]);
            answer = await client.next();
          }
          assert.deepEqual(types([answer]), [rflush(6)]);
        }
        while (got.length < rounds) got = Buffer.concat([got, await client.read(DATA)]);
        assert.deepEqual(got, Buffer.from(Array.from({ length: rounds }, (_, i) => i & 0xff)));
      });
    });

    describe('of a blocked open of listen', () => {
      it('is answered at once and accepts no call', async () => {
        const { dir, port } = await client.announce(CTL);
        await client.walk(3, `${dir}/listen`);
        client.send(b.open(dialect, 5, 3, b.ORDWR), b.Tflush(6, 5));
        assert.deepEqual(types([await client.next()]), [rflush(6)]);
        const caller = await rig.peers.call(port);
        caller.socket.write('still here');
        // The same fid, which is not open: the call is taken by its next open.
        const opened = await client.ok(b.open(dialect, 5, 3, b.ORDWR));
        assert.equal(opened.qid().type, 0);
        const number = (await client.read(3)).toString();
        await client.open(4, `tcp/${number}/data`);
        assert.equal((await client.read(4)).toString(), 'still here');
      });

      it('makes no conversation', async () => {
        const { dir } = await client.announce(CTL);
        const before = rig.inUse();
        await client.walk(3, `${dir}/listen`);
        client.send(b.open(dialect, 5, 3, b.ORDWR), b.Tflush(6, 5));
        await client.next();
        assert.equal(rig.inUse(), before);
      });

      it('loses no call that comes at the same time', async () => {
        const { dir, port } = await client.announce(CTL);
        const calls = 60;
        const seen = new Set<string>();
        const take = async (): Promise<void> => {
          const number = (await client.read(3)).toString();
          seen.add((await client.file(`tcp/${number}/remote`)).trim());
          await client.clunk(3);
        };
        const callers: string[] = [];
        for (let i = 0; i < calls; i++) {
          await client.walk(3, `${dir}/listen`);
          const calling = rig.peers.call(port);
          client.send(b.open(dialect, 5, 3, b.ORDWR));
          await turns(i % 4);
          client.send(b.Tflush(6, 5));
          const answer = await client.next();
          if (answer.tag === 5) {
            assert.equal((await client.next()).type, R.flush);
            await take();
          } else await client.clunk(3);
          callers.push((await calling).local);
        }
        while (seen.size < calls) {
          await client.open(3, `${dir}/listen`);
          await take();
        }
        assert.deepEqual([...seen].sort(), callers.sort(), 'each call was taken once');
      });
    });

    describe('of a connect to a destination that never answers', () => {
      let hole: BlackHole;

      beforeEach(async () => (hole = await BlackHole.dig()));
      afterEach(() => hole.close());

      it('is answered at once and leaves no socket behind', async () => {
        await client.clone(CTL);
        const before = socketCount();
        client.send(b.Twrite(5, CTL, 0, `connect ${hole.address}`));
        await until(() => socketCount() > before);
        assert.deepEqual(types([await client.call(b.Tflush(6, 5))]), [rflush(6)]);
        await until(() => socketCount() === before);
      });

      it('has not begun: the conversation connects elsewhere', async () => {
        const dir = await client.clone(CTL);
        client.send(b.Twrite(5, CTL, 0, `connect ${hole.address}`), b.Tflush(6, 5));
        assert.deepEqual(types([await client.next()]), [rflush(6)]);
        assert.match(await client.file(`${dir}/status`), /^Closed /);
        assert.equal(await client.file(`${dir}/remote`), '::!0\n');
        await client.write(CTL, `connect ${await rig.peers.echo()}`);
        await client.open(DATA, `${dir}/data`);
        await client.write(DATA, 'hello');
        assert.equal((await client.read(DATA)).toString(), 'hello');
      });

      it('fails the reads and writes of data that waited for it', async () => {
        const dir = await client.clone(CTL);
        await client.open(DATA, `${dir}/data`);
        client.send(b.Twrite(5, CTL, 0, `connect ${hole.address}`));
        client.send(b.Tread(7, DATA, 0, 10), b.Tflush(6, 5));
        const answers = await client.nexts(2);
        assert.deepEqual(new Set(answers.map(({ tag }) => tag)), new Set([6, 7]));
        assert(answers.find(({ tag }) => tag === 7)!.error);
      });
    });

    describe('of a Twrite of data that the peer does not read', () => {
      /** Differs from place to place, so that a gap or a repetition shows. */
      const pattern = (seed: number): Buffer =>
        Buffer.from(Uint32Array.from({ length: (MiB - 64) / 4 }, (_, i) => (seed << 20) + i).buffer);

      it('answers what went before the Rflush, and that is what the peer gets', async () => {
        const { peer } = await dialled();
        peer.pause();
        const writes = Array.from({ length: 40 }, (_, i) => pattern(i));
        for (const [i, bytes] of writes.entries()) client.send(b.Twrite(100 + i, DATA, 0, bytes));
        for (const i of writes.keys()) client.send(b.Tflush(200 + i, 100 + i));
        const took = new Map<number, number>();
        const done = new Set<number>();
        for (let flushed = 0; flushed < writes.length;) {
          const answer = await client.next();
          if (answer.type === R.flush) {
            done.add(answer.tag - 100);
            flushed++;
          } else {
            assert.equal(answer.type, R.write);
            assert(!done.has(answer.tag), 'before its Rflush');
            took.set(answer.tag - 100, answer.u32());
          }
        }
        const counts = [...took.values()];
        assert(counts.length < writes.length, 'some were never begun');
        assert(
          counts.some(n => n < MiB - 64),
          'one was cut',
        );
        assert(!counts.includes(0), 'a write that sent nothing is not answered');
        const end = Buffer.from('the end');
        const last = client.write(DATA, end);
        const expected = Buffer.concat([...[...took].map(([i, n]) => writes[i]!.subarray(0, n)), end]);
        let got = 0;
        await new Promise<void>(resolve => {
          peer.on('data', (chunk: Buffer) => {
            assert(chunk.equals(expected.subarray(got, got + chunk.length)), `byte ${got} on`);
            got += chunk.length;
            if (got === expected.length) resolve();
          });
          peer.resume();
        });
        assert.equal(await last, end.length);
      });
    });

    describe('in odd cases', () => {
      it('of a flush is answered behind it', async () => {
        await dialled();
        client.send(b.Tread(5, DATA, 0, 100), b.Tflush(6, 5), b.Tflush(7, 6));
        assert.deepEqual(types(await client.nexts(2)), [rflush(6), rflush(7)]);
      });

      it('of a tag that is not in use is answered', async () => {
        assert.deepEqual(types([await client.call(b.Tflush(6, 77))]), [rflush(6)]);
      });

      it('of itself is answered', async () => {
        assert.deepEqual(types([await client.call(b.Tflush(6, 6))]), [rflush(6)]);
      });

      it('of a request that was answered is answered', async () => {
        await client.ok(b.stat(dialect, 5, 0));
        assert.deepEqual(types([await client.call(b.Tflush(6, 5))]), [rflush(6)]);
      });

      it('in one piece with a request that does not wait lets it answer first', async () => {
        client.send(b.stat(dialect, 5, 0), b.Tflush(6, 5), b.stat(dialect, 5, 0), b.Tflush(6, 5));
        const tags = (await client.nexts(4)).map(({ tag }) => tag);
        assert.deepEqual(tags, [5, 6, 5, 6]);
      });

      it('a hundred times over answers each, in order', async () => {
        await dialled();
        const tags = Array.from({ length: 100 }, (_, i) => 100 + i);
        client.send(b.Tread(5, DATA, 0, 100), ...tags.map(tag => b.Tflush(tag, 5)));
        assert.deepEqual(types(await client.nexts(100)), tags.map(rflush));
        assert.equal(client.session.requestsInFlight, 0);
      });

      it('with a tag that is in use is refused, and what used it goes on', async () => {
        const { peer } = await dialled();
        client.send(b.Tread(5, DATA, 0, 100), b.Tread(6, DATA, 0, 100), b.Tflush(6, 5));
        assertError(await client.next(), dialect, 'duplicate tag', 'EPROTO');
        peer.write('x');
        assert.equal((await client.next()).tag, 5);
      });

      it('of many requests at once leaves none', async () => {
        await dialled();
        const n = 1000;
        for (let i = 0; i < n; i++) client.send(b.Tread(i, DATA, 0, 10));
        for (let i = 0; i < n; i++) client.send(b.Tflush(n + i, i));
        const answers = await client.nexts(n);
        assert.deepEqual(
          types(answers),
          Array.from({ length: n }, (_, i) => rflush(n + i)),
        );
        assert.equal(client.session.requestsInFlight, 0);
      });
    });
  });

  describe(`what waits in ${dialect}`, () => {
    let rig: Rig;
    let client: RawClient;

    beforeEach(async () => {
      rig = await Rig.start();
      client = await rig.client(dialect);
    });

    afterEach(() => rig.stop());

    it('fails when its fid is clunked, and the socket is closed', async () => {
      const { address, socket } = await rig.peers.one();
      await client.dial(CTL, DATA, address);
      const peer = await socket;
      const ended = new Promise(resolve => peer.resume().once('end', resolve));
      await client.clunk(CTL);
      client.send(b.Tread(5, DATA, 0, 100), b.Tclunk(6, DATA));
      const answers = await client.nexts(2);
      const read = answers.find(({ tag }) => tag === 5)!;
      assertError(read, dialect, 'i/o on hungup channel', 'EPIPE');
      assert.equal(answers.find(({ tag }) => tag === 6)!.type, R.clunk);
      await ended;
      assert.equal(rig.inUse(), 0);
    });

    it('fails when its fid is clunked, though another fid keeps the conversation', async () => {
      const { address, socket } = await rig.peers.one();
      await client.dial(CTL, DATA, address);
      client.send(b.Tread(5, DATA, 0, 100), b.Tclunk(6, DATA));
      const answers = await client.nexts(2);
      assertError(
        answers.find(({ tag }) => tag === 5)!,
        dialect,
        'i/o on hungup channel',
        'EPIPE',
      );
      (await socket).write('for the next');
      await client.open(DATA, 'tcp/0/data');
      assert.equal((await client.read(DATA)).toString(), 'for the next');
    });

    it('for a call fails when its fid is clunked, and the call stays', async () => {
      const { dir, port } = await client.announce(CTL);
      await client.walk(3, `${dir}/listen`);
      client.send(b.open(dialect, 5, 3, b.ORDWR), b.Tclunk(6, 3));
      const answers = await client.nexts(2);
      assert(answers.find(({ tag }) => tag === 5)!.error);
      assert.equal(answers.find(({ tag }) => tag === 6)!.type, R.clunk);
      const caller = await rig.peers.call(port);
      await client.open(3, `${dir}/listen`);
      const number = (await client.read(3)).toString();
      assert.equal(await client.file(`tcp/${number}/remote`), `${caller.local}\n`);
    });

    it('does not delay anything else, a thousand reads or one', async () => {
      const { address } = await rig.peers.one();
      await client.dial(CTL, DATA, address);
      await client.dial(11, 12, await rig.peers.echo());
      for (let i = 0; i < 1000; i++) client.send(b.Tread(1000 + i, DATA, 0, 100));
      await client.ok(b.stat(dialect, 5, DATA));
      await client.write(12, 'hello');
      assert.equal((await client.read(12)).toString(), 'hello');
      assert.equal(client.session.requestsInFlight, 1000);
    });

    it('to be written keeps its bytes, whatever else comes in meanwhile', async () => {
      const { address, socket } = await rig.peers.one();
      await client.dial(CTL, DATA, address);
      const peer = (await socket).pause();
      const other = await rig.client(dialect, MiB);
      await other.dial(CTL, DATA, await rig.peers.listen(socket => void socket.resume()));
      const writes = Array.from({ length: 300 }, (_, i) => Buffer.alloc(i < 250 ? 60_000 : 1 + i, i));
      // Small ones come many to a chunk; a chunk is the session's only for a moment.
      for (const [i, bytes] of writes.entries()) client.send(b.Twrite(100 + i, DATA, 0, bytes));
      client.send(b.stat(dialect, 5, DATA));
      await until(() => client.answers.some(({ tag }) => tag === 5));
      for (let i = 0; i < 20; i++) await other.write(DATA, Buffer.alloc(MiB / 2, 0xff));
      const expected = Buffer.concat(writes);
      let got = 0;
      peer.on('data', (chunk: Buffer) => {
        assert(chunk.equals(expected.subarray(got, got + chunk.length)), `byte ${got} on`);
        got += chunk.length;
      });
      peer.resume();
      await until(() => got === expected.length);
    });

    it('is aborted when the client hangs up: no fid, request or socket is left', async () => {
      const hole = await BlackHole.dig();
      const { address, socket } = await rig.peers.one();
      const before = socketCount();
      const other = await rig.client(dialect);
      await other.dial(CTL, DATA, address);
      const peer = await socket;
      const { dir } = await other.announce(3);
      await other.walk(4, `${dir}/listen`);
      await other.clone(5);
      other.send(
        b.Tread(10, DATA, 0, 100),
        b.open(dialect, 11, 4, b.ORDWR),
        b.Twrite(12, 5, 0, `connect ${hole.address}`),
      );
      for (let i = 0; i < 400; i++) other.send(b.Twrite(100 + i, DATA, 0, Buffer.alloc(60_000)));
      await until(() => other.session.requestsInFlight > 50);
      const closed = new Promise(resolve => peer.once('close', resolve));
      other.socket.destroy();
      await other.session.ended;
      assert.equal(other.session.fids.size, 0);
      assert.equal(other.session.requestsInFlight, 0);
      await until(() => rig.inUse() === 0);
      peer.resume().once('end', () => peer.end());
      await closed;
      await until(() => socketCount() <= before);
      hole.close();
    });
  });
}
