/** A policy that is brought into force in a server that runs. docs/policy-file.md. */
import assert from 'node:assert/strict';
import { loadPolicy, type Policy } from '../../src/policy/config/index.ts';
import { MOST_ZONES } from '../../src/netfs/zone.ts';
import { connect, explain } from '../../src/client/index.ts';
import { inGroup, unauthenticated } from '../../src/policy/identity.ts';
import { ALICE, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import { forEachDialect, inProcess, type DirectFixture, type NinepFixture } from '../support/fixture.ts';

const FILE = '/p/policy.yaml';
const DENIED = ['permission denied', 'EACCES'] as const;
const HUNG_UP = ['i/o on hungup channel', 'EPIPE'] as const;
const LO = 'connect tcp!127.0.0.1!*';

async function policy(text: string): Promise<Policy> {
  const loaded = await loadPolicy(FILE, { users: people, read: () => Buffer.from(text) });
  if ('errors' in loaded) assert.fail(`${text}\n${JSON.stringify(loaded.errors)}`);
  return loaded.policy;
}

const apply = async (t: DirectFixture | NinepFixture, text: string): Promise<readonly string[]> =>
  t.server.policy.apply(await policy(text), FILE);

const zonesOf = async (t: DirectFixture): Promise<string[]> =>
  (await t.client.readdir('zone')).map(({ name }) => name);

/** The log's lines without their times. */
async function log(t: DirectFixture): Promise<string[]> {
  const file = await t.client.open('log', 'r');
  const lines = (await file.read(65536)).toString().trimEnd().split('\n');
  await file.close();
  return lines.map(line => line.replace(/^time=\S+ /, ''));
}

const options = () => ({ owner: GLENDA, users: people });

inProcess(
  'a policy',
  t => {
    it('leaves everything allowed where it says nothing of zones', async () => {
      await apply(t, "files: { tcp/clone: { mode: '0666' } }");
      assert.deepEqual(await zonesOf(t), ['all']);
      await t.connect(await t.as(ALICE));
    });

    it('has exactly the zones that it says, with their modes, owners and lines', async () => {
      await apply(
        t,
        `zones: { lo: { mode: '0750', owner: alice, group: team, lines: '${LO}' }, none: { lines: '' } }`,
      );
      assert.deepEqual(await zonesOf(t), ['lo', 'none']);
      const { mode, uid, gid } = await t.client.stat('zone/lo');
      assert.deepEqual([mode & 0o777, uid, gid], [0o750, ALICE.uid, TEAM]);
      assert.equal(await t.text('zone/lo'), `${LO}\n`);
      const none = await t.client.stat('zone/none');
      assert.deepEqual([none.mode & 0o777, none.uid, none.gid], [0o700, GLENDA.uid, GLENDA.gid]);
    });

    it('has a zone all of its own, in place of the one that allows everything', async () => {
      await apply(t, `zones: { all: { lines: '${LO}' } }`);
      assert.equal(await t.text('zone/all'), `${LO}\n`);
    });

    it('allows nothing where it says that there are no zones', async () => {
      await apply(t, 'zones: {}');
      assert.deepEqual(await zonesOf(t), []);
      await t.refuses(t.connect(), ...DENIED);
    });

    it('allows nothing once it says no more which zones there are', async () => {
      await apply(t, `zones: { lo: { lines: '${LO}' } }`);
      await t.connect();
      await apply(t, 'files: {}');
      assert.deepEqual(await zonesOf(t), []);
      await t.refuses(t.connect(), ...DENIED);
    });

    it('shuts what was open when it first says which zones there are, whatever was done to it', async () => {
      await apply(t, 'files: {}');
      const call = await t.connect();
      await t.client.chmod('zone/all', 0o777);
      await apply(t, 'zones: {}');
      await t.refuses(call.data.write('x'), ...HUNG_UP);
    });

    it('sets modes, owners and groups of files, and no bits that chmod would not', async () => {
      await apply(
        t,
        "files: { tcp/clone: { mode: '0777', group: team }, tcp: { owner: alice, mode: '0750' } }",
      );
      const clone = await t.client.stat('tcp/clone');
      assert.deepEqual([clone.mode & 0o777, clone.uid, clone.gid], [0o666, GLENDA.uid, TEAM]);
      const tcp = await t.client.stat('tcp');
      assert.deepEqual([tcp.mode & 0o777, tcp.uid], [0o750, ALICE.uid]);
    });

    it('does not touch what it says as before', async () => {
      const text =
        "files: { tcp/clone: { mode: '0660' }, cs: { mode: '0666' } }\nzones: { lo: { lines: '' } }\n";
      await apply(t, text);
      await t.client.chmod('tcp/clone', 0o600);
      await t.client.chmod('zone/lo', 0o711);
      assert.deepEqual(await apply(t, text.replace("cs: { mode: '0666' }", "cs: { mode: '0660' }")), [
        'cs mode 0660',
      ]);
      assert.equal((await t.client.stat('tcp/clone')).mode & 0o777, 0o600);
      assert.equal((await t.client.stat('zone/lo')).mode & 0o777, 0o711);
      await apply(t, text.replace('0660', '0640'));
      assert.equal((await t.client.stat('tcp/clone')).mode & 0o777, 0o640);
    });

    it('leaves zones that others made, removes those that it names no more, and has those that it names', async () => {
      const zones = (...names: string[]): string =>
        `zones: { ${names.map(name => `${name}: { lines: resolve ${name} }`).join(', ')} }`;
      await apply(t, zones('a', 'b'));
      for (const name of ['own', 'c']) await t.client.create(`zone/${name}`);
      assert.deepEqual(await apply(t, zones('b', 'c')), [
        'zone a removed',
        'zone c added in place of the one that was there',
      ]);
      assert.deepEqual((await zonesOf(t)).sort(), ['b', 'c', 'own']);
      assert.equal(await t.text('zone/c'), 'resolve c\n');
      await t.client.remove('zone/b');
      assert.deepEqual(await apply(t, zones('b', 'c').replace('resolve b', 'resolve x')), [
        'zone b added again',
      ]);
      assert.equal(await t.text('zone/b'), 'resolve x\n');
    });

    it('counts a change of lines as a version, and leaves who edits the zone with what he read', async () => {
      await apply(t, 'zones: { a: { lines: resolve a } }');
      const file = await t.client.open('zone/a', 'rw');
      await file.read(100);
      await apply(t, 'zones: { a: { lines: resolve b } }');
      await assert.rejects(file.write('resolve c\n', 0), { message: 'file has changed' });
      assert.equal(await t.text('zone/a'), 'resolve b\n');
    });

    it('judges everybody once, and hangs up whom it does not allow any more', async () => {
      await apply(t, `zones: { lo: { lines: '${LO}' }, x: { lines: resolve x } }`);
      const call = await t.connect();
      const { epoch } = t.server.net.gate;
      await apply(t, `zones: { no: { mode: '0000', lines: '${LO}' }, x: { lines: resolve y } }`);
      assert.equal(t.server.net.gate.epoch, epoch + 1);
      await t.refuses(call.data.write('x'), ...HUNG_UP);
      assert.match(await t.text(`${call.dir}/err`), /zone no|no zone|any zone/);
    });

    it('hangs nobody up in the middle: one zone goes while another comes', async () => {
      await apply(t, `zones: { one: { lines: '${LO}' } }`);
      const call = await t.connect();
      await apply(t, `zones: { two: { lines: '${LO}' } }`);
      await call.data.write('x');
      assert.equal(await t.state(call), 'Established');
    });

    it('judges nobody where it says what it said', async () => {
      await apply(t, `zones: { one: { lines: '${LO}' } }`);
      const { epoch } = t.server.net.gate;
      assert.deepEqual(await apply(t, `zones: { one: { lines: '${LO}' } }`), []);
      assert.equal(t.server.net.gate.epoch, epoch);
    });

    it('changes nothing at all where there would be too many zones', async () => {
      await apply(t, 'zones: { a: { lines: resolve a } }');
      const names = Array.from({ length: MOST_ZONES + 1 }, (_, i) => `z${i}: { lines: '' }`);
      await assert.rejects(apply(t, `files: { cs: { mode: '0666' } }\nzones: { ${names.join(', ')} }`), {
        name: 'Enodev',
      });
      assert.deepEqual(await zonesOf(t), ['a']);
      assert.equal((await t.client.stat('cs')).mode & 0o777, 0o600);
      await apply(t, `zones: { ${names.slice(1).join(', ')} }`);
      assert.equal((await zonesOf(t)).length, MOST_ZONES);
    });

    it('is told in the log, in one line, and so is one that is not sound', async () => {
      await apply(t, "files: { tcp/clone: { mode: '0660', group: team } }\nzones: { lo: { lines: '' } }");
      await apply(t, "zones: { lo: { mode: '0755', lines: '' } }\nlisten: unix!/s");
      t.server.policy.refuse([{ file: FILE, line: 3, column: 7, reason: 'why' }], FILE);
      assert.deepEqual(await log(t), [
        `verb=policy dest=${FILE} verdict=allowed files=1 zones=1 what="zone all removed, tcp/clone mode 0660 group team, zone lo added"`,
        `verb=policy dest=${FILE} verdict=allowed files=0 zones=1 what="zone lo mode 0755, listen counts at the next start"`,
        `verb=policy dest=${FILE} verdict=refused errors=1 reason="${FILE}:3:7: why"`,
      ]);
    });
  },
  options,
);

inProcess(
  'users of a policy',
  t => {
    const guest = (groups: string): string =>
      `users: { guest: { uid: 5001, gid: 5001, groups: [${groups}] } }`;

    it('are those that clients of a trusted transport may be', async () => {
      assert.equal(t.server.policy.trusted.size, 0);
      await apply(t, `${guest('team')}\n`.replace('users: {', 'users: { boss: alice,'));
      assert.equal(t.server.policy.trusted.get('boss')!.uid, ALICE.uid);
      assert.equal(t.server.policy.trusted.get('boss')!.name, 'alice');
      assert(inGroup(t.server.policy.trusted.get('guest')!, TEAM));
    });

    it('lose a group, and what they reached by it, when the policy takes it from them', async () => {
      const zones = `zones: { lo: { mode: '0710', group: team, lines: '${LO}' } }`;
      await apply(t, `files: { tcp/clone: { mode: '0666' } }\n${zones}\n${guest('team')}`);
      const call = await t.connect(await t.as(t.server.policy.trusted.get('guest')!));
      await call.data.write('x');
      await apply(t, `${zones}\n${guest('')}`);
      await t.refuses(call.data.write('x'), ...HUNG_UP);
    });

    it('have no groups once the policy knows them no more, or their name is another', async () => {
      await apply(t, guest('team'));
      const before = t.server.policy.trusted.get('guest')!;
      await apply(t, guest('team').replace('5001', '5002'));
      assert(!inGroup(before, TEAM));
      assert(!inGroup(before, 5001));
      assert(inGroup(t.server.policy.trusted.get('guest')!, TEAM));
      await apply(t, '{}');
      assert.equal(t.server.policy.trusted.size, 0);
    });

    it('are nobody special beside those of the machine', async () => {
      await apply(t, 'users: { carol: alice }');
      assert.equal(t.server.policy.trusted.get('carol')!.uid, ALICE.uid);
      assert.notEqual(t.server.policy.trusted.get('carol')!.uid, CAROL.uid);
    });
  },
  options,
);

forEachDialect(
  'clients of a trusted transport',
  t => {
    it('are who the policy says they are, by the names that they claim', async () => {
      await apply(
        t,
        `files: { tcp/clone: { mode: '0660', group: team } }
users: { guest: { uid: 5001, gid: 5001, groups: [team] }, carol: alice }
zones: { lo: { mode: '0710', group: team, lines: '${LO}' } }`,
      );
      const { dialect } = t;
      const asked = async (uname: string): Promise<string> => {
        const socket = await t.socketAs({ caller: unauthenticated(), claims: 'trusted' });
        const client = await connect(socket, { dialect, uname });
        t.after(() => client.close());
        return (await explain(client, 'tcp!127.0.0.1!80')).reason;
      };
      assert.match(await asked('guest'), /^guest may connect/);
      assert.match(await asked('carol'), /^alice may connect/);
      assert.match(await asked('stranger'), /^none needs /);
    });
  },
  options,
);
