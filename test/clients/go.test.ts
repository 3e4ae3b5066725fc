/** What Go's net package for Plan 9 does with TCP, UDP and names. */
import assert from 'node:assert/strict';
import { close, forEachDoor, isRefusal, type Fixture } from '../support/fixture.ts';
import { call, closedPort, ending, receive } from '../support/remote.ts';
import { Station } from '../support/datagrams.ts';
import { facts } from '../support/machine.ts';
import { FakeResolver } from '../support/resolver.ts';
import type { OpenFile } from '../support/tree.ts';
import { open, read, translate } from './libc.ts';

/** Its buffer for a number. */
const NUMBER = 16;
const DEADLINE = new Error('i/o timeout');

interface NetFd {
  readonly ctl: OpenFile;
  readonly dir: string;
  readonly data?: OpenFile;
  readonly listen?: OpenFile;
}

/** `192.0.2.7!80` of local or remote, taken apart as it does: strictly, and a newline ends the port. */
async function readAddress(t: Fixture, path: string): Promise<{ ip: string; port: number }> {
  const file = await open(t.client, path, 'r');
  const [, ip, port] = /^(.*)!(\d+)/.exec(await read(file, 128)) ?? assert.fail();
  await file.close();
  return { ip: ip!, port: Number(port) };
}

/** Asks cs, and takes a conversation at the file that it names. */
async function start(t: Fixture, address: string): Promise<NetFd & { readonly destination: string }> {
  const [[clone, destination]] = (await translate(t.client, address)) as [[string, string]];
  const ctl = await open(t.client, clone);
  return { ctl, dir: `/net/tcp/${await read(ctl, NUMBER)}`, destination };
}

async function dial(t: Fixture, port: number): Promise<NetFd & { readonly data: OpenFile }> {
  const { ctl, dir, destination } = await start(t, `tcp!127.0.0.1!${port}`);
  await ctl.write(`connect ${destination}`);
  return { ctl, dir, data: await open(t.client, `${dir}/data`) };
}

async function listenOn(t: Fixture, port: number): Promise<NetFd> {
  const { ctl, dir, destination } = await start(t, `tcp!*!${port}`);
  assert.equal(destination, String(port));
  await ctl.write(`announce ${destination}`);
  return { ctl, dir };
}

/** Reads listen, which it opened for that only, and opens ctl and data for itself; all three stay open. */
async function accept(t: Fixture, { dir }: NetFd): Promise<NetFd & Required<Pick<NetFd, 'data' | 'listen'>>> {
  const listen = await open(t.client, `${dir}/listen`, 'r');
  const call = `/net/tcp/${await read(listen, NUMBER)}`;
  const ctl = await open(t.client, `${call}/ctl`);
  return { ctl, dir: call, listen, data: await open(t.client, `${call}/data`) };
}

/** Conn.Close: the message wakes who reads, and its failure would be Close's. */
async function closeConn({ ctl, data, listen }: NetFd): Promise<void> {
  await ctl.write('close');
  await close(ctl, ...[data, listen].filter(file => file !== undefined));
}

