/** What a client gets that does wrong, or asks what /net cannot do; and that nobody else notices. */
import assert from 'node:assert/strict';
import type { Dialect } from '../../src/server/9p/messages.ts';
import { DEFAULT_LIMITS } from '../../src/server/9p/session.ts';
import * as b from './bytes.ts';
import { DIALECTS, R } from './bytes.ts';
import { assertError, Rig, until, type RawClient } from './rig.ts';

const others = (dialect: Dialect): readonly Dialect[] => DIALECTS.filter(other => other !== dialect);
const isL = (dialect: Dialect): boolean => dialect === '9P2000.L';

for (const dialect of DIALECTS) {
  describe(`a mistake in ${dialect}`, () => {
    let rig: Rig;
    let client: RawClient;

    beforeEach(async () => {
      rig = await Rig.start();
      client = await rig.client(dialect);
    });

    afterEach(async () => {
      // Whatever was refused, the session is as good as before.
      if (!client.socket.destroyed) await client.ok(b.stat(dialect, 99, 0));
      await rig.stop();
    });

    // ---- messages ---------------------------------------------------------------------------------

    describe('in a message', () => {
      for (const type of [0, 1, 2, 6, 10, 60, 99, 128, 200, 255]) {
        it(`of the unknown type ${type} is refused by its tag`, async () => {
          await client.refused(b.frame(type, 5, b.u32(0)), 'unknown message', 'EOPNOTSUPP');
        });
      }

      for (const type of [R.version, R.attach, R.flush, R.walk, R.read, R.clunk]) {
        it(`of type ${type}, which only a server sends, is refused`, async () => {
          const answer = await client.call(b.frame(type, 5, b.u32(0)));
          assert(answer.error);
        });
      }

      it('of type 106, which nobody sends, is refused', async () => {
        await client.refused(b.frame(106, 5), 'unknown message', 'EOPNOTSUPP');
      });

      it('of another dialect is refused as unknown', async () => {
        const foreign = isL(dialect)
          ? [b.Topen(5, 0, 0), b.Tstat(5, 0), b.Tcreate('9P2000', 5, 0, 'x', 0, 0), b.Twstat('9P2000', 5, 0)]
          : [b.Tlopen(5, 0, 0), b.Tgetattr(5, 0), b.Treaddir(5, 0, 0, 100), b.Tstatfs(5, 0), b.Tfsync(5, 0)];
        for (const message of foreign) await client.refused(message, 'unknown message', 'EOPNOTSUPP');
      });

      it('with bytes missing or too many is refused as malformed', async () => {
        const malformed = [
          b.frame(120, 5),
          b.frame(120, 5, b.u16(0)),
          b.frame(120, 5, b.u32(0), b.u8(0)),
          b.frame(110, 5, b.u32(0), b.u32(1), b.u16(2), b.str('tcp')),
          b.frame(110, 5, b.u32(0), b.u32(1), b.u16(0xffff)),
          b.frame(118, 5, b.u32(0), b.u64(0), b.u32(100), Buffer.from('short')),
          b.frame(118, 5, b.u32(0), b.u64(0), b.u32(0xffffffff)),
          b.frame(118, 5, b.u32(0), b.u64(0), b.u32(1), Buffer.from('long')),
          b.frame(100, 5, b.u32(8192), b.u16(500), Buffer.from('9P2000')),
        ];
        for (const message of malformed) await client.refused(message, 'malformed message', 'EPROTO');
      });

      it('whose size is less than a header ends the connection', async () => {
        for (const size of [0, 4, 6]) {
          const other = await rig.client(dialect);
          other.send(b.u32(size), Buffer.alloc(8));
          await other.closed;
        }
      });

      it('whose size is more than msize ends the connection, before it is all there', async () => {
        for (const size of [64 * 1024 + 1, 0x7fffffff, 0xffffffff]) {
          const other = await rig.client(dialect);
          other.send(b.u32(size));
          await other.closed;
        }
      });

      it('as long as msize is taken', async () => {
        await client.dial(1, 2, await rig.peers.echo());
        const bytes = Buffer.alloc(64 * 1024 - 23, 'x');
        assert.equal(await client.write(2, bytes), bytes.length);
      });
    });

    // ---- fids and tags ----------------------------------------------------------------------------

    describe('with a fid', () => {
      const UNKNOWN = 77;
      it('that is not there is refused by every message', async () => {
        const old = [
          b.Topen(5, UNKNOWN, 0),
          b.Tstat(5, UNKNOWN),
          b.Twstat(dialect, 5, UNKNOWN),
          b.Tcreate(dialect, 5, UNKNOWN, 'x', 0, 0),
        ];
        const linux = [
          b.Tlopen(5, UNKNOWN, 0),
          b.Tgetattr(5, UNKNOWN),
          b.Tsetattr(5, UNKNOWN, { valid: 0 }),
          b.Treaddir(5, UNKNOWN, 0, 100),
          b.Tstatfs(5, UNKNOWN),
          b.Tfsync(5, UNKNOWN, 0),
          b.Tlock(5, UNKNOWN, { kind: b.LOCK.read }),
          b.Tgetlock(5, UNKNOWN, { kind: b.LOCK.read }),
          b.Txattrwalk(5, UNKNOWN, 78, ''),
          b.Txattrcreate(5, UNKNOWN, 'user.x'),
          b.Treadlink(5, UNKNOWN),
          b.Tlcreate(5, UNKNOWN, 'x'),
          b.Tsymlink(5, UNKNOWN, 'x', 'y'),
          b.Tmknod(5, UNKNOWN, 'x'),
          b.Tmkdir(5, UNKNOWN, 'x'),
          b.Tlink(5, 0, UNKNOWN, 'x'),
          b.Tlink(5, UNKNOWN, 0, 'x'),
          b.Trename(5, UNKNOWN, 0, 'x'),
          b.Trename(5, 0, UNKNOWN, 'x'),
          b.Trenameat(5, UNKNOWN, 'x', 0, 'y'),
          b.Trenameat(5, 0, 'x', UNKNOWN, 'y'),
          b.Tunlinkat(5, UNKNOWN, 'x'),
        ];
        const all = [
          b.Twalk(5, UNKNOWN, 78),
          b.Twalk(5, UNKNOWN, 78, 'tcp'),
          b.Tread(5, UNKNOWN, 0, 10),
          b.Twrite(5, UNKNOWN, 0, 'x'),
          b.Tclunk(5, UNKNOWN),
          b.Tremove(5, UNKNOWN),
        ];
        for (const message of [...all, ...(isL(dialect) ? linux : old)]) {
          await client.refused(message, 'unknown fid', 'EBADF');
        }
      });

      it('that is in use already is refused by attach and walk', async () => {
        await client.walk(1, 'tcp');
        await client.refused(b.Tattach(dialect, 5, 1), 'duplicate fid', 'EBADF');
        await client.refused(b.Twalk(5, 0, 1), 'duplicate fid', 'EBADF');
        await client.refused(b.Twalk(5, 0, 1, 'tcp'), 'duplicate fid', 'EBADF');
        if (isL(dialect)) await client.refused(b.Txattrwalk(5, 0, 1, ''), 'duplicate fid', 'EBADF');
        assert.equal(client.session.fids.size, 2);
      });

      it('is free again once it is clunked', async () => {
        await client.walk(1, 'tcp');
        await client.clunk(1);
        await client.refused(b.Tclunk(5, 1), 'unknown fid', 'EBADF');
        await client.walk(1, 'tcp');
      });

      it('that has the number NOFID is as any other', async () => {
        await client.refused(b.Tclunk(5, b.NOFID), 'unknown fid', 'EBADF');
      });

      it('beyond the limit is refused, and what there is goes on', async () => {
        const small = await Rig.start({ limits: { ...DEFAULT_LIMITS, fids: 10 } });
        const other = await small.client(dialect);
        for (let fid = 1; fid < 10; fid++) await other.walk(fid, 'tcp');
        await other.refused(b.Twalk(5, 0, 10), 'too many fids', 'ENFILE');
        await other.refused(b.Tattach(dialect, 5, 10), 'too many fids', 'ENFILE');
        await other.clunk(3);
        await other.walk(10, 'tcp');
        await small.stop();
      });
    });

    describe('with a tag', () => {
      it('that is in use is refused, and the first request goes on', async () => {
        const { address, socket } = await rig.peers.one();
        await client.dial(1, 2, address);
        client.send(b.Tread(5, 2, 0, 100), b.stat(dialect, 5, 0));
        assertError(await client.next(), dialect, 'duplicate tag', 'EPROTO');
        (await socket).write('first');
        assert.equal((await client.next()).text, 'first');
      });

      it('beyond the limit is refused, and a flush is still heard', async () => {
        const small = await Rig.start({ limits: { ...DEFAULT_LIMITS, tags: 10 } });
        const other = await small.client(dialect);
        await other.dial(1, 2, (await small.peers.one()).address);
        for (let tag = 100; tag < 110; tag++) other.send(b.Tread(tag, 2, 0, 10));
        await other.refused(b.Tread(110, 2, 0, 10), 'too many requests in flight', 'ENOBUFS');
        assert.equal((await other.call(b.Tflush(120, 105))).type, R.flush);
        await other.ok(b.stat(dialect, 110, 0));
        await small.stop();
      });

      it('beyond the bytes that may wait to be written is refused, never queued', async () => {
        const limit = 1 << 20;
        const small = await Rig.start({ limits: { ...DEFAULT_LIMITS, writeBytes: limit } });
        const other = await small.client(dialect, 128 * 1024);
        const { address } = await small.peers.one();
        await other.dial(1, 2, address);
        const writes = 200;
        for (let i = 0; i < writes; i++) other.send(b.Twrite(100 + i, 2, 0, Buffer.alloc(100_000)));
        other.send(b.stat(dialect, 5, 0));
        await until(() => other.answers.some(({ tag }) => tag === 5));
        const refused = other.answers.filter(({ tag, error }) => tag >= 100 && error !== undefined);
        assert(refused.length > 0);
        for (const answer of refused) assertError(answer, dialect, 'too many requests in flight', 'ENOBUFS');
        assert(other.session.requestsInFlight <= limit / 100_000);
        await small.stop();
      });
    });

    // ---- walk -------------------------------------------------------------------------------------

    describe('in a walk', () => {
      for (const [what, name] of [
        ['with a slash', 'tcp/clone'],
        ['that is a slash', '/'],
        ['with a NUL', 'tcp\0'],
        ['that is empty', ''],
      ] as const) {
        it(`to a name ${what} is refused`, async () => {
          await client.refused(b.Twalk(5, 0, 1, name), 'illegal name', 'EINVAL');
          await client.refused(b.Twalk(5, 0, 1, 'tcp', name), 'illegal name', 'EINVAL');
          assert.equal(client.session.fids.size, 1);
        });
      }

      it('to a name of more than 255 bytes is refused', async () => {
        await client.refused(b.Twalk(5, 0, 1, 'x'.repeat(256)), 'file name too long', 'ENAMETOOLONG');
        await client.refused(b.Twalk(5, 0, 1, 'ü'.repeat(128)), 'file name too long', 'ENAMETOOLONG');
        await client.refused(b.Twalk(5, 0, 1, 'x'.repeat(255)), 'file does not exist', 'ENOENT');
        await client.refused(b.Twalk(5, 0, 1, 'x'.repeat(60_000)), 'file name too long', 'ENAMETOOLONG');
      });

      it('of sixteen names is taken, of seventeen refused', async () => {
        const names = Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? 'tcp' : '..'));
        await client.ok(b.Twalk(5, 0, 1, ...names));
        await client.refused(b.Twalk(5, 0, 2, ...names, 'tcp'), 'bad arg in system call', 'EINVAL');
      });

      it('whose first name does not exist is refused', async () => {
        await client.refused(b.Twalk(5, 0, 1, 'nothing'), 'file does not exist', 'ENOENT');
        assert.equal(client.session.fids.size, 1);
      });

      it('that fails later answers as far as it came, and makes no fid', async () => {
        const answer = await client.ok(b.Twalk(5, 0, 1, 'tcp', 'nothing', 'at', 'all'));
        assert.equal(answer.body.readUInt16LE(0), 1);
        assert.equal(answer.body.length, 2 + 13);
        await client.refused(b.Tclunk(5, 1), 'unknown fid', 'EBADF');
      });

      it('that fails half-way leaves the fid that was to move', async () => {
        await client.walk(1, 'tcp');
        const before = await client.ok(b.stat(dialect, 5, 1));
        const answer = await client.ok(b.Twalk(5, 1, 1, 'clone', 'beyond'));
        assert.equal(answer.body.readUInt16LE(0), 1);
        assert.deepEqual((await client.ok(b.stat(dialect, 5, 1))).body, before.body);
      });

      it('of no names makes another fid for the same file', async () => {
        await client.walk(1, 'tcp');
        const answer = await client.ok(b.Twalk(5, 1, 2));
        assert.equal(answer.body.readUInt16LE(0), 0);
        const [one, two] = [await client.ok(b.stat(dialect, 5, 1)), await client.ok(b.stat(dialect, 5, 2))];
        assert.deepEqual(two.body, one.body);
      });

      it('to `..` of the root stays there', async () => {
        const answer = await client.ok(b.Twalk(5, 0, 1, '..', '..', 'tcp'));
        assert.equal(answer.body.readUInt16LE(0), 3);
      });

      it('from a file is refused: it is no directory', async () => {
        await client.walk(1, 'tcp/clone');
        await client.refused(b.Twalk(5, 1, 2, 'x'), 'not a directory', 'ENOTDIR');
        await client.refused(b.Twalk(5, 1, 2, '..'), 'not a directory', 'ENOTDIR');
      });

      it('from a fid that is open is refused, but for a directory in 9P2000.L', async () => {
        await client.open(1, 'tcp', b.OREAD);
        // diodls walks from the directory that it is listing.
        if (dialect === '9P2000.L') await client.ok(b.Twalk(5, 1, 2, 'clone'));
        else await client.refused(b.Twalk(5, 1, 2), 'bad use of fid', 'EBADF');
        await client.refused(b.Twalk(5, 1, 1, 'clone'), 'bad use of fid', 'EBADF');
      });

      it('to numbers that are not written plainly finds nothing', async () => {
        await client.clone(1);
        for (const name of ['00', '01', '0x0', '1e0', '-0', '+0', ' 0', '0 ', '1', '4294967296', '٠']) {
          const answer = await client.ok(b.Twalk(5, 0, 2, 'tcp', name));
          assert.equal(answer.body.readUInt16LE(0), 1, name);
        }
      });

      it('to a name that every object has finds nothing', async () => {
        for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
          await client.refused(b.Twalk(5, 0, 2, name), 'file does not exist', 'ENOENT');
          assert.equal((await client.ok(b.Twalk(5, 0, 2, 'tcp', name))).body.readUInt16LE(0), 1);
        }
      });
    });

    // ---- open, read, write --------------------------------------------------------------------------

    describe('in an open', () => {
      it('of a fid that is open is refused', async () => {
        await client.open(1, 'tcp/stats', b.OREAD);
        await client.refused(b.open(dialect, 5, 1, b.OREAD), 'bad use of fid', 'EBADF');
      });

      it('of a fid that is being opened is refused', async () => {
        const { dir } = await client.announce(1);
        await client.walk(2, `${dir}/listen`);
        client.send(b.open(dialect, 5, 2, b.ORDWR), b.open(dialect, 6, 2, b.ORDWR));
        const answer = await client.next();
        assert.equal(answer.tag, 6);
        assertError(answer, dialect, 'bad use of fid', 'EBADF');
        await client.refused(b.Twalk(7, 2, 2), 'bad use of fid', 'EBADF');
      });

      it('of a directory to write is refused', async () => {
        await client.walk(1, 'tcp');
        await client.refused(b.open(dialect, 5, 1, b.OWRITE), 'is a directory', 'EISDIR');
        await client.refused(b.open(dialect, 5, 1, b.ORDWR), 'is a directory', 'EISDIR');
      });

      it('of a file that is only to be read, to write, is refused', async () => {
        const dir = await client.clone(1);
        for (const [i, file] of ['local', 'remote', 'status', 'err'].entries()) {
          await client.walk(10 + i, `${dir}/${file}`);
          await client.refused(b.open(dialect, 5, 10 + i, b.ORDWR), 'permission denied', 'EACCES');
          await client.ok(b.open(dialect, 5, 10 + i, b.OREAD));
        }
      });

      it('of clone moves the fid to the new conversation', async () => {
        const walked = (await client.walk(1, 'tcp/clone')).qid(2 + 13);
        const opened = (await client.ok(b.open(dialect, 5, 1, b.ORDWR))).qid();
        assert.notEqual(opened.path, walked.path);
        const ctl = (await client.walk(2, 'tcp/0/ctl')).qid(2 + 2 * 13);
        assert.deepEqual(opened, ctl);
      });
    });

    describe('in a read or write', () => {
      it('of a fid that is not open is refused', async () => {
        await client.walk(1, 'tcp/stats');
        await client.refused(b.Tread(5, 1, 0, 10), 'bad use of fid', 'EBADF');
        await client.refused(b.Twrite(5, 1, 0, 'x'), 'bad use of fid', 'EBADF');
      });

      it('against the mode of the open is refused', async () => {
        const dir = await client.clone(1);
        await client.open(2, `${dir}/ctl`, b.OWRITE);
        await client.refused(b.Tread(5, 2, 0, 10), 'inappropriate use of fd', 'EBADF');
        await client.open(3, `${dir}/ctl`, b.OREAD);
        await client.refused(b.Twrite(5, 3, 0, 'hangup'), 'inappropriate use of fd', 'EBADF');
      });

      it('of a directory: a write is refused', async () => {
        await client.open(1, 'tcp', b.OREAD);
        await client.refused(b.Twrite(5, 1, 0, 'x'), 'is a directory', 'EISDIR');
      });

      it('at an offset beyond all files finds the end, or is refused', async () => {
        await client.open(1, 'tcp/stats', b.OREAD);
        for (const offset of [2n ** 31n, 2n ** 32n, 2n ** 53n - 1n]) {
          assert.equal((await client.ok(b.Tread(5, 1, offset, 10))).data.length, 0);
        }
        for (const offset of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
          await client.refused(b.Tread(5, 1, offset, 10), 'bad offset', 'EINVAL');
          await client.refused(b.Twrite(5, 1, offset, 'x'), 'bad offset', 'EINVAL');
        }
      });

      it('with a count beyond msize answers what fits into one message', async () => {
        const { address, socket } = await rig.peers.one();
        await client.dial(1, 2, address);
        (await socket).write(Buffer.alloc(300_000, 'x'));
        let got = 0;
        while (got < 300_000) {
          const answer = await client.ok(b.Tread(5, 2, 0, 0xffffffff));
          assert(answer.size <= 64 * 1024);
          got += answer.data.length;
        }
        assert.equal(got, 300_000);
      });

      it('with a count of 0 answers none and takes none', async () => {
        const { address, socket } = await rig.peers.one();
        await client.dial(1, 2, address);
        assert.equal((await client.read(2, 0)).length, 0);
        (await socket).write('x');
        assert.equal((await client.read(2, 10)).toString(), 'x');
        assert.equal((await client.read(2, 0)).length, 0);
      });
    });

    // ---- what /net cannot do ------------------------------------------------------------------------

    describe('that asks to change the tree', () => {
      const refuse = (message: Buffer): Promise<void> =>
        client.refused(message, 'permission denied', 'EACCES');

      it('by Tremove is refused, and the fid is gone', async () => {
        for (const [fid, path] of ['', 'tcp', 'tcp/clone', 'tcp/stats'].entries()) {
          await client.walk(10 + fid, path);
          await refuse(b.Tremove(5, 10 + fid));
          await client.refused(b.Tclunk(5, 10 + fid), 'unknown fid', 'EBADF');
        }
      });

      it('by Tremove of an open ctl is refused, and the conversation ends', async () => {
        await client.clone(1);
        await refuse(b.Tremove(5, 1));
        assert.equal(rig.inUse(), 0);
      });

      if (isL(dialect)) {
        it('by any message of 9P2000.L is refused', async () => {
          await client.walk(1, 'tcp');
          await client.walk(2, 'tcp/clone');
          await refuse(b.Tlcreate(5, 1, 'new'));
          await refuse(b.Tlcreate(5, 1, 'clone'));
          await refuse(b.Tmkdir(5, 1, 'new'));
          await refuse(b.Tsymlink(5, 1, 'new', 'clone'));
          await refuse(b.Tmknod(5, 1, 'new'));
          await refuse(b.Tlink(5, 1, 2, 'new'));
          await refuse(b.Trename(5, 2, 1, 'new'));
          await refuse(b.Trenameat(5, 1, 'clone', 1, 'new'));
          await refuse(b.Tunlinkat(5, 1, 'clone'));
          await refuse(b.Tunlinkat(5, 0, 'tcp', 0x200));
          await client.ok(b.Twalk(5, 1, 3, 'clone'));
        });

        it('under a name that no file can have is told so', async () => {
          await client.refused(b.Tmkdir(5, 0, 'a/b'), 'illegal name', 'EINVAL');
          await client.refused(b.Tlcreate(5, 0, ''), 'illegal name', 'EINVAL');
          await client.refused(b.Tmkdir(5, 0, 'x'.repeat(256)), 'file name too long', 'ENAMETOOLONG');
        });
      } else {
        it('by Tcreate is refused, and the fid is as it was', async () => {
          await client.walk(1, 'tcp');
          await refuse(b.Tcreate(dialect, 5, 1, 'new', 0o644, b.OREAD));
          await refuse(b.Tcreate(dialect, 5, 1, 'new', 0x80000000 + 0o755, b.OREAD));
          await refuse(b.Tcreate(dialect, 5, 1, 'clone', 0o644, b.ORDWR));
          await client.ok(b.Twalk(5, 1, 2, 'clone'));
        });

        it('by Twstat of a name or a directory bit is refused', async () => {
          await client.walk(1, 'tcp/clone');
          await refuse(b.Twstat(dialect, 5, 1, { name: 'other' }));
          await refuse(b.Twstat(dialect, 5, 1, { mode: 0x80000000 + 0o600 }));
        });
      }
    });

    describe('in Tauth', () => {
      it('is none: it is told that no authentication is required', async () => {
        await client.refused(b.Tauth(dialect, 5, 77, 'root', ''), 'authentication not required', 'ENOENT');
        await client.refused(b.Tclunk(5, 77), 'unknown fid', 'EBADF');
      });
    });

    describe('in an attach', () => {
      it('to a tree that is not there is refused, and makes no fid', async () => {
        await client.refused(b.Tattach(dialect, 5, 1, { aname: 'nothing' }), 'file does not exist', 'ENOENT');
        await client.refused(b.Tattach(dialect, 5, 1, { aname: 'tcp/stats' }), 'not a directory', 'ENOTDIR');
        assert.equal(client.session.fids.size, 1);
      });

      it('to a directory below shows that one as the root', async () => {
        await client.ok(b.Tattach(dialect, 5, 1, { aname: 'tcp' }));
        const answer = await client.ok(b.Twalk(5, 1, 2, '..', 'clone'));
        assert.equal(answer.body.readUInt16LE(0), 2);
      });
    });
  });

  // ---- one connection's trouble is nobody else's ------------------------------------------------------

  describe(`beside a connection that does wrong in ${dialect}`, () => {
    let rig: Rig;
    let client: RawClient;

    beforeEach(async () => {
      rig = await Rig.start();
      client = await rig.client(dialect);
      await client.dial(1, 2, await rig.peers.echo());
    });

    afterEach(() => rig.stop());

    async function works(): Promise<void> {
      await client.write(2, 'hello');
      assert.equal((await client.read(2)).toString(), 'hello');
    }

    it('everybody else goes on', async () => {
      const streams = [
        Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'),
        Buffer.alloc(5000),
        Buffer.alloc(5000, 0xff),
        Buffer.concat([b.Tversion(8192, dialect), Buffer.alloc(100)]),
        Buffer.concat([b.Tversion(8192, dialect), b.frame(118, 1, b.u32(0)), b.u32(3)]),
        Buffer.concat([b.Tversion(8192, '9P2000'), b.u32(0xffffffff)]),
      ];
      for (const stream of streams) {
        const bad = await rig.connect(dialect);
        bad.socket.write(stream);
        await bad.closed;
        await works();
      }
      assert.equal(rig.server.sessions.size, 1);
    });

    it('a message that never ends holds nobody up', async () => {
      const bad = await rig.client(dialect);
      bad.send(b.Tversion(8192, dialect).subarray(0, 9));
      await works();
      bad.socket.destroy();
      await bad.session.ended;
      await works();
    });

    it("fids and tags are each connection's own", async () => {
      const other = await rig.client(dialect);
      await other.refused(b.Tread(5, 2, 0, 10), 'unknown fid', 'EBADF');
      client.send(b.Tread(5, 2, 0, 10));
      await until(() => client.session.requestsInFlight === 1);
      await other.ok(b.Tflush(6, 5));
      client.send(b.Twrite(7, 2, 0, 'x'));
      const answers = await client.nexts(2);
      assert.deepEqual(answers.map(({ type }) => type).sort(), [R.read, R.write]);
    });
  });

  // ---- a client that does not read ----------------------------------------------------------------------

  describe(`a client of ${dialect} that does not read its answers`, () => {
    const MiB = 1024 * 1024;
    const ROUNDS = 300;
    let rig: Rig;
    let good: RawClient;

    beforeEach(async () => {
      rig = await Rig.start();
      good = await rig.client(dialect);
      await good.dial(1, 2, await rig.peers.echo());
    });

    afterEach(() => rig.stop());

    /** Gives the server every chance to take more, and finds that others are served meanwhile. */
    async function meanwhile(check: () => void): Promise<void> {
      for (let i = 0; i < ROUNDS; i++) {
        await good.write(2, 'x');
        assert.equal((await good.read(2)).toString(), 'x');
        check();
      }
    }

    /** Bytes that the server holds for the client. */
    const held = (client: RawClient): number =>
      (client.session as unknown as { outbox: { unwritten: number } }).outbox.unwritten;

    it('is not read from when its small answers pile up', async () => {
      const bad = await rig.client(dialect);
      bad.socket.pause();
      const requests = Buffer.concat(Array.from({ length: 4000 }, () => b.stat(dialect, 1, 0)));
      let sent = 0;
      const flood = (): void => {
        while (sent < 100 * MiB && bad.socket.writableLength < MiB) {
          bad.socket.write(requests);
          sent += requests.length;
        }
      };
      await meanwhile(() => {
        flood();
        assert(held(bad) < 32 * MiB, `${held(bad)} bytes are held`);
      });
      assert(sent - bad.socket.writableLength < 64 * MiB);
    });

    it('does not make the server take what a peer sends', async () => {
      let sent = 0;
      const address = await rig.peers.listen(socket => {
        const bytes = Buffer.alloc(MiB);
        const more = (): void => {
          while (sent < 1000 * MiB && socket.write(bytes)) sent += bytes.length;
          sent += bytes.length;
        };
        socket.on('drain', more);
        more();
      });
      const bad = await rig.client(dialect, MiB);
      await bad.dial(1, 2, address);
      bad.socket.pause();
      for (let tag = 100; tag < 1100; tag++) bad.send(b.Tread(tag, 2, 0, MiB));
      await meanwhile(() => assert(held(bad) < 32 * MiB, `${held(bad)} bytes are held`));
    });

    it('does not make the server take what a peer sends to reads that waited before', async () => {
      const { address, socket } = await rig.peers.one();
      const bad = await rig.client(dialect, MiB);
      await bad.dial(1, 2, address);
      const peer = await socket;
      for (let tag = 100; tag < 1100; tag++) bad.send(b.Tread(tag, 2, 0, MiB));
      await until(() => bad.session.requestsInFlight === 1000);
      bad.socket.pause();
      const bytes = Buffer.alloc(MiB);
      await meanwhile(() => {
        if (peer.writableLength < 4 * MiB) peer.write(bytes);
        assert(held(bad) < 32 * MiB, `${held(bad)} bytes are held`);
      });
    });

    it('does not make the server list directories into memory', async () => {
      const many = await rig.client(dialect);
      for (let fid = 1; fid <= 500; fid++) await many.open(fid, 'tcp/clone');
      const bad = await rig.client(dialect, MiB);
      bad.socket.pause();
      bad.send(b.Twalk(1, 0, 1, 'tcp'), b.open(dialect, 1, 1, b.OREAD));
      const list = isL(dialect) ? b.Treaddir(1, 1, 0, MiB) : b.Tread(1, 1, 0, MiB);
      bad.send(...Array.from({ length: 3000 }, () => list));
      await meanwhile(() => assert(held(bad) < 32 * MiB, `${held(bad)} bytes are held`));
    });

    for (const way of ['connect', 'connectStream'] as const) {
      const over = way === 'connect' ? 'a socket' : 'any stream';

      it(`over ${over} gets them all in the end, and is heard to the last byte`, async () => {
        const slow = await (await rig[way](dialect)).start(MiB);
        const { address, socket } = await rig.peers.one();
        await slow.dial(1, 2, address);
        const peer = await socket;
        slow.socket.pause();
        const n = 100_000;
        const batch = 1000;
        for (let i = 0; i < n; i += batch) {
          slow.send(...Array.from({ length: batch }, (_, j) => b.stat(dialect, 1 + ((i + j) % 50_000), 0)));
        }
        // Large messages, which are cut wherever the server stopped to listen.
        const writes = Array.from({ length: 30 }, (_, i) => counting(60_000 + i, i));
        for (const bytes of writes) {
          for (const piece of pieces(b.Twrite(0, 2, 0, bytes))) slow.socket.write(piece);
        }
        await meanwhile(() => {});
        const expected = Buffer.concat(writes);
        let got = 0;
        peer.on('data', (chunk: Buffer) => {
          assert(chunk.equals(expected.subarray(got, got + chunk.length)), `byte ${got} on`);
          got += chunk.length;
        });
        slow.socket.resume();
        const answers = await slow.nexts(n + writes.length);
        assert(answers.every(({ error }) => error === undefined));
        assert.deepEqual(
          answers.slice(0, n).map(({ tag }) => tag),
          Array.from({ length: n }, (_, i) => 1 + (i % 50_000)),
        );
        await until(() => got === expected.length);
      });

      it(`over ${over} and reads now and then gets a stream's bytes in the order of its reads`, async () => {
        const slow = await (await rig[way](dialect)).start(MiB);
        const { address, socket } = await rig.peers.one();
        await slow.dial(1, 2, address);
        const peer = await socket;
        const total = 24 * MiB;
        for (let sent = 0; sent < total; sent += MiB) peer.write(counting(MiB, sent / MiB));
        // More reads are always asked for than are answered; their tags follow each other.
        const AHEAD = 60;
        const byTag = new Map<number, Buffer>();
        let [asked, next, at] = [0, 0, 0];
        while (at < total) {
          for (; asked - next < AHEAD; asked++) slow.send(b.Tread(100 + asked, 2, 0, 150_000));
          slow.socket.resume();
          const { tag, data } = await slow.next();
          slow.socket.pause();
          byTag.set(tag - 100, data);
          for (let read = byTag.get(next); read !== undefined; read = byTag.get(next)) {
            assertStream(read, at);
            at += read.length;
            byTag.delete(next++);
          }
        }
        slow.socket.resume();
      });
    }
  });
}

