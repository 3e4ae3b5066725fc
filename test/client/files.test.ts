import assert from 'node:assert/strict';
import { knownError } from '../../src/client/error.ts';
import { ProtocolError, type Client, type File } from '../../src/client/index.ts';
import { codecFor } from '../../src/server/9p/codec.ts';
import { MAXU64, NONUNAME, type WireStat } from '../../src/server/9p/messages.ts';
import { attached, DIALECTS, DIR, FILE, type FakeServer } from './fake.ts';

const REASON = new Error('the test gave up');

async function opened(
  mode: 'r' | 'w' | 'rw' = 'rw',
  msize = 8192,
): Promise<{ client: Client; server: FakeServer; file: File }> {
  const { client, server } = await attached({ msize });
  const opening = client.open('f', mode);
  await server.walk();
  await server.open();
  return { client, server, file: await opening };
}

const wireStat = (name: string, qid = FILE): WireStat => ({
  type: 0,
  dev: 0,
  qid,
  mode: ((qid.type << 24) | 0o640) >>> 0,
  atime: 1000,
  mtime: 2000,
  length: 42,
  name,
  uid: 'glenda',
  gid: 'sys',
  muid: 'glenda',
  extension: '',
  nUid: 1000,
  nGid: 100,
  nMuid: 1000,
});

const attributes = (qid = FILE) => ({
  valid: 0x7ff,
  qid,
  mode: (qid.type === 0x80 ? 0o040000 : 0o100000) | 0o640,
  uid: 1000,
  gid: 100,
  nlink: 1,
  rdev: 0,
  size: 42,
  blksize: 4096,
  blocks: 0,
  atimeSec: 1000,
  atimeNsec: 0,
  mtimeSec: 2000,
  mtimeNsec: 0,
  ctimeSec: 0,
  ctimeNsec: 0,
  btimeSec: 0,
  btimeNsec: 0,
  gen: 0,
  dataVersion: 0,
});

describe('walking', () => {
  it('skips blank elements and dots', async () => {
    const { client, server } = await attached();
    const walking = client.walk('//tcp/./clone/');
    assert.deepEqual((await server.walk()).names, ['tcp', 'clone']);
    assert.equal((await walking).name, 'clone');
  });

  it('sends at most sixteen names at a time', async () => {
    const { client, server } = await attached();
    const names = Array.from({ length: 35 }, (_, i) => `d${i}`);
    const walking = client.walk(names.join('/'));
    const first = await server.walk();
    const second = await server.walk();
    const third = await server.walk();
    assert.deepEqual([...first.names, ...second.names, ...third.names], names);
    assert.deepEqual([second.fid, second.newfid], [first.newfid, first.newfid]);
    assert.equal((await walking).number, first.newfid);
  });

  it('that stops half-way fails with the words for the name it stopped at', async () => {
    const { client, server } = await attached();
    const walking = client.walk('tcp/3/secret/data');
    const { tag } = await server.next('Twalk');
    server.send('Rwalk', tag, { qids: [DIR, DIR] });
    assert.deepEqual((await server.walk(DIR)).names, ['tcp', '3']);
    const last = await server.next('Twalk');
    assert.deepEqual(last.names, ['secret']);
    server.fail(last.tag, 'permission denied', 13);
    await server.answer('Tclunk', 'Rclunk', {});
    await assert.rejects(walking, { name: 'NinepError', code: 'EACCES' });
  });

  it('gives the fid back when the open fails', async () => {
    const { client, server } = await attached();
    const opening = client.open('f');
    const walk = await server.walk();
    server.fail((await server.next('Topen')).tag, 'permission denied', 13);
    assert.equal((await server.answer('Tclunk', 'Rclunk', {})).fid, walk.newfid);
    await assert.rejects(opening, knownError('Eperm'));
  });

  it('gives the fid back when the signal fires after the walk was done', async () => {
    const { client, server } = await attached();
    const aborter = new AbortController();
    const opening = client.open('f', 'r', { signal: aborter.signal });
    const walk = await server.next('Twalk');
    aborter.abort(REASON);
    const flush = await server.next('Tflush');
    server.send('Rwalk', walk.tag, { qids: [FILE] });
    server.send('Rflush', flush.tag, {});
    assert.equal((await server.answer('Tclunk', 'Rclunk', {})).fid, walk.newfid);
    await assert.rejects(opening, error => error === REASON);
  });

  it('uses a fid number again only after the Rclunk', async () => {
    const { client, server, file } = await opened();
    const closing = file.close();
    const clunk = await server.next('Tclunk');
    const during = client.walk('g');
    assert.notEqual((await server.walk()).newfid, clunk.fid);
    await during;
    server.send('Rclunk', clunk.tag, {});
    await closing;
    const after = client.walk('h');
    assert.equal((await server.walk()).newfid, clunk.fid);
    await after;
  });

  it('closes a file once, however often it is closed', async () => {
    const { server, file } = await opened();
    const closing = [file.close(), file.close()];
    await server.answer('Tclunk', 'Rclunk', {});
    await Promise.all(closing);
    await file.close();
    assert.equal(server.waiting.length, 0);
  });
});

