/** Dial by opening: `dial/tcp!HOST!SERVICE`. docs/net.md. */
import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import fc from 'fast-check';
import { Abort } from '../../src/abort.ts';
import { hostDialer } from '../../src/host/dialer.ts';
import type { Dialer } from '../../src/netfs/dialer.ts';
import { FsError, type ErrorName } from '../../src/netfs/error.ts';
import { Server } from '../../src/server/server.ts';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import {
  eventually,
  forEachDialect,
  forEachDoor,
  isRefusal,
  onFuse,
  type Fixture,
} from '../support/fixture.ts';
import { ending, receive, Tarpit, type Remote } from '../support/remote.ts';
import { addressesBy } from '../support/resolver.ts';
import type { Tree } from '../support/tree.ts';

const { O_CREAT, O_EXCL, O_RDWR, O_TRUNC, O_WRONLY } = constants;
const DENIED = ['permission denied', 'EACCES'] as const;
const ABSENT = ['file does not exist', 'ENOENT'] as const;
const STOPPED = new Error('stopped');

const at = ({ address }: { readonly address: string }): string => `dial/tcp!${address}`;

/** Numbers of the conversations that somebody uses. */
const inUse = ({ server: { tcp } }: Fixture): number[] =>
  Array.from({ length: tcp.count }, (_, i) => i).filter(i => tcp.at(i).inUse);

/** A connection by one opened name, and the socket at the other end. */
async function opened(t: Fixture, client: Tree = t.client) {
  const remote = await t.remote();
  const data = await client.open(at(remote), 'rw');
  return { data, remote, socket: await remote.accept() };
}

