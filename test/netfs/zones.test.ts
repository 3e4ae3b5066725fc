/** Where one may go: what zones say of dials and announcements, by every door. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { ALICE, TEAM } from '../support/callers.ts';
import { Station } from '../support/datagrams.ts';
import type { Fixture, Protocol } from '../support/fixture.ts';
import { isRefusal } from '../support/fixture.ts';
import { facts } from '../support/machine.ts';
import { call, ending, Remote } from '../support/remote.ts';
import { FakeResolver } from '../support/resolver.ts';
import type { Tree } from '../support/tree.ts';
import { DENIED, dials, logged, whyNot, withZones, zone } from '../support/zones.ts';

/** What a udp header says of a remote: its address, v4-mapped, and its port. */
function headerTo({ port }: { readonly port: number }, ip = [127, 0, 0, 1]): Buffer {
  const header = Buffer.alloc(52);
  Buffer.from([0xff, 0xff, ...ip]).copy(header, 10);
  header.writeUInt16BE(port, 48);
  return header;
}

async function station(t: Fixture, host?: string): Promise<Station> {
  const made = await Station.bind(host);
  t.after(() => made.close());
  return made;
}

/** A call from this address, which is reset. */
function refusedCall(port: number, localAddress: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', localAddress }).on('error', () => {});
  return new Promise(done => socket.once('close', () => done()));
}

/** Whether each of these may be dialled; an answer of the network counts as yes. */
async function reaches(t: Fixture, client: Tree, destination: string, protocol: Protocol = 'tcp') {
  try {
    await (await dials(t, client, destination, protocol)).ctl.close();
    return true;
  } catch (error) {
    await t.refuses(Promise.reject(error as Error), ...DENIED);
    return false;
  }
}

/** The first answer to a question. */
async function asks(client: Tree, file: 'cs' | 'dns' | 'explain', question: string): Promise<string> {
  const opened = await client.open(file, 'rw');
  try {
    await opened.write(question, 0);
    return (await opened.read(1000, 0)).toString();
  } finally {
    await opened.close();
  }
}

