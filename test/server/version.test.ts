/** version(5): what is agreed upon, and how a session begins anew. */
import assert from 'node:assert/strict';
import { DEFAULT_LIMITS } from '../../src/server/9p/session.ts';
import * as b from './bytes.ts';
import { DIALECTS, R } from './bytes.ts';
import { assertError, Rig, socketCount, until, type RawClient } from './rig.ts';

const MiB = 1024 * 1024;

describe('Tversion', () => {
  let rig: Rig;
  let client: RawClient;

  beforeEach(async () => {
    rig = await Rig.start();
    client = await rig.connect('9P2000');
  });

  afterEach(() => rig.stop());

  async function version(msize: number, text: string): Promise<{ msize: number; version: string }> {
    const answer = await client.ok(b.Tversion(msize, text));
    return { msize: answer.u32(), version: answer.str(4) };
  }

  const ANSWERS: readonly [asked: string, answered: string][] = [
    ['9P2000', '9P2000'],
    ['9P2000.u', '9P2000.u'],
    ['9P2000.L', '9P2000.L'],
    ['9P2000.L.Google.12', '9P2000.L'],
    ['9P2000.L.Google.0', '9P2000.L'],
    ['9P2000.u.something', '9P2000.u'],
    // version(5): what follows a period that the server does not know is ignored
    ['9P2000.e', '9P2000'],
    ['9P2000.Lx', '9P2000'],
    ['9P2000.', '9P2000'],
    ['9P2001', 'unknown'],
    ['9P1999', 'unknown'],
    ['9P20001', 'unknown'],
    ['9P', 'unknown'],
    ['9p2000', 'unknown'],
    ['9P2000\0', 'unknown'],
    [' 9P2000', 'unknown'],
    ['', 'unknown'],
    ['NFSv4', 'unknown'],
    ['x'.repeat(1000), 'unknown'],
  ];

  for (const [asked, answered] of ANSWERS) {
    it(`that asks for ${JSON.stringify(asked.slice(0, 20))} is answered with ${answered}`, async () => {
      assert.equal((await version(8192, asked)).version, answered);
    });
  }

  for (const msize of [512, 513, 4096, 8192, 65536, 131096, MiB]) {
    it(`with an msize of ${msize} is granted it`, async () => {
      assert.equal((await version(msize, '9P2000')).msize, msize);
    });
  }

  for (const msize of [MiB + 1, 16 * MiB, 0xffffffff]) {
    it(`with an msize of ${msize} is granted 1 MiB`, async () => {
      assert.equal((await version(msize, '9P2000.L')).msize, MiB);
    });
  }

  for (const msize of [0, 1, 23, 511]) {
    it(`with an msize of ${msize} is refused, and the next one is heard`, async () => {
      assertError(await client.call(b.Tversion(msize, '9P2000')), '9P2000', 'msize too small', 'EINVAL');
      assert.deepEqual(await version(512, '9P2000'), { msize: 512, version: '9P2000' });
    });
  }

  it('answers with the tag it came with', async () => {
    assert.equal((await client.ok(b.Tversion(8192, '9P2000', 7))).tag, 7);
  });

  it('that was answered `unknown` leaves the connection open for another', async () => {
    await version(8192, 'nonsense');
    assert.equal((await version(8192, '9P2000.u')).version, '9P2000.u');
  });

  it('may come as the only bytes, one at a time', async () => {
    for (const byte of b.Tversion(8192, '9P2000')) client.socket.write(Buffer.from([byte]));
    assert.equal((await client.next()).type, R.version);
  });

  for (const dialect of DIALECTS) {
    it(`must come first: before it, an attach of ${dialect} is refused`, async () => {
      const attach = b.Tattach('9P2000', 3, 0);
      assertError(await client.call(attach), '9P2000', 'version not negotiated', 'EPROTO');
      assertError(await client.call(b.Tstat(4, 0)), '9P2000', 'version not negotiated', 'EPROTO');
      assert.equal((await version(8192, dialect)).version, dialect);
      assert.equal((await client.ok(b.Tattach(dialect, 3, 0))).type, R.attach);
    });
  }

  it('must come first after an `unknown`, too', async () => {
    await version(8192, '9P2000');
    await version(8192, 'nonsense');
    const attach = b.Tattach('9P2000', 3, 0);
    assertError(await client.call(attach), '9P2000', 'version not negotiated', 'EPROTO');
  });

  it('too long for a first message ends the connection', async () => {
    client.send(b.Tversion(8192, 'x'.repeat(9000)));
    await client.closed;
  });

  it('holds for what follows: a message longer than msize ends the connection', async () => {
    await version(512, '9P2000');
    await client.ok(b.Tattach('9P2000', 0, 0));
    client.send(b.Twrite(1, 0, 0, Buffer.alloc(600)));
    await client.closed;
    assert.equal(rig.server.sessions.size, 0);
  });

  it('that never comes ends the connection, in the time that was set', async () => {
    const hasty = await Rig.start({ limits: { ...DEFAULT_LIMITS, handshakeMs: 30 } });
    const [silent, busy, good] = [
      await hasty.connect('9P2000'),
      await hasty.connect('9P2000'),
      await hasty.client('9P2000'),
    ];
    busy.send(b.Tstat(1, 0), b.Tversion(8192, '9P2000').subarray(0, 12));
    await Promise.all([silent.closed, busy.closed]);
    assert.equal(hasty.server.sessions.size, 1);
    await good.ok(b.Tstat(1, 0));
    await hasty.stop();
  });

  it('with the least msize is enough to list, stat, read and write', async () => {
    for (const dialect of DIALECTS) {
      const small = await (await rig.connect(dialect)).start(512);
      await small.dial(1, 2, await rig.peers.echo());
      const sent = Buffer.alloc(480, 'x');
      assert.equal(await small.write(2, sent), 480);
      for (let got = 0; got < sent.length; got += (await small.read(2, 8192)).length);
      assert((await small.file('tcp/stats')).startsWith('MaxConn'));
      for (const { size } of small.answers) assert(size <= 512, `an answer of ${size} bytes`);
      await small.ok(b.stat(dialect, 1, 1));
    }
  });
});