forEachDoor('dial', t => {
  it('is listed, and lists nothing', async () => {
    const dial = (await t.client.ls('')).find(({ name }) => name === 'dial');
    assert.deepEqual([dial?.isDirectory, dial?.mode], [true, 0o555]);
    assert.deepEqual(await t.client.readdir('dial'), []);
    await opened(t);
    assert.deepEqual(await t.client.readdir('dial'), []);
  });

  it('opened by an address is the data of a connection to it', async () => {
    const { data, socket } = await opened(t);
    await data.write('question');
    assert.equal((await receive(socket, 8)).toString(), 'question');
    socket.end('answer');
    assert.equal((await data.read()).toString(), 'answer');
    assert.equal((await data.read()).length, 0);
  });

  it('makes a conversation like any other: numbered, owned, with status, local, remote and ctl', async () => {
    const { remote, socket } = await opened(t);
    assert.equal(await t.text('tcp/0/remote'), `${remote.address}\n`);
    assert.equal(await t.text('tcp/0/local'), `127.0.0.1!${socket.remotePort}\n`);
    assert.match(await t.text('tcp/0/status'), /^Established /);
    await t.client.writeFile('tcp/0/ctl', 'hangup');
    assert.equal((await ending(socket)).by, 'RST');
  });

  it('hangs up when it is closed: what was written, then FIN', async () => {
    const { data, socket } = await opened(t);
    await data.write('last words');
    await data.close();
    const { by, bytes } = await ending(socket);
    assert.deepEqual([by, bytes.toString()], ['FIN', 'last words']);
    assert.deepEqual(inUse(t), []);
  });

  it('takes names of hosts and services, net for tcp, and options', async () => {
    const remote = await t.remote();
    for (const name of [
      `tcp!localhost!${remote.port}`,
      `net!127.0.0.1!${remote.port}`,
      `tcp!127.0.0.1!${remote.port}!fasttimeout`,
    ]) {
      const data = await t.client.open(`dial/${name}`, 'rw');
      (await remote.accept()).end();
      await data.close();
    }
    await t.refuses(t.touch('dial/tcp!127.0.0.1!tcpmux'), 'connection refused', 'ECONNREFUSED');
  });

  it('takes IPv6 addresses, bare and in brackets', async () => {
    const remote = await t.remote('::1');
    for (const host of ['::1', '[::1]']) {
      const data = await t.client.open(`dial/tcp!${host}!${remote.port}`, 'rw');
      const socket = await remote.accept();
      assert.equal(await t.text(`tcp/${inUse(t)[0]}/remote`), `::1!${remote.port}\n`);
      socket.end();
      await data.close();
      await eventually(() => Promise.resolve(t.server.tcp.at(0).isFree));
    }
  });

  it('opens as many connections as it is opened, and keeps them apart', async () => {
    const remote = await t.remote();
    const calls = [];
    for (let i = 0; i < 3; i++) {
      const data = await t.client.open(at(remote), 'rw');
      calls.push({ data, socket: await remote.accept() });
    }
    for (const [i, { data, socket }] of calls.entries()) {
      socket.write(`to ${i}`);
      assert.equal((await data.read()).toString(), `to ${i}`);
    }
    assert.deepEqual(inUse(t), [0, 1, 2]);
  });

  it('opened for one direction does only that', async () => {
    const remote = await t.remote();
    const reader = await t.client.open(at(remote), 'r');
    (await remote.accept()).write('hello');
    assert.equal((await reader.read()).toString(), 'hello');
    await assert.rejects(reader.write('x'), isRefusal);
    const writer = await t.client.open(at(remote), 'w');
    await writer.write('bye');
    assert.equal((await receive(await remote.accept(), 3)).toString(), 'bye');
    await assert.rejects(writer.read(), isRefusal);
  });

  it('answers stat, and truncation, without dialling', async () => {
    const remote = await t.remote();
    const stat = await t.client.stat(at(remote));
    assert.deepEqual(
      [stat.name, stat.mode, stat.isDirectory, stat.length],
      [`tcp!${remote.address}`, 0o600, false, 0],
    );
    await t.client.setStat(at(remote), { length: 0 });
    await t.client.setStat(at(remote), { mtime: 1 });
    assert.deepEqual([inUse(t), t.server.tcp.count], [[], 0]);
  });

  it('shows, once it is open, the data that it is', async () => {
    const { data } = await opened(t);
    const { qid, mode } = await data.stat();
    assert.deepEqual([qid, mode], [(await t.client.stat('tcp/0/data')).qid, 0o600]);
  });

  it('lets nobody change or remove a name, nor walk below it', async () => {
    const remote = await t.remote();
    await t.refuses(t.client.chmod(at(remote), 0o666), 'permission denied', 'EPERM');
    await assert.rejects(t.client.stat(`${at(remote)}/x`), isRefusal);
    await assert.rejects(t.client.readdir(at(remote)), isRefusal);
  });
});

forEachDoor('a name in dial', t => {
  for (const name of [
    'tcp',
    'tcp!127.0.0.1',
    'tcp!!80',
    'tcp!127.0.0.1!',
    '127.0.0.1!80',
    'sctp!127.0.0.1!80',
    'TCP!127.0.0.1!80',
    '!!',
    '__proto__!127.0.0.1!80',
    'tcp!127.0.0.1!80!',
    '0',
    'clone',
  ]) {
    it(`that is no address is not there: ${name}`, async () => {
      await t.refuses(t.client.stat(`dial/${name}`), ...ABSENT);
      await t.refuses(t.touch(`dial/${name}`), ...ABSENT);
    });
  }

  for (const [name, text, code] of [
    ['tcp!127.1!80', 'bad ip address syntax', 'EINVAL'],
    ['tcp!0.0.0.0!80', 'bad ip address syntax', 'EINVAL'],
    ['tcp!::!80', 'bad ip address syntax', 'EINVAL'],
    ['tcp!*!80', 'malformed address', 'EINVAL'],
    ['tcp!-x!80', 'malformed address', 'EINVAL'],
    ["tcp!a b!80 'x", 'malformed address', 'EINVAL'],
    ['tcp!127.0.0.1!0', 'bad numeric port', 'EINVAL'],
    ['tcp!127.0.0.1!65536', 'bad numeric port', 'EINVAL'],
    ['tcp!127.0.0.1!no-such-service', 'bad numeric port', 'EINVAL'],
    ['tcp!127.0.0.1!80!x', 'malformed address', 'EINVAL'],
  ] as const) {
    it(`whose parts are wrong fails when it is opened: ${name}`, async () => {
      assert.equal((await t.client.stat(`dial/${name}`)).length, 0);
      await t.refuses(t.touch(`dial/${name}`), text, code);
      assert.deepEqual(inUse(t), []);
    });
  }

  if (t.door !== 'in process') {
    it('that is longer than a name may be is refused as such', async () => {
      const long = `tcp!${'a'.repeat(300)}!80`;
      await t.refuses(t.client.stat(`dial/${long}`), 'file name too long', 'ENAMETOOLONG');
    });
  }

  it('is looked up a thousand times without a trace in the tree', async () => {
    for (let i = 0; i < 1000; i++) await t.client.stat(`dial/tcp!host${i}!80`);
    assert.equal(t.server.tcp.count, 0);
  });
});

