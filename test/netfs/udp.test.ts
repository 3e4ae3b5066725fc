/** udp: datagrams, headers, calls, groups, and what the network says of them. ip(3), udp. */
import assert from 'node:assert/strict';
import { hostDialer } from '../../src/host/dialer.ts';
import { parseIp, type Endpoint } from '../../src/netfs/address.ts';
import type { Complaint, Datagram, Datagrams } from '../../src/netfs/dialer.ts';
import { ALICE, BOB, GLENDA, people } from '../support/callers.ts';
import { Station } from '../support/datagrams.ts';
import { eventually, forEachDoor, isRefusal, type Conv, type Fixture } from '../support/fixture.ts';
import type { OpenFile } from '../support/tree.ts';

/** A 52-byte header, ip(3): remote, local, interface; remote port, local port. */
interface Header {
  remote: string;
  local: string;
  interface: string;
  rport: number;
  lport: number;
}

const HEADER = 52;

/** An IPv4 address in 16 bytes. */
const mapped = (ip: string): Buffer =>
  Buffer.from([...Array<number>(10).fill(0), 255, 255, ...ip.split('.').map(Number)]);

/** `::1` and v4-mapped addresses are all that the tests need. */
function address(bytes: Buffer): string {
  if (bytes.equals(Buffer.from([...Array<number>(15).fill(0), 1]))) return '::1';
  assert.equal(bytes.subarray(0, 12).toString('hex'), '00000000000000000000ffff');
  return bytes.subarray(12).join('.');
}

function parseHeader(bytes: Buffer): Header & { text: string } {
  return {
    remote: address(bytes.subarray(0, 16)),
    local: address(bytes.subarray(16, 32)),
    interface: address(bytes.subarray(32, 48)),
    rport: bytes.readUInt16BE(48),
    lport: bytes.readUInt16BE(50),
    text: bytes.subarray(HEADER).toString(),
  };
}

function header(remote: string, rport: number, local = '0.0.0.0'): Buffer {
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(rport, 0);
  return Buffer.concat([mapped(remote), mapped(local), Buffer.alloc(16), ports]);
}

async function station(t: Fixture, host?: string): Promise<Station> {
  const made = await Station.bind(host);
  t.after(() => made.close());
  return made;
}

/** A conversation connected to a station, and its data. */
async function connected(
  t: Fixture,
  host?: string,
): Promise<{ conv: Conv; data: OpenFile; there: Station; port: number }> {
  const there = await station(t, host);
  const conv = await t.tell(`connect ${there.address}`, t.client, 'udp');
  const data = await t.client.open(`${conv.dir}/data`, 'rw');
  return { conv, data, there, port: await localPort(t, conv) };
}

async function localPort(t: Fixture, { dir }: Conv): Promise<number> {
  return Number((await t.text(`${dir}/local`)).trim().split('!')[1]);
}

/** An announced conversation with headers, and its data. */
async function withHeaders(
  t: Fixture,
  at = '127.0.0.1!0',
): Promise<{ conv: Conv; data: OpenFile; port: number }> {
  const conv = await t.announce(at, t.client, 'udp');
  await conv.ctl.write('headers');
  return { conv, data: await t.client.open(`${conv.dir}/data`, 'rw'), port: conv.port };
}

const state = async (t: Fixture, { dir }: Conv): Promise<string> =>
  (await t.text(`${dir}/status`)).split(' ')[0]!;