/** Bytes that differ from place to place and from one seed to the next. */
function counting(length: number, seed: number): Buffer {
  const count = Math.ceil(length / 4);
  const words = Uint32Array.from({ length: count }, (_, i) => Math.imul(i + seed * 999_983, 2654435761));
  return Buffer.from(words.buffer, 0, length);
}

/** Bytes that began at `at` of a stream whose every MiB is `counting` of its number. */
function assertStream(data: Buffer, at: number): void {
  const MiB = 1024 * 1024;
  for (let i = 0; i < data.length;) {
    const inside = (at + i) % MiB;
    const n = Math.min(MiB - inside, data.length - i);
    const expected = mib(Math.floor((at + i) / MiB)).subarray(inside, inside + n);
    assert(data.subarray(i, i + n).equals(expected), `byte ${at + i} on`);
    i += n;
  }
}

let lastMib: { seed: number; bytes: Buffer } | undefined;

function mib(seed: number): Buffer {
  if (lastMib?.seed !== seed) lastMib = { seed, bytes: counting(1024 * 1024, seed) };
  return lastMib.bytes;
}

const pieces = (bytes: Buffer): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / 7001) }, (_, i) => bytes.subarray(i * 7001, (i + 1) * 7001));

// ---- 9P2000.L alone -----------------------------------------------------------------------------------

