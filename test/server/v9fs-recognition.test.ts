/**
 * Who is taken for Linux's v9fs and what he is shown; and that nobody else ever gets a symlink or an end
 * of file that is none.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ERRORS } from '../../src/netfs/error.ts';
import { attachName, Recogniser } from '../../src/server/9p/v9fs/index.ts';
import type { Dialect, Message, TName } from '../../src/server/9p/messages.ts';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import * as b from './bytes.ts';
import { Rig, turns, type RawClient } from './rig.ts';

const { DIALECTS, NOFID } = b;
const QTSYMLINK = 2;
const SYMLINKS: readonly Dialect[] = ['9P2000.u', '9P2000.L'];

/** The first messages of a mount: fid 0 attached without a number, and looked at. */
const mounts = (dialect: Dialect, mask = 0x17ff): Buffer[] => [
  b.Tattach(dialect, 0, 0, { uname: 'root', aname: '/' }),
  dialect === '9P2000.L' ? b.Tgetattr(0, 0, mask) : b.Tstat(0, 0),
];

/** The type of the qid that a walk to tcp/clone ends at. */
async function typeOfClone(client: RawClient, fid = 77): Promise<number> {
  return (await client.walk(fid, 'tcp/clone')).qid(2 + 13).type;
}

/** Names and d_types of a directory in 9P2000.L. */
async function dirents(client: RawClient, path: string): Promise<Record<string, number>> {
  await client.open(60, path, b.OREAD);
  const { data } = await client.ok(b.Treaddir(0, 60, 0, 8192));
  await client.clunk(60);
  const types: Record<string, number> = {};
  for (let at = 0; at < data.length;) {
    const length = data.readUInt16LE(at + 22);
    types[data.toString('utf8', at + 24, at + 24 + length)] = data[at + 21]!;
    at += 24 + length;
  }
  return types;
}

describe('v9fs is recognised', () => {
  let rig: Rig;

  beforeEach(async () => (rig = await Rig.start()));
  afterEach(() => rig.stop());

  async function begun(dialect: Dialect, ...frames: Buffer[]): Promise<RawClient> {
    const client = await rig.connect(dialect);
    await client.ok(b.Tversion(65536, dialect));
    for (const frame of frames) await client.ok(frame);
    return client;
  }

  for (const dialect of SYMLINKS) {
    it(`by the first messages of its mount (${dialect})`, async () => {
      assert.equal(await typeOfClone(await begun(dialect, ...mounts(dialect))), QTSYMLINK);
    });

    it(`until its next Tversion (${dialect})`, async () => {
      const client = await begun(dialect, ...mounts(dialect));
      await client.start();
      assert.equal(await typeOfClone(client), 0);
    });

    it(`in all it attaches later (${dialect})`, async () => {
      const client = await begun(dialect, ...mounts(dialect));
      await client.ok(b.Tattach(dialect, 0, 1, { nUname: 0 }));
      const answer = await client.ok(b.Twalk(0, 1, 2, 'tcp', 'clone'));
      assert.equal(answer.qid(2 + 13).type, QTSYMLINK);
    });
  }

  it('with the mask of Linux 6.1, too', async () => {
    assert.equal(await typeOfClone(await begun('9P2000.L', ...mounts('9P2000.L', 0x7ff))), QTSYMLINK);
  });

  it('by its word, v9fs or v9fs:PATH as the attach name, in each dialect', async () => {
    for (const dialect of DIALECTS) {
      const client = await begun(dialect, b.Tattach(dialect, 0, 0, { aname: 'v9fs' }));
      assert.equal(await typeOfClone(client), dialect === '9P2000' ? 0 : QTSYMLINK);
      await client.walk(78, 'tcp/clone@7');
      const below = await begun(dialect, b.Tattach(dialect, 0, 0, { aname: 'v9fs:tcp' }));
      await below.walk(78, 'clone@7');
    }
  });

  it('an attach name that only begins so is a path', () => {
    assert.deepEqual(attachName('v9fs'), { declared: true, path: '' });
    assert.deepEqual(attachName('v9fs:tcp/3'), { declared: true, path: 'tcp/3' });
    for (const path of ['', '/', 'tcp', 'v9fsx', 'v9fs/tcp', 'tcp/v9fs', ' v9fs']) {
      assert.deepEqual(attachName(path), { declared: false, path });
    }
  });

  it('and nobody who begins in another way', async () => {
    const L = '9P2000.L';
    const attach = b.Tattach(L, 0, 0, { uname: 'root' });
    const others: Buffer[][] = [
      [attach, b.Tgetattr(0, 0, 0x3fff)],
      [attach, b.Twalk(0, 0, 1), b.Tgetattr(0, 0, 0x17ff)],
      [attach, b.Tflush(0, 9), b.Tgetattr(0, 0, 0x17ff)],
      [attach, b.Tstatfs(0, 0), b.Tgetattr(0, 0, 0x17ff)],
      [attach, b.Tattach(L, 0, 1), b.Tgetattr(0, 0, 0x17ff)],
      [b.Tattach(L, 0, 0, { nUname: 0 }), b.Tgetattr(0, 0, 0x17ff)],
    ];
    for (const frames of others) assert.equal(await typeOfClone(await begun(L, ...frames)), 0);
    // In plain 9P2000 the same beginning is anybody's.
    assert.equal(await typeOfClone(await begun('9P2000', ...mounts('9P2000'))), 0);
  });

  it('whatever two messages a client begins with, only those two are v9fs', () => {
    const message = fc.record({
      type: fc.constantFrom<TName>('Tattach', 'Tgetattr', 'Tstat', 'Twalk', 'Tauth', 'Tflush', 'Tread'),
      fid: fc.constantFrom(0, 1, 2),
      afid: fc.constantFrom(NOFID, 0),
      nUname: fc.constantFrom(NOFID, 0, 1000),
      requestMask: fc.constantFrom(0x7ff, 0x17ff, 0x3fff, 0),
    });
    fc.assert(
      fc.property(fc.constantFrom(...DIALECTS), message, message, (dialect, first, second) => {
        const recogniser = new Recogniser(dialect);
        const said = [first, second].map(m => recogniser.judge(m as unknown as Message<TName>));
        const attaches =
          first.type === 'Tattach' && first.fid === 0 && first.afid === NOFID && first.nUname === NOFID;
        const looks =
          dialect === '9P2000.L'
            ? second.type === 'Tgetattr' && [0x7ff, 0x17ff].includes(second.requestMask)
            : dialect === '9P2000.u' && second.type === 'Tstat';
        assert.equal(said.includes('v9fs'), attaches && looks && second.fid === 0);
      }),
    );
  });
});