forEachDoor("Go's net", t => {
  it('dials, and knows both ends', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    const socket = await remote.accept();
    assert.deepEqual(await readAddress(t, `${conn.dir}/local`), { ip: '127.0.0.1', port: socket.remotePort });
    assert.deepEqual(await readAddress(t, `${conn.dir}/remote`), { ip: '127.0.0.1', port: remote.port });
    await conn.data.write('ping');
    assert.equal((await receive(socket, 4)).toString(), 'ping');
    socket.write('pong');
    assert.equal((await conn.data.read()).toString(), 'pong');
  });

  it('closes a connection by close: what was written, then FIN', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    const socket = await remote.accept();
    await conn.data.write('last');
    await closeConn(conn);
    const { by, bytes } = await ending(socket);
    assert.deepEqual([by, bytes.toString()], ['FIN', 'last']);
  });

  it('closes one that the other side has closed, without an error', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    (await remote.accept()).end();
    assert.equal((await conn.data.read()).length, 0);
    await closeConn(conn);
  });

  it('wakes a read by Close', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    await remote.accept();
    const reading = conn.data.read();
    assert(await t.pending(reading));
    const woken = t.refuses(reading, 'i/o on hungup channel', 'EPIPE');
    await closeConn(conn);
    await woken;
  });

  it('sets keepalive, in milliseconds', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    await remote.accept();
    await conn.ctl.write('keepalive 15000');
  });

  it('loses nothing by a read whose deadline has passed', async () => {
    const remote = await t.remote();
    const conn = await dial(t, remote.port);
    const socket = await remote.accept();
    const deadline = new AbortController();
    const reading = conn.data.read(100, undefined, deadline.signal);
    assert(await t.pending(reading));
    deadline.abort(DEADLINE);
    await assert.rejects(reading, DEADLINE);
    socket.write('late');
    assert.equal((await conn.data.read()).toString(), 'late');
  });

  it('tells a dial that is refused by the write of connect', async () => {
    await t.refuses(dial(t, await closedPort()), 'connection refused', 'ECONNREFUSED');
  });

  it('listens on every address, accepts, and keeps listen open with the call', async () => {
    const port = await closedPort();
    const listener = await listenOn(t, port);
    assert.deepEqual(await readAddress(t, `${listener.dir}/local`), { ip: '::', port });
    for (const text of ['one', 'two']) {
      const socket = await call(port);
      const conn = await accept(t, listener);
      const { ip, port: from } = await readAddress(t, `${conn.dir}/remote`);
      assert.deepEqual([ip, from], ['127.0.0.1', socket.localPort]);
      socket.write(text);
      assert.equal((await conn.data.read()).toString(), text);
      await closeConn(conn);
      assert.equal((await ending(socket)).by, 'FIN');
      socket.destroy();
    }
  });

  it('keeps the call alive by listen alone', async () => {
    const port = await closedPort();
    const listener = await listenOn(t, port);
    const socket = await call(port);
    const conn = await accept(t, listener);
    await close(conn.ctl, conn.data);
    const status = await t.text(conn.dir.replace('/net/', '') + '/status');
    assert.match(status, /^Established /);
    await conn.listen.close();
    assert.equal((await ending(socket)).by, 'FIN');
    socket.destroy();
  });

  it('wakes an accept by closing the listener, and frees the port', async () => {
    const port = await closedPort();
    const listener = await listenOn(t, port);
    const accepting = accept(t, listener);
    assert(await t.pending(accepting));
    const woken = t.refuses(accepting, 'listen hungup', 'ECONNABORTED');
    await listener.ctl.write('hangup');
    await listener.ctl.close();
    await woken;
    const again = await listenOn(t, port);
    await assert.rejects(listenOn(t, port), isRefusal);
    await again.ctl.close();
  });
});

// ---- udpsock_plan9.go -----------------------------------------------------------------------------

const UDP_HEADER = 52;

