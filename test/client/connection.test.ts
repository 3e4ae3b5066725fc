import assert from 'node:assert/strict';
import fc from 'fast-check';
import { connect, NinepError, ProtocolError, TransportError, type Client } from '../../src/client/index.ts';
import { attached, DIALECTS, encode, streamPair, type FakeServer } from './fake.ts';

const REASON = new Error('the test gave up');

const read = (client: Client, fid: number, signal?: AbortSignal) =>
  client.rpc('Tread', { fid, offset: 0, count: 100 }, signal);

/** What a promise is at this moment. */
async function state(promise: Promise<unknown>): Promise<string> {
  const pending = Symbol('pending');
  await new Promise(setImmediate);
  const now = await Promise.race([promise.catch(() => 'rejected'), Promise.resolve(pending)]);
  if (now === pending) return 'pending';
  return now === 'rejected' ? 'rejected' : 'resolved';
}

async function refused(promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, error => error === REASON);
}

/** A read that has reached the server and is then aborted; the Tflush has reached the server too. */
async function abortedRead(client: Client, server: FakeServer) {
  const aborter = new AbortController();
  const reading = read(client, 5, aborter.signal);
  reading.catch(() => {}); // looked at later
  const { tag } = await server.next('Tread');
  aborter.abort(REASON);
  const flush = await server.next('Tflush');
  assert.equal(flush.oldtag, tag);
  assert.notEqual(flush.tag, tag);
  return { reading, tag, flush };
}

describe('a connection', () => {
  it('sends any number of requests before the first answer', async () => {
    const { client, server } = await attached();
    const calls = Array.from({ length: 500 }, (_, fid) => read(client, fid));
    const tags = new Set<number>();
    for (let fid = 0; fid < 500; fid++) tags.add((await server.next('Tread')).tag);
    assert.equal(tags.size, 500);
    for (const tag of tags) server.send('Rread', tag, { data: Buffer.of(1) });
    await Promise.all(calls);
  });

  it('gives each call its own answer when they come in another order', async () => {
    const { client, server } = await attached();
    const calls = Array.from({ length: 50 }, (_, fid) => read(client, fid));
    const requests = [];
    for (let i = 0; i < 50; i++) requests.push(await server.next('Tread'));
    for (const { tag, fid } of requests.reverse()) server.send('Rread', tag, { data: Buffer.from(`${fid}`) });
    for (const [fid, call] of calls.entries()) assert.equal((await call).data.toString(), `${fid}`);
  });

  it('uses a tag again once its answer came', async () => {
    const { client, server } = await attached();
    const tags = new Set<number>();
    for (let i = 0; i < 20; i++) {
      const call = read(client, i);
      tags.add((await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) })).tag);
      await call;
    }
    assert.equal(tags.size, 1);
  });

  it('lets calls wait when a quarter of all tags is taken', async () => {
    const { client, server } = await attached();
    const limit = 0x3fff;
    const calls = Array.from({ length: limit + 2 }, (_, fid) => read(client, fid));
    const aborter = new AbortController();
    const impatient = read(client, 1, aborter.signal);
    const tags = [];
    for (let i = 0; i < limit; i++) tags.push((await server.next('Tread')).tag);
    aborter.abort(REASON);
    await refused(impatient);
    assert.equal(server.waiting.length, 0);
    for (const tag of tags) server.send('Rread', tag, { data: Buffer.alloc(0) });
    for (let i = 0; i < 2; i++) await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) });
    await Promise.all(calls);
  });

  it('sends the payload of a Twrite from where it lies', async () => {
    const { client, server } = await attached();
    const data = Buffer.alloc(5000, 'x');
    const writing = client.rpc('Twrite', { fid: 3, offset: 0, data });
    await server.answer('Twrite', 'Rwrite', { count: 5000 });
    await writing;
    const payload = server.chunks.at(-1)!;
    assert.equal(payload.buffer, data.buffer);
    assert.equal(payload.byteOffset, data.byteOffset);
  });

  it('refuses a message that does not fit, and goes on', async () => {
    const { client, server } = await attached({ msize: 4096 });
    const data = Buffer.alloc(4096);
    await assert.rejects(client.rpc('Twrite', { fid: 1, offset: 0, data }), RangeError);
    const long = client.rpc('Twalk', { fid: 1, newfid: 2, names: ['x'.repeat(70_000)] });
    await assert.rejects(long, RangeError);
    const reading = read(client, 1);
    await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) });
    await reading;
  });

  it('refuses a message that the dialect does not have', async () => {
    const { client } = await attached({ dialect: '9P2000' });
    await assert.rejects(
      client.rpc('Tgetattr', { fid: 1, requestMask: 0 }),
      /Tgetattr is not a message of 9P2000/,
    );
  });

  for (const dialect of DIALECTS) {
    it(`understands answers in ${dialect} cut at every byte`, async () => {
      const data = Buffer.from('hello');
      const answer = encode(dialect, 'Rread', 0, { data });
      for (let i = 0; i <= answer.length; i++) {
        const { client, server } = await attached({ dialect });
        const reading = read(client, 1);
        const bytes = Buffer.from(answer);
        bytes.writeUInt16LE((await server.next('Tread')).tag, 5);
        server.stream.write(bytes.subarray(0, i));
        server.stream.write(bytes.subarray(i));
        assert.equal((await reading).data.toString(), 'hello');
      }
    });
  }
});