describe('opening', () => {
  for (const [mode, truncate, old, linux] of [
    ['r', false, 0, 0],
    ['w', true, 0x11, 0o1001],
    ['rw', false, 2, 2],
  ] as const) {
    it(`sends mode ${mode}${truncate ? ' with truncation' : ''} as each dialect writes it`, async () => {
      for (const dialect of DIALECTS) {
        const { client, server } = await attached({ dialect });
        const opening = client.open('f', mode, { truncate });
        await server.walk();
        const request = await server.open();
        if (request.type === 'Tlopen') assert.equal(request.flags, linux);
        if (request.type === 'Topen') assert.equal(request.mode, old);
        await opening;
      }
    });
  }

  it('takes the qid and the iounit that the answer gives', async () => {
    const { client, server } = await attached();
    const opening = client.open('tcp/clone', 'rw');
    await server.walk();
    await server.answer('Topen', 'Ropen', { qid: { type: 0, vers: 0, path: 99 }, iounit: 512 });
    const file = await opening;
    assert.deepEqual([file.qid.path, file.fid.iounit], [99, 512]);
  });

  it('never takes an iounit larger than a message holds', async () => {
    const { client, server } = await attached({ msize: 4096 });
    const opening = client.open('f');
    await server.walk();
    await server.answer('Topen', 'Ropen', { qid: FILE, iounit: 1 << 20 });
    assert.equal((await opening).fid.iounit, 4096 - 24);
  });
});

describe('a read', () => {
  it('without an offset is one request at the position, and moves it', async () => {
    const { server, file } = await opened();
    for (const [offset, text] of [
      [0, 'abc'],
      [3, 'de'],
    ] as const) {
      const reading = file.read(100);
      const request = await server.answer('Tread', 'Rread', { data: Buffer.from(text) });
      assert.deepEqual([request.offset, request.count], [offset, 100]);
      assert.equal((await reading).toString(), text);
    }
  });

  it('without an offset asks for no more than fits', async () => {
    const { server, file } = await opened('r', 4096);
    const reading = file.read(1 << 20);
    assert.equal((await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) })).count, 4096 - 24);
    await reading;
  });

  it('with an offset is split until all is there', async () => {
    const { server, file } = await opened('r', 4096);
    const unit = 4096 - 24;
    const reading = file.read(unit + 10, 1000);
    const first = await server.answer('Tread', 'Rread', { data: Buffer.alloc(unit, 'a') });
    const second = await server.answer('Tread', 'Rread', { data: Buffer.alloc(10, 'b') });
    assert.deepEqual([first.offset, first.count, second.offset, second.count], [1000, unit, 1000 + unit, 10]);
    assert.equal((await reading).length, unit + 10);
    assert.equal(file.position, 0);
  });

  it('with an offset ends where the server gives less than asked', async () => {
    const { server, file } = await opened('r', 4096);
    const reading = file.read(1 << 20, 0);
    await server.answer('Tread', 'Rread', { data: Buffer.from('all') });
    assert.equal((await reading).toString(), 'all');
  });
});