describe('what v9fs is shown', () => {
  let rig: Rig;

  beforeEach(async () => (rig = await Rig.start()));
  afterEach(() => rig.stop());

  async function mounted(dialect: Dialect): Promise<RawClient> {
    const client = await rig.connect(dialect);
    await client.ok(b.Tversion(65536, dialect));
    for (const frame of mounts(dialect)) await client.ok(frame);
    return client;
  }

  it('symlinks, whose target is new each time', async () => {
    const client = await mounted('9P2000.L');
    await client.walk(1, 'tcp/clone');
    const targets = [];
    for (let i = 0; i < 3; i++) targets.push((await client.ok(b.Treadlink(0, 1))).str());
    assert.equal(new Set(targets).size, 3);
    for (const target of targets) assert.match(target, /^clone@\d+$/);
    const mode = (await client.ok(b.Tgetattr(0, 1))).u32(8 + 13);
    assert.equal(mode, 0o120777);
  });

  it('no symlink at the end of a fresh name', async () => {
    const client = await mounted('9P2000.L');
    await client.walk(1, 'tcp/clone@anything');
    assert.equal((await client.ok(b.Tgetattr(0, 1))).u32(8 + 13), 0o100600);
    await client.refused(b.Treadlink(0, 1), 'bad arg in system call', 'EINVAL');
  });

  it('the symlinks in a listing, and no fresh name', async () => {
    const client = await mounted('9P2000.L');
    await client.walk(1, 'tcp/clone@1');
    assert.deepEqual(await dirents(client, 'tcp'), { '.': 4, '..': 4, clone: 10, stats: 8 });
  });

  it('fresh names of no other file, and no file below them', async () => {
    for (const dialect of SYMLINKS) {
      const client = await mounted(dialect);
      for (const path of ['stats@1', 'nothing@1', '@', '@1']) {
        const answer = await client.ok(b.Twalk(0, 0, 5, 'tcp', path));
        assert.equal(answer.body.readUInt16LE(0), 1, path);
      }
      await client.refused(b.Twalk(0, 0, 5, 'tcp@1'), 'file does not exist', 'ENOENT');
    }
  });

  it('each opening by a fresh name is one of the file', async () => {
    const client = await mounted('9P2000.L');
    const numbers = [];
    for (let fid = 10; fid < 13; fid++) {
      await client.open(fid, 'tcp/clone@same');
      numbers.push((await client.read(fid)).toString());
    }
    assert.deepEqual(numbers, ['0', '1', '2']);
  });

  it('one fid never gets the bytes of another, though both are at the same place', async () => {
    const client = await mounted('9P2000.L');
    const one = await rig.peers.one();
    const dir = await client.dial(1, 2, one.address);
    await client.open(3, `${dir}/data@other`);
    const socket = await one.socket;
    socket.write('for the first');
    assert.equal((await client.read(2, 100, 0)).toString(), 'for the first');
    // Sought back over by its own fid; to the other it is nothing.
    assert.equal((await client.read(2, 100, 4)).toString(), 'the first');
    client.send(b.Tread(5, 3, 0, 100));
    await turns(5);
    socket.write('more');
    const answer = await client.next();
    assert.deepEqual([answer.tag, answer.text], [5, 'more']);
  });

  it('no error that v9fs would take for a reason to try a write again', () => {
    // EAGAIN is for doors that ask not to wait; a 9P session never does.
    const retried = ['file is in use', 'exclusive use file already open', 'Resource temporarily unavailable'];
    for (const { text } of Object.values(ERRORS)) assert(!retried.includes(text), text);
  });
});

