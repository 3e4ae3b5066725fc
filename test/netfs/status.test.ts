/** status, local, remote and stats. ip(3). */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { formatIp, parseIp } from '../../src/netfs/address.ts';
import { close, eventually, forEachDoor, type Call, type Conv, type Fixture } from '../support/fixture.ts';
import { call, closedPort, ending, receive, Tarpit } from '../support/remote.ts';

const CHUNK = Buffer.alloc(64 * 1024);

/** 9front's line, every field in its place, and what went through. */
const LINE = new RegExp(
  '^[A-Z][a-z_0-9]+ qin \\d+ qout \\d+ rq \\d+\\.\\d+ srtt \\d+ mdev \\d+ sst \\d+ cwin \\d+' +
    ' swin \\d+>>\\d+ rwin \\d+>>\\d+ qscale \\d+ timer\\.start \\d+ timer\\.count \\d+ rerecv \\d+' +
    ' katimer\\.start \\d+ katimer\\.count \\d+ in \\d+ out \\d+\\n$',
);

forEachDoor('the first word of status is', t => {
  let tarpit: Tarpit;
  before(async () => (tarpit = await Tarpit.dig()));
  after(() => tarpit.fill());

  const reaches = (conv: Conv, state: string) => eventually(async () => (await t.state(conv)) === state);

  it('Closed for a new conversation, after bind, and after a failed connect', async () => {
    const fresh = await t.clone();
    const bound = await t.tell('bind 0');
    const failed = await t.clone();
    await failed.ctl.write(`connect 127.0.0.1!${await closedPort()}`).catch(() => {});
    for (const conv of [fresh, bound, failed]) assert.equal(await t.state(conv), 'Closed');
  });

  it('Listen for an announced one, until it is hung up', async () => {
    const announced = await t.announce();
    assert.equal(await t.state(announced), 'Listen');
    await announced.ctl.write('hangup');
    assert.equal(await t.state(announced), 'Closed');
  });

  it('Syn_sent while a connect is not answered', async () => {
    const conv = await t.clone();
    const connect = conv.ctl.write(`connect ${tarpit.address}`);
    assert(await t.pending(connect));
    assert.equal(await t.state(conv), 'Syn_sent');
  });

  it('Established for both ends of a connection', async () => {
    const announced = await t.announce();
    const out = await t.tell(`connect 127.0.0.1!${announced.port}`);
    const taken = await t.listen(announced);
    for (const conv of [out, taken]) assert.equal(await t.state(conv), 'Established');
  });

  it('Close_wait when the remote has ended, read or not', async () => {
    const call = await t.connect();
    call.socket.end();
    await reaches(call, 'Close_wait');
    assert.equal((await call.data.read()).length, 0);
    assert.equal(await t.state(call), 'Close_wait');
  });

  it('Finwait2 when this side has ended and the remote has not', async () => {
    const call = await t.connect();
    await call.ctl.write('close');
    await ending(call.socket);
    await reaches(call, 'Finwait2');
    call.socket.end();
    await reaches(call, 'Closed');
  });

  it('Finwait1 while the remote has not taken what came before the end', async () => {
    const call = await t.connect();
    const sent = await writeAsMuchAsIsTaken(t, call);
    await call.ctl.write('close');
    // Only what the kernel has taken can be followed by a FIN: the rest goes when there is room.
    await eventually(async () => {
      if ((await t.state(call)) === 'Finwait1') return true;
      call.socket.read();
      return false;
    });
    assert(sent > 0);
  });

  it('Closed when the connection was reset by either side', async () => {
    const first = await t.connect();
    first.socket.resetAndDestroy();
    await reaches(first, 'Closed');
    const second = await t.connect();
    await second.ctl.write('hangup');
    assert.equal(await t.state(second), 'Closed');
  });

  it('Closed at last when both sides have ended', async () => {
    const call = await t.connect();
    await close(call.ctl, call.data);
    assert.equal((await ending(call.socket)).by, 'FIN');
    call.socket.end();
    await reaches(call, 'Closed');
  });
});