forEachDoor('udp connected', t => {
  for (const host of ['127.0.0.1', '::1']) {
    it(`sends a write as one datagram and reads one datagram a read (${host})`, async () => {
      const { data, there, port } = await connected(t, host);
      assert.equal(await data.write('one'), 3);
      await data.write('two');
      const first = await there.next();
      assert.deepEqual([first.text, (await there.next()).text], ['one', 'two']);
      assert.equal(first.from.port, port);
      await there.send('three', port, host);
      await there.send('four', port, host);
      assert.equal((await data.read(100)).toString(), 'three');
      assert.equal((await data.read(100)).toString(), 'four');
    });
  }

  it('shows both ends, and is Open', async () => {
    const { conv, there, port } = await connected(t);
    assert.equal(await t.text(`${conv.dir}/local`), `127.0.0.1!${port}\n`);
    assert.equal(await t.text(`${conv.dir}/remote`), `${there.address}\n`);
    assert.match(await t.text(`${conv.dir}/status`), /^Open qin 0 qout 0/);
  });

  it('is Open from clone to its last close, and tells how many bytes wait and were lost', async () => {
    const conv = await t.clone(t.client, 'rw', 'udp');
    const status = (): Promise<string> => t.text(`${conv.dir}/status`);
    assert.match(await status(), /^Open qin 0 qout 0 drops 0 /);
    const there = await station(t);
    await conv.ctl.write(`connect ${there.address}`);
    await there.send('abc', await localPort(t, conv));
    assert.match(await status(), /^Open qin 3 qout 0 drops 0 /);
    await conv.ctl.close();
    await eventually(async () => (await status()).startsWith('Closed qin 0 qout 0 '));
  });

  it('more datagrams than its queue holds are dropped and counted; those that were there are read', async () => {
    const { conv, data, there, port } = await connected(t);
    const big = Buffer.alloc(32 * 1024, 'x');
    await there.send('first', port);
    await eventually(async () => {
      await there.send(big, port);
      return !/ drops 0 /.test(await t.text(`${conv.dir}/status`));
    });
    assert.equal((await data.read(100)).toString(), 'first');
    assert.equal((await data.read(40_000)).length, big.length);
  });

  it('takes the names of hosts and services', async () => {
    const there = await station(t);
    const conv = await t.tell(`connect localhost!${there.port}`, t.client, 'udp');
    assert.equal(await t.text(`${conv.dir}/remote`), `${there.address}\n`);
    const named = await t.tell('connect 127.0.0.1!domain', t.client, 'udp');
    assert.equal(await t.text(`${named.dir}/remote`), '127.0.0.1!53\n');
  });

  it('a number that is given again has nothing of the conversation before', async () => {
    const there = await station(t);
    const before = await t.tell('headers', t.client, 'udp');
    for (const message of ['ignoreadvice', 'bind 127.0.0.1!0', `connect ${there.address}`])
      await before.ctl.write(message);
    await before.ctl.close();
    await eventually(() => Promise.resolve(t.server.udp.at(0).isFree));
    const conv = await t.clone(t.client, 'rw', 'udp');
    assert.equal(conv.number, before.number);
    assert.equal(await t.text(`${conv.dir}/local`), '::!0\n');
    await conv.ctl.write(`connect ${there.address}`);
    const data = await t.client.open(`${conv.dir}/data`, 'rw');
    await there.send('bare', await localPort(t, conv));
    assert.equal((await data.read(100)).toString(), 'bare');
  });

  it('a read that is too small loses the rest of its datagram and no more', async () => {
    const { data, there, port } = await connected(t);
    await there.send('abcdef', port);
    await there.send('ghi', port);
    assert.equal((await data.read(3)).toString(), 'abc');
    assert.equal((await data.read(100)).toString(), 'ghi');
  });

  it('a datagram of no bytes is a read of no bytes, not the end', async () => {
    const { data, there, port } = await connected(t);
    await there.send('', port);
    await there.send('more', port);
    assert.equal((await data.read(100)).length, 0);
    assert.equal((await data.read(100)).toString(), 'more');
  });

  if (t.door !== 'FUSE') {
    it('sends a datagram of no bytes', async () => {
      const { data, there } = await connected(t);
      assert.equal(await data.write(''), 0);
      assert.equal((await there.next()).bytes.length, 0);
    });
  }

  it('the largest datagram passes whole, a larger one is refused and nothing is sent', async () => {
    const { data, there } = await connected(t);
    const most = Buffer.alloc(65507, 'x');
    if (t.door === '9P2000' || t.door === '9P2000.u' || t.door === '9P2000.L') {
      assert.equal(await data.write(most), most.length);
    } else await data.write(most);
    assert.ok((await there.next()).bytes.equals(most));
    await t.refuses(data.write(Buffer.alloc(65508)), 'read or write too large', 'EMSGSIZE');
    await data.write('after');
    assert.equal((await there.next()).text, 'after');
  });

  it('hears only the remote it is connected to', async () => {
    const { data, there, port } = await connected(t);
    const other = await station(t);
    await other.send('not me', port);
    await there.send('me', port);
    assert.equal((await data.read(100)).toString(), 'me');
  });

  it('a read waits for a datagram; reads are served in their order', async () => {
    const { data, there, port } = await connected(t);
    const reads = t.door === 'FUSE' ? [data.read(10)] : [data.read(10), data.read(10)];
    assert.ok(await t.pending(reads[0]!));
    await there.send('a', port);
    assert.equal((await reads[0]!).toString(), 'a');
    if (reads[1] === undefined) return;
    assert.ok(await t.pending(reads[1]));
    await there.send('b', port);
    assert.equal((await reads[1]).toString(), 'b');
  });

  it('a flushed read takes no datagram', async () => {
    const { data, there, port } = await connected(t);
    const abort = new AbortController();
    const read = data.read(10, undefined, abort.signal);
    assert.ok(await t.pending(read));
    abort.abort();
    await assert.rejects(read);
    await there.send('kept', port);
    assert.equal((await data.read(10)).toString(), 'kept');
  });

  it('a port where nobody listens hangs it up with the reason, which err tells', async () => {
    const { conv, data, there } = await connected(t);
    const gone = there.address;
    there.socket.removeAllListeners('message');
    await there.leave();
    Object.assign(there, { close: () => {} });
    await data.write('anybody?');
    await t.refuses(data.read(10), 'connection refused', 'ECONNREFUSED');
    await t.refuses(data.write('again'), 'connection refused', 'ECONNREFUSED');
    assert.match(
      await t.text(`${conv.dir}/err`),
      /^connection refused: icmp type 3 code 3 from 127\.0\.0\.1/,
    );
    assert.equal(await t.text(`${conv.dir}/remote`), `${gone}\n`);
  });

  it('ignoreadvice: what the network says is not heeded', async () => {
    const { conv, data, there, port } = await connected(t);
    await conv.ctl.write('ignoreadvice');
    await there.leave();
    Object.assign(there, { close: () => {} });
    for (const text of ['one', 'two', 'three']) assert.equal(await data.write(text), text.length);
    const back = await Station.bind(
      '127.0.0.1',
      Number((await t.text(`${conv.dir}/remote`)).trim().split('!')[1]),
    );
    t.after(() => back.close());
    await back.send('here again', port);
    assert.equal((await data.read(100)).toString(), 'here again');
    await data.write('good');
    assert.equal((await back.next()).text, 'good');
  });

  it('hangup wakes what waits, and nothing more comes or goes', async () => {
    const { conv, data } = await connected(t);
    const read = data.read(10);
    assert.ok(await t.pending(read));
    await Promise.all([
      (await t.beside(conv as never)).write('hangup'),
      t.refuses(read, 'i/o on hungup channel', 'EPIPE'),
    ]);
    await t.refuses(data.write('x'), 'i/o on hungup channel', 'EPIPE');
    await t.refuses(data.read(1), 'i/o on hungup channel', 'EPIPE');
  });

  it('the last close frees the port and zeroes both ends', async () => {
    const { conv, data, port } = await connected(t);
    await data.close();
    await conv.ctl.close();
    await eventually(async () => (await t.text(`${conv.dir}/local`)) === '::!0\n');
    assert.equal(await t.text(`${conv.dir}/remote`), '::!0\n');
    assert.equal(await state(t, conv), 'Closed');
    const again = await station(t);
    assert.notEqual(again.port, 0);
    await t.announce(`127.0.0.1!${port}`, t.client, 'udp');
  });

  it('a local port is used, and one that is taken is refused', async () => {
    const there = await station(t);
    const mine = await station(t);
    const { port } = mine;
    const conv = await t.clone(t.client, 'rw', 'udp');
    await t.refuses(conv.ctl.write(`connect ${there.address} ${port}`), 'address in use', 'EADDRINUSE');
    const free = await t.tell('announce 127.0.0.1!0', t.client, 'udp');
    const freed = await localPort(t, free);
    await free.ctl.close();
    await eventually(async () => (await state(t, free)) === 'Closed');
    const second = await t.tell(`connect ${there.address} 127.0.0.1!${freed}`, t.client, 'udp');
    assert.equal(await t.text(`${second.dir}/local`), `127.0.0.1!${freed}\n`);
  });

  it('!r binds a port from 600 to 1023', async function () {
    if (process.getuid!() !== 0) this.skip();
    const there = await station(t);
    const conv = await t.tell(`connect ${there.address}!r`, t.client, 'udp');
    const port = await localPort(t, conv);
    assert.ok(port >= 600 && port <= 1023, String(port));
  });

  it('data before connect fails, and a second connect is refused', async () => {
    const conv = await t.clone(t.client, 'rw', 'udp');
    const data = await t.client.open(`${conv.dir}/data`, 'rw');
    await t.refuses(data.write('x'), 'not connected', 'ENOTCONN');
    await t.refuses(data.read(1), 'not connected', 'ENOTCONN');
    const there = await station(t);
    await conv.ctl.write(`connect ${there.address}`);
    await t.refuses(conv.ctl.write(`connect ${there.address}`), 'connection in use', 'EBUSY');
  });

  for (const message of ['bind 127.0.0.1!0', 'bind 0', 'bind *']) {
    it(`bind says which port a connect will come from: ${message}`, async () => {
      const there = await station(t);
      const conv = await t.tell(message, t.client, 'udp');
      const port = await localPort(t, conv);
      assert.notEqual(port, 0);
      await conv.ctl.write(`connect ${there.address}`);
      const data = await t.client.open(`${conv.dir}/data`, 'rw');
      await data.write('from there');
      assert.equal((await there.next()).from.port, port);
    });
  }

  it('ttl and tos are those of its packets', async () => {
    const { conv, data, there } = await connected(t);
    await conv.ctl.write('ttl 7');
    await conv.ctl.write('tos 16');
    await data.write('x');
    await there.next();
    await t.refuses(conv.ctl.write('ttl 0'), 'bad arg in system call', 'EINVAL');
    await t.refuses(conv.ctl.write('tos 256'), 'bad arg in system call', 'EINVAL');
  });

  it('a broadcast goes out', async () => {
    const conv = await t.clone(t.client, 'rw', 'udp');
    await conv.ctl.write('connect 127.255.255.255!9').then(
      () => {},
      (error: unknown) => assert.fail(String(error)),
    );
  });

  it('messages that are not right are refused in the words of ip(3)', async () => {
    const conv = await t.clone(t.client, 'rw', 'udp');
    const no = (message: string, text: string): Promise<void> =>
      t.refuses(conv.ctl.write(message), text, 'EINVAL');
    await no('headers now', 'unknown control request');
    await no('oldheaders', 'unknown control request');
    await no('keepalive', 'unknown control request');
    await no('addmulti', 'addmulti needs interface address');
    await no('delmulti', 'delmulti needs interface address');
    await no('addmulti nonsense', 'bad ip address syntax');
    await no('bind', 'bad args to bind');
    await no('connect', 'bad args to connect');
    const other = await t.clone(t.client, 'rw', 'udp');
    await t.refuses(other.ctl.write('announce'), 'bad args to announce', 'EINVAL');
  });

  it('no file but data and ctl and what all have: the directory is that of tcp', async () => {
    const { conv } = await connected(t);
    const names = (await t.client.readdir(conv.dir)).map(entry => entry.name);
    assert.deepEqual(names, ['ctl', 'data', 'err', 'listen', 'local', 'remote', 'status']);
  });
});