describe('an aborted call', () => {
  it('is not sent when the signal had fired before', async () => {
    const { client, server } = await attached();
    await refused(read(client, 1, AbortSignal.abort(REASON)));
    assert.equal(server.waiting.length, 0);
  });

  it('fails with the reason when the Rflush comes without an answer', async () => {
    const { client, server } = await attached();
    const { reading, flush } = await abortedRead(client, server);
    assert.equal(await state(reading), 'pending');
    server.send('Rflush', flush.tag, {});
    await refused(reading);
  });

  it('has its answer when that comes before the Rflush', async () => {
    const { client, server } = await attached();
    const { reading, tag, flush } = await abortedRead(client, server);
    server.send('Rread', tag, { data: Buffer.from('late') });
    assert.equal((await reading).data.toString(), 'late');
    server.send('Rflush', flush.tag, {});
  });

  it('has its answer when that and the Rflush come in one chunk', async () => {
    const { client, server } = await attached();
    const { reading, tag, flush } = await abortedRead(client, server);
    const answer = encode('9P2000.u', 'Rread', tag, { data: Buffer.from('late') });
    server.stream.write(Buffer.concat([answer, encode('9P2000.u', 'Rflush', flush.tag, {})]));
    assert.equal((await reading).data.toString(), 'late');
  });

  it('has its answer when that was there before the signal fired', async () => {
    const { client, server } = await attached();
    const aborter = new AbortController();
    const reading = read(client, 1, aborter.signal);
    await server.answer('Tread', 'Rread', { data: Buffer.from('first') });
    assert.equal((await reading).data.toString(), 'first');
    aborter.abort(REASON);
    await new Promise(setImmediate);
    assert.equal(server.waiting.length, 0);
  });

  it('fails with the reason when an error comes before the Rflush', async () => {
    const { client, server } = await attached();
    const { reading, tag, flush } = await abortedRead(client, server);
    server.fail(tag, 'interrupted', 4);
    await refused(reading);
    server.send('Rflush', flush.tag, {});
  });

  for (const answered of [false, true]) {
    it(`keeps its tag until the Rflush ${answered ? 'when it was answered' : 'when it was not'}`, async () => {
      const { client, server } = await attached();
      const { reading, tag, flush } = await abortedRead(client, server);
      if (answered) {
        server.send('Rread', tag, { data: Buffer.alloc(0) });
        await reading;
      }
      const during = Array.from({ length: 10 }, () => read(client, 2));
      for (let i = 0; i < during.length; i++) {
        const request = await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) });
        assert.notEqual(request.tag, tag);
      }
      await Promise.all(during);
      server.send('Rflush', flush.tag, {});
      await new Promise(setImmediate);
      const after = Array.from({ length: 20 }, () => read(client, 3));
      const tags = [];
      for (let i = 0; i < 20; i++) {
        tags.push((await server.answer('Tread', 'Rread', { data: Buffer.alloc(0) })).tag);
      }
      assert(tags.includes(tag));
      await Promise.all(after);
    });
  }

  it('lets many calls share one signal', async () => {
    const { client, server } = await attached();
    const warnings: Error[] = [];
    const warn = (warning: Error): number => warnings.push(warning);
    process.on('warning', warn);
    const aborter = new AbortController();
    const calls = Array.from({ length: 100 }, (_, fid) => read(client, fid, aborter.signal));
    for (let i = 0; i < 100; i++) await server.next('Tread');
    aborter.abort(REASON);
    for (let i = 0; i < 100; i++) await server.answer('Tflush', 'Rflush', {});
    for (const call of calls) await refused(call);
    process.off('warning', warn);
    assert.deepEqual(warnings, []);
  });

  it('fails like all others when the server hangs up before the Rflush', async () => {
    const { client, server } = await attached();
    const { reading } = await abortedRead(client, server);
    server.stream.end();
    await assert.rejects(reading, TransportError);
  });

  it('closes the connection when the server refuses the Tflush', async () => {
    const { client, server } = await attached();
    const { reading, flush } = await abortedRead(client, server);
    server.fail(flush.tag, 'unknown message', 95);
    await assert.rejects(reading, ProtocolError);
    assert((await client.closed) instanceof ProtocolError);
  });
});