withZones('where a dial goes', (t, by) => {
  it('is nowhere without a line, for nobody, the owner neither', async () => {
    const remote = await t.remote();
    for (const client of [by.alice, by.glenda]) {
      assert.equal(await reaches(t, client, remote.address), false);
      assert.equal(await reaches(t, client, remote.address, 'udp'), false);
      await t.refuses(client.open(`dial/tcp!${remote.address}`, 'rw'), ...DENIED);
      for (const protocol of ['tcp', 'udp'] as const) {
        await t.refuses(t.announce('127.0.0.1!0', client as typeof t.client, protocol), ...DENIED);
      }
    }
  });

  it('is where a line says, of its protocol and ports, and nowhere else', async () => {
    const [here, there] = [await t.remote(), await t.remote('127.0.0.2')];
    await zone(t, 'a', [`connect tcp!127.0.0.1!${here.port}`]);
    assert.equal(await reaches(t, by.alice, here.address), true);
    assert.equal(await reaches(t, by.alice, `127.0.0.1!${there.port}`), false);
    assert.equal(await reaches(t, by.alice, there.address), false);
    assert.equal(await reaches(t, by.alice, here.address, 'udp'), false);
    await zone(t, 'a', [`connect *!127.0.0.0/30!1-${here.port - 1},${here.port}-65535`]);
    for (const each of [here, there]) assert.equal(await reaches(t, by.alice, each.address), true);
    assert.equal(await reaches(t, by.alice, here.address, 'udp'), true);
    await zone(t, 'a', ['connect tcp!127.0.0.1!ssh,https']);
    await assert.rejects(dials(t, by.alice, '127.0.0.1!ssh'), isRefusal);
    assert.deepEqual(logged(t, 'verdict=allowed', 'dest=tcp!127.0.0.1!22').length, 1);
    assert.equal(await reaches(t, by.alice, '127.0.0.1!http'), false);
  });

  it('is said by the most specific line, be it a zone that the caller does not pass', async () => {
    const remote = await t.remote();
    const { port } = remote;
    const open = { mode: 0o755 };
    const shut = { mode: 0o700 };
    const steps: [string, { mode: number }, boolean][] = [
      ['connect *!*!*', open, true],
      ['connect *!127.0.0.0/8!*', shut, false],
      ['connect *!127.0.0.0/8!1-65535', open, true],
      ['connect tcp!127.0.0.0/8!1-65535', shut, false],
      ['connect *!127.0.0.1!*', open, true],
      [`connect *!127.0.0.1!${port}`, shut, false],
      [`connect tcp!127.0.0.1!${port}`, open, true],
      // Of equal lines one that he passes is enough.
      [`connect tcp!127.0.0.1!${port}`, shut, true],
    ];
    for (const [i, [line, made, allowed]] of steps.entries()) {
      await zone(t, `z${i}`, [line], made);
      assert.equal(await reaches(t, by.alice, remote.address), allowed, line);
      // By privilege the owner of /net passes all of these.
      assert.equal(await reaches(t, by.glenda, remote.address), true, line);
    }
  });

  it('is for the class of bits that counts: owner, group, others', async () => {
    const remote = await t.remote();
    const may = () => Promise.all([by.alice, by.bob, by.carol].map(who => reaches(t, who, remote.address)));
    for (const [mode, expected] of [
      [0o100, [true, false, false]],
      [0o010, [false, true, false]],
      [0o001, [false, false, true]],
      [0o110, [true, true, false]],
    ] as const) {
      await zone(t, 'a', ['connect tcp!127.0.0.1!*'], { mode, owner: ALICE, group: TEAM });
      assert.deepEqual(await may(), expected, mode.toString(8));
    }
  });

  it('is nowhere that a zone without any x forbids, whatever else is said, and whoever asks', async () => {
    const remote = await t.remote();
    await zone(t, 'exact', [`connect tcp!127.0.0.1!${remote.port}`]);
    for (const line of ['connect *!*!*', 'connect tcp!127.0.0.0/8!*', `connect *!0.0.0.0/0!${remote.port}`]) {
      assert.equal(await reaches(t, by.glenda, remote.address), true);
      await zone(t, 'never', [line], { mode: 0o666 });
      for (const client of [by.alice, by.glenda]) {
        assert.equal(await reaches(t, client, remote.address), false);
        await t.refuses(client.open(`dial/tcp!${remote.address}`, 'rw'), ...DENIED);
      }
      await t.client.remove('zone/never');
    }
  });

  it('is the address that was judged, in whatever form it was written', async () => {
    const remote = await t.remote();
    const { port } = remote;
    await zone(t, 'all', ['connect *!*!*', 'connect *!0.0.0.0/0!*', 'connect *!::/0!*']);
    await zone(t, 'never', ['connect tcp!127.0.0.1!*'], { mode: 0o600 });
    for (const form of [
      '127.0.0.1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '[::ffff:127.0.0.1]',
      '0:0:0:0:0:FFFF:127.0.0.1',
      '0000:0000:0000:0000:0000:ffff:7f00:0001',
      // What a gateway would make of these.
      '64:ff9b::127.0.0.1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      '2002:7f00:1:1:2:3:4:5',
    ]) {
      assert.equal(await reaches(t, by.alice, `${form}!${port}`), false, form);
    }
    // Neither addresses nor names.
    for (const form of [
      '2130706433',
      '0x7f000001',
      '0x7f.1',
      '127.1',
      '0177.0.0.1',
      '127.0.0.01',
      '127.0.0.1.',
    ]) {
      await t.refuses(dials(t, by.alice, `${form}!${port}`), 'bad ip address syntax', 'EINVAL');
    }
    for (const form of ['0.0.0.0', '::', '::ffff:0.0.0.0', '[::]']) {
      await assert.rejects(dials(t, by.alice, `${form}!${port}`), isRefusal, form);
    }
    assert.equal(logged(t, 'verdict=allowed', 'verb=connect').length, 0);
  });

  it('needs a line for each of the two that an address stands for', async () => {
    const at = '64:ff9b::127.0.0.1!9';
    const allowed = async (): Promise<boolean> => {
      const before = logged(t, 'verdict=refused').length;
      await dials(t, by.alice, at, 'udp').catch(() => {});
      return logged(t, 'verdict=refused').length === before;
    };
    await zone(t, 'six', ['connect *!64:ff9b::/96!*']);
    assert.equal(await allowed(), false);
    await zone(t, 'four', ['connect *!127.0.0.1!*']);
    assert.equal(await allowed(), true);
    await t.client.remove('zone/six');
    assert.equal(await allowed(), false);
  });

  it('may be the loopback of IPv6', async () => {
    const remote = await t.remote('::1');
    await zone(t, 'four', ['connect *!0.0.0.0/0!*']);
    assert.equal(await reaches(t, by.alice, remote.address), false);
    await zone(t, 'six', [`connect tcp!::1!${remote.port}`]);
    assert.equal(await reaches(t, by.alice, remote.address), true);
    assert.equal(await reaches(t, by.alice, `[0:0::1]!${remote.port}`), true);
  });

  it('has no way round by another file, or by a conversation of somebody else', async () => {
    const remote = await t.remote();
    await zone(t, 'team', [`connect *!127.0.0.1!*`], { mode: 0o710, group: TEAM });
    // Carol, who may not, by one of Alice's that is hers to write: who writes the message is judged.
    const conv = await t.clone(by.alice as typeof t.client);
    await by.alice.chmod(`${conv.dir}/ctl`, 0o666);
    const ctl = await by.carol.open(`${conv.dir}/ctl`, 'rw');
    await t.refuses(ctl.write(`connect ${remote.address}`), ...DENIED);
    const other = await t.clone(by.carol as typeof t.client);
    await by.carol.chmod(`${other.dir}/ctl`, 0o666);
    const hers = await by.alice.open(`${other.dir}/ctl`, 'rw');
    await hers.write(`connect ${remote.address}`);
    // dial by opening, of each name that there is.
    for (const net of ['tcp', 'udp', 'net']) {
      await t.refuses(by.carol.open(`dial/${net}!${remote.address}`, 'rw'), ...DENIED);
    }
    await (await by.bob.open(`dial/tcp!${remote.address}`, 'rw')).close();
  });
});