describe('9P2000.L', () => {
  let rig: Rig;
  let client: RawClient;

  beforeEach(async () => {
    rig = await Rig.start();
    client = await rig.client('9P2000.L');
  });

  afterEach(() => rig.stop());

  describe('Tgetattr and Tsetattr', () => {
    /** mode, uid, gid, nlink, size of an Rgetattr. */
    async function attributes(fid: number) {
      const { body } = await client.ok(b.Tgetattr(5, fid));
      return {
        valid: body.readBigUInt64LE(0),
        qidType: body[8],
        mode: body.readUInt32LE(21),
        uid: body.readUInt32LE(25),
        gid: body.readUInt32LE(29),
        nlink: body.readBigUInt64LE(33),
        size: body.readBigUInt64LE(49),
        length: body.length,
      };
    }

    it('show a directory and a file as Linux wants them', async () => {
      await client.walk(1, 'tcp');
      await client.walk(2, 'tcp/clone');
      const dir = await attributes(1);
      const file = await attributes(2);
      assert.equal(dir.length, 8 + 13 + 4 + 4 + 4 + 15 * 8);
      assert.equal(dir.valid & 0x7ffn, 0x7ffn);
      assert.deepEqual([dir.mode, dir.qidType], [0o040555, 0x80]);
      assert.deepEqual([file.mode, file.qidType], [0o100600, 0]);
      assert.deepEqual([file.uid, file.gid, file.size], [process.getuid!(), process.getgid!(), 0n]);
    });

    it('change the mode and the group of clone', async () => {
      await client.walk(1, 'tcp/clone');
      await client.ok(b.Tsetattr(5, 1, { valid: 1, mode: 0o100660 }));
      await client.ok(b.Tsetattr(5, 1, { valid: 4, gid: 12345 }));
      const { mode, gid } = await attributes(1);
      assert.deepEqual([mode, gid], [0o100660, 12345]);
    });

    it('truncate and touch control files without effect', async () => {
      await client.clone(1);
      await client.ok(b.Tsetattr(5, 1, { valid: 8, size: 0 }));
      await client.ok(b.Tsetattr(5, 1, { valid: 16 | 32 | 128 | 256 }));
      await client.ok(b.Tsetattr(5, 1, { valid: 0 }));
      assert.equal((await client.read(1)).toString(), '0');
    });

    it('refuse to change what nobody may change', async () => {
      await client.walk(1, 'tcp/stats');
      await client.refused(b.Tsetattr(5, 1, { valid: 1, mode: 0o666 }), '', 'EPERM');
    });
  });

  describe('Tstatfs and Tfsync', () => {
    it('answer on every kind of file', async () => {
      await client.walk(1, 'tcp/clone');
      await client.open(2, 'tcp/clone');
      for (const fid of [0, 1, 2]) {
        const { body } = await client.ok(b.Tstatfs(5, fid));
        assert.equal(body.length, 4 + 4 + 6 * 8 + 4);
        assert(body.readUInt32LE(4) > 0, 'a block size');
        assert.equal(body.readUInt32LE(body.length - 4), 255, 'the longest name');
        for (const fsync of [b.Tfsync(5, fid), b.Tfsync(5, fid, 0), b.Tfsync(5, fid, 1)]) {
          assert.equal((await client.ok(fsync)).body.length, 0);
        }
      }
    });
  });

  describe('Treadlink', () => {
    it('says that there is no link', async () => {
      await client.walk(1, 'tcp/clone');
      await client.refused(b.Treadlink(5, 1), '', 'EINVAL');
    });
  });

  describe('extended attributes', () => {
    it('are none, by any name', async () => {
      for (const name of ['security.capability', 'system.posix_acl_access', 'user.x']) {
        await client.refused(b.Txattrwalk(5, 0, 1, name), '', 'ENODATA');
      }
      assert.equal(client.session.fids.size, 1);
    });

    it('are listed as none, of a file and of a directory', async () => {
      await client.walk(1, 'tcp/clone');
      for (const fid of [0, 1]) {
        const answer = await client.ok(b.Txattrwalk(5, fid, 2, ''));
        assert.equal(answer.body.readBigUInt64LE(0), 0n);
        assert.equal((await client.read(2, 100)).length, 0);
        await client.clunk(2);
      }
    });

    it('cannot be made', async () => {
      await client.walk(1, 'tcp/clone');
      await client.refused(b.Txattrcreate(5, 1, 'user.x'), '', 'EOPNOTSUPP');
    });
  });

  describe('Tlopen', () => {
    it('with O_DIRECTORY opens only directories', async () => {
      await client.walk(1, 'tcp/clone');
      await client.refused(b.Tlopen(5, 1, 0o200000), '', 'ENOTDIR');
      await client.ok(b.Tlopen(5, 0, 0o200000));
    });

    it('takes the flags that Linux sends along', async () => {
      const flags = [0o100, 0o1000, 0o2000, 0o4000, 0o40000, 0o100000, 0o400000, 0o2000000];
      for (const [i, flag] of flags.entries()) {
        await client.walk(10 + i, 'tcp/clone');
        await client.ok(b.Tlopen(5, 10 + i, 2 | flag));
      }
    });
  });

  describe('Treaddir', () => {
    interface Entry {
      name: string;
      next: bigint;
      type: number;
      qid: bigint;
      qidType: number;
    }

    function entries(data: Buffer): Entry[] {
      const found: Entry[] = [];
      for (let at = 0; at < data.length;) {
        const length = data.readUInt16LE(at + 22);
        found.push({
          qidType: data[at]!,
          qid: data.readBigUInt64LE(at + 5),
          next: data.readBigUInt64LE(at + 13),
          type: data[at + 21]!,
          name: data.toString('utf8', at + 24, at + 24 + length),
        });
        at += 24 + length;
      }
      return found;
    }

    async function list(fid: number, count: number, from = 0n): Promise<Entry[]> {
      return entries((await client.ok(b.Treaddir(5, fid, from, count))).data);
    }

    it('lists . and .. first, with the types that readdir(3) shows', async () => {
      await client.open(1, 'tcp', b.OREAD);
      const found = await list(1, 8192);
      assert.deepEqual(
        found.map(({ name, type, qidType }) => [name, type, qidType]),
        [
          ['.', 4, 0x80],
          ['..', 4, 0x80],
          ['clone', 8, 0],
          ['stats', 8, 0],
        ],
      );
      const root = (await client.ok(b.Tgetattr(5, 0))).qid(8);
      assert.equal(found[1]!.qid, root.path);
    });

    it('goes on from every cookie it gave, entry by entry', async () => {
      for (let fid = 10; fid < 20; fid++) await client.clone(fid);
      await client.open(1, 'tcp', b.OREAD);
      const all = await list(1, 8192);
      assert.equal(all.length, 14);
      let from = 0n;
      for (const entry of all) {
        const [one] = await list(1, 24 + Buffer.byteLength(entry.name), from);
        assert.deepEqual(one, entry);
        from = one!.next;
      }
      assert.deepEqual(await list(1, 8192, from), []);
      for (const [i, { next }] of all.entries()) {
        assert.deepEqual(await list(1, 8192, next), all.slice(i + 1), 'in any order');
      }
    });

    it('at a cookie beyond the end finds nothing', async () => {
      await client.open(1, 'tcp', b.OREAD);
      assert.deepEqual(await list(1, 8192, 2n ** 40n), []);
    });

    it('from the start again shows what is new', async () => {
      await client.open(1, 'tcp', b.OREAD);
      const before = await list(1, 8192);
      await client.clone(10);
      assert.equal((await list(1, 8192)).length, before.length + 1);
    });

    it('with room for no entry is refused, as getdents(2) is: nothing would be the end', async () => {
      await client.open(1, 'tcp', b.OREAD);
      await client.refused(b.Treaddir(5, 1, 0, 10), '', 'EINVAL');
    });

    it('of a file, or before an open, is refused', async () => {
      await client.open(1, 'tcp/stats', b.OREAD);
      await client.refused(b.Treaddir(5, 1, 0, 100), '', 'ENOTDIR');
      await client.refused(b.Treaddir(5, 0, 0, 100), '', 'EBADF');
    });

    it('is how a directory is read: Tread of one is refused', async () => {
      await client.open(1, 'tcp', b.OREAD);
      await client.refused(b.Tread(5, 1, 0, 100), '', 'EISDIR');
    });
  });

  describe('locks', () => {
    const SUCCESS = 0;
    const BLOCKED = 1;
    let other: RawClient;

    beforeEach(async () => {
      other = await rig.client('9P2000.L');
      for (const each of [client, other]) {
        await each.walk(1, 'tcp/clone');
        await each.walk(2, 'tcp/stats');
        await each.ok(b.Tlopen(5, 2, 0));
      }
    });

    const lock = async (of: RawClient, l: b.LockFields, fid = 2): Promise<number> =>
      (await of.ok(b.Tlock(5, fid, l))).body[0]!;

    const mine = { procId: 1, clientId: 'here' };
    const yours = { procId: 2, clientId: 'there' };
    const { read, write, unlock } = b.LOCK;

    it('of two readers hold at once, a writer excludes the other', async () => {
      assert.equal(await lock(client, { kind: read, ...mine }), SUCCESS);
      assert.equal(await lock(other, { kind: read, ...yours }), SUCCESS);
      assert.equal(await lock(other, { kind: write, ...yours }), BLOCKED);
      assert.equal(await lock(client, { kind: unlock, ...mine }), SUCCESS);
      assert.equal(await lock(other, { kind: write, ...yours }), SUCCESS);
      assert.equal(await lock(client, { kind: read, ...mine }), BLOCKED);
    });

    it('on ranges that do not meet do not meet', async () => {
      assert.equal(await lock(client, { kind: write, start: 0, length: 10, ...mine }), SUCCESS);
      assert.equal(await lock(other, { kind: write, start: 10, length: 10, ...yours }), SUCCESS);
      assert.equal(await lock(other, { kind: write, start: 9, length: 1, ...yours }), BLOCKED);
      assert.equal(await lock(client, { kind: unlock, start: 4, length: 2, ...mine }), SUCCESS);
      assert.equal(await lock(other, { kind: write, start: 4, length: 2, ...yours }), SUCCESS);
      assert.equal(await lock(other, { kind: write, start: 3, length: 1, ...yours }), BLOCKED);
      assert.equal(await lock(other, { kind: write, start: 6, length: 1, ...yours }), BLOCKED);
    });

    it('of length 0 reach to the end of the file', async () => {
      assert.equal(await lock(client, { kind: write, start: 100, length: 0, ...mine }), SUCCESS);
      assert.equal(await lock(other, { kind: write, start: 2n ** 40n, length: 1, ...yours }), BLOCKED);
      assert.equal(await lock(other, { kind: write, start: 0, length: 100, ...yours }), SUCCESS);
    });

    it('are shown by Tgetlock, as they are or as none', async () => {
      await lock(client, { kind: write, start: 5, length: 7, ...mine });
      const { body } = await other.ok(b.Tgetlock(5, 2, { kind: read, start: 0, length: 0, ...yours }));
      assert.equal(body[0], write);
      assert.deepEqual([body.readBigUInt64LE(1), body.readBigUInt64LE(9)], [5n, 7n]);
      assert.equal(body.readUInt32LE(17), mine.procId);
      assert.equal(body.toString('utf8', 23), mine.clientId);
      const free = await other.ok(b.Tgetlock(5, 2, { kind: write, start: 12, length: 3, ...yours }));
      assert.equal(free.body[0], unlock);
      const own = await client.ok(b.Tgetlock(5, 2, { kind: write, ...mine }));
      assert.equal(own.body[0], unlock);
    });

    it('hold between clients that give the same names', async () => {
      assert.equal(await lock(client, { kind: write, ...mine }), SUCCESS);
      assert.equal(await lock(other, { kind: write, ...mine }), BLOCKED);
    });

    it('on different files do not meet', async () => {
      assert.equal(await lock(client, { kind: write, ...mine }), SUCCESS);
      await other.open(3, 'tcp/clone');
      assert.equal(await lock(other, { kind: write, ...yours }, 3), SUCCESS);
    });

    it('are released by the clunk of their fid', async () => {
      await lock(client, { kind: write, ...mine });
      await client.clunk(2);
      assert.equal(await lock(other, { kind: write, ...yours }), SUCCESS);
    });

    it('are released by a hang-up', async () => {
      await lock(client, { kind: write, ...mine });
      client.socket.destroy();
      await client.session.ended;
      assert.equal(await lock(other, { kind: write, ...yours }), SUCCESS);
    });

    it('are released by a Tversion', async () => {
      await lock(client, { kind: write, ...mine });
      await client.ok(b.Tversion(8192, '9P2000.L'));
      assert.equal(await lock(other, { kind: write, ...yours }), SUCCESS);
    });

    it('are so many for a client and no more: each is looked at by every other', async () => {
      const asked = 3000;
      const ERROR = 2;
      for (let i = 0; i < asked; i++) {
        client.send(b.Tlock(i, 2, { kind: write, start: 2 * i, length: 1, ...mine }));
      }
      const answers = await client.nexts(asked);
      assert.equal(answers.at(-1)!.body[0], ERROR);
      assert(rig.server.locks.size < asked);
      assert.equal(await lock(client, { kind: unlock, ...mine }), SUCCESS);
      assert.equal(await lock(other, { kind: write, ...yours }), SUCCESS);
    });

    it('need an open file, and a kind that there is', async () => {
      await client.refused(b.Tlock(5, 1, { kind: write, ...mine }), '', 'EBADF');
      assert.equal(await lock(client, { kind: 3, ...mine }), 2);
    });
  });
});