forEachDoor('status', t => {
  it("is 9front's line in every state", async () => {
    const { dir } = await t.connect();
    for (const conv of [await t.clone(), await t.announce(), { dir }]) {
      assert.match(await t.text(`${conv.dir}/status`), LINE);
    }
  });

  it('counts the bytes that were read and written in all', async () => {
    const { data, dir, socket } = await t.connect();
    assert.match(await t.text(`${dir}/status`), / in 0 out 0\n$/);
    await data.write('question');
    socket.write('answers');
    for (let n = 0; n < 7;) n += (await data.read(4)).length;
    const waiting = data.read();
    assert(await t.pending(waiting));
    socket.write('more');
    await waiting;
    assert.match(await t.text(`${dir}/status`), / in 11 out 8\n$/);
  });

  it('counts the bytes that wait to be read', async () => {
    const { data, dir, socket } = await t.connect();
    assert.match(await t.text(`${dir}/status`), / qin 0 /);
    socket.write('12345');
    await eventually(async () => / qin 5 /.test(await t.text(`${dir}/status`)));
    await data.read(2);
    assert.match(await t.text(`${dir}/status`), / qin 3 /);
    await data.read();
    assert.match(await t.text(`${dir}/status`), / qin 0 /);
  });

  it('tells what the kernel measured', async () => {
    const { data, dir, socket } = await t.connect();
    await data.write('x');
    await receive(socket, 1);
    const [, cwin] = / cwin (\d+) /.exec(await t.text(`${dir}/status`))!;
    assert(Number(cwin) > 1000);
  });

  it('is read in parts without mixing two moments', async () => {
    const call = await t.connect();
    const status = await t.client.open(`${call.dir}/status`, 'r');
    const first = await status.read(20, 0);
    await call.ctl.write('hangup');
    const rest = await status.read(4096, 20);
    assert.match(Buffer.concat([first, rest]).toString(), LINE);
    assert.match((await status.read(4096, 0)).toString(), /^Closed /);
    assert.equal((await status.read(10, 100000)).length, 0);
  });
});

forEachDoor('local and remote', t => {
  it('are `::!0` and a newline until there is something to tell', async () => {
    const { dir } = await t.clone();
    for (const file of ['local', 'remote']) assert.equal(await t.text(`${dir}/${file}`), '::!0\n');
  });

  it('are address, port and newline', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const { dir, socket } = await t.connect(t.client, host);
      assert.equal(await t.text(`${dir}/local`), `${host}!${socket.remotePort}\n`);
      assert.equal(await t.text(`${dir}/remote`), `${host}!${socket.localPort}\n`);
    }
  });

  it('are read from an offset', async () => {
    const { dir } = await t.clone();
    const local = await t.client.open(`${dir}/local`, 'r');
    assert.equal((await local.read(2, 3)).toString(), '0\n');
    assert.equal((await local.read(2, 5)).length, 0);
  });

  it('show the remote of a connect that failed', async () => {
    const { ctl, dir } = await t.clone();
    const port = await closedPort();
    await ctl.write(`connect 127.0.0.1!${port}`).catch(() => {});
    assert.equal(await t.text(`${dir}/remote`), `127.0.0.1!${port}\n`);
  });
});

const NAMES = [
  ...[
    'MaxConn',
    'MaxSegment',
    'ActiveOpens',
    'PassiveOpens',
    'EstabResets',
    'CurrEstab',
    'InSegs',
    'OutSegs',
  ],
  ...['RetransSegs', 'RetransSegsSent', 'RetransTimeouts', 'InErrs', 'OutRsts', 'CsumErrs', 'HlenErrs'],
  ...['LenErrs', 'OutOfOrder', 'Resequenced', 'ReseqBytelim', 'ReseqPktlim', 'Delayack', 'Wopenack'],
  ...['Recovery', 'RecoveryDone', 'RecoveryRTO', 'RecoveryNoSeq', 'RecoveryCwind', 'RecoveryPA'],
];