// ---- announcing -----------------------------------------------------------------------------------

withZones('a port below 1024 at the near end of a connect', (t, by) => {
  const connects = (message: string, protocol: 'tcp' | 'udp'): Promise<unknown> =>
    t.tell(`connect ${message}`, by.alice as typeof t.client, protocol);

  it('is for who might announce it, and one that the host picks for who might announce all', async () => {
    const remote = await t.remote();
    await zone(t, 'a', ['connect *!127.0.0.1!*', 'connect *!127.0.0.2!*']);
    for (const protocol of ['tcp', 'udp'] as const) {
      for (const near of ['!r', ' 127.0.0.1!53', ' 1023', ' 127.0.0.1!0!r']) {
        await t.refuses(connects(`${remote.address}${near}`, protocol), ...DENIED);
      }
      await zone(t, 'b', [`announce ${protocol}!127.0.0.1!1000-1023`]);
      await t.refuses(connects(`${remote.address} 127.0.0.2!1001`, protocol), ...DENIED);
      await t.refuses(connects(`${remote.address} 1001`, protocol), ...DENIED);
      // What else may be wrong, such as that this machine lets only root have it, is the host's to say.
      const outcome = await connects(`${remote.address} 127.0.0.1!1001`, protocol).catch((e: unknown) => e);
      const [said] = logged(t, 'verb=connect', 'verdict=allowed', `dest=${protocol}!`).slice(-1);
      assert.ok(said !== undefined, String(outcome));
    }
  });

  it('is asked for by explain, too, where a destination names it', async () => {
    const remote = await t.remote();
    await zone(t, 'a', ['connect *!127.0.0.1!*']);
    const dest = `tcp!${remote.address}!r`;
    assert.match(await asks(by.alice, 'explain', dest), /^no: alice may not announce tcp!::!0/);
    await t.refuses(by.alice.open(`dial/${dest}`, 'rw'), ...DENIED);
    await zone(t, 'b', ['announce tcp!*!*']);
    assert.match(await asks(by.alice, 'explain', dest), /^yes: /);
  });

  it('is nothing special where it is 1024 or above', async () => {
    const remote = await t.remote();
    await zone(t, 'a', ['connect *!127.0.0.1!*']);
    await connects(`${remote.address} 127.0.0.1!0`, 'tcp');
    await connects(`${remote.address} 0`, 'udp');
  });
});