// ---- stat(5), which .L has not ------------------------------------------------------------------------

for (const dialect of others('9P2000.L')) {
  describe(`stat(5) in ${dialect}`, () => {
    let rig: Rig;
    let client: RawClient;

    beforeEach(async () => {
      rig = await Rig.start();
      client = await rig.client(dialect);
    });

    afterEach(() => rig.stop());

    /** The fields of one entry that begins at `at`. */
    function entry(from: Buffer, at: number) {
      const end = at + 2 + from.readUInt16LE(at);
      let p = at + 2 + 2 + 4;
      const qidType = from[p];
      p += 13;
      const mode = from.readUInt32LE(p);
      p += 4 + 4 + 4;
      const length = from.readBigUInt64LE(p);
      p += 8;
      const texts: string[] = [];
      for (let i = 0; i < (dialect === '9P2000.u' ? 5 : 4); i++) {
        const n = from.readUInt16LE(p);
        texts.push(from.toString('utf8', p + 2, p + 2 + n));
        p += 2 + n;
      }
      const ids: number[] = [];
      for (; p < end; p += 4) ids.push(from.readUInt32LE(p));
      return { qidType, mode, length, texts, ids, end };
    }

    it('shows every file of the tree, the root too', async () => {
      const dir = await client.clone(1);
      const paths = ['', 'tcp', 'tcp/clone', 'tcp/stats', dir];
      const files = ['ctl', 'data', 'err', 'listen', 'local', 'remote', 'status'];
      for (const path of [...paths, ...files.map(file => `${dir}/${file}`)]) {
        await client.walk(2, path);
        const { body } = await client.ok(b.Tstat(5, 2));
        assert.equal(body.readUInt16LE(0), body.length - 2, 'stat[n]');
        const { texts, qidType, mode, ids, end } = entry(body, 2);
        assert.equal(end, body.length);
        assert.equal(texts[0], path === '' ? '/' : path.split('/').at(-1));
        assert.equal(mode >>> 24, qidType, 'the type is the high byte of the mode');
        assert.deepEqual(
          ids.slice(0, 2),
          dialect === '9P2000.u' ? [process.getuid!(), process.getgid!()] : [],
        );
        await client.clunk(2);
      }
    });

    it('of all "don\'t touch" is a sync, and answered', async () => {
      await client.walk(1, 'tcp/clone');
      await client.ok(b.Twstat(dialect, 5, 1));
    });

    it('truncates control files without effect', async () => {
      await client.clone(1);
      await client.ok(b.Twstat(dialect, 5, 1, { length: 0 }));
      assert.equal((await client.read(1)).toString(), '0');
    });

    it('with bytes behind its entry is malformed', async () => {
      await client.walk(1, 'tcp/clone');
      const one = b.statEntry(dialect, { mode: 0o666 });
      const more = Buffer.concat([one, Buffer.alloc(3)]);
      const wstat = b.frame(126, 5, b.u32(1), b.u16(more.length), more);
      await client.refused(wstat, 'malformed message', 'EPROTO');
    });

    it('read from a directory comes in whole entries', async () => {
      for (let fid = 10; fid < 20; fid++) await client.clone(fid);
      await client.open(1, 'tcp', b.OREAD);
      const names: string[] = [];
      for (let offset = 0; ;) {
        const got = await client.read(1, 200, offset);
        if (got.length === 0) break;
        for (let at = 0; at < got.length;) {
          const { texts, end } = entry(got, at);
          names.push(texts[0]!);
          at = end;
        }
        offset += got.length;
      }
      assert.deepEqual(names, [...Array.from({ length: 10 }, (_, i) => String(i)), 'clone', 'stats']);
    });

    it('read from a directory at any other offset, or with room for no entry, is refused', async () => {
      await client.open(1, 'tcp', b.OREAD);
      await client.refused(b.Tread(5, 1, 0, 10), 'stat buffer too small', 'EINVAL');
      await client.refused(b.Tread(5, 1, 5, 8192), 'bad offset', 'EINVAL');
    });
  });
}