describe('dial', () => {
  it('answers whatever it is asked for, and keeps no conversation of it', async () => {
    const refusing: Dialer = {
      ...hostDialer,
      connect: () => Promise.reject(new FsError('Econrefused')),
    };
    const { mount, owner, tcp } = new Server({ dialer: refusing, resolver: addressesBy(unknown) });
    const req = { caller: owner, signal: new Abort() };
    const dir = await mount.walk(mount.root, 'dial', req);
    const open = async (name: string): Promise<void> => {
      const node = await mount.walk(dir, name, req);
      await mount.open(node, { read: true, write: true, truncate: false }, req);
    };
    const part = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('127.0.0.1', '::1', '80', 'http', '*'),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('tcp', 'net', 'x'), fc.array(part), async (network, parts) => {
        await assert.rejects(open([network, ...parts].join('!')), isRefusal);
        assert(tcp.count <= 1 && (tcp.count === 0 || tcp.at(0).isFree));
      }),
    );
  });
});

/** Where connects go, in a test's own network. */
const FAILURES: Readonly<Record<string, ErrorName>> = {
  '192.0.2.1': 'Econrefused',
  '192.0.2.2': 'Etimedout',
  '192.0.2.3': 'Enoroute',
  '192.0.2.4': 'Enetunreach',
  '192.0.2.5': 'Eperm',
};
const HOSTS: Readonly<Record<string, ErrorName>> = { silent: 'Edns' };

function unknown(name: string): never {
  throw new FsError(HOSTS[name] ?? 'Enoname');
}

const failing: Dialer = {
  ...hostDialer,
  connect: to => Promise.reject(new FsError(FAILURES[to.ip.bytes.join('.')]!)),
};

forEachDoor(
  'a dial that fails',
  t => {
    for (const [host, text, code] of [
      ['192.0.2.1', 'connection refused', 'ECONNREFUSED'],
      ['192.0.2.2', 'connection timed out', 'ETIMEDOUT'],
      ['192.0.2.3', 'no route', 'EHOSTUNREACH'],
      ['192.0.2.4', 'no route', 'ENETUNREACH'],
      ['192.0.2.5', 'permission denied', 'EACCES'],
      ['unknown', "can't translate address", 'ENOENT'],
      ['silent', 'dns failure', 'EHOSTUNREACH'],
    ] as const) {
      it(`fails the open with the reason: ${text}, ${code}`, async () => {
        await t.refuses(t.touch(`dial/tcp!${host}!80`), text, code);
        assert.deepEqual(inUse(t), []);
        assert(t.server.tcp.at(0).isFree);
      });
    }

    it('leaves the reason in err', async () => {
      await assert.rejects(t.touch('dial/tcp!192.0.2.1!80'), isRefusal);
      assert.equal(await t.text('tcp/0/err'), 'connection refused: 192.0.2.1!80\n');
    });
  },
  () => ({ dialer: failing, resolver: addressesBy(unknown) }),
);