withZones('what is announced', (t, by) => {
  const announces = async (
    address: string,
    protocol: Protocol = 'tcp',
    client = by.alice,
  ): Promise<boolean> =>
    t.announce(address, client as typeof t.client, protocol).then(
      async ({ ctl }) => {
        await ctl.close();
        return true;
      },
      (error: Error) => t.refuses(Promise.reject(error), ...DENIED).then(() => false),
    );

  it('is what a line says: an address, or with a line for * every address; a port, or with * any', async () => {
    const free = await Remote.listen();
    const { port } = free;
    free.close();
    for (const protocol of ['tcp', 'udp'] as const) {
      await zone(t, 'a', [`announce ${protocol}!127.0.0.1!${port}`]);
      assert.equal(await announces(`127.0.0.1!${port}`, protocol), true);
      for (const other of [`*!${port}`, `::!${port}`, `${port}`, `127.0.0.2!${port}`, '127.0.0.1!0', '0']) {
        assert.equal(await announces(other, protocol), false, other);
      }
      await zone(t, 'a', [`announce ${protocol}!127.0.0.0/8!*`]);
      assert.equal(await announces('127.0.0.3!0', protocol), true);
      for (const other of [`*!${port}`, '0', '::1!0'])
        assert.equal(await announces(other, protocol), false, other);
      await zone(t, 'a', [`announce ${protocol}!*!${port}`]);
      for (const there of [`*!${port}`, `${port}`, `::!${port}`, `127.0.0.1!${port}`]) {
        assert.equal(await announces(there, protocol), true, there);
      }
      assert.equal(await announces('0', protocol), false);
      await zone(t, 'a', [`announce ${protocol}!*!*`]);
      assert.equal(await announces('0', protocol), true);
      await zone(t, 'b', [`announce ${protocol}!127.0.0.9!9`], { mode: 0o600 });
      // All addresses are that one, too, and a port that the host picks may be that.
      for (const any of ['*!9', '0', '127.0.0.9!0', '127.0.0.9!9']) {
        assert.equal(await announces(any, protocol, by.glenda), false, any);
      }
      assert.equal(await announces('127.0.0.1!0', protocol), true);
      await t.client.remove('zone/b');
    }
  });

  it('is closed when the line goes', async () => {
    await zone(t, 'a', ['announce *!127.0.0.1!*', 'accept *!*!*']);
    const tcp = await t.announce('127.0.0.1!0', by.alice as typeof t.client);
    const waiting = t.refuses(t.listen(tcp, by.alice as typeof t.client), 'listen hungup', 'ECONNABORTED');
    const udp = await t.announce('127.0.0.1!0', by.alice as typeof t.client, 'udp');
    const calls = t.refuses(t.listen(udp, by.alice as typeof t.client), 'listen hungup', 'ECONNABORTED');
    await t.pending(Promise.all([waiting, calls]));
    await t.client.chmod('zone/a', 0o750);
    await waiting;
    await calls;
    for (const { dir } of [tcp, udp]) {
      assert.match(
        await t.text(`${dir}/err`, by.alice as typeof t.client),
        /alice may not announce .*zone a .*decides/,
      );
    }
    const again = await Remote.listen('127.0.0.1', tcp.port);
    again.close();
    const datagrams = await Station.bind('127.0.0.1', udp.port);
    datagrams.close();
  });
});

// ---- names ----------------------------------------------------------------------------------------

let resolver: FakeResolver;
let clock = 0;