for (const dialect of DIALECTS) {
  describe(`Tversion in the middle of a ${dialect} session`, () => {
    let rig: Rig;
    let client: RawClient;

    beforeEach(async () => {
      rig = await Rig.start();
      client = await rig.client(dialect);
    });

    afterEach(() => rig.stop());

    it('aborts what waits without an answer, clunks every fid and closes the sockets', async () => {
      const { address, socket } = await rig.peers.one();
      const before = socketCount();
      await client.dial(1, 2, address);
      const { dir } = await client.announce(3);
      await client.walk(4, `${dir}/listen`);
      const ended = socket.then(peer => new Promise(resolve => peer.resume().once('end', resolve)));
      const answered = client.answers.length;
      client.send(
        b.Tread(10, 2, 0, 100),
        b.open(dialect, 11, 4, b.ORDWR),
        b.Tflush(12, 11),
        b.Tversion(8192, dialect),
      );
      assert.equal((await client.next()).type, R.version);
      assert.equal(client.answers.length, answered + 1, 'Rversion is the only answer');
      assert.equal(client.session.fids.size, 0);
      assert.equal(client.session.requestsInFlight, 0);
      await ended;
      (await socket).end();
      await until(() => socketCount() <= before && rig.inUse() === 0);
    });

    it('frees every tag and fid number, and another dialect may follow', async () => {
      const { address } = await rig.peers.one();
      await client.dial(1, 2, address);
      client.send(b.Tread(10, 2, 0, 100));
      for (const other of DIALECTS) {
        await client.ok(b.Tversion(8192, other));
        await client.ok(b.Tattach(other, 10, 1));
        await client.ok(b.stat(other, 10, 1));
        await client.ok(b.Twalk(10, 1, 2, 'tcp'));
      }
    });

    it('that cannot be granted ends the session that was', async () => {
      await client.clone(1);
      await client.ok(b.Tversion(8192, 'nonsense'));
      assert.equal(client.session.fids.size, 0);
      assert.equal(rig.inUse(), 0);
    });
  });
}