forEachDoor('udp with headers', t => {
  it('a read begins with who sent it and where to', async () => {
    const { data, port } = await withHeaders(t);
    const there = await station(t);
    await there.send('hello', port);
    assert.deepEqual(parseHeader(await data.read(200)), {
      remote: '127.0.0.1',
      local: '127.0.0.1',
      interface: '127.0.0.1',
      rport: there.port,
      lport: port,
      text: 'hello',
    });
  });

  it('what was read, written back, is an answer', async () => {
    const { data, port } = await withHeaders(t);
    const [one, two] = [await station(t), await station(t)];
    await one.send('from one', port);
    await two.send('from two', port);
    for (let i = 0; i < 2; i++) {
      const got = await data.read(1000);
      assert.equal(await data.write(got), got.length);
    }
    assert.equal((await one.next()).text, 'from one');
    const heard = await two.next();
    assert.deepEqual([heard.text, heard.from.port], ['from two', port]);
  });

  it('announced on any address, the answer comes from the one that was asked', async () => {
    const { data, port } = await withHeaders(t, '*!0');
    const there = await station(t);
    await there.send('v4', port, '127.0.0.2');
    const got = await data.read(1000);
    assert.equal(parseHeader(got).local, '127.0.0.2');
    await data.write(got);
    assert.equal((await there.next()).from.address, '127.0.0.2');
    const six = await station(t, '::1');
    await six.send('v6', port, '::1');
    const from6 = await data.read(1000);
    assert.deepEqual([parseHeader(from6).remote, parseHeader(from6).text], ['::1', 'v6']);
    await data.write(from6);
    assert.equal((await six.next()).text, 'v6');
  });

  it('a local address that is not of this machine is left to the host', async () => {
    const { data, port } = await withHeaders(t, '*!0');
    const there = await station(t);
    await data.write(Buffer.concat([header('127.0.0.1', there.port, '192.0.2.1'), Buffer.from('x')]));
    const heard = await there.next();
    assert.deepEqual([heard.text, heard.from.address, heard.from.port], ['x', '127.0.0.1', port]);
  });

  it('of what is written only the remote and a local address count: not the port, nor the interface', async () => {
    const { data, port } = await withHeaders(t, '*!0');
    const there = await station(t);
    const head = header('127.0.0.1', there.port, '127.0.0.3');
    mapped('192.0.2.1').copy(head, 32);
    head.writeUInt16BE(9, 50);
    await data.write(Buffer.concat([head, Buffer.from('x')]));
    const heard = await there.next();
    assert.deepEqual([heard.text, heard.from.address, heard.from.port], ['x', '127.0.0.3', port]);
  });

  it('a datagram of no bytes is a header alone, both ways', async () => {
    const { data, port } = await withHeaders(t);
    const there = await station(t);
    await there.send('', port);
    const got = await data.read(1000);
    assert.equal(got.length, HEADER);
    await data.write(got);
    assert.equal((await there.next()).bytes.length, 0);
  });

  it('a read or write without room for the header is refused, and no datagram is lost', async () => {
    const { data, port } = await withHeaders(t);
    const there = await station(t);
    await there.send('kept', port);
    await t.refuses(data.read(HEADER - 1), 'i/o count too small', 'EINVAL');
    await t.refuses(data.write(Buffer.alloc(HEADER - 1)), 'i/o count too small', 'EINVAL');
    assert.equal(parseHeader(await data.read(100)).text, 'kept');
  });

  it('a header that names no destination is refused', async () => {
    const { data } = await withHeaders(t);
    await t.refuses(data.write(header('0.0.0.0', 9)), 'bad ip address syntax', 'EINVAL');
    await t.refuses(data.write(header('127.0.0.1', 0)), 'bad numeric port', 'EINVAL');
  });

  it('may be written before announce', async () => {
    const conv = await t.clone(t.client, 'rw', 'udp');
    await conv.ctl.write('headers');
    await conv.ctl.write('announce 127.0.0.1!0');
    const data = await t.client.open(`${conv.dir}/data`, 'rw');
    const there = await station(t);
    await there.send('x', await localPort(t, conv));
    assert.equal(parseHeader(await data.read(100)).text, 'x');
  });

  it('a port where nobody listens does not disturb the others', async () => {
    const { data, port } = await withHeaders(t);
    const gone = await Station.bind();
    const dead = gone.port;
    gone.close();
    const there = await station(t);
    for (let i = 0; i < 3; i++) await data.write(header('127.0.0.1', dead));
    await there.send('alive', port);
    assert.equal(parseHeader(await data.read(100)).text, 'alive');
  });
});