describe('a write', () => {
  it('larger than iounit is split, in order and without copying', async () => {
    const { server, file } = await opened('w', 4096);
    const unit = 4096 - 24;
    const data = Buffer.alloc(unit * 2 + 5, 'x');
    const writing = file.write(data);
    const parts = [];
    for (const count of [unit, unit, 5]) {
      const { offset } = await server.answer('Twrite', 'Rwrite', { count });
      parts.push(offset);
    }
    assert.deepEqual(parts, [0, unit, unit * 2]);
    assert.equal(await writing, data.length);
    assert.equal(file.position, data.length);
  });

  it('goes on where the server took only a part', async () => {
    const { server, file } = await opened();
    const writing = file.write('hello', 0);
    await server.answer('Twrite', 'Rwrite', { count: 2 });
    const second = await server.answer('Twrite', 'Rwrite', { count: 3 });
    assert.deepEqual([second.offset, second.data.toString()], [2, 'llo']);
    assert.equal(await writing, 5);
  });

  it('of nothing is sent too', async () => {
    const { server, file } = await opened();
    const writing = file.write('');
    assert.equal((await server.answer('Twrite', 'Rwrite', { count: 0 })).data.length, 0);
    assert.equal(await writing, 0);
  });

  it('takes any bytes, also a part of a larger array', async () => {
    const { server, file } = await opened();
    const writing = file.write(new Uint8Array([1, 2, 3, 4]).subarray(1, 3));
    assert.deepEqual([...(await server.answer('Twrite', 'Rwrite', { count: 2 })).data], [2, 3]);
    await writing;
  });

  it('aborted half-way counts what was taken', async () => {
    const { server, file } = await opened('w', 4096);
    const unit = 4096 - 24;
    const aborter = new AbortController();
    const writing = file.write(Buffer.alloc(unit * 2), 0, aborter.signal);
    await server.answer('Twrite', 'Rwrite', { count: unit });
    await server.next('Twrite');
    aborter.abort(REASON);
    await server.answer('Tflush', 'Rflush', {});
    assert.equal(await writing, unit);
  });

  for (const count of [0, 6]) {
    it(`of 5 bytes of which the server claims to have taken ${count} ends the connection`, async () => {
      const { client, server, file } = await opened();
      const writing = file.write('hello');
      await server.answer('Twrite', 'Rwrite', { count });
      await assert.rejects(writing, ProtocolError);
      assert((await client.closed) instanceof ProtocolError);
    });
  }
});

describe('a file as a stream', () => {
  it('gives its bytes up to the end', async () => {
    const { server, file } = await opened();
    const chunks: string[] = [];
    const reading = (async () => {
      for await (const chunk of file) chunks.push(chunk.toString());
    })();
    for (const text of ['a', 'b', '']) await server.answer('Tread', 'Rread', { data: Buffer.from(text) });
    await reading;
    assert.deepEqual(chunks, ['a', 'b']);
  });

  it('asks again only when the reader wants more', async () => {
    const { server, file } = await opened('r', 64 * 1024 + 24);
    const stream = file.readable();
    const first = new Promise(resolve => stream.once('readable', resolve));
    await server.answer('Tread', 'Rread', { data: Buffer.alloc(64 * 1024) });
    await first;
    await new Promise(setImmediate);
    assert.equal(server.waiting.length, 0);
    stream.read();
    await server.next('Tread');
    stream.destroy();
  });

  it('gives up the waiting read when it is destroyed', async () => {
    const { server, file } = await opened();
    const stream = file.readable().resume();
    const { tag } = await server.next('Tread');
    stream.destroy();
    assert.equal((await server.answer('Tflush', 'Rflush', {})).oldtag, tag);
  });

  it('fails with the error of a read', async () => {
    const { server, file } = await opened();
    const stream = file.readable().resume();
    const failed = new Promise(resolve => stream.once('error', resolve));
    server.fail((await server.next('Tread')).tag, 'i/o error', 5);
    assert.deepEqual(await failed, knownError('Eio'));
  });
});

describe('stat', () => {
  const common = { qid: FILE, mode: 0o640, isDirectory: false, length: 42, atime: 1000, mtime: 2000 };
  for (const dialect of ['9P2000', '9P2000.u'] as const) {
    it(`in ${dialect} has what the dialect tells`, async () => {
      const { client, server } = await attached({ dialect });
      const asking = client.stat('tcp/clone');
      await server.walk();
      await server.answer('Tstat', 'Rstat', { stat: wireStat('clone') });
      await server.answer('Tclunk', 'Rclunk', {});
      const numbers = dialect === '9P2000' ? { uid: undefined, gid: undefined } : { uid: 1000, gid: 100 };
      assert.deepEqual(await asking, { name: 'clone', owner: 'glenda', group: 'sys', ...numbers, ...common });
    });
  }

  it('in 9P2000.L has what the dialect tells', async () => {
    const { client, server } = await attached({ dialect: '9P2000.L' });
    const asking = client.stat('tcp/clone');
    await server.walk();
    await server.answer('Tgetattr', 'Rgetattr', attributes());
    await server.answer('Tclunk', 'Rclunk', {});
    const owner = { uid: 1000, gid: 100, owner: undefined, group: undefined };
    assert.deepEqual(await asking, { name: 'clone', ...owner, ...common });
  });
});

