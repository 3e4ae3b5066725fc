/** What is written to ctl: every message, its arguments, and what it answers. ip(3). */
import assert from 'node:assert/strict';
import type { constants } from 'node:os';
import type { Endpoint } from '../../src/netfs/address.ts';
import type { ConnectOptions, Dialer } from '../../src/netfs/dialer.ts';
import { FsError, type ErrorName } from '../../src/netfs/error.ts';
import { hostDialer } from '../../src/host/dialer.ts';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import { close, eventually, forEachDoor, isRefusal } from '../support/fixture.ts';
import { call, closedPort, ending, Tarpit, type Remote } from '../support/remote.ts';
import { addressesBy } from '../support/resolver.ts';

type Code = keyof typeof constants.errno;
type Refusal = readonly [message: string, text: string, code: Code];

const show = (message: string): string =>
  JSON.stringify(message.length > 60 ? `${message.slice(0, 60)}...` : message);

const NO_MESSAGES: readonly Refusal[] = [
  ['', 'short control request', 'EINVAL'],
  ['\n', 'short control request', 'EINVAL'],
  [' \t \n', 'short control request', 'EINVAL'],
  ["''", 'unknown control request', 'EINVAL'],
  ['frobnicate', 'unknown control request', 'EINVAL'],
  ['CONNECT 127.0.0.1!80', 'unknown control request', 'EINVAL'],
  ['accept 3', 'unknown control request', 'EINVAL'],
  ['reject 3 busy', 'unknown control request', 'EINVAL'],
  ['headers', 'unknown control request', 'EINVAL'],
  ['toString', 'unknown control request', 'EINVAL'],
  ['__proto__', 'unknown control request', 'EINVAL'],
  ['constructor', 'unknown control request', 'EINVAL'],
  ['hangup\0', 'unknown control request', 'EINVAL'],
  ['\0', 'unknown control request', 'EINVAL'],
  [`connect 127.0.0.1!80${' '.repeat(5000)}`, 'unknown control request', 'EINVAL'],
];

/** Addresses that other parsers take for 127.0.0.1 or 0.0.0.0, and such as are nothing at all. */
const NO_ADDRESSES = [
  '1',
  '127.1',
  '127.0.1',
  '0177.0.0.1',
  '127.0.0.01',
  '0x7f.0.0.1',
  '0x7f000001',
  '2130706433',
  '127.0.0.0x1',
  '127.0.0.1.',
  '127.0.0.256',
  '127.0.0.1.1',
  'localhost.1',
  'example.com.0x',
  '[::1',
  ':',
  ':::',
  '::1::',
  '1:2:3:4:5:6:7',
  '1:2:3:4:5:6:7:8:9',
  '::12345',
  '::g',
  '::1%lo',
  '::127.0.0.01',
  '0.0.0.0',
  '::',
  '::ffff:0.0.0.0',
];