forEachDoor(
  'tcp/stats',
  t => {
    const stats = async (): Promise<Map<string, number>> => {
      const lines = (await t.text('tcp/stats')).split('\n');
      assert.equal(lines.pop(), '');
      return new Map(
        lines.map(line => {
          const [, name, value] =
            /^([A-Z][A-Za-z]+): (\d+)$/.exec(line) ?? assert.fail(`not a line: ${line}`);
          return [name!, Number(value)];
        }),
      );
    };

    it("holds lines of 9front's names, in its order", async () => {
      assert.deepEqual([...(await stats()).keys()], NAMES);
    });

    it('tells how many conversations there may be', async () => {
      assert.equal((await stats()).get('MaxConn'), 123);
    });

    it('counts the connections made and taken, not those that failed', async () => {
      const announced = await t.announce();
      await t.connect();
      await t.connect();
      const failed = await t.clone();
      await failed.ctl.write(`connect 127.0.0.1!${await closedPort()}`).catch(() => {});
      const socket = await call(announced.port);
      t.after(() => socket.destroy());
      await t.listen(announced);
      const counted = await stats();
      assert.deepEqual([counted.get('ActiveOpens'), counted.get('PassiveOpens')], [2, 1]);
    });
  },
  () => ({ conversations: 123 }),
);

describe('an IP address', () => {
  /** eipfmt.c of 9front, transcribed: the oracle. */
  function plan9(p: readonly number[]): string {
    if ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff].every((byte, i) => p[i] === byte))
      return p.slice(12).join('.');
    let [eli, eln] = [-1, -1];
    for (let i = 0; i < 16; i += 2) {
      let j = i;
      while (j < 16 && p[j] === 0 && p[j + 1] === 0) j += 2;
      if (j > i && j - i > eln) [eli, eln] = [i, j - i];
    }
    let text = '';
    for (let i = 0; i < 16; i += 2) {
      if (i === eli) {
        text += '::';
        i += eln;
        if (i >= 16) break;
      } else if (i !== 0) text += ':';
      text += ((p[i]! << 8) + p[i + 1]!).toString(16);
    }
    return text;
  }

  /** Groups as addresses have them: many zeros. */
  const group = fc.oneof(
    { weight: 3, arbitrary: fc.constant(0) },
    fc.integer({ min: 0, max: 0xffff }),
    fc.constantFrom(0xffff, 1, 0x100),
  );
  const bytes = fc
    .array(group, { minLength: 8, maxLength: 8 })
    .map(groups => groups.flatMap(each => [each >> 8, each & 0xff]));

  it('is written as Plan 9 writes it, and ipaddr.js reads the same address', () => {
    fc.assert(
      fc.property(bytes, address => {
        const text = formatIp({ family: 6, bytes: Uint8Array.from(address) });
        const mapped = plan9(address).includes('.');
        if (!mapped) assert.equal(text, plan9(address));
        assert.deepEqual(ipaddr.parse(text).toByteArray(), address);
      }),
      { numRuns: 2000 },
    );
  });

  it('is read from every form that ipaddr.js writes, v4-mapped as IPv4, and written as Plan 9 does', () => {
    fc.assert(
      fc.property(bytes, address => {
        const other = new ipaddr.IPv6([...address]);
        for (const form of [other.toString(), other.toNormalizedString(), other.toRFC5952String()]) {
          assert.equal(formatIp(parseIp(form)!), plan9(address));
          assert.equal(formatIp(parseIp(form.toUpperCase())!), plan9(address));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('elides the first of the longest runs of zeros, even a run of one', () => {
    for (const [long, short] of [
      ['0:0:0:0:0:0:0:0', '::'],
      ['0:0:0:0:0:0:0:1', '::1'],
      ['1:0:0:0:0:0:0:0', '1::'],
      ['1:0:0:2:0:0:3:4', '1::2:0:0:3:4'],
      ['1:0:2:0:0:3:4:5', '1:0:2::3:4:5'],
      ['1:0:2:3:4:5:6:7', '1::2:3:4:5:6:7'],
      ['0:1:2:3:4:5:6:7', '::1:2:3:4:5:6:7'],
      ['1:2:3:4:5:6:7:0', '1:2:3:4:5:6:7::'],
      ['0DB8:00AB:1:2:3:4:5:6', 'db8:ab:1:2:3:4:5:6'],
    ]) {
      assert.equal(formatIp(parseIp(long!)!), short);
    }
  });
});

/** Writes until a write has to wait, and gives that one up. */
async function writeAsMuchAsIsTaken(t: Fixture, { data }: Call): Promise<number> {
  for (let taken = 0; ; taken += CHUNK.length) {
    const aborter = new AbortController();
    const write = data.write(CHUNK, undefined, aborter.signal);
    if (!(await t.pending(write))) continue;
    aborter.abort();
    return taken + (await write.catch(() => 0));
  }
}