withZones(
  'a name',
  (t, by) => {
    const denied = (promise: Promise<unknown>): Promise<void> => t.refuses(promise, ...DENIED);

    it('may be dialled where a line has it, in any case, with a final dot, or short for it', async () => {
      const remote = await t.remote();
      await zone(t, 'a', ['connect tcp!far.example!*', 'connect tcp!127.0.0.1!*']);
      for (const name of ['far.example', 'FAR.Example', 'far.example.', 'far']) {
        assert.equal(await reaches(t, by.alice, `${name}!${remote.port}`), true, name);
      }
      for (const name of ['near.example', 'x.far.example', 'far.example.example']) {
        assert.equal(await reaches(t, by.alice, `${name}!${remote.port}`), false, name);
      }
      // Nothing is asked for in a domain in which it may not be.
      assert.deepEqual([...new Set(resolver.asked)], ['far.example.']);
    });

    it('is matched by the longest *.name, and by its alias as it was asked', async () => {
      const remote = await t.remote();
      await t.client.writeFile('ndb', 'cname=far.example dom=alias.example\n');
      await zone(t, 'home', ['connect tcp!127.0.0.1!*']);
      await zone(t, 'a', ['connect tcp!*.example!*']);
      for (const name of ['far.example', 'alias.example', 'a.b.example']) {
        assert.equal(await reaches(t, by.alice, `${name}!${remote.port}`), true, name);
      }
      await zone(t, 'b', ['connect tcp!*.b.example!*', 'connect tcp!alias.example!*'], { mode: 0o700 });
      assert.equal(await reaches(t, by.alice, `far.example!${remote.port}`), true);
      for (const name of ['alias.example', 'a.b.example']) {
        assert.equal(await reaches(t, by.alice, `${name}!${remote.port}`), false, name);
      }
    });

    it('that is vetoed is nobody’s, and its address is not by that name', async () => {
      const remote = await t.remote();
      await zone(t, 'all', ['connect *!*!*', 'connect *!0.0.0.0/0!*', 'resolve *']);
      await zone(t, 'never', ['connect tcp!far.example!*'], { mode: 0o600 });
      for (const client of [by.alice, by.glenda]) {
        for (const name of ['far.example.', 'FAR.example.']) {
          await denied(dials(t, client, `${name}!${remote.port}`));
          await denied(asks(client, 'cs', `tcp!${name}!80`));
        }
        // What it may be short for is not there.
        await denied(dials(t, client, `far.example!${remote.port}`));
        await assert.rejects(dials(t, client, `far!${remote.port}`), isRefusal);
      }
      assert.deepEqual([...new Set(resolver.asked)], ['far.example.example.', 'far.']);
    });

    it('that may not be looked up is asked of nobody, by whatever file', async () => {
      await zone(t, 'all', ['connect *!*!*', 'connect *!0.0.0.0/0!*', 'resolve *.example']);
      await t.client.writeFile(
        'ndb',
        'ipnet=office ip=192.0.2.0 ipmask=255.255.255.0\n\tauth=secret.test.\n',
      );
      for (const client of [by.alice, by.glenda]) {
        for (const name of ['secret.test.', 'SECRET.test.', 'example.', 'x.example.test.']) {
          for (const net of ['tcp', 'udp', 'net']) {
            await denied(asks(client, 'cs', `${net}!${name}!80`));
            await denied(client.open(`dial/${net}!${name}!80`, 'rw'));
          }
          for (const protocol of ['tcp', 'udp'] as const)
            await denied(dials(t, client, `${name}!80`, protocol));
          for (const type of ['ip', 'txt', 'mx', 'ns', 'any'])
            await denied(asks(client, 'dns', `${name} ${type}`));
        }
        await denied(asks(client, 'dns', '192.0.2.1 ptr'));
        await denied(asks(client, 'dns', '1.2.0.192.in-addr.arpa ptr'));
        await denied(asks(client, 'cs', '!dom=secret.test'));
        await denied(asks(client, 'cs', '!ip=192.0.2.1'));
        await denied(asks(client, 'cs', 'tcp!$auth!80'));
        await denied(asks(client, 'cs', '!ipinfo @auth'));
        await denied(asks(client, 'dns', 'secret.test ip'));
      }
      assert.deepEqual(resolver.asked, []);
      assert.equal(await asks(by.alice, 'dns', 'far.example ip'), 'far.example ip\t127.0.0.1');
      await zone(t, 'reverse', ['resolve *.in-addr.arpa']);
      await assert.rejects(asks(by.alice, 'dns', '192.0.2.1 ptr'), isRefusal);
      assert.deepEqual(resolver.asked, ['far.example', '1.2.0.192.in-addr.arpa']);
    });

    it('of one label is asked for in dns, too, only where it may be', async () => {
      await zone(t, 'a', ['resolve far']);
      await assert.rejects(asks(by.alice, 'dns', 'far ip'), isRefusal);
      assert.deepEqual(resolver.asked, ['far']);
      await zone(t, 'a', ['resolve far.example']);
      assert.equal(await asks(by.alice, 'dns', 'far ip'), 'far.example ip\t127.0.0.1');
      assert.deepEqual(resolver.asked, ['far', 'far.example']);
      await zone(t, 'a', ['resolve other.example']);
      await denied(asks(by.alice, 'dns', 'far ip'));
      assert.deepEqual(resolver.asked, ['far', 'far.example']);
    });

    it('is the same name however it is written, and a dot within a label parts none', async () => {
      await zone(t, 'all', ['resolve *']);
      await zone(t, 'never', ['resolve secret.test', 'resolve *.secret.test'], { mode: 0o600 });
      for (const name of [
        's\\101cret.test',
        'SECRE\\T.test.',
        'ⓢecret.test',
        'a.s\\069cret.test',
        'ｓecret.test',
      ]) {
        await denied(asks(by.alice, 'dns', `${name} txt`));
        assert.match(await asks(by.alice, 'explain', `resolve ${name}`), /^no: alice may not look up /);
      }
      await t.client.remove('zone/all');
      await zone(t, 'some', ['resolve *.example']);
      for (const name of ['x\\.example', 'x\\046example.', 'a.b\\.example.', 'x\\\\\\.example'])
        await denied(asks(by.alice, 'dns', `${name} txt`));
      assert.deepEqual(resolver.asked, []);
      await t.refuses(asks(by.alice, 'dns', 'x\\\\.example txt'), 'dns: name does not exist', 'ENOENT');
      assert.deepEqual(resolver.asked, ['x\\\\.example']);
    });

    it('that a connect line has may be looked up, also where it may be reached otherwise only', async () => {
      await zone(t, 'a', ['connect tcp!far.example!443']);
      assert.equal(await asks(by.alice, 'cs', 'tcp!far.example!443'), '/net/tcp/clone 127.0.0.1!443');
      assert.equal(await asks(by.alice, 'dns', 'far.example ip'), 'far.example ip\t127.0.0.1');
      await denied(asks(by.alice, 'cs', 'tcp!near.example!443'));
    });

    it('lends an address in special space only together with a line of that', async () => {
      const remote = await t.remote('127.0.0.2');
      await zone(t, 'a', ['connect tcp!two.example!*']);
      await asks(by.alice, 'cs', 'tcp!two.example!80');
      assert.equal(await reaches(t, by.alice, remote.address), false);
      assert.match(
        await whyNot(t, by.alice, `connect ${remote.address}`),
        /special address space, where an address line is needed, too; to allow: echo 'connect tcp!127\.0\.0\.2!/,
      );
      await zone(t, 'home', ['connect tcp!127.0.0.0/8!*']);
      assert.equal(await reaches(t, by.alice, remote.address), true);
    });

    it('of a public address lends it by cs, by dns, and for 60 seconds', async () => {
      await zone(t, 'a', ['connect udp!global.example!53']);
      const at = '198.41.0.4!53';
      const may = (client: Tree) => reaches(t, client, at, 'udp');
      for (const [file, question] of [
        ['cs', 'udp!global.example!53'],
        ['dns', 'global.example ip'],
        ['dns', 'GLOBAL.example. ip'],
      ] as const) {
        assert.equal(await may(by.alice), false, 'before');
        await asks(by.alice, file, question);
        assert.equal(await may(by.alice), true, question);
        assert.equal(await may((await t.as(ALICE)) as Tree), true, 'another session of hers');
        for (const other of [by.bob, by.carol]) assert.equal(await may(other), false, 'another user');
        assert.equal(await reaches(t, by.alice, '198.41.0.4!54', 'udp'), false, 'another port');
        clock += 59_999;
        assert.equal(await may(by.alice), true, 'to the end');
        clock += 1;
        assert.equal(await may(by.alice), false, 'behind it');
      }
      assert.equal(logged(t, 'dest=udp!198.41.0.4!53', 'verdict=allowed', 'zone=a').length, 9);
    });

    it('in special space needs an address line that the same caller passes, and * is none', async () => {
      const remote = await t.remote();
      const dial = () => reaches(t, by.alice, `far.example!${remote.port}`);
      await zone(t, 'all', ['connect *!*!*', 'resolve *']);
      assert.equal(await reaches(t, by.alice, remote.address), true);
      assert.equal(await dial(), false);
      await zone(t, 'name', [`connect tcp!far.example!${remote.port}`]);
      assert.equal(await dial(), false);
      await zone(t, 'addr', ['connect tcp!127.0.0.0/8!*'], { mode: 0o750 });
      assert.equal(await dial(), false);
      await t.client.chmod('zone/addr', 0o751);
      assert.equal(await dial(), true);
      // Every form in which a resolver may say it, and this machine's own address.
      for (const name of [
        'mapped.example',
        'nat64.example',
        'sixto4.example',
        'own.example',
        'meta.example',
      ]) {
        await t.client.chmod('zone/addr', 0o750);
        assert.match(await whyNot(t, by.alice, `connect ${name}!9`, 'udp'), /special address space/, name);
        await t.client.chmod('zone/addr', 0o751);
      }
    });

    it('of this machine’s files is no stranger: ndb, and localhost', async () => {
      const remote = await t.remote();
      await t.client.writeFile('ndb', 'sys=mailer dom=mail.example ip=127.0.0.1\n');
      await zone(t, 'all', ['connect *!*!*', 'resolve *']);
      for (const name of ['mail.example', 'mailer']) {
        assert.equal(await reaches(t, by.alice, `${name}!${remote.port}`), true, name);
      }
    });
  },
  () => {
    clock = 1_000_000;
    const hosts = {
      'far.example': { ip: ['127.0.0.1'] },
      'near.example': { ip: ['127.0.0.1'] },
      'a.b.example': { ip: ['127.0.0.1'] },
      'two.example': { ip: ['127.0.0.2'] },
      'global.example': { ip: ['198.41.0.4'] },
      'mapped.example': { ipv6: ['::ffff:127.0.0.1'] },
      'nat64.example': { ipv6: ['64:ff9b::127.0.0.1'] },
      'sixto4.example': { ipv6: ['2002:7f00:1::1'] },
      'own.example': { ip: ['192.0.2.7'] },
      'meta.example': { ip: ['169.254.169.254'] },
    };
    const rooted = Object.entries(hosts).map(([name, found]) => [`${name}.`, found]);
    resolver = new FakeResolver({
      ...hosts,
      ...Object.fromEntries(rooted),
      'GLOBAL.example': hosts['global.example'],
    });
    resolver.domains = () => ['example'];
    return {
      resolver,
      now: () => clock,
      facts: facts([['127.0.0.1/8'], ['192.0.2.7/24']]),
      resolverSettings: { servers: [], search: ['example'] },
    };
  },
);