forEachDoor('udp calls', t => {
  it('each new remote is a call, with its first datagram and its later ones', async () => {
    const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
    const [one, two] = [await station(t), await station(t)];
    await one.send('1a', announced.port);
    await two.send('2a', announced.port);
    await one.send('1b', announced.port);
    const first = await t.listen(announced);
    const second = await t.listen(announced);
    assert.deepEqual([first.dir, second.dir], ['udp/1', 'udp/2']);
    assert.equal(await t.text(`${first.dir}/remote`), `127.0.0.1!${one.port}\n`);
    assert.equal(await t.text(`${first.dir}/local`), `127.0.0.1!${announced.port}\n`);
    const data1 = await t.client.open(`${first.dir}/data`, 'rw');
    const data2 = await t.client.open(`${second.dir}/data`, 'rw');
    assert.equal((await data1.read(10)).toString(), '1a');
    assert.equal((await data1.read(10)).toString(), '1b');
    assert.equal((await data2.read(10)).toString(), '2a');
    await data2.write('answer');
    const heard = await two.next();
    assert.deepEqual([heard.text, heard.from.port], ['answer', announced.port]);
    const read = data1.read(10);
    assert.ok(await t.pending(read));
    await one.send('1c', announced.port);
    assert.equal((await read).toString(), '1c');
  });

  it('listen waits, and a flushed one takes no call', async () => {
    const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
    const abort = new AbortController();
    const listen = t.listen(announced, t.client, abort.signal);
    assert.ok(await t.pending(listen));
    abort.abort();
    await assert.rejects(listen);
    const there = await station(t);
    await there.send('call', announced.port);
    const call = await t.listen(announced);
    assert.equal((await (await t.client.open(`${call.dir}/data`)).read(10)).toString(), 'call');
  });

  it('calls go on when the announcement is over, and its port is free when they are', async () => {
    const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
    const there = await station(t);
    await there.send('call', announced.port);
    const call = await t.listen(announced);
    const data = await t.client.open(`${call.dir}/data`, 'rw');
    await announced.ctl.close();
    await eventually(async () => (await state(t, announced)) === 'Closed');
    await data.write('still here');
    assert.equal((await there.next()).text, 'still here');
    await there.send('more', announced.port);
    assert.equal((await data.read(10)).toString(), 'call');
    assert.equal((await data.read(10)).toString(), 'more');
    await data.close();
    await call.ctl.close();
    await eventually(async () => (await state(t, call)) === 'Closed');
    await t.announce(`127.0.0.1!${announced.port}`, t.client, 'udp');
  });

  it('a call that was closed rings again', async () => {
    const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
    const there = await station(t);
    await there.send('first', announced.port);
    const call = await t.listen(announced);
    await call.ctl.close();
    await eventually(async () => (await state(t, call)) === 'Closed');
    await there.send('second', announced.port);
    const again = await t.listen(announced);
    assert.equal((await (await t.client.open(`${again.dir}/data`)).read(10)).toString(), 'second');
  });

  it('data of the announced conversation itself says what to do instead', async () => {
    const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
    const data = await t.client.open(`${announced.dir}/data`, 'rw');
    await t.refuses(data.read(10), 'not connected', 'ENOTCONN');
    await t.refuses(data.write('x'), 'not connected', 'ENOTCONN');
    assert.match(await t.text(`${announced.dir}/err`), /open listen for the calls, or write headers/);
  });

  it('a remote that is gone hangs up its call and no other', async () => {
    const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
    const [gone, here] = [await Station.bind(), await station(t)];
    await gone.send('x', announced.port);
    await here.send('y', announced.port);
    const [first, second] = [await t.listen(announced), await t.listen(announced)];
    const dead = await t.client.open(`${first.dir}/data`, 'rw');
    const alive = await t.client.open(`${second.dir}/data`, 'rw');
    assert.equal((await dead.read(10)).toString(), 'x');
    gone.close();
    await eventually(async () => {
      await dead.write('anybody?').catch(() => {});
      return (await t.text(`${first.dir}/err`)).startsWith('connection refused');
    });
    await assert.rejects(dead.read(10), isRefusal);
    assert.equal((await alive.read(10)).toString(), 'y');
    await alive.write('fine');
    assert.equal((await here.next()).text, 'fine');
  });

  it('hangup of the announcement ends a listen that waits', async () => {
    const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
    const listen = t.listen(announced);
    assert.ok(await t.pending(listen));
    const ctl = await t.beside(announced as never);
    await Promise.all([ctl.write('hangup'), t.refuses(listen, 'listen hungup', 'ECONNABORTED')]);
  });

  it('headers and listen exclude each other', async () => {
    const { conv } = await withHeaders(t);
    await t.refuses(t.listen(conv), 'not announced', 'EINVAL');
  });

  it('more datagrams than a queue holds are dropped and counted, and the rest of the tree goes on', async () => {
    const announced = await t.announce('127.0.0.1!0', t.client, 'udp');
    const there = await station(t);
    await there.send('first', announced.port);
    const call = await t.listen(announced);
    const big = Buffer.alloc(32 * 1024, 'x');
    const status = async (): Promise<number> =>
      Number(/drops (\d+)/.exec(await t.text(`${announced.dir}/status`))![1]);
    await eventually(async () => {
      for (let i = 0; i < 10; i++) await there.send(big, announced.port);
      return (await status()) > 0;
    });
    const data = await t.client.open(`${call.dir}/data`, 'rw');
    assert.equal((await data.read(10)).toString(), 'first');
    assert.equal((await data.read(40000)).length, big.length);
  });
});