forEachDoor('an open of dial that waits', t => {
  let tarpit: Tarpit;
  before(async () => (tarpit = await Tarpit.dig()));
  after(() => tarpit.fill());

  it('is seen as a conversation that connects, and fails when that is hung up', async () => {
    const opening = t.touch(at(tarpit));
    assert(await t.pending(opening));
    assert.match(await t.text('tcp/0/status'), /^Syn_sent /);
    assert.equal(await t.text('tcp/0/remote'), `${tarpit.address}\n`);
    const failed = t.refuses(opening, 'i/o on hungup channel', 'EPIPE');
    await t.client.writeFile('tcp/0/ctl', 'hangup');
    await failed;
    assert.deepEqual(inUse(t), []);
  });

  it('leaves nothing behind when it is interrupted', async () => {
    const aborter = new AbortController();
    const opening = t.client.open(at(tarpit), 'rw', { signal: aborter.signal });
    assert(await t.pending(opening));
    aborter.abort(STOPPED);
    await assert.rejects(opening, STOPPED);
    assert.deepEqual(inUse(t), []);
    assert(t.server.tcp.at(0).isFree);
    assert.equal(await t.text('tcp/0/err'), '');
  });

  it('leaves nothing behind when its client goes away', async () => {
    const other = await t.another();
    const opening = other.open(at(tarpit), 'rw');
    assert(await t.pending(opening, other));
    opening.catch(() => {});
    await t.leave(other);
    await eventually(() => Promise.resolve(inUse(t).length === 0));
  });

  it('holds up nobody who opens the same name', async () => {
    const aborter = new AbortController();
    const [first, second] = [1, 2].map(() => t.client.open(at(tarpit), 'rw', { signal: aborter.signal }));
    assert(await t.pending(first!));
    await eventually(() => Promise.resolve(inUse(t).length === 2));
    await t.client.stat(at(tarpit));
    aborter.abort(STOPPED);
    await Promise.all([first, second].map(opening => assert.rejects(opening!, STOPPED)));
  });
});

forEachDoor(
  'the right to dial by opening',
  t => {
    let alice: Tree;
    let remote: Remote;
    beforeEach(async () => {
      [alice, remote] = [await t.as(ALICE), await t.remote()];
    });

    it('is that of clone, and shown as such', async () => {
      for (const mode of ['r', 'w', 'rw'] as const)
        await t.refuses(t.touch(at(remote), mode, alice), ...DENIED);
      await t.client.chmod('tcp/clone', 0o666);
      assert.equal((await alice.stat(at(remote))).mode, 0o666);
      await t.touch(at(remote), 'rw', alice);
    });

    it('needs read and write on clone, even to open for one of both', async () => {
      for (const bits of [0o604, 0o602]) {
        await t.client.chmod('tcp/clone', bits);
        for (const mode of ['r', 'w', 'rw'] as const) {
          await t.refuses(t.touch(at(remote), mode, alice), ...DENIED);
        }
      }
    });

    it('needs x on the directory of the protocol, and on dial', async () => {
      await t.client.chmod('tcp/clone', 0o666);
      for (const dir of ['tcp', 'dial']) {
        await t.client.chmod(dir, 0o554);
        await t.refuses(t.touch(at(remote), 'rw', alice), ...DENIED);
        await t.client.chmod(dir, 0o555);
      }
      await t.touch(at(remote), 'rw', alice);
    });

    it('makes conversations of the one who opens', async () => {
      await t.client.chmod('tcp/clone', 0o666);
      const { data } = await opened(t, alice);
      const { mode, uid, owner } = await t.client.stat('tcp/0/data');
      assert.deepEqual(
        [mode, t.door === '9P2000' ? owner : uid],
        [0o600, t.door === '9P2000' ? 'alice' : ALICE.uid],
      );
      await t.touch('tcp/0/data', 'rw', alice);
      await data.close();
    });

    it('gives one user nothing of what another opened by the same name', async () => {
      await t.client.chmod('tcp/clone', 0o666);
      const mine = await t.client.open(at(remote), 'rw');
      const first = await remote.accept();
      const hers = await alice.open(at(remote), 'rw');
      const second = await remote.accept();
      first.write('for glenda');
      second.write('for alice');
      assert.equal((await hers.read()).toString(), 'for alice');
      assert.equal((await mine.read()).toString(), 'for glenda');
    });
  },
  () => ({ owner: GLENDA, users: people }),
);