interface From {
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

/** readFrom: a header and what fits behind it; IP prints v4-mapped addresses as IPv4. */
async function readFrom(data: OpenFile, count: number): Promise<From> {
  const got = await data.read(UDP_HEADER + count);
  assert(got.length >= UDP_HEADER, 'short read reading UDP header');
  assert.equal(got.subarray(0, 12).toString('hex'), '00000000000000000000ffff');
  return {
    text: got.subarray(UDP_HEADER).toString(),
    address: got.subarray(12, 16).join('.'),
    port: got.readUInt16BE(48),
  };
}

/** writeTo: the local address is what local says, in 16 bytes; that of the interface is zeros. */
async function writeTo(data: OpenFile, text: string, to: From, laddr: Buffer, lport: number): Promise<void> {
  const head = Buffer.alloc(UDP_HEADER);
  mapped(to.address).copy(head, 0);
  laddr.copy(head, 16);
  head.writeUInt16BE(to.port, 48);
  head.writeUInt16BE(lport, 50);
  await data.write(Buffer.concat([head, Buffer.from(text)]));
}

const mapped = (ip: string): Buffer =>
  Buffer.from([...Array<number>(10).fill(0), 255, 255, ...ip.split('.').map(Number)]);

/** Asks cs, takes a conversation, announces and writes headers; data comes last. */
async function listenUDP(t: Fixture, host: string, port: number): Promise<NetFd & { data: OpenFile }> {
  const [[clone, destination]] = (await translate(t.client, `udp!${host}!${port}`)) as [[string, string]];
  assert.equal(clone, '/net/udp/clone');
  const ctl = await open(t.client, clone);
  const dir = `/net/udp/${await read(ctl, NUMBER)}`;
  await ctl.write(`announce ${destination}`);
  await ctl.write('headers');
  return { ctl, dir, data: await open(t.client, `${dir}/data`) };
}

forEachDoor("Go's UDPConn", t => {
  const station = async (): Promise<Station> => {
    const made = await Station.bind();
    t.after(() => made.close());
    return made;
  };

  for (const [host, laddr] of [
    ['*', Buffer.alloc(16)],
    ['127.0.0.1', mapped('127.0.0.1')],
  ] as const) {
    it(`listens at ${host}, and answers whoever it heard`, async () => {
      const conn = await listenUDP(t, host, 0);
      const { ip, port } = await readAddress(t, `${conn.dir}/local`);
      assert.equal(ip, host === '*' ? '::' : host);
      for (const there of [await station(), await station()]) {
        await there.send('question', port);
        const from = await readFrom(conn.data, 512);
        assert.deepEqual(from, { text: 'question', address: '127.0.0.1', port: there.port });
        await writeTo(conn.data, 'answer', from, laddr, port);
        const heard = await there.next();
        assert.deepEqual([heard.text, heard.from.port], ['answer', port]);
      }
    });
  }

  it('reads no more of a datagram than it has room for', async () => {
    const conn = await listenUDP(t, '127.0.0.1', 0);
    const { port } = await readAddress(t, `${conn.dir}/local`);
    const there = await station();
    await there.send('longer than that', port);
    await there.send('next', port);
    assert.equal((await readFrom(conn.data, 6)).text, 'longer');
    assert.equal((await readFrom(conn.data, 6)).text, 'next');
  });

  it('dials: connect by ctl, datagrams by data, close by hangup', async () => {
    const there = await station();
    const [[clone, destination]] = (await translate(t.client, `udp!127.0.0.1!${there.port}`)) as [
      [string, string],
    ];
    const ctl = await open(t.client, clone);
    const dir = `/net/udp/${await read(ctl, NUMBER)}`;
    await ctl.write(`connect ${destination}`);
    const data = await open(t.client, `${dir}/data`);
    await data.write('ping');
    const { from } = await there.next();
    assert.deepEqual(await readAddress(t, `${dir}/local`), { ip: '127.0.0.1', port: from.port });
    await there.send('pong', from.port);
    assert.equal((await data.read(100)).toString(), 'pong');
    const reading = data.read(100);
    assert(await t.pending(reading));
    const woken = t.refuses(reading, 'i/o on hungup channel', 'EPIPE');
    await (await open(t.client, `${dir}/ctl`)).write('hangup');
    await woken;
    await close(ctl, data);
  });

  it('hears a group by addmulti IFC GROUP', async () => {
    const conn = await listenUDP(t, '*', 0);
    await conn.ctl.write('addmulti 127.0.0.1 239.4.3.2');
    const { port } = await readAddress(t, `${conn.dir}/local`);
    const there = await station();
    there.socket.setMulticastInterface('127.0.0.1');
    await there.send('to all', port, '239.4.3.2');
    assert.equal((await readFrom(conn.data, 100)).text, 'to all');
  });
});

// ---- lookup_plan9.go ------------------------------------------------------------------------------

/** Seeks to 0, writes, seeks to 0, and reads until nothing comes, with a buffer of that size. */
async function query(t: Fixture, path: string, question: string, size: number): Promise<string[]> {
  const file = await open(t.client, path);
  try {
    await file.write(question, 0);
    const lines: string[] = [];
    for (let at = 0; ;) {
      const line = await file.read(size, at);
      if (line.length === 0) return lines;
      at += line.length;
      lines.push(line.toString());
    }
  } finally {
    await file.close();
  }
}

const fields = (line: string): string[] => line.split(/[ \t\r\n]+/);

const ZONE = {
  'www.example.test': { ip: ['192.0.2.80'], ipv6: ['2001:db8::80'] },
  'alias.example.test': { cname: ['www.example.test'] },
  'example.test': {
    mx: ['20 backup.example.test', '10 mail.example.test'],
    ns: ['ns1.example.test'],
    txt: ['v=spf1 -all', 'two  blanks'],
  },
  '_sip._tcp.example.test': { srv: ['1 5 5060 sip.example.test'] },
  '80.2.0.192.in-addr.arpa': { ptr: ['www.example.test'] },
};

const INTERFACES = [
  ['127.0.0.1/8', '::1/128'],
  ['192.0.2.7/24', '2001:db8::7/64'],
];

forEachDoor(
  "Go's Resolver",
  t => {
    it('finds the addresses of a host: net!HOST!1, without the port', async () => {
      const lines = await query(t, '/net/cs', 'net!www.example.test!1', 128);
      assert.deepEqual(
        lines.map(line => fields(line)[1]!.split('!')[0]),
        ['192.0.2.80', '2001:db8::80'],
      );
    });

    it('finds the port of a service: NET!127.0.0.1!SERVICE', async () => {
      for (const [net, service, port] of [
        ['tcp', 'http', '80'],
        ['udp', 'domain', '53'],
      ]) {
        const [line] = await query(t, '/net/cs', `${net}!127.0.0.1!${service}`, 128);
        assert.equal(fields(line!)[1]!.split('!')[1], port);
      }
    });

    it('finds the number of a protocol: !protocol=NAME', async () => {
      for (const [name, number] of [
        ['icmp', '1'],
        ['tcp', '6'],
        ['udp', '17'],
        ['ipv6-icmp', '58'],
      ]) {
        const [line] = await query(t, '/net/cs', `!protocol=${name}`, 128);
        assert.equal(fields(line!)[1]!.split('=')[1], number, name);
      }
    });

    it('finds records by dns, and takes each line apart at its blanks', async () => {
      const ask = async (name: string, type: string): Promise<string[][]> =>
        (await query(t, '/net/dns', `${name} ${type}`, 1024)).map(line => fields(line).slice(2));
      assert.deepEqual(await ask('alias.example.test', 'cname'), [['www.example.test']]);
      assert.deepEqual(await ask('example.test', 'mx'), [
        ['20', 'backup.example.test'],
        ['10', 'mail.example.test'],
      ]);
      assert.deepEqual(await ask('example.test', 'ns'), [['ns1.example.test']]);
      assert.deepEqual(await ask('_sip._tcp.example.test', 'srv'), [['1', '5', '5060', 'sip.example.test']]);
      assert.deepEqual(await ask('80.2.0.192.in-addr.arpa', 'ptr'), [['www.example.test']]);
    });

    it('takes what is behind the tab for the text of a txt', async () => {
      const lines = await query(t, '/net/dns', 'example.test txt', 1024);
      assert.deepEqual(
        lines.map(line => line.slice(line.indexOf('\t') + 1)),
        ['v=spf1 -all', 'two  blanks'],
      );
    });

    it('knows by the end of an error whether there is no such host, or nobody who knows', async () => {
      const refused = (question: string, text: string, code: 'ENOENT' | 'ENODATA' | 'EHOSTUNREACH') =>
        t.refuses(query(t, '/net/dns', question, 1024), text, code);
      await refused('no.example.test ip', 'dns: name does not exist', 'ENOENT');
      await refused('www.example.test mx', 'dns: resource does not exist; negrcode 0', 'ENODATA');
      await refused('broken.example.test ip', 'dns: dns failure', 'EHOSTUNREACH');
    });
  },
  () => ({ resolver: new FakeResolver(ZONE), facts: facts(INTERFACES) }),
);
