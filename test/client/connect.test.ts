import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { connect, NinepError, ProtocolError, TransportError } from '../../src/client/index.ts';
import { NOFID, NOTAG, NONUNAME } from '../../src/server/9p/messages.ts';
import { attached, DIALECTS, DIR, FakeServer, streamPair } from './fake.ts';

describe('connect', () => {
  for (const dialect of DIALECTS) {
    it(`speaks ${dialect} when asked to`, async () => {
      const { client } = await attached({ dialect });
      assert.equal(client.dialect, dialect);
      assert.equal(client.root.qid.path, DIR.path);
    });
  }

  it('proposes 9P2000.u and attaches as the user who runs it', async () => {
    const [near, far] = streamPair();
    const server = new FakeServer(far, '9P2000.u');
    const connecting = connect(near);
    const version = await server.answer('Tversion', 'Rversion', { msize: 8192, version: '9P2000.u' });
    assert.equal(version.version, '9P2000.u');
    assert.equal(version.tag, NOTAG);
    const attach = await server.answer('Tattach', 'Rattach', { qid: DIR });
    assert.equal(attach.uname, userInfo().username);
    assert.equal(attach.nUname, userInfo().uid);
    assert.equal(attach.afid, NOFID);
    assert.equal(attach.aname, '');
    assert.equal((await connecting).msize, 8192);
  });

  it('sends no number with a uname that comes without one', async () => {
    const [near, far] = streamPair();
    const server = new FakeServer(far, '9P2000.u');
    const connecting = connect(near, { uname: 'glenda', aname: 'view/3' });
    await server.answer('Tversion', 'Rversion', { msize: 8192, version: '9P2000.u' });
    const attach = await server.answer('Tattach', 'Rattach', { qid: DIR });
    assert.deepEqual([attach.uname, attach.nUname, attach.aname], ['glenda', NONUNAME, 'view/3']);
    await connecting;
  });

  it('falls back to the older dialect that the server answers', async () => {
    const [near, far] = streamPair();
    const server = new FakeServer(far, '9P2000');
    const connecting = connect(near, { dialect: '9P2000.L' });
    await server.answer('Tversion', 'Rversion', { msize: 4096, version: '9P2000' });
    await server.answer('Tattach', 'Rattach', { qid: DIR });
    const client = await connecting;
    assert.deepEqual([client.dialect, client.msize], ['9P2000', 4096]);
  });

  it('proposes plain 9P2000 to a server that answers unknown', async () => {
    const [near, far] = streamPair();
    const server = new FakeServer(far, '9P2000');
    const connecting = connect(near, { dialect: '9P2000.L' });
    await server.answer('Tversion', 'Rversion', { msize: 4096, version: 'unknown' });
    const second = await server.answer('Tversion', 'Rversion', { msize: 4096, version: '9P2000' });
    assert.equal(second.version, '9P2000');
    await server.answer('Tattach', 'Rattach', { qid: DIR });
    assert.equal((await connecting).dialect, '9P2000');
  });

  for (const [what, msize, version] of [
    ['no dialect in common', 4096, 'unknown'],
    ['a larger msize than was proposed', 8193, '9P2000'],
    ['an msize too small to work with', 100, '9P2000'],
  ] as const) {
    it(`fails when the server answers ${what}`, async () => {
      const [near, far] = streamPair();
      const server = new FakeServer(far, '9P2000');
      const connecting = connect(near, { dialect: '9P2000', msize: 8192 });
      await server.answer('Tversion', 'Rversion', { msize, version });
      await assert.rejects(connecting, ProtocolError);
      assert(near.destroyed);
    });
  }

  it('fails with the words of a server that refuses the attach', async () => {
    const [near, far] = streamPair();
    const server = new FakeServer(far, '9P2000.u');
    const connecting = connect(near);
    await server.answer('Tversion', 'Rversion', { msize: 8192, version: '9P2000.u' });
    await server.answer('Tattach', 'Rerror', { ename: 'unknown user', errno: 13 });
    await assert.rejects(connecting, { name: 'NinepError', text: 'unknown user', code: 'EACCES' });
  });

  it('fails when something else than 9P answers', async () => {
    const [near, far] = streamPair();
    const connecting = connect(near);
    far.write('HTTP/1.1 400 Bad Request\r\n\r\n');
    await assert.rejects(connecting, ProtocolError);
  });

  it('fails when the server hangs up', async () => {
    const [near, far] = streamPair();
    const connecting = connect(near);
    far.end();
    await assert.rejects(connecting, TransportError);
  });

  it('gives up when the signal fires', async () => {
    const [near, far] = streamPair();
    const server = new FakeServer(far, '9P2000.u');
    const reason = new Error('enough');
    const aborter = new AbortController();
    const connecting = connect(near, { signal: aborter.signal });
    await server.next('Tversion');
    aborter.abort(reason);
    await assert.rejects(connecting, error => error === reason);
    assert(near.destroyed);
  });

  it('names the endpoint and the cause when there is no server', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    try {
      await assert.rejects(connect(`unix!${dir}/none`), {
        name: 'TransportError',
        code: 'ENOENT',
        message: new RegExp(`cannot reach unix!${dir}/none: `),
      });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  it('reaches a server at a unix socket', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    const listener = createServer(socket => {
      const server = new FakeServer(socket, '9P2000.u');
      void server
        .answer('Tversion', 'Rversion', { msize: 8192, version: '9P2000.u' })
        .then(() => server.answer('Tattach', 'Rattach', { qid: DIR }));
    });
    await new Promise<void>(resolve => listener.listen(join(dir, 'sock'), resolve));
    try {
      const client = await connect(`unix!${dir}/sock`);
      assert.equal(client.dialect, '9P2000.u');
      client.close();
      assert((await client.closed) instanceof TransportError);
    } finally {
      listener.close();
      rmSync(dir, { recursive: true });
    }
  });
});

describe('an error reply', () => {
  const cases = [
    { dialect: '9P2000', ename: 'connection refused', errno: 0, code: 'ECONNREFUSED', number: 111 },
    { dialect: '9P2000', ename: 'out of cheese', errno: 0, code: 'EUNKNOWN', number: undefined },
    { dialect: '9P2000.u', ename: 'no route', errno: 113, code: 'EHOSTUNREACH', number: 113 },
  ] as const;
  for (const { dialect, ename, errno, code, number } of cases) {
    it(`of ${dialect} saying ${ename} has the code ${code}`, async () => {
      const { client, server } = await attached({ dialect });
      const walking = client.walk('tcp');
      server.fail((await server.next('Twalk')).tag, ename, errno);
      await assert.rejects(walking, { name: 'NinepError', text: ename, message: ename, code, errno: number });
    });
  }

  for (const [errno, code, text] of [
    [111, 'ECONNREFUSED', 'connection refused'],
    [2, 'ENOENT', 'file does not exist'],
    [13, 'EACCES', 'permission denied'],
    [9999, 'EUNKNOWN', 'error 9999'],
  ] as const) {
    it(`of 9P2000.L with the number ${errno} says ${text}`, async () => {
      const { client, server } = await attached({ dialect: '9P2000.L' });
      const walking = client.walk('tcp');
      server.fail((await server.next('Twalk')).tag, '', errno);
      await assert.rejects(walking, error => {
        assert(error instanceof NinepError);
        assert.deepEqual([error.errno, error.code, error.text], [errno, code, text]);
        return true;
      });
    });
  }
});
