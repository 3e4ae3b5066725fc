import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  AddressError,
  announce,
  dial,
  parseNetAddress,
  ProtocolError,
  type Conversation,
} from '../../src/client/index.ts';
import { attached, type FakeServer } from './fake.ts';

const REASON = new Error('the test gave up');

/** Answers the opening of `clone` or `listen`; the fid is then the ctl of conversation `number`. */
async function giveControl(server: FakeServer, number = '3'): Promise<number> {
  const { newfid } = await server.walk();
  await server.open();
  await server.answer('Tread', 'Rread', { data: Buffer.from(number) });
  return newfid;
}

async function dialed(): Promise<{ server: FakeServer; call: Conversation; ctl: number; data: number }> {
  const { client, server } = await attached();
  const dialing = dial(client, 'tcp!192.0.2.7!80');
  const ctl = await giveControl(server);
  await server.answer('Twrite', 'Rwrite', { count: 'connect 192.0.2.7!80'.length });
  const { newfid: data } = await server.walk();
  await server.open();
  return { server, call: await dialing, ctl, data };
}

describe('dial', () => {
  it('opens clone, reads the number, connects and opens data', async () => {
    const { client, server } = await attached();
    const dialing = dial(client, 'tcp!example.org!https');
    assert.deepEqual((await server.walk()).names, ['tcp', 'clone']);
    await server.open();
    await server.answer('Tread', 'Rread', { data: Buffer.from('12') });
    const text = 'connect example.org!https';
    const write = await server.answer('Twrite', 'Rwrite', { count: text.length });
    assert.equal(write.data.toString(), text);
    assert.deepEqual((await server.walk()).names, ['tcp', '12', 'data']);
    await server.open();
    const call = await dialing;
    assert.deepEqual([call.number, call.dir], [12, 'tcp/12']);
  });

  it('works in a net that lies deeper', async () => {
    const { client, server } = await attached();
    const dialing = dial(client, 'tcp!::1!80', { netdir: 'view/4' });
    assert.deepEqual((await server.walk()).names, ['view', '4', 'tcp', 'clone']);
    await server.open();
    await server.answer('Tread', 'Rread', { data: Buffer.from('0') });
    await server.answer('Twrite', 'Rwrite', { count: 'connect ::1!80'.length });
    assert.deepEqual((await server.walk()).names, ['view', '4', 'tcp', '0', 'data']);
    await server.open();
    assert.equal((await dialing).dir, 'view/4/tcp/0');
  });

  it('that is refused says so and keeps nothing', async () => {
    const { client, server } = await attached();
    const dialing = dial(client, 'tcp!192.0.2.7!80');
    const ctl = await giveControl(server);
    server.fail((await server.next('Twrite')).tag, 'connection refused', 111);
    assert.deepEqual((await server.walk()).names, ['tcp', '3', 'err']);
    await server.open();
    await server.answer('Tread', 'Rread', { data: Buffer.from('no zone allows it\n') });
    await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) });
    await server.answer('Tclunk', 'Rclunk', {});
    assert.equal((await server.answer('Tclunk', 'Rclunk', {})).fid, ctl);
    await assert.rejects(dialing, { name: 'NinepError', code: 'ECONNREFUSED', detail: 'no zone allows it' });
  });

  it('that is refused by a server without err files says so all the same', async () => {
    const { client, server } = await attached();
    const dialing = dial(client, 'tcp!192.0.2.7!80');
    await giveControl(server);
    server.fail((await server.next('Twrite')).tag, 'connection refused', 111);
    server.fail((await server.next('Twalk')).tag, 'file does not exist', 2);
    await server.answer('Tclunk', 'Rclunk', {});
    await assert.rejects(dialing, { code: 'ECONNREFUSED', detail: undefined });
  });

  it('says that a net has no such protocol', async () => {
    const { client, server } = await attached();
    const dialing = dial(client, 'foo!192.0.2.7!80');
    server.fail((await server.next('Twalk')).tag, 'file does not exist', 2);
    await assert.rejects(dialing, { detail: 'file does not exist: foo/clone; this /net has no foo' });
  });

  it('that is aborted while it connects keeps nothing', async () => {
    const { client, server } = await attached();
    const aborter = new AbortController();
    const dialing = dial(client, 'tcp!192.0.2.7!80', { signal: aborter.signal });
    const ctl = await giveControl(server);
    const { tag } = await server.next('Twrite');
    aborter.abort(REASON);
    assert.equal((await server.answer('Tflush', 'Rflush', {})).oldtag, tag);
    assert.equal((await server.answer('Tclunk', 'Rclunk', {})).fid, ctl);
    await assert.rejects(dialing, error => error === REASON);
  });

  it('does not take a clone that reads no number', async () => {
    const { client, server } = await attached();
    const dialing = dial(client, 'tcp!192.0.2.7!80');
    await giveControl(server, '../x');
    await server.answer('Tclunk', 'Rclunk', {});
    await assert.rejects(dialing, ProtocolError);
  });
});

