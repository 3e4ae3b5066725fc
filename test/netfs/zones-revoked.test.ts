/** What was allowed and is not any more ends at once, by every door, whatever it was that changed. */
import assert from 'node:assert/strict';
import { hostDialer } from '../../src/host/dialer.ts';
import { NOBODY, type Caller } from '../../src/policy/identity.ts';
import { ALICE, BOB, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import { Station } from '../support/datagrams.ts';
import { eventually, inProcess, isRefusal, type Fixture } from '../support/fixture.ts';
import { shellAs, UserDatabase, withRealUsers } from '../support/realusers.ts';
import { ending, receive, Tarpit } from '../support/remote.ts';
import { addressesBy } from '../support/resolver.ts';
import type { Tree } from '../support/tree.ts';
import { DENIED, dials, idsOf, lend, logged, withZones, zone } from '../support/zones.ts';

const HOME = 'connect *!127.0.0.1!*';

const as = (t: Fixture, client: Tree) => client as typeof t.client;

/** What closes `home` to Alice, each by itself. */
const CHANGES: Readonly<Record<string, (t: Fixture) => Promise<unknown>>> = {
  'chmod o-x': t => t.client.chmod('zone/home', 0o770),
  'chmod of all x': t => t.client.chmod('zone/home', 0o600),
  'another content': t => t.client.writeFile('zone/home', 'connect *!127.0.0.2!*\n'),
  'a truncation': t => t.client.setStat('zone/home', { length: 0 }),
  'its removal': t => t.client.remove('zone/home'),
  'a name that editors leave': t => t.client.rename('zone/home', 'zone/home~'),
  'another in its place': async t => {
    await t.client.create('zone/other');
    await t.client.rename('zone/other', 'zone/home');
  },
  'a more specific line that is closed': t => zone(t, 'shut', ['connect tcp!127.0.0.1!*'], { mode: 0o700 }),
  'a zone that forbids': t => zone(t, 'never', ['connect tcp!*!*'], { mode: 0o600 }),
  'a chgrp to a group that may not': async t => {
    await t.client.chmod('zone/home', 0o705);
    await t.client.setStat('zone/home', idsOf(t, { group: TEAM }));
  },
  'a chown to who may not': async t => {
    await t.client.chmod('zone/home', 0o075);
    await t.client.setStat('zone/home', idsOf(t, { owner: ALICE }));
  },
};

withZones('a connection that is not allowed any more', (t, by) => {
  it('is reset, too, when it was closed and what was written is still on its way', async () => {
    await zone(t, 'home', [HOME]);
    const { ctl, data, dir, number } = await t.connect(as(t, by.alice));
    await data.write('the last words');
    await data.close();
    await ctl.close();
    await eventually(() => Promise.resolve(!t.server.tcp.at(number).inUse));
    // The peer has not ended its side.
    assert.equal(t.server.tcp.at(number).isFree, false);
    await t.client.chmod('zone/home', 0o700);
    await eventually(() => Promise.resolve(t.server.tcp.at(number).isFree));
    assert.equal(logged(t, 'verb=close', `conv=${dir}`, 'out=14').length, 1);
    assert.equal(logged(t, 'verb=hangup', `conv=${dir}`, 'verdict=refused').length, 1);
  });

  for (const [what, change] of Object.entries(CHANGES)) {
    it(`is reset by ${what}, and says why`, async () => {
      await zone(t, 'home', [HOME]);
      const { dir, data, socket } = await t.connect(as(t, by.alice));
      const end = ending(socket);
      const reading = assert.rejects(data.read(10), isRefusal);
      assert.equal(await t.pending(reading, as(t, by.alice)), true);
      await change(t);
      // Before the change was answered it was over.
      await assert.rejects(data.write('more'), isRefusal);
      await reading;
      assert.equal((await end).by, 'RST');
      const why = await t.text(`${dir}/err`, as(t, by.alice));
      assert.match(why, /^permission denied: alice may not connect to tcp!127\.0\.0\.1!\d+: .*; to allow: /);
      assert.equal(
        logged(t, 'verb=hangup', `conv=${dir}`, 'user=alice', 'verdict=refused', 'reason=').length,
        1,
      );
      assert.match(await t.text(`${dir}/status`, as(t, by.alice)), /^Closed/);
    });
  }

  it('is the only one that ends', async () => {
    await zone(t, 'home', [HOME], { mode: 0o755 });
    const [hers, his, owners] = [
      await t.connect(as(t, by.carol)),
      await t.connect(as(t, by.bob)),
      await t.connect(),
    ];
    await zone(t, 'team', ['connect *!127.0.0.0/8!*'], { mode: 0o710, group: TEAM });
    await t.client.setStat('zone/home', idsOf(t, { group: TEAM }));
    const end = ending(hers.socket);
    await t.client.chmod('zone/home', 0o770);
    assert.equal((await end).by, 'RST');
    for (const { data, socket } of [his, owners]) {
      await data.write('hello');
      assert.equal((await receive(socket, 5)).toString(), 'hello');
      socket.write('and you');
      assert.equal((await data.read(100)).toString(), 'and you');
    }
    assert.equal(logged(t, 'verb=hangup').length, 1);
  });

  it('does not end where another zone allows it, too', async () => {
    await zone(t, 'home', [HOME]);
    await zone(t, 'same', [HOME]);
    const { data, socket } = await t.connect(as(t, by.alice));
    await t.client.remove('zone/home');
    await data.write('hello');
    assert.equal((await receive(socket, 5)).toString(), 'hello');
  });

  it('is not had again by another fid, by its number, or by a new conversation of its number', async () => {
    await zone(t, 'home', [HOME]);
    const { dir, ctl } = await t.connect(as(t, by.alice));
    const { address } = await t.remote();
    await t.client.chmod('zone/home', 0o750);
    const again = await by.alice.open(`${dir}/data`, 'rw');
    await assert.rejects(again.write('hello'), isRefusal);
    await assert.rejects(again.read(10), isRefusal);
    await assert.rejects(ctl.write(`connect ${address}`), isRefusal);
    await t.client.chmod('zone/home', 0o755);
    // What was hung up stays so.
    await assert.rejects(again.write('hello'), isRefusal);
    await t.client.chmod('zone/home', 0o750);
    await Promise.all([again.close(), ctl.close()]);
  });

  it('is that of who connected it, whoever owns it by now', async () => {
    await zone(t, 'home', [HOME], { mode: 0o710, group: TEAM });
    const { dir, data, socket } = await t.connect(as(t, by.alice));
    await t.client.setStat(`${dir}/ctl`, idsOf(t, { owner: CAROL }));
    await zone(t, 'other', ['resolve *']);
    await data.write('hello');
    assert.equal((await receive(socket, 5)).toString(), 'hello');
    const end = ending(socket);
    await t.client.chmod('zone/home', 0o701);
    assert.equal((await end).by, 'RST');
    await assert.rejects((await by.carol.open(`${dir}/data`, 'rw')).write('no'), isRefusal);
  });

  it('was dialled by opening, or is of datagrams', async () => {
    await zone(t, 'home', [HOME]);
    const remote = await t.remote();
    const dialled = await by.alice.open(`dial/tcp!${remote.address}`, 'rw');
    const end = ending(await remote.accept());
    const station = await Station.bind();
    t.after(() => station.close());
    const { dir } = await dials(t, by.alice, station.address, 'udp');
    const datagrams = await by.alice.open(`${dir}/data`, 'rw');
    const reading = assert.rejects(datagrams.read(100), isRefusal);
    assert.equal(await t.pending(reading, as(t, by.alice)), true);
    await t.client.chmod('zone/home', 0o750);
    await reading;
    await assert.rejects(datagrams.write('no'), isRefusal);
    assert.equal((await end).by, 'RST');
    await assert.rejects(dialled.write('no'), isRefusal);
    assert.match(await t.text(`${dir}/err`, as(t, by.alice)), /alice may not connect to udp!/);
    assert.equal(logged(t, 'verb=hangup').length, 2);
  });

  it('is one that is only being made', async () => {
    const tarpit = await Tarpit.dig();
    t.after(() => tarpit.fill());
    await zone(t, 'home', [HOME]);
    const { ctl, dir } = await t.clone(as(t, by.alice));
    const connecting = t.refuses(ctl.write(`connect ${tarpit.address}`), ...DENIED);
    const opening = t.refuses(by.bob.open(`dial/tcp!${tarpit.address}`, 'rw'), ...DENIED);
    assert.equal(await t.pending(Promise.all([connecting, opening]), as(t, by.alice)), true);
    // The other client's, too, has come to where it waits.
    while (logged(t, 'verb=connect', 'verdict=allowed').length < 2) await new Promise(setImmediate);
    await t.client.chmod('zone/home', 0o750);
    await connecting;
    await opening;
    assert.match(await t.text(`${dir}/err`, as(t, by.alice)), /alice may not connect to .*zone home/);
    assert.equal(logged(t, 'verb=hangup').length, 2);
  });
});

// ---- groups ---------------------------------------------------------------------------------------

let database: UserDatabase;

withZones(
  'a member who is one no more',
  t => {
    it('is hung up when the groups are read again, and the others are not', async () => {
      await zone(t, 'home', [HOME], { mode: 0o710, group: TEAM });
      // By the user database, and by his process's word.
      const [alice, bob] = [await t.as(database.byId(ALICE.uid) ?? ALICE), await t.as(BOB)];
      const [hers, his] = [await t.connect(alice), await t.connect(bob)];
      database.setGroups(ALICE);
      const end = ending(hers.socket);
      t.server.refreshGroups();
      assert.equal((await end).by, 'RST');
      await his.data.write('hello');
      assert.equal((await receive(his.socket, 5)).toString(), 'hello');
      assert.equal(logged(t, 'verb=hangup', 'user=alice').length, 1);
      const remote = await t.remote();
      await t.refuses(dials(t, alice, remote.address), ...DENIED);
      // And the command that is named would let her in.
      assert.match(await t.text(`${hers.dir}/err`, alice), /to allow: chmod o\+x \/net\/zone\/home/);
    });
  },
  () => ({ users: (database = new UserDatabase()) }),
);

// ---- races ----------------------------------------------------------------------------------------

let resolving: () => void = () => {};
let between: { before?: () => void; after?: () => void } = {};

inProcess(
  'a change of the zones during a dial',
  t => {
    beforeEach(async () => {
      between = {};
      await lend(t);
      await zone(t, 'home', [HOME, 'connect *!far.example!*']);
    });
    const shut = (): void => {
      const { zones } = t.server.net;
      const home = zones.walk('home')!;
      home.wstat({ mode: 0o700 }, { caller: GLENDA, privileged: true } as never);
    };

    for (const [when, arrange] of Object.entries({
      'while the name is looked up': () => (resolving = shut),
      'before the socket is made': () => (between = { before: shut }),
      'when it is connected, before anybody knows': () => (between = { after: shut }),
    })) {
      it(`refuses it ${when}`, async () => {
        const remote = await t.remote();
        arrange();
        const alice = await t.as(ALICE);
        await t.refuses(dials(t, alice, `far.example!${remote.port}`), ...DENIED);
        await t.refuses(alice.open(`dial/tcp!far.example!${remote.port}`, 'rw'), ...DENIED);
        assert.equal(t.server.tcp.inUse <= 1, true);
        assert.match(logged(t, 'verdict=refused', 'dest=tcp!far.example')[0]!, /zone home .*decides/);
      });
    }

    it('leaves no socket behind', async () => {
      const remote = await t.remote();
      between = { after: shut };
      const alice = await t.as(ALICE);
      const accepted = remote.accept();
      await t.refuses(dials(t, alice, `far.example!${remote.port}`), ...DENIED);
      assert.equal((await ending(await accepted)).by, 'RST');
    });
  },
  () => {
    resolving = () => {};
    return {
      owner: GLENDA,
      users: people,
      resolver: addressesBy(() => {
        resolving();
        return ['127.0.0.1'];
      }),
      dialer: {
        ...hostDialer,
        connect: async (to, options, signal) => {
          between.before?.();
          const connection = await hostDialer.connect(to, options, signal);
          between.after?.();
          return connection;
        },
      },
    };
  },
);

// ---- callers for whom nobody vouches --------------------------------------------------------------

inProcess(
  'callers for whom nobody vouches',
  t => {
    const nobody = (): Caller => ({ name: 'none', uid: NOBODY, gid: NOBODY, groups: [], anonymous: true });

    it('share no addresses that they were given', async () => {
      await lend(t);
      await zone(t, 'a', ['connect udp!far.example!*', 'connect udp!127.0.0.9!1']);
      const remember = (caller: Caller) =>
        t.server.net.gate.given.remember(
          caller,
          { family: 4, bytes: Uint8Array.from([198, 41, 0, 4]) },
          { names: ['far.example'], trusted: false },
          60,
        );
      const [one, two] = [nobody(), nobody()];
      remember(one);
      await dials(t, await t.as(one), '198.41.0.4!9', 'udp');
      await t.refuses(dials(t, await t.as(two), '198.41.0.4!9', 'udp'), ...DENIED);
      await t.refuses(
        dials(t, await t.as({ ...two, anonymous: undefined } as never), '198.41.0.4!9', 'udp'),
        ...DENIED,
      );
    });
  },
  () => ({ owner: GLENDA, users: people }),
);

// ---- descriptors that are handed on -----------------------------------------------------------------

withRealUsers('a descriptor that is handed on', t => {
  const root = { uid: 0, gid: 0, groups: [] };
  const become = `setpriv --reuid=${CAROL.uid} --regid=${CAROL.gid} --clear-groups`;

  it('has its opener judged, whoever writes to it', async () => {
    await lend(t);
    const remote = await t.remote();
    const script = (command: string): string =>
      `exec 3<>tcp/clone; read -r n <&3; ${command} sh -c 'echo "connect ${remote.address}" >&3'; head -c 11 tcp/$n/status`;
    const dial = async (as: typeof root, by: string) => (await shellAs(t, as, script(by))).stdout;
    await zone(t, 'home', [HOME], { mode: 0o710, group: TEAM });
    assert.equal(await dial({ ...root, groups: [TEAM] } as never, become), 'Established');
    assert.match(await dial(root, `setpriv --groups=${TEAM}`), /^Closed/);
  });
});