const BAD_CONNECTS: readonly Refusal[] = [
  ['connect', 'bad args to connect', 'EINVAL'],
  ['connect 127.0.0.1!80 127.0.0.1!0 x', 'bad args to connect', 'EINVAL'],
  ['connect 127.0.0.1', 'malformed address', 'EINVAL'],
  ['connect !80', 'malformed address', 'EINVAL'],
  ["connect ''", 'malformed address', 'EINVAL'],
  ['connect 127.0.0.1!80!x', 'malformed address', 'EINVAL'],
  ['connect [127.0.0.1]!80', 'malformed address', 'EINVAL'],
  ['connect 127.0.0.1..!80', 'malformed address', 'EINVAL'],
  ['connect exa..mple!80', 'malformed address', 'EINVAL'],
  ['connect -a!80', 'malformed address', 'EINVAL'],
  ['connect ex*mple!80', 'malformed address', 'EINVAL'],
  ["connect 'a b!80'", 'malformed address', 'EINVAL'],
  [`connect ${'a'.repeat(64)}!80`, 'malformed address', 'EINVAL'],
  ['connect 127.0.0.1!', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!0', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!65536', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!-1', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!+80', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!0x50', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!8e1', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!*', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!no-such-service', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!80 x!y', 'bad numeric port', 'EINVAL'],
  ['connect 127.0.0.1!80 host!0', 'bad ip address syntax', 'EINVAL'],
  ['connect 127.0.0.1!80 192.0.2.1!0', 'not a local IP address', 'EADDRNOTAVAIL'],
  ['connect 127.0.0.1!80 ::1!0', 'not a local IP address', 'EADDRNOTAVAIL'],
  ...NO_ADDRESSES.map(address => [`connect ${address}!80`, 'bad ip address syntax', 'EINVAL'] as const),
];

const BAD_ANNOUNCES: readonly Refusal[] = [
  ['announce', 'bad args to announce', 'EINVAL'],
  ['announce 80 81', 'bad args to announce', 'EINVAL'],
  ['announce 192.0.2.1!0', 'not a local IP address', 'EADDRNOTAVAIL'],
  ['announce 2001:db8::1!0', 'not a local IP address', 'EADDRNOTAVAIL'],
  ['announce localhost!0', 'bad ip address syntax', 'EINVAL'],
  ['announce 127.1!0', 'bad ip address syntax', 'EINVAL'],
  ['announce 127.0.0.1!x', 'bad numeric port', 'EINVAL'],
  ['announce 127.0.0.1!65536', 'bad numeric port', 'EINVAL'],
  ['announce 127.0.0.1', 'bad numeric port', 'EINVAL'],
  ["announce ''", 'bad numeric port', 'EINVAL'],
];

const BAD_BINDS: readonly Refusal[] = [
  ['bind', 'bad args to bind', 'EINVAL'],
  ['bind 1 2', 'bad args to bind', 'EINVAL'],
  ['bind 192.0.2.1!0', 'not a local IP address', 'EADDRNOTAVAIL'],
  ['bind 127.1!0', 'bad ip address syntax', 'EINVAL'],
  ['bind x', 'bad numeric port', 'EINVAL'],
];

forEachDoor('a ctl message', t => {
  for (const [message, text, code] of NO_MESSAGES) {
    // The kernel does not pass on a write of nothing.
    if (message === '' && t.door === 'FUSE') continue;
    it(`${show(message)} is refused: ${text}`, async () => {
      const { ctl } = await t.clone();
      await t.refuses(ctl.write(message), text, code);
      await ctl.write('announce 127.0.0.1!0');
    });
  }

  if (t.door === 'FUSE') {
    it('of no bytes at all goes nowhere: write(2) returns 0', async () => {
      const { ctl, dir } = await t.clone();
      assert.equal(await ctl.write(''), 0);
      assert.equal(await t.text(`${dir}/err`), '');
    });
  }

  it('is the whole write, answered with its full length', async () => {
    const { address } = await t.remote();
    for (const form of [
      `connect ${address}`,
      `connect ${address}\n`,
      `  connect\t ${address}\r\n`,
      `'connect' '${address}'`,
      `con'nec't ${address.replace('!', "'!'")}`,
    ]) {
      const { ctl, dir } = await t.clone();
      assert.equal(await ctl.write(form), Buffer.byteLength(form), form);
      assert.equal(await t.text(`${dir}/remote`), `${address}\n`, form);
    }
  });

  if (t.door === 'FUSE') {
    it('has no offset: pwrite(2) and lseek(2) are for files that do', async () => {
      const conv = await t.clone();
      await t.refuses(conv.ctl.write('announce 127.0.0.1!0', 1000), 'illegal seek', 'ESPIPE');
      assert.equal(await t.state(conv), 'Closed');
    });
  } else {
    it('may be written at any offset', async () => {
      const { address } = await t.remote();
      const { ctl, dir } = await t.clone();
      await ctl.write(`connect ${address}`, 1000);
      assert.equal(await t.state({ ctl, dir, number: 0 }), 'Established');
    });
  }

  it('may be written by way of N/ctl, truncated first as a shell does', async () => {
    const { address } = await t.remote();
    const conv = await t.clone();
    await t.client.writeFile(`${conv.dir}/ctl`, `connect ${address}\n`);
    assert.equal(await t.state(conv), 'Established');
  });

  it('does not change what ctl reads', async () => {
    const { ctl } = await t.tell('announce 127.0.0.1!0');
    assert.equal(await t.number(ctl), '0');
  });

  it('of plain words, accepted and without effect on a host', async () => {
    const { ctl } = await t.connect();
    for (const message of ['checksum 0', 'ignoreadvice', 'tcpporthogdefense on', 'tcpporthogdefense off']) {
      await ctl.write(message);
    }
    await t.refuses(ctl.write('tcpporthogdefense'), 'unknown value for tcpporthogdefense', 'EINVAL');
    await t.refuses(ctl.write('tcpporthogdefense maybe'), 'unknown value for tcpporthogdefense', 'EINVAL');
  });

  it('about multicast wants its address', async () => {
    const { ctl } = await t.clone();
    await t.refuses(ctl.write('addmulti'), 'addmulti needs interface address', 'EINVAL');
    await t.refuses(ctl.write('delmulti'), 'delmulti needs interface address', 'EINVAL');
    await t.refuses(ctl.write('remmulti'), 'delmulti needs interface address', 'EINVAL');
    await t.refuses(ctl.write('addmulti 127.1'), 'bad ip address syntax', 'EINVAL');
  });
});

forEachDoor('a ctl message of udp', t => {
  const refused: readonly Refusal[] = [
    ...NO_MESSAGES.filter(([message]) => message !== 'headers' && message !== ''),
    ...['close', 'checksum 0', 'tcpporthogdefense on', 'headers 4', 'oldheaders', 'headers4', 'nodelay'].map(
      message => [message, 'unknown control request', 'EINVAL'] as const,
    ),
    ...BAD_CONNECTS,
    ...BAD_ANNOUNCES,
    ...BAD_BINDS,
  ];

  it('that is none, or has wrong arguments, is refused in the words that tcp has', async () => {
    for (const [message, text, code] of refused) {
      const { ctl, dir } = await t.clone(t.client, 'rw', 'udp');
      await t.refuses(ctl.write(message), text, code);
      assert((await t.text(`${dir}/err`)).startsWith(text), show(message));
      await ctl.close();
    }
  });

  it('connects, announces and binds once; after a failure nothing more', async () => {
    for (const first of ['connect 127.0.0.1!9', 'announce 127.0.0.1!0', 'connect 127.0.0.1!x']) {
      const { ctl } = await t.clone(t.client, 'rw', 'udp');
      await ctl.write(first).catch(isRefusal);
      for (const second of ['connect 127.0.0.1!9', 'announce 127.0.0.1!0', 'bind 0'])
        await t.refuses(ctl.write(second), 'connection in use', 'EBUSY');
    }
  });

  it('announces all ports for nobody', async () => {
    for (const form of ['*', '*!*']) {
      const { ctl } = await t.clone(t.client, 'rw', 'udp');
      await t.refuses(ctl.write(`announce ${form}`), 'announce not supported', 'EOPNOTSUPP');
    }
  });
});

forEachDoor('connect', t => {
  it('connects, and shows both ends', async () => {
    const { dir, socket } = await t.connect();
    assert.equal(await t.text(`${dir}/local`), `127.0.0.1!${socket.remotePort}\n`);
    assert.equal(await t.text(`${dir}/remote`), `127.0.0.1!${socket.localPort}\n`);
    assert.match(await t.text(`${dir}/status`), /^Established /);
  });

  it('connects by IPv6, brackets or not', async () => {
    const { address, port } = await t.remote('::1');
    for (const form of [address, `[::1]!${port}`, `0:0:0:0:0:0:0:1!${port}`]) {
      const { dir } = await t.tell(`connect ${form}`);
      assert.equal(await t.text(`${dir}/remote`), `::1!${port}\n`);
      assert.match(await t.text(`${dir}/local`), /^::1!\d+\n$/);
    }
  });

  it('takes a v4-mapped address for the IPv4 address that it is', async () => {
    const { port } = await t.remote();
    for (const host of ['::ffff:127.0.0.1', '::FFFF:7f00:1', '0::ffff:127.0.0.1']) {
      const { dir } = await t.tell(`connect ${host}!${port}`);
      assert.equal(await t.text(`${dir}/remote`), `127.0.0.1!${port}\n`);
      assert.match(await t.text(`${dir}/local`), /^127\.0\.0\.1!\d+\n$/);
    }
  });

  it('connects by the name localhost', async () => {
    const { port } = await t.remote();
    for (const host of ['localhost', 'LocalHost', 'localhost.', 'a.localhost']) {
      const { dir } = await t.tell(`connect ${host}!${port}`);
      assert.equal(await t.text(`${dir}/remote`), `127.0.0.1!${port}\n`);
    }
  });

  it('takes the name of a service for its port', async () => {
    for (const [service, port] of [
      ['http', 80],
      ['https', 443],
      ['9fs', 564],
    ]) {
      const { ctl, dir } = await t.clone();
      await ctl.write(`connect 127.0.0.1!${service} 127.0.0.1!0`).catch(() => {});
      assert.equal(await t.text(`${dir}/remote`), `127.0.0.1!${port}\n`);
    }
  });

  it('answers `connection refused` where nobody listens', async () => {
    const { ctl } = await t.clone();
    await t.refuses(
      ctl.write(`connect 127.0.0.1!${await closedPort()}`),
      'connection refused',
      'ECONNREFUSED',
    );
  });

  for (const [message, text, code] of BAD_CONNECTS) {
    it(`${show(message)} is refused: ${text}`, async () => {
      const { ctl } = await t.clone();
      await t.refuses(ctl.write(message), text, code);
    });
  }

  it('after a failed one answers `connection in use`, whatever it failed of', async () => {
    const { address } = await t.remote();
    const failures = [
      `connect 127.0.0.1!${await closedPort()}`,
      'connect 127.0.0.1',
      'connect 127.1!80',
      'connect 127.0.0.1!x',
      'connect',
      'announce 192.0.2.1!0',
      'announce x',
      'announce',
    ];
    for (const message of failures) {
      const conv = await t.clone();
      await assert.rejects(conv.ctl.write(message), isRefusal, message);
      for (const next of [`connect ${address}`, 'announce 0', 'bind 0']) {
        await t.refuses(conv.ctl.write(next), 'connection in use', 'EBUSY').catch((error: Error) => {
          throw new Error(`${next} after ${message}: ${error.message}`);
        });
      }
      assert.equal(await t.state(conv), 'Closed');
    }
  });

  it('on a conversation that is connected, announced or hung up answers `connection in use`', async () => {
    const { address } = await t.remote();
    const connected = await t.tell(`connect ${address}`);
    const announced = await t.announce();
    const hungup = await t.tell(`connect ${address}`);
    await hungup.ctl.write('hangup');
    for (const { ctl } of [connected, announced, hungup]) {
      await t.refuses(ctl.write(`connect ${address}`), 'connection in use', 'EBUSY');
    }
    assert.equal(await t.state(connected), 'Established');
    assert.equal(await t.state(announced), 'Listen');
  });

  it('twice at once: the second answers `connection in use`', async () => {
    const { address } = await t.remote();
    const { ctl } = await t.clone();
    const first = ctl.write(`connect ${address}`);
    await t.refuses(ctl.write(`connect ${address}`), 'connection in use', 'EBUSY');
    await first;
  });

  it('binds the local address and port that it is told', async () => {
    const remote = await t.remote();
    for (const local of ['127.0.0.2!0', `127.0.0.3!${await closedPort()}`]) {
      const { dir } = await t.tell(`connect ${remote.address} ${local}`);
      const socket = await remote.accept();
      assert.equal(await t.text(`${dir}/local`), `${socket.remoteAddress}!${socket.remotePort}\n`);
      const [host, port] = local.split('!');
      assert.equal(socket.remoteAddress, host);
      if (port !== '0') assert.equal(socket.remotePort, Number(port));
    }
  });

  it('takes a bare local port', async () => {
    const remote = await t.remote();
    const port = await closedPort();
    for (const form of [String(port), `*!${await closedPort()}`]) {
      await t.tell(`connect ${remote.address} ${form}`);
      assert.equal((await remote.accept()).remotePort, Number(form.replace('*!', '')));
    }
  });

  it('from a local address that is taken answers `address in use`', async () => {
    const remote = await t.remote();
    const other = await t.remote();
    const { ctl } = await t.clone();
    await t.refuses(ctl.write(`connect ${remote.address} ${other.address}`), 'address in use', 'EADDRINUSE');
  });

  it('with !r comes from a port between 600 and 1023', async function () {
    if (process.getuid!() !== 0) this.skip();
    const remote = await t.remote();
    for (const options of ['!r', '!fasttimeout!r']) {
      await t.tell(`connect ${remote.address}${options}`);
      const { remotePort } = await remote.accept();
      assert(remotePort! >= 600 && remotePort! <= 1023, `${options}: ${remotePort}`);
    }
  });

  it('with !r among other options comes from such a port too', async function () {
    if (process.getuid!() !== 0) this.skip();
    const remote = await t.remote();
    await t.tell(`connect ${remote.address}!fasttimeout!r`);
    const { remotePort } = await remote.accept();
    assert(remotePort! >= 600 && remotePort! <= 1023, String(remotePort));
  });

  it('with !r on its local address comes from such a port too', async function () {
    if (process.getuid!() !== 0) this.skip();
    const remote = await t.remote();
    await t.tell(`connect ${remote.address} 0!r`);
    const { remotePort } = await remote.accept();
    assert(remotePort! >= 600 && remotePort! <= 1023, String(remotePort));
  });
});

/** What the host says of each address. */
const FAILURES: Readonly<Record<string, ErrorName>> = {
  '192.0.2.1': 'Econrefused',
  '192.0.2.2': 'Etimedout',
  '192.0.2.3': 'Enoroute',
  '192.0.2.4': 'Enetunreach',
  '192.0.2.5': 'Enoports',
  '192.0.2.6': 'Eperm',
};

forEachDoor(
  'a connect that fails in the network',
  t => {
    for (const [host, text, code] of [
      ['192.0.2.1', 'connection refused', 'ECONNREFUSED'],
      ['192.0.2.2', 'connection timed out', 'ETIMEDOUT'],
      ['192.0.2.3', 'no route', 'EHOSTUNREACH'],
      ['192.0.2.4', 'no route', 'ENETUNREACH'],
      ['192.0.2.5', 'no ports available', 'EADDRNOTAVAIL'],
      ['192.0.2.6', 'permission denied', 'EACCES'],
    ] as const) {
      it(`tells the reason, and err tells where: ${text}, ${code}`, async () => {
        const conv = await t.clone();
        await t.refuses(conv.ctl.write(`connect ${host}!80`), text, code);
        assert.equal(await t.text(`${conv.dir}/err`), `${text}: ${host}!80\n`);
        assert.equal(await t.state(conv), 'Closed');
      });
    }
  },
  () => ({
    dialer: {
      ...hostDialer,
      connect: to => Promise.reject(new FsError(FAILURES[to.ip.bytes.join('.')]!)),
    },
  }),
);

forEachDoor('a connect that is not answered', t => {
  let tarpit: Tarpit;
  before(async () => (tarpit = await Tarpit.dig()));
  after(() => tarpit.fill());

  it('waits in Syn_sent, with its remote shown, and keeps nobody else waiting', async () => {
    const conv = await t.clone();
    const connect = conv.ctl.write(`connect ${tarpit.address}`);
    assert(await t.pending(connect));
    assert.equal(await t.state(conv), 'Syn_sent');
    assert.equal(await t.text(`${conv.dir}/remote`), `${tarpit.address}\n`);
    await t.connect();
    assert(await t.pending(connect));
  });

  if (t.door === 'FUSE') {
    it('lets what is written to the same descriptor wait, but nothing else', async () => {
      const conv = await t.clone();
      const connect = conv.ctl.write(`connect ${tarpit.address}`);
      const hangup = conv.ctl.write('hangup');
      assert(await t.pending(Promise.race([connect, hangup])));
      await t.client.writeFile(`${conv.dir}/ctl`, 'hangup');
      await t.refuses(connect, 'i/o on hungup channel', 'EPIPE');
      await hangup;
      assert.equal(await t.state(conv), 'Closed');
      await t.refuses(conv.ctl.write('announce 0'), 'connection in use', 'EBUSY');
    });
  } else {
    it('is ended by hangup on the same opened ctl', async () => {
      const conv = await t.clone();
      const connect = conv.ctl.write(`connect ${tarpit.address}`);
      assert(await t.pending(connect));
      await conv.ctl.write('hangup');
      await t.refuses(connect, 'i/o on hungup channel', 'EPIPE');
      assert.equal(await t.state(conv), 'Closed');
      await t.refuses(conv.ctl.write('announce 0'), 'connection in use', 'EBUSY');
    });
  }

  it('is ended by hangup on another opened ctl, and by close', async () => {
    for (const message of ['hangup', 'close']) {
      const conv = await t.clone();
      const connect = conv.ctl.write(`connect ${tarpit.address}`);
      assert(await t.pending(connect));
      await t.client.writeFile(`${conv.dir}/ctl`, message);
      await t.refuses(connect, 'i/o on hungup channel', 'EPIPE');
    }
  });

  it('is taken back by a flush: the conversation is as it was, and can connect', async () => {
    const { address } = await t.remote();
    const conv = await t.clone();
    const aborter = new AbortController();
    const connect = conv.ctl.write(`connect ${tarpit.address}`, undefined, aborter.signal);
    assert(await t.pending(connect));
    aborter.abort(new Error('flushed'));
    await assert.rejects(connect, { message: 'flushed' });
    assert.equal(await t.state(conv), 'Closed');
    assert.equal(await t.text(`${conv.dir}/remote`), '::!0\n');
    assert.equal(await t.text(`${conv.dir}/err`), '');
    await conv.ctl.write(`connect ${address}`);
    assert.equal(await t.state(conv), 'Established');
  });

  it('ends with the last close, and its number is free', async () => {
    const other = await t.another();
    const conv = await t.clone(other);
    const connect = conv.ctl.write(`connect ${tarpit.address}`);
    assert(await t.pending(connect, other));
    // close(2) leaves alone what goes on in the descriptor; the end of the process does not.
    if (t.door === 'FUSE') other.close();
    else await conv.ctl.close();
    await t.refuses(connect, 'i/o on hungup channel', 'EPIPE').catch((error: Error) => {
      assert(t.door === 'FUSE' && error.name === 'TransportError', error);
    });
    await eventually(async () => (await t.state(conv)) === 'Closed');
    assert.equal((await t.clone()).number, conv.number);
  });

  it('goes on when another file of the conversation is closed', async () => {
    const conv = await t.clone();
    const data = await t.client.open(`${conv.dir}/data`, 'rw');
    const connect = conv.ctl.write(`connect ${tarpit.address}`);
    await data.close();
    assert(await t.pending(connect));
    assert.equal(await t.state(conv), 'Syn_sent');
  });

  it('answers another connect, announce and bind with `connection in use`', async () => {
    const conv = await t.clone();
    const beside = await t.beside(conv);
    const connect = conv.ctl.write(`connect ${tarpit.address}`);
    assert(await t.pending(connect));
    for (const message of [`connect ${tarpit.address}`, 'announce 0', 'bind 0']) {
      await t.refuses(beside.write(message), 'connection in use', 'EBUSY');
    }
    assert(await t.pending(connect));
  });
});

forEachDoor('a connect that is answered just as it is given up', t => {
  for (const how of ['a flush', 'hangup'] as const) {
    it(`by ${how} either stands or never was, and leaves no connection behind`, async () => {
      const remote = await t.remote();
      remote.server.on('connection', socket => void ending(socket).then(() => socket.end()));
      for (let i = 0; i < 40; i++) {
        const conv = await t.clone();
        const beside = await t.beside(conv);
        const aborter = new AbortController();
        const connect = conv.ctl.write(`connect ${remote.address}`, undefined, aborter.signal);
        connect.catch(() => {});
        // A little later each time.
        for (let turns = i % 8; turns > 0; turns--) await new Promise(setImmediate);
        if (how === 'a flush') aborter.abort(new Error('flushed'));
        else await beside.write('hangup');
        const stands = await connect.then(
          () => how === 'a flush',
          () => false,
        );
        assert.equal(await t.state(conv), stands ? 'Established' : 'Closed');
        await close(...new Set([conv.ctl, beside]));
      }
      await eventually(async () => (await connectionsOf(remote)) === 0);
    });
  }
});

const connectionsOf = ({ server }: Remote): Promise<number> =>
  new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

/** Names of this test's own, all else as on the host. */
const NAMES: Record<string, readonly string[]> = {
  'two.test': ['127.0.0.9', '127.0.0.1'],
  'dead.test': ['127.0.0.9', '127.0.0.8'],
};
const named = addressesBy(name => NAMES[name]!);

forEachDoor(
  'connect by a name with several addresses',
  t => {
    it('tries each in turn until one answers', async () => {
      const { port } = await t.remote();
      const { dir } = await t.tell(`connect two.test!${port}`);
      assert.equal(await t.text(`${dir}/remote`), `127.0.0.1!${port}\n`);
      assert.equal(await t.text(`${dir}/err`), '');
    });

    it('fails as the last one failed', async () => {
      const { ctl, dir } = await t.clone();
      const port = await closedPort();
      await t.refuses(ctl.write(`connect dead.test!${port}`), 'connection refused', 'ECONNREFUSED');
      assert.equal(await t.text(`${dir}/remote`), `127.0.0.8!${port}\n`);
    });
  },
  () => ({ resolver: named }),
);

forEachDoor('announce', t => {
  it('listens, and shows where', async () => {
    const announced = await t.announce();
    assert.equal(await t.state(announced), 'Listen');
    assert.equal(await t.text(`${announced.dir}/local`), `127.0.0.1!${announced.port}\n`);
    assert.equal(await t.text(`${announced.dir}/remote`), '::!0\n');
    (await call(announced.port)).destroy();
  });

  it('takes any address as `*` or none, and shows it as `::`', async () => {
    for (const form of ['*!0', '0']) {
      const { dir, port } = await t.announce(form);
      assert.equal(await t.text(`${dir}/local`), `::!${port}\n`);
      (await call(port, '127.0.0.1')).destroy();
      (await call(port, '::1')).destroy();
    }
  });

  it('listens on IPv6', async () => {
    const { dir, port } = await t.announce('::1!0');
    assert.equal(await t.text(`${dir}/local`), `::1!${port}\n`);
    (await call(port, '::1')).destroy();
  });

  for (const [message, text, code] of BAD_ANNOUNCES) {
    it(`${show(message)} is refused: ${text}`, async () => {
      const { ctl } = await t.clone();
      await t.refuses(ctl.write(message), text, code);
    });
  }

  it('of an address that is taken answers `address in use`', async () => {
    const { address } = await t.remote();
    const { ctl } = await t.clone();
    await t.refuses(ctl.write(`announce ${address}`), 'address in use', 'EADDRINUSE');
    const { port } = await t.announce();
    const second = await t.clone();
    await t.refuses(second.ctl.write(`announce 127.0.0.1!${port}`), 'address in use', 'EADDRINUSE');
  });

  it('of all ports is not for a host', async () => {
    for (const form of ['*', '*!*', '127.0.0.1!*']) {
      const { ctl } = await t.clone();
      await t.refuses(ctl.write(`announce ${form}`), 'announce not supported', 'EOPNOTSUPP');
    }
  });
});

forEachDoor(
  'announce of all ports',
  t => {
    it("is denied to others than the server's owner", async () => {
      await t.client.chmod('tcp/clone', 0o666);
      const { ctl } = await t.clone(await t.as(ALICE));
      await t.refuses(ctl.write('announce *!*'), 'permission denied', 'EACCES');
    });
  },
  () => ({ owner: GLENDA, users: people }),
);

forEachDoor('bind', t => {
  it('picks a port, shows it, and leaves the conversation closed', async () => {
    const conv = await t.tell('bind 127.0.0.1!0');
    assert.match(await t.text(`${conv.dir}/local`), /^127\.0\.0\.1![1-9]\d*\n$/);
    assert.equal(await t.state(conv), 'Closed');
  });

  it('says where a later connect comes from', async () => {
    const remote = await t.remote();
    const { ctl, dir } = await t.tell('bind 0');
    const [, port] = (await t.text(`${dir}/local`)).trimEnd().split('!');
    await ctl.write(`connect ${remote.address}`);
    assert.equal((await remote.accept()).remotePort, Number(port));
  });

  it('may be followed by a connect that names the port, as APE does', async () => {
    const remote = await t.remote();
    const { ctl, dir } = await t.tell('bind 0');
    const [, port] = (await t.text(`${dir}/local`)).trimEnd().split('!');
    await ctl.write(`connect ${remote.address} ${port}`);
    assert.equal((await remote.accept()).remotePort, Number(port));
  });

  it('may be given again, and the last one counts', async () => {
    const { ctl, dir } = await t.tell('bind 127.0.0.1!0');
    await ctl.write('bind 127.0.0.2!0');
    assert.match(await t.text(`${dir}/local`), /^127\.0\.0\.2!/);
  });

  it('reserves nothing', async () => {
    const { dir } = await t.tell('bind 127.0.0.1!0');
    await t.announce((await t.text(`${dir}/local`)).trimEnd());
  });

  for (const [message, text, code] of BAD_BINDS) {
    it(`${show(message)} is refused, and the conversation can still connect: ${text}`, async () => {
      const { address } = await t.remote();
      const { ctl } = await t.clone();
      await t.refuses(ctl.write(message), text, code);
      await ctl.write(`connect ${address}`);
    });
  }

  it('of a port that is taken answers `address in use`', async () => {
    const { address } = await t.remote();
    const { ctl } = await t.clone();
    await t.refuses(ctl.write(`bind ${address}`), 'address in use', 'EADDRINUSE');
  });

  it('of a connected conversation answers `connection in use`', async () => {
    const { ctl } = await t.connect();
    await t.refuses(ctl.write('bind 0'), 'connection in use', 'EBUSY');
  });
});

forEachDoor('hangup', t => {
  it('resets the connection, and wakes what waits', async () => {
    const { ctl, data, dir, number, socket } = await t.connect();
    const read = data.read();
    assert(await t.pending(read));
    await ctl.write('hangup');
    await t.refuses(read, 'i/o on hungup channel', 'EPIPE');
    assert.equal((await ending(socket)).by, 'RST');
    assert.equal(await t.state({ ctl, dir, number }), 'Closed');
    await t.refuses(data.read(), 'i/o on hungup channel', 'EPIPE');
    await t.refuses(data.write('x'), 'i/o on hungup channel', 'EPIPE');
  });

  it('of an announced conversation frees its port at once', async () => {
    const announced = await t.announce();
    await announced.ctl.write('hangup');
    assert.equal(await t.state(announced), 'Closed');
    await t.announce(`127.0.0.1!${announced.port}`);
  });

  it('may be given twice', async () => {
    const { ctl } = await t.connect();
    await ctl.write('hangup');
    await ctl.write('hangup');
  });

  it('does not free the number while its files are open', async () => {
    const { ctl, data } = await t.connect();
    await ctl.write('hangup');
    assert.equal((await t.clone()).number, 1);
    await close(ctl, data);
    await eventually(async () => (await t.clone()).number === 0);
  });
});

forEachDoor('close', t => {
  it('sends FIN and leaves the files open', async () => {
    const { ctl, data, dir, number, socket } = await t.connect();
    await data.write('bye');
    await ctl.write('close');
    const { by, bytes } = await ending(socket);
    assert.deepEqual([by, bytes.toString()], ['FIN', 'bye']);
    assert.match(await t.state({ ctl, dir, number }), /^Finwait/);
    await t.refuses(data.write('x'), 'i/o on hungup channel', 'EPIPE');
    assert.equal(await t.number(ctl), '0');
  });

  it('wakes a read that waits', async () => {
    const { ctl, data } = await t.connect();
    // Waited for from the start: it may fail before the write has been answered.
    const refused = t.refuses(data.read(), 'i/o on hungup channel', 'EPIPE');
    await ctl.write('close');
    await refused;
  });

  it('of an announced conversation frees its port', async () => {
    const announced = await t.announce();
    await announced.ctl.write('close');
    await t.announce(`127.0.0.1!${announced.port}`);
  });
});

forEachDoor('keepalive', t => {
  it('is taken while the connection is established', async () => {
    const { ctl } = await t.connect();
    for (const message of ['keepalive', 'keepalive 50', 'keepalive 30000']) await ctl.write(message);
  });

  it('wants a number of milliseconds, 50 at least', async () => {
    const { ctl } = await t.connect();
    for (const word of ['49', '0', '-1', 'x', '1.5', '99999999999']) {
      await t.refuses(ctl.write(`keepalive ${word}`), 'bad arg in system call', 'EINVAL');
    }
  });

  it('is refused before, and after', async () => {
    const text = 'connection must be in Establised state';
    const { ctl } = await t.clone();
    await t.refuses(ctl.write('keepalive 1000'), text, 'ENOTCONN');
    await ctl.write('announce 127.0.0.1!0');
    await t.refuses(ctl.write('keepalive 1000'), text, 'ENOTCONN');
    const connected = await t.connect();
    await connected.ctl.write('hangup');
    await t.refuses(connected.ctl.write('keepalive'), text, 'ENOTCONN');
  });
});

/** What the network below was asked. */
interface Asked {
  connects: ConnectOptions[];
  configured: object[];
}

function recording(asked: Asked): Dialer {
  return {
    ...hostDialer,
    async connect(to: Endpoint, options: ConnectOptions, signal: AbortSignal) {
      asked.connects.push(options);
      const connection = await hostDialer.connect(to, options, signal);
      const configure = connection.configure.bind(connection);
      connection.configure = change => {
        asked.configured.push(change);
        configure(change);
      };
      return connection;
    },
  };
}

let asked: Asked;
forEachDoor(
  'ttl and tos',
  t => {
    it('are kept for the connect to come', async () => {
      const { address } = await t.remote();
      const { ctl } = await t.tell('ttl 7');
      await ctl.write('tos 16');
      await ctl.write(`connect ${address}`);
      assert.deepEqual([asked.connects[0]!.ttl, asked.connects[0]!.tos], [7, 16]);
    });

    it('are set at once on a connection, 255 and 0 when no number is given', async () => {
      const { ctl } = await t.connect();
      for (const message of ['ttl 9', 'tos 8', 'ttl', 'tos']) await ctl.write(message);
      assert.deepEqual(
        asked.configured.map(each => ({ ...each })),
        [{ ttl: 9 }, { tos: 8 }, { ttl: 255 }, { tos: 0 }],
      );
    });

    it('want a number that fits', async () => {
      const { ctl } = await t.clone();
      for (const message of ['ttl 0', 'ttl 256', 'ttl x', 'ttl -1', 'tos 256', 'tos 0x10', 'tos 1e1']) {
        await t.refuses(ctl.write(message), 'bad arg in system call', 'EINVAL');
      }
    });
  },
  () => {
    asked = { connects: [], configured: [] };
    return { dialer: recording(asked) };
  },
);

/** Ends the wait of a bind for its port. */
let bindGoesOn: (() => void) | undefined;
forEachDoor(
  'a bind that waits',
  t => {
    it('answers `connection in use` when a connect has come meanwhile', async () => {
      const conv = await t.clone();
      const beside = await t.beside(conv);
      const bind = conv.ctl.write('bind 127.0.0.1!0');
      await eventually(() => Promise.resolve(bindGoesOn !== undefined));
      const { address } = await t.remote();
      await beside.write(`connect ${address}`);
      const local = await t.text(`${conv.dir}/local`);
      bindGoesOn!();
      await t.refuses(bind, 'connection in use', 'EBUSY');
      assert.equal(await t.text(`${conv.dir}/local`), local);
    });
  },
  () => {
    bindGoesOn = undefined;
    const probe: Dialer['probe'] = async local => {
      await new Promise<void>(resolve => (bindGoesOn = resolve));
      return hostDialer.probe(local);
    };
    return { dialer: { ...hostDialer, probe } };
  },
);