describe('a lost connection', () => {
  it('fails every call that waits and every later one', async () => {
    const { client, server } = await attached();
    const calls = [read(client, 1), read(client, 2)];
    await server.next('Tread');
    server.stream.end();
    for (const call of calls) await assert.rejects(call, /the server closed the connection/);
    await assert.rejects(read(client, 3), TransportError);
    await assert.rejects(client.stat('tcp'), TransportError);
    assert((await client.closed) instanceof TransportError);
  });

  it('tells the cause', async () => {
    const [near] = streamPair();
    const connecting = connect(near);
    near.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    await assert.rejects(connecting, {
      name: 'TransportError',
      code: 'ECONNRESET',
      message: 'connection lost: read ECONNRESET',
    });
  });

  it('fails the calls that wait when the client closes it', async () => {
    const { client, server } = await attached();
    const reading = read(client, 1);
    await server.next('Tread');
    client.close();
    await assert.rejects(reading, /the client was closed/);
    client.close();
  });

  it('lets closed files be closed', async () => {
    const { client, server } = await attached();
    const opening = client.open('tcp/clone', 'rw');
    await server.walk();
    await server.open();
    const file = await opening;
    server.stream.end();
    await client.closed;
    await file.close();
  });
});

describe('a server that breaks the protocol', () => {
  const cases: [string, (tag: number) => Buffer, RegExp][] = [
    [
      'an answer to a tag that is free',
      tag => encode('9P2000.u', 'Rclunk', tag + 1, {}),
      /waits for no answer/,
    ],
    [
      'an answer of the wrong type',
      tag => encode('9P2000.u', 'Rwrite', tag, { count: 1 }),
      /Tread with Rwrite/,
    ],
    [
      'a request',
      tag => encode('9P2000.u', 'Tread', tag, { fid: 1, offset: 0, count: 1 }),
      /answered Tread with Tread/,
    ],
    [
      'a message of another dialect',
      tag => encode('9P2000.L', 'Rlerror', tag, { ecode: 5 }),
      /a message of type 7, which 9P2000.u has not/,
    ],
    [
      'a message cut short',
      tag => short(encode('9P2000.u', 'Rread', tag, { data: Buffer.from('abc') })),
      /malformed/,
    ],
    ['a message beyond msize', () => Buffer.from('ffffffff', 'hex'), /the limit is 8192/],
    ['a size below the header', () => Buffer.from('00000000', 'hex'), /a message of 0 bytes/],
  ];
  for (const [what, make, message] of cases) {
    it(`by sending ${what} is disconnected and named`, async () => {
      const { client, server } = await attached();
      const calls = [read(client, 1), read(client, 2)];
      const { tag } = await server.next('Tread');
      const last = await server.next('Tread');
      server.stream.write(make(what.includes('free') ? last.tag : tag));
      for (const call of calls) await assert.rejects(call, { name: 'ProtocolError', message });
      assert((await client.closed) instanceof ProtocolError);
    });
  }

  it('by answering twice is disconnected', async () => {
    const { client, server } = await attached();
    const { reading, tag } = await abortedRead(client, server);
    server.send('Rread', tag, { data: Buffer.alloc(0) });
    server.send('Rread', tag, { data: Buffer.alloc(0) });
    await reading;
    assert((await client.closed) instanceof ProtocolError);
  });

  it('by sending more bytes than were asked for is disconnected', async () => {
    const { client, server } = await attached();
    const opening = client.open('f');
    await server.walk();
    await server.open();
    const file = await opening;
    const reading = file.read(2);
    await server.answer('Tread', 'Rread', { data: Buffer.from('abc') });
    await assert.rejects(reading, ProtocolError);
    assert((await client.closed) instanceof ProtocolError);
  });

  it('by sending any bytes in a frame makes an answer or a named error, nothing else', async () => {
    const frame = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 60 }));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...DIALECTS), frame, async (dialect, [type, body]) => {
        const { client, server } = await attached({ dialect });
        const reading = client.stat('');
        const walk = await server.walk();
        const bytes = Buffer.from([0, 0, 0, 0, type, 0, 0, ...body]);
        bytes.writeUInt32LE(bytes.length, 0);
        bytes.writeUInt16LE(walk.tag, 5);
        server.stream.write(bytes);
        server.stream.end();
        await assert.rejects(reading, isNamed);
      }),
      { numRuns: 500 },
    );
  });
});

const isNamed = (error: unknown): boolean =>
  error instanceof ProtocolError || error instanceof NinepError || error instanceof TransportError;

/** The same frame with its last byte missing and the size put right. */
function short(frame: Buffer): Buffer {
  const cut = frame.subarray(0, -1);
  cut.writeUInt32LE(cut.length, 0);
  return cut;
}