forEachDoor(
  'dial by opening',
  t => {
    it('is counted among the conversations, and refused when all are in use', async () => {
      const remote = await t.remote();
      await t.clone();
      await t.client.open(at(remote), 'rw');
      await t.refuses(t.touch(at(remote)), 'no free devices', 'ENFILE');
    });

    it('tries the addresses of a name in turn', async () => {
      const remote = await t.remote();
      const data = await t.client.open(`dial/tcp!two!${remote.port}`, 'rw');
      (await remote.accept()).end('there');
      assert.equal((await data.read()).toString(), 'there');
    });
  },
  () => ({
    conversations: 2,
    resolver: addressesBy(() => ['127.0.0.9', '127.0.0.1']),
  }),
);

forEachDialect('dial over 9P', t => {
  it('gives each walk a qid of its own, and the open that of data', async () => {
    const remote = await t.remote();
    const [first, second] = [await t.client.walk(at(remote)), await t.client.walk(at(remote))];
    assert.notEqual(first.qid.path, second.qid.path);
    assert.equal((await first.stat()).qid.path, first.qid.path);
    await first.open('rw');
    assert.deepEqual(first.qid, (await t.client.stat('tcp/0/data')).qid);
  });

  it('is a tree of its own to who attaches to it', async () => {
    const remote = await t.remote();
    const client = await t.another({ aname: 'dial' });
    const data = await client.open(`tcp!${remote.address}`, 'rw');
    (await remote.accept()).end('hello');
    assert.equal((await data.read()).toString(), 'hello');
  });

  it('creates nothing', async () => {
    const { name } = await t.client.stat('dial');
    const fid = await t.client.walk(name);
    const creating =
      t.dialect === '9P2000.L'
        ? t.client.rpc('Tlcreate', { fid: fid.number, name: 'tcp!x!80', flags: 2, mode: 0o644, gid: 0 })
        : t.client.rpc('Tcreate', { fid: fid.number, name: 'tcp!x!80', perm: 0o644, mode: 2, extension: '' });
    await t.refuses(creating, ...ABSENT);
  });
});

onFuse('dial with the flags that a shell opens with', t => {
  it('connects by O_CREAT, and by O_CREAT and O_TRUNC', async () => {
    const remote = await t.remote();
    for (const flags of [O_RDWR | O_CREAT, O_WRONLY | O_CREAT | O_TRUNC]) {
      const file = await t.client.openWith(at(remote), flags);
      await file.write('hello');
      assert.equal((await receive(await remote.accept(), 5)).toString(), 'hello');
    }
    assert.deepEqual(inUse(t), [0, 1]);
  });

  it('says that what is no address is not there, and by O_EXCL that an address is', async () => {
    await t.refuses(t.client.openWith('dial/tcp!127.0.0.1', O_RDWR | O_CREAT), ...ABSENT);
    await t.refuses(
      t.client.openWith('dial/tcp!127.0.0.1!80', O_RDWR | O_CREAT | O_EXCL),
      'exists',
      'EEXIST',
    );
    assert.equal(t.server.tcp.count, 0);
  });

  it('opened again by /proc/self/fd is the same connection', async () => {
    const remote = await t.remote();
    const file = await t.client.openWith(at(remote), O_RDWR);
    const again = await t.client.openWith(`/proc/self/fd/${file.fd}`, O_RDWR);
    (await remote.accept()).write('once');
    assert.equal((await again.read()).toString(), 'once');
    assert.deepEqual(inUse(t), [0]);
  });
});