// ---- calls that come in ---------------------------------------------------------------------------

withZones('a call', (t, by) => {
  const alice = () => by.alice as typeof t.client;

  it('needs an accept line, of its caller and of the local port', async () => {
    await zone(t, 'a', ['announce *!*!*']);
    const announced = await t.announce('*!0', alice());
    const listening = t.listen(announced, alice());
    await refusedCall(announced.port, '127.0.0.1');
    assert.equal(await t.pending(listening, alice()), true);
    assert.equal(logged(t, 'verb=accept', 'verdict=refused', `conv=${announced.dir}`).length, 1);

    await zone(t, 'b', [`accept tcp!127.0.0.1!${announced.port}`]);
    await refusedCall(announced.port, '127.0.0.2');
    assert.equal(await t.pending(listening, alice()), true);
    const good = await call(announced.port);
    t.after(() => good.destroy());
    const taken = await listening;
    assert.match(await t.text(`${taken.dir}/remote`, alice()), /^127\.0\.0\.1!/);
    assert.equal(logged(t, 'verb=accept', 'verdict=allowed', `conv=${taken.dir}`, 'zone=b').length, 1);
  });

  it('that may not come is in no listen of anybody, when it may not any more when it is taken', async () => {
    await zone(t, 'a', ['announce *!*!*', 'accept tcp!127.0.0.1!*']);
    const announced = await t.announce('127.0.0.1!0', alice());
    const [first, second] = [await call(announced.port), await call(announced.port)];
    t.after(() => [first, second].forEach(socket => socket.destroy()));
    const taken = await t.listen(announced, alice());
    await zone(t, 'a', ['announce *!*!*', 'accept tcp!127.0.0.2!*']);
    // The one that was taken is hung up, the one that waits is nobody's.
    const listening = t.listen(announced, alice());
    for (const socket of [first, second]) assert.equal((await ending(socket)).by, 'RST');
    assert.equal(await t.pending(listening, alice()), true);
    assert.match(
      await t.text(`${taken.dir}/err`, alice()),
      /alice may not accept a call from tcp!127\.0\.0\.1!/,
    );
    await zone(t, 'a', ['announce *!*!*', 'accept tcp!127.0.0.1!*']);
    const third = await call(announced.port);
    t.after(() => third.destroy());
    await listening;
  });

  it('is judged for who announced, whoever listens', async () => {
    await zone(t, 'a', ['announce *!*!*', 'accept tcp!127.0.0.1!*'], { mode: 0o750, group: TEAM });
    const announced = await t.announce('127.0.0.1!0', alice());
    await by.alice.chmod(`${announced.dir}/ctl`, 0o666);
    const socket = await call(announced.port);
    t.after(() => socket.destroy());
    await t.listen(announced, by.carol as typeof t.client);
  });

  it('of datagrams needs a line, too; a stranger’s are dropped', async () => {
    await zone(t, 'a', ['announce udp!127.0.0.1!*', 'accept udp!127.0.0.2!*']);
    const announced = await t.announce('127.0.0.1!0', alice(), 'udp');
    const [stranger, friend] = [await station(t), await station(t, '127.0.0.2')];
    await stranger.send('no', announced.port);
    await friend.send('yes', announced.port);
    const call = await t.listen(announced, alice());
    assert.equal(await t.text(`${call.dir}/remote`, alice()), `${friend.address}\n`);
    const data = await by.alice.open(`${call.dir}/data`, 'rw');
    assert.equal((await data.read(100)).toString(), 'yes');
    const more = t.listen(announced, alice());
    await stranger.send('no', announced.port);
    assert.equal(await t.pending(more, alice()), true);
    await zone(t, 'a', ['announce udp!127.0.0.1!*', 'accept udp!127.0.0.1!*']);
    await assert.rejects(data.read(100), isRefusal);
    assert.match(await t.text(`${call.dir}/err`, alice()), /may not accept a call from udp!127\.0\.0\.2!/);
    await stranger.send('now', announced.port);
    assert.equal(await t.text(`${(await more).dir}/remote`, alice()), `${stranger.address}\n`);
  });
});