describe('a conversation', () => {
  it('gives both its files back when it is closed', async () => {
    const { server, call, ctl, data } = await dialed();
    const closing = call.close();
    const fids = [(await server.answer('Tclunk', 'Rclunk', {})).fid];
    fids.push((await server.answer('Tclunk', 'Rclunk', {})).fid);
    await closing;
    assert.deepEqual(fids.sort(), [ctl, data].sort());
  });

  it('tells its addresses without the newline', async () => {
    const { server, call } = await dialed();
    const asking = call.remote();
    assert.deepEqual((await server.walk()).names, ['tcp', '3', 'remote']);
    await server.open();
    await server.answer('Tread', 'Rread', { data: Buffer.from('192.0.2.7!80\n') });
    await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) });
    await server.answer('Tclunk', 'Rclunk', {});
    assert.equal(await asking, '192.0.2.7!80');
  });

  it('as a stream goes on reading after its writable side has ended', async () => {
    const { server, call } = await dialed();
    const stream = call.duplex();
    stream.end('bye');
    const chunks: string[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
    const closed = new Promise(resolve => stream.once('close', resolve));
    const first = await server.next('Twrite');
    server.send('Rwrite', first.tag, { count: 3 });
    await server.answer('Tread', 'Rread', { data: Buffer.from('and you') });
    await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) });
    await server.answer('Tclunk', 'Rclunk', {});
    await server.answer('Tclunk', 'Rclunk', {});
    await closed;
    assert.deepEqual(chunks, ['and you']);
  });

  it('as a stream writes the next chunk when the server took the one before', async () => {
    const { server, call } = await dialed();
    const stream = call.duplex();
    stream.write('one');
    stream.write('two');
    const { tag } = await server.next('Twrite');
    await new Promise(setImmediate);
    assert.equal(server.waiting.length, 0);
    server.send('Rwrite', tag, { count: 3 });
    assert.equal((await server.answer('Twrite', 'Rwrite', { count: 3 })).data.toString(), 'two');
    stream.destroy();
  });

  it('as a stream fails with the words of the server', async () => {
    const { server, call } = await dialed();
    const stream = call.duplex().resume();
    const failed = new Promise<Error>(resolve => stream.once('error', resolve));
    server.fail((await server.next('Tread')).tag, 'i/o on hungup channel', 32);
    await server.answer('Tclunk', 'Rclunk', {});
    await server.answer('Tclunk', 'Rclunk', {});
    assert.equal((await failed).message, 'i/o on hungup channel');
  });
});

describe('announce', () => {
  async function announced() {
    const { client, server } = await attached();
    const announcing = announce(client, 'tcp!*!8080');
    await giveControl(server, '5');
    const write = await server.answer('Twrite', 'Rwrite', { count: 'announce *!8080'.length });
    assert.equal(write.data.toString(), 'announce *!8080');
    return { server, announcement: await announcing };
  }

  it('makes each opening of listen a call', async () => {
    const { server, announcement } = await announced();
    const listening = announcement.listen();
    assert.deepEqual((await server.walk()).names, ['tcp', '5', 'listen']);
    await server.open();
    await server.answer('Tread', 'Rread', { data: Buffer.from('6') });
    assert.deepEqual((await server.walk()).names, ['tcp', '6', 'data']);
    await server.open();
    assert.equal((await listening).dir, 'tcp/6');
  });

  it('stops waiting for a call when the signal fires', async () => {
    const { server, announcement } = await announced();
    const aborter = new AbortController();
    const listening = announcement.listen({ signal: aborter.signal });
    const { newfid } = await server.walk();
    const { tag } = await server.next('Topen');
    aborter.abort(REASON);
    assert.equal((await server.answer('Tflush', 'Rflush', {})).oldtag, tag);
    assert.equal((await server.answer('Tclunk', 'Rclunk', {})).fid, newfid);
    await assert.rejects(listening, error => error === REASON);
  });

  it('loses no call that came before the Rflush', async () => {
    const { server, announcement } = await announced();
    const aborter = new AbortController();
    const listening = announcement.listen({ signal: aborter.signal });
    await server.walk();
    const { tag } = await server.next('Topen');
    aborter.abort(REASON);
    const flush = await server.next('Tflush');
    server.send('Ropen', tag, { qid: { type: 0, vers: 0, path: 9 }, iounit: 0 });
    server.send('Rflush', flush.tag, {});
    await server.answer('Tread', 'Rread', { data: Buffer.from('6') });
    await server.walk();
    await server.open();
    assert.equal((await listening).dir, 'tcp/6');
  });
});

describe('a network address', () => {
  it('has a network, a host and a port', () => {
    assert.deepEqual(parseNetAddress('tcp!example.org!22'), {
      network: 'tcp',
      host: 'example.org',
      port: '22',
    });
    assert.deepEqual(parseNetAddress('net![2001:db8::1]!ssh'), {
      network: 'tcp',
      host: '2001:db8::1',
      port: 'ssh',
    });
  });

  for (const text of [
    '',
    'tcp',
    'tcp!',
    'tcp!h',
    'tcp!h!',
    'tcp!!1',
    '!h!1',
    'tcp!h!1!2',
    'tcp!h h!1',
    "tcp!h'!1",
    'a/b!h!1',
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      assert.throws(() => parseNetAddress(text), AddressError);
    });
  }

  it('never brings a blank or a quote into a control message', () => {
    fc.assert(
      fc.property(fc.string(), text => {
        try {
          const { network, host, port } = parseNetAddress(text);
          assert.doesNotMatch(`${network}${host}${port}`, /[\s'!]/);
        } catch (error) {
          assert(error instanceof AddressError);
        }
      }),
    );
    const parts = fc.array(fc.string({ maxLength: 5 }), { minLength: 3, maxLength: 3 });
    fc.assert(
      fc.property(parts, words => {
        try {
          const { host } = parseNetAddress(words.join('!'));
          assert.notEqual(host, '');
        } catch (error) {
          assert(error instanceof AddressError);
        }
      }),
    );
  });
});