forEachDoor('udp groups', t => {
  it('addmulti receives what is sent to a group, and delmulti ends it', async () => {
    const { conv, data, port } = await withHeaders(t, '*!0');
    await conv.ctl.write('addmulti 127.0.0.1 239.1.2.3');
    const there = await station(t);
    there.socket.setMulticastInterface('127.0.0.1');
    await there.send('group', port, '239.1.2.3');
    const got = parseHeader(await data.read(1000));
    assert.deepEqual([got.local, got.interface, got.text], ['239.1.2.3', '127.0.0.1', 'group']);
    await conv.ctl.write('delmulti 239.1.2.3');
    await there.send('nobody', port, '239.1.2.3');
    await there.send('direct', port);
    assert.equal(parseHeader(await data.read(1000)).text, 'direct');
  });

  it('what was read from a group, written back, comes from the machine', async () => {
    const { conv, data, port } = await withHeaders(t, '*!0');
    await conv.ctl.write('addmulti 127.0.0.1 239.1.2.3');
    const there = await station(t);
    there.socket.setMulticastInterface('127.0.0.1');
    await there.send('question', port, '239.1.2.3');
    await data.write(await data.read(1000));
    const heard = await there.next();
    assert.deepEqual([heard.text, heard.from.port], ['question', port]);
  });

  it('addmulti before announce counts from then on', async () => {
    const conv = await t.clone(t.client, 'rw', 'udp');
    await conv.ctl.write('headers');
    await conv.ctl.write('addmulti 127.0.0.1 239.1.2.3');
    await conv.ctl.write('announce *!0');
    const data = await t.client.open(`${conv.dir}/data`, 'rw');
    const there = await station(t);
    there.socket.setMulticastInterface('127.0.0.1');
    await there.send('group', await localPort(t, conv), '239.1.2.3');
    assert.equal(parseHeader(await data.read(1000)).text, 'group');
  });

  /** The groups that the machine hears, as ipselftab has them. */
  const heard = async (group: string): Promise<boolean> =>
    (await t.text('ipselftab')).split('\n').some(line => line.startsWith(`${group} `));

  it('addmulti without a group joins that of the local address, else that of the remote', async () => {
    const local = await t.announce('239.1.2.4!0', t.client, 'udp');
    await local.ctl.write('addmulti 127.0.0.1');
    assert(await heard('239.1.2.4'));
    const remote = await t.tell('connect 239.1.2.5!9 127.0.0.1!0', t.client, 'udp');
    await remote.ctl.write('addmulti 127.0.0.1');
    assert(await heard('239.1.2.5'));
    const neither = await t.announce('127.0.0.1!0', t.client, 'udp');
    await t.refuses(neither.ctl.write('addmulti 127.0.0.1'), 'bad ip address syntax', 'EINVAL');
  });

  it('remmulti is delmulti', async () => {
    const conv = await t.announce('*!0', t.client, 'udp');
    await conv.ctl.write('addmulti 127.0.0.1 239.1.2.6');
    assert(await heard('239.1.2.6'));
    await conv.ctl.write('remmulti 239.1.2.6');
    assert(!(await heard('239.1.2.6')));
  });

  it('the last close leaves every group', async () => {
    const conv = await t.announce('*!0', t.client, 'udp');
    await conv.ctl.write('addmulti 127.0.0.1 239.1.2.7');
    assert(await heard('239.1.2.7'));
    await conv.ctl.close();
    await eventually(async () => !(await heard('239.1.2.7')));
  });

  it('an interface that is not there, and an address that is no group, are refused', async () => {
    const conv = await t.announce('*!0', t.client, 'udp');
    await t.refuses(
      conv.ctl.write('addmulti 203.0.113.1 239.1.2.3'),
      'not a local IP address',
      'EADDRNOTAVAIL',
    );
    await t.refuses(conv.ctl.write('addmulti 127.0.0.1 127.0.0.1'), 'bad ip address syntax', 'EINVAL');
    await t.refuses(conv.ctl.write('delmulti 239.9.9.9'), 'bad ip address syntax', 'EINVAL');
  });
});