// ---- datagrams with headers -----------------------------------------------------------------------

withZones('a datagram with a header', (t, by) => {
  const alice = () => by.alice as typeof t.client;

  async function withHeaders(client = alice()) {
    const announced = await t.announce('127.0.0.1!0', client, 'udp');
    await announced.ctl.write('headers');
    return { ...announced, data: await client.open(`${announced.dir}/data`, 'rw') };
  }
  const to = (remote: Station, text: string, ip?: number[]): Buffer =>
    Buffer.concat([headerTo(remote, ip), Buffer.from(text)]);

  it('goes where a connect line says, and another is refused and not sent', async () => {
    const [near, far] = [await station(t), await station(t)];
    await zone(t, 'a', ['announce udp!127.0.0.1!*', `connect udp!127.0.0.1!${near.port}`]);
    const { data, dir } = await withHeaders();
    await t.refuses(data.write(to(far, 'no')), ...DENIED);
    assert.match(await t.text(`${dir}/err`, alice()), /alice may not connect to udp!127\.0\.0\.1!/);
    await data.write(to(near, 'yes'));
    assert.equal((await near.next()).text, 'yes');
    await zone(t, 'b', [`connect udp!127.0.0.1!${far.port}`]);
    await data.write(to(far, 'now'));
    assert.equal((await far.next()).text, 'now');
    await t.client.remove('zone/b');
    await t.refuses(data.write(to(far, 'no')), ...DENIED);
  });

  it('brings answers of whom was spoken to, and a stranger’s only with an accept line', async () => {
    const [near, far] = [await station(t), await station(t)];
    await zone(t, 'a', ['announce udp!127.0.0.1!*', `connect udp!127.0.0.1!${near.port}`]);
    const { data, port } = await withHeaders();
    await far.send('who are you', port);
    await data.write(to(near, 'hello'));
    await near.next();
    // An answer comes in though zones have changed since it was asked for.
    await zone(t, 'other', ['resolve *']);
    await near.send('hello to you', port);
    assert.equal((await data.read(1000)).subarray(52).toString(), 'hello to you');
    // Not any more where it could not be asked for any more.
    await zone(t, 'a', ['announce udp!127.0.0.1!*']);
    await near.send('still there?', port);
    const reading = data.read(1000);
    assert.equal(await t.pending(reading, alice()), true);
    await zone(t, 'in', [`accept udp!127.0.0.1!${port}`]);
    await far.send('who are you', port);
    assert.equal((await reading).subarray(52).toString(), 'who are you');
    // Nor does a refused send make a stranger of who may call.
    await t.refuses(data.write(to(far, 'no')), ...DENIED);
    await far.send('again', port);
    assert.equal((await data.read(1000)).subarray(52).toString(), 'again');
  });

  it('is judged for who announced, whoever writes it', async () => {
    const near = await station(t);
    await zone(t, 'a', ['announce udp!127.0.0.1!*'], { mode: 0o755 });
    await zone(t, 'b', [`connect udp!127.0.0.1!${near.port}`], { mode: 0o710, group: TEAM });
    const { dir } = await withHeaders(by.carol as typeof t.client);
    await by.carol.chmod(`${dir}/ctl`, 0o666);
    const data = await by.alice.open(`${dir}/data`, 'rw');
    await t.refuses(data.write(to(near, 'no')), ...DENIED);
  });

  it('of a conversation that is connected goes to its remote and nowhere else', async () => {
    const [near, far] = [await station(t), await station(t)];
    await zone(t, 'a', [`connect udp!127.0.0.1!${near.port}`]);
    for (const messages of [
      ['headers', `connect ${near.address}`],
      [`connect ${near.address}`, 'headers'],
    ]) {
      const conv = await t.clone(alice(), 'rw', 'udp');
      for (const message of messages) await conv.ctl.write(message);
      const data = await alice().open(`${conv.dir}/data`, 'rw');
      await t.refuses(data.write(to(far, 'out')), ...DENIED);
      await t.refuses(data.write(to(near, 'out', [127, 0, 0, 2])), ...DENIED);
      await data.write(to(near, 'in'));
      assert.equal((await near.next()).text, 'in');
    }
  });
});