describe('chmod', () => {
  it('sends the nine bits and keeps the directory bit, touching nothing else', async () => {
    const { client, server } = await attached();
    const changing = client.chmod('tcp', 0o750);
    await server.walk(DIR);
    const { stat } = await server.answer('Twstat', 'Rwstat', {});
    await server.answer('Tclunk', 'Rclunk', {});
    await changing;
    assert.equal(stat.mode, (0x80000000 | 0o750) >>> 0);
    const { name, uid, gid, length, mtime, atime, nUid, nGid } = stat;
    assert.deepEqual([name, uid, gid], ['', '', '']);
    assert.deepEqual(
      [length, mtime, atime, nUid, nGid],
      [MAXU64, 0xffffffff, 0xffffffff, NONUNAME, NONUNAME],
    );
  });

  it('can compute the bits from what they are', async () => {
    const { client, server } = await attached({ dialect: '9P2000.L' });
    const changing = client.chmod('f', old => old.mode | 0o001);
    await server.walk();
    await server.answer('Tgetattr', 'Rgetattr', attributes());
    const request = await server.answer('Tsetattr', 'Rsetattr', {});
    await server.answer('Tclunk', 'Rclunk', {});
    await changing;
    assert.deepEqual([request.valid, request.mode], [1, 0o641]);
  });
});

describe('chown', () => {
  it('sends a number as a number and as text, a name as a name', async () => {
    const { client, server } = await attached();
    const changing = client.chown('f', { uid: 1000, gid: 'dev' });
    await server.walk();
    const { stat } = await server.answer('Twstat', 'Rwstat', {});
    await server.answer('Tclunk', 'Rclunk', {});
    await changing;
    assert.deepEqual([stat.uid, stat.nUid, stat.gid, stat.nGid], ['1000', 1000, 'dev', NONUNAME]);
  });

  it('in 9P2000.L refuses a name', async () => {
    const { client, server } = await attached({ dialect: '9P2000.L' });
    const changing = client.chown('f', { gid: 'dev' });
    await server.walk();
    await server.answer('Tclunk', 'Rclunk', {});
    await assert.rejects(changing, /dev: 9P2000.L takes owners and groups by number only/);
  });
});

describe('listing a directory', () => {
  for (const dialect of ['9P2000', '9P2000.u'] as const) {
    it(`in ${dialect} reads stats until the end`, async () => {
      const { client, server } = await attached({ dialect });
      const codec = codecFor(dialect);
      const page = (...names: string[]): Buffer => {
        const bytes = Buffer.alloc(4096);
        return bytes.subarray(
          0,
          names.reduce((at, name) => codec.encodeStat(wireStat(name), bytes, at), 0),
        );
      };
      const listing = client.readdir('tcp');
      await server.walk(DIR);
      await server.open(DIR);
      const first = page('0', '1');
      await server.answer('Tread', 'Rread', { data: first });
      const second = await server.answer('Tread', 'Rread', { data: page('clone') });
      await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) });
      await server.answer('Tclunk', 'Rclunk', {});
      assert.equal(second.offset, first.length);
      assert.deepEqual(
        (await listing).map(entry => [entry.name, entry.stat?.length]),
        [
          ['0', 42],
          ['1', 42],
          ['clone', 42],
        ],
      );
    });
  }

  const entry = (name: string, offset: number): Buffer => {
    const bytes = Buffer.alloc(24 + name.length);
    bytes.writeUInt32LE(7, 5);
    bytes.writeUInt32LE(offset, 13);
    bytes.writeUInt16LE(name.length, 22);
    bytes.write(name, 24);
    return bytes;
  };

  it('in 9P2000.L goes on at the last offset and leaves out dots', async () => {
    const { client, server } = await attached({ dialect: '9P2000.L' });
    const listing = client.readdir('tcp');
    await server.walk(DIR);
    await server.open(DIR);
    const data = Buffer.concat([entry('.', 1), entry('..', 2), entry('0', 77)]);
    await server.answer('Treaddir', 'Rreaddir', { data });
    const second = await server.answer('Treaddir', 'Rreaddir', { data: Buffer.alloc(0) });
    await server.answer('Tclunk', 'Rclunk', {});
    assert.equal(second.offset, 77);
    assert.deepEqual(
      (await listing).map(({ name, qid }) => [name, qid.path]),
      [['0', 7]],
    );
  });

  for (const dialect of DIALECTS) {
    it(`in ${dialect} names a list that is cut off, wherever that is`, async () => {
      const whole = Buffer.alloc(4096);
      const codec = codecFor(dialect);
      const data =
        dialect === '9P2000.L'
          ? entry('clone', 1)
          : whole.subarray(0, codec.encodeStat(wireStat('clone'), whole, 0));
      for (let cut = 1; cut < data.length; cut++) {
        const { client, server } = await attached({ dialect });
        const listing = client.readdir('tcp');
        await server.walk(DIR);
        await server.open(DIR);
        const part = { data: data.subarray(0, cut) };
        if (dialect === '9P2000.L') await server.answer('Treaddir', 'Rreaddir', part);
        else await server.answer('Tread', 'Rread', part);
        await assert.rejects(listing, ProtocolError);
      }
    });
  }
});