/** A socket that tells of a datagram before it is there: it comes behind the fourth look for it. */
class Hasty implements Datagrams {
  readonly local = { ip: parseIp('127.0.0.1')!, port: 1 };
  readonly remote: Endpoint;
  private readable: (() => void) | undefined;
  private looks = 0;

  constructor(remote: Endpoint) {
    this.remote = remote;
  }

  receive(): Datagram | undefined {
    if (++this.looks !== 5) return undefined;
    const own = this.local.ip;
    return { bytes: Buffer.from('late'), from: this.remote, to: own, interface: own };
  }

  waiting(): boolean {
    return this.looks === 4;
  }

  whenReadable(run: (() => void) | undefined): void {
    if (this.readable === undefined && run !== undefined) setImmediate(() => this.tell());
    this.readable = run;
  }

  private tell(): void {
    this.readable?.();
    if (this.readable !== undefined && this.looks < 5) setImmediate(() => this.tell());
  }

  send = (): boolean => true;
  room = (): Promise<void> => Promise.resolve();
  complaints = (): Complaint[] => [];
  queued = (): number => 0;
  drops = (): number => 0;
  heedAdvice(): void {}
  configure(): void {}
  join(): void {}
  leave(): void {}
  close(): void {}
}

forEachDoor(
  'udp, told too early',
  t => {
    it('a read is answered by what comes just after it was looked for', async () => {
      const { dir } = await t.tell('connect 127.0.0.1!1', t.client, 'udp');
      const data = await t.client.open(`${dir}/data`, 'rw');
      assert.equal((await data.read(1000)).toString(), 'late');
    });
  },
  () => ({ dialer: { ...hostDialer, datagrams: remote => new Hasty(remote!) } }),
);