describe("the files of a conversation by v9fs's fresh names", () => {
  it('are refused to whom the conversation is refused', async () => {
    const rig = await Rig.start({
      owner: GLENDA,
      users: people,
      peer: { caller: GLENDA, claims: 'anyone' },
    });
    const dialect = '9P2000.L';
    const client = await rig.connect(dialect);
    await client.ok(b.Tversion(65536, dialect));
    for (const frame of mounts(dialect)) await client.ok(frame);
    await client.ok(b.Tattach(dialect, 0, 100, { nUname: GLENDA.uid }));
    await client.ok(b.Tattach(dialect, 0, 200, { nUname: ALICE.uid }));
    await client.ok(b.Twalk(0, 100, 101, 'tcp', 'clone@1'));
    await client.ok(b.Tlopen(0, 101, b.ORDWR));
    for (const [i, name] of ['ctl', 'ctl@1', 'data@1', 'listen@1'].entries()) {
      await client.ok(b.Twalk(0, 200, 201 + i, 'tcp', '0', name));
      await client.refused(b.Tlopen(0, 201 + i, b.OREAD), 'permission denied', 'EACCES');
    }
    await client.ok(b.Twalk(0, 200, 210, 'tcp', 'clone@2'));
    await client.refused(b.Tlopen(0, 210, b.OREAD), 'permission denied', 'EACCES');
    await rig.stop();
  });
});

for (const dialect of DIALECTS) {
  describe(`a client that is not v9fs (${dialect})`, () => {
    let rig: Rig;
    let client: RawClient;

    beforeEach(async () => {
      rig = await Rig.start();
      client = await rig.client(dialect);
    });
    afterEach(() => rig.stop());

    it('sees files, and no fresh names', async () => {
      assert.equal(await typeOfClone(client), 0);
      const answer = await client.ok(b.Twalk(0, 0, 5, 'tcp', 'clone@1'));
      assert.equal(answer.body.readUInt16LE(0), 1);
      if (dialect !== '9P2000.L') return;
      assert.deepEqual(await dirents(client, 'tcp'), { '.': 4, '..': 4, clone: 8, stats: 8 });
      await client.refused(b.Treadlink(0, 77), 'bad arg in system call', 'EINVAL');
    });

    it('never gets an end of file that is none, nor what it has read already', async () => {
      const one = await rig.peers.one();
      await client.dial(1, 2, one.address);
      const socket = await one.socket;
      socket.write('hello');
      assert.equal((await client.read(2, 100, 0)).toString(), 'hello');
      // What v9fs would ask next.
      client.send(b.Tread(5, 2, 5, 95));
      await turns(5);
      socket.write('more');
      const answer = await client.next();
      assert.deepEqual([answer.tag, answer.text], [5, 'more']);
      client.send(b.Tread(6, 2, 0, 100));
      await turns(5);
      socket.write('again');
      assert.equal((await client.next()).text, 'again');
    });

    it('gets a whole message when it asks for one', async () => {
      const one = await rig.peers.one();
      await client.dial(1, 2, one.address);
      (await one.socket).end(Buffer.alloc(300_000));
      const size = 65536 - 24;
      const reads = [];
      for (let offset = 0; offset < 300_000; offset += reads.at(-1)!) {
        reads.push((await client.read(2, size, offset)).length);
      }
      assert(reads.includes(size));
    });

    it('gets no newlines behind a text', async () => {
      await client.clone(1);
      await client.write(1, `ttl 5${' '.repeat(50)}`);
      assert.equal((await client.read(1, 100, 0)).toString(), '0');
    });
  });
}