forEachDoor('udp/stats', t => {
  const stats = async (): Promise<Map<string, number>> =>
    new Map(
      (await t.text('udp/stats'))
        .trimEnd()
        .split('\n')
        .map(line => line.split(': '))
        .map(([name, value]) => [name!, Number(value)]),
    );

  it("has 9front's names, and counts the datagrams of this /net", async () => {
    const { data, there, port } = await connected(t);
    await data.write('out');
    await there.next();
    await there.send('in', port);
    await data.read(10);
    await there.send('not read', port);
    const counted = await stats();
    assert.deepEqual([...counted.keys()], ['InDatagrams', 'NoPorts', 'InErrors', 'OutDatagrams', 'Drops']);
    assert.deepEqual([counted.get('InDatagrams'), counted.get('OutDatagrams')], [1, 1]);
  });
});

forEachDoor(
  "another's udp",
  t => {
    it('is for who may use its clone, and a conversation for its owner', async () => {
      const denied = ['permission denied', 'EACCES'] as const;
      const [alice, bob] = [await t.as(ALICE), await t.as(BOB)];
      await t.refuses(t.clone(alice, 'rw', 'udp'), ...denied);
      await t.client.chmod('udp/clone', 0o666);
      await t.refuses(t.tell('announce *!*', alice, 'udp'), ...denied);
      const { ctl, dir } = await t.announce('127.0.0.1!0', alice, 'udp');
      for (const file of ['ctl', 'data', 'listen', 'err'])
        await t.refuses(bob.open(`${dir}/${file}`, 'r'), ...denied);
      await t.text(`${dir}/local`, bob);
      await ctl.write('hangup');
    });
  },
  () => ({ owner: GLENDA, users: people }),
);
