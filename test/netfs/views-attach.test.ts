/** A view attached to by 9P, what outlives it, and how much of it there may be. docs/views.md. */
import assert from 'node:assert/strict';
import { connect, type Client } from '../../src/client/index.ts';
import { unauthenticated } from '../../src/policy/identity.ts';
import type { View } from '../../src/netfs/view.ts';
import { ALICE, BOB, GLENDA, people } from '../support/callers.ts';
import { forEachDialect, inProcess, isRefusal, type NinepFixture } from '../support/fixture.ts';

const DENIED = ['permission denied', 'EACCES'] as const;
const NOT_OWNER = ['permission denied', 'EPERM'] as const;
const GONE = ['file does not exist', 'ENOENT'] as const;

const options = () => ({ owner: GLENDA, users: people });

/** A view, by its ctl and its directory. */
async function makeView(client: Client, message: string, around = '') {
  const ctl = await client.open(`${around}view/clone`, 'rw');
  const dir = `${around}view/${(await ctl.read(32)).toString()}`;
  await ctl.write(message);
  return { ctl, dir };
}

async function opened(t: NinepFixture): Promise<void> {
  for (const file of ['tcp/clone', 'udp/clone', 'cs', 'dns']) await t.client.chmod(file, 0o666);
}

forEachDialect(
  'a view that is attached to',
  t => {
    beforeEach(() => opened(t));

    for (const form of ['', 'v9fs:']) {
      it(`by ${form}view/N is a /net whose .. is itself`, async () => {
        const alice = await t.as(ALICE);
        const { dir } = await makeView(alice, 'allow *\nname lab');
        await makeView(alice, 'allow *', `${dir}/`);
        for (const path of [dir, 'view/lab', `${dir}/view/0`]) {
          const inside = await t.as(ALICE, { aname: `${form}${path}` });
          const { qid } = await inside.stat('');
          assert.equal((await inside.stat('..')).qid.path, qid.path);
          assert.equal((await inside.stat('../../..')).qid.path, qid.path);
          assert.equal((await inside.stat('tcp/../..')).qid.path, qid.path);
          const remote = await t.remote();
          await t.connect(inside);
          await t.tell(`connect ${remote.address}`, inside);
        }
      });
    }

    it('is nothing to who may not enter it, and to nobody when it has ended', async () => {
      const alice = await t.as(ALICE);
      const { ctl, dir } = await makeView(alice, 'allow *');
      const bob = await t.as(BOB, { aname: dir });
      for (const path of ['tcp', 'tcp/clone', 'status', 'view/clone', 'zone/allowed'])
        await t.refuses(bob.stat(path), ...DENIED);
      await t.refuses(bob.open(''), ...DENIED);
      await assert.rejects(bob.create('x'), isRefusal);
      await t.as(GLENDA, { aname: dir });
      await ctl.close();
      await t.refuses(t.as(ALICE, { aname: dir }), ...GONE);
    });

    it('is changed by nobody who is in it: its maker, nor the owner of the server', async () => {
      for (const who of [ALICE, GLENDA]) {
        const outside = await t.as(who);
        const { dir } = await makeView(outside, 'allow tcp!192.0.2.1!80');
        const inside = await t.as(who, { aname: dir });
        for (const path of [
          'tcp',
          'tcp/clone',
          'udp/clone',
          'cs',
          'dns',
          'zone',
          'zone/allowed',
          'view',
          'view/clone',
          'log',
          'explain',
          'dial',
        ])
          await t.refuses(inside.chmod(path, 0o777), ...NOT_OWNER);
        for (const path of ['', 'status', 'learned', 'ndb', 'arp', 'ctl'])
          await assert.rejects(inside.chmod(path, 0o777), isRefusal, path);
        await t.refuses(inside.open('ctl', 'rw'), ...DENIED);
        await t.refuses(inside.open('ctl', 'r'), ...DENIED);
        await t.refuses(inside.create('zone/own'), ...NOT_OWNER);
        await t.refuses(inside.open('zone/allowed', 'w', { truncate: true }), ...NOT_OWNER);
        await t.refuses(inside.open('zone/allowed', 'w'), ...NOT_OWNER);
        await t.refuses(inside.open('zone/allowed', 'rw'), ...NOT_OWNER);
        await t.refuses(inside.setStat('zone/allowed', { length: 0 }), ...NOT_OWNER);
        await t.refuses(inside.remove('zone/allowed'), ...NOT_OWNER);
        await t.refuses(inside.rename('zone/allowed', 'zone/other'), ...NOT_OWNER);
        await assert.rejects(inside.remove('zone'), isRefusal);
        await assert.rejects(inside.rename('tcp', 'pct'), isRefusal);
        await assert.rejects(inside.writeFile('ndb', ''), isRefusal);
        const inner = await makeView(inside, 'allow *');
        await assert.rejects(inside.rename(`${inner.dir}/zone/allowed`, 'zone/more'), isRefusal);
        await assert.rejects(inside.rename('zone/allowed', `${inner.dir}/zone/more`), isRefusal);
        const { address } = await t.remote();
        await t.refuses(t.tell(`connect ${address}`, inside), ...DENIED);
        assert.equal(await t.text(`${dir}/zone/allowed`, outside), 'connect tcp!192.0.2.1!80\n');
        // From outside he does as he likes.
        await outside.writeFile(`${dir}/zone/mine`, `connect tcp!${address}\n`, { create: true });
        await t.tell(`connect ${address}`, inside);
        await outside.chmod(`${dir}/zone/mine`, 0);
        await t.refuses(t.tell(`connect ${address}`, inside), ...DENIED);
        await (await outside.open(`${dir}/ctl`, 'w')).write('freeze');
      }
    });

    it('has no files any more for who is attached when it ends, nor when its number is used again', async () => {
      const alice = await t.as(ALICE);
      const first = await makeView(alice, 'allow *');
      const inside = await t.as(ALICE, { aname: first.dir });
      const { ctl } = await t.clone(inside);
      const [dirFile, zone, status] = [
        await inside.open('tcp'),
        await inside.open('zone'),
        await inside.open('status'),
      ];
      await first.ctl.close();
      const second = await makeView(alice, 'allow *');
      assert.equal(second.dir, first.dir);
      for (const path of ['', 'tcp', 'tcp/clone', 'tcp/0/ctl', 'view', 'status', 'log', '..', 'view/clone']) {
        await t.refuses(inside.stat(path), ...GONE);
        await t.refuses(inside.open(path, 'r'), ...GONE);
      }
      for (const file of [dirFile, zone]) {
        if (t.door === '9P2000.L') await t.refuses(file.read(1000, 0), '', 'EISDIR');
        else await t.refuses(file.read(1000, 0), ...GONE);
        await t.refuses(file.stat(), ...GONE);
      }
      await t.refuses(status.stat(), ...GONE);
      const { address } = await t.remote();
      await assert.rejects(ctl.write(`connect ${address}`), isRefusal);
    });

    it('ends when the client that holds its ctl dies', async () => {
      const [alice, other] = [await t.as(ALICE), await t.as(ALICE)];
      const { dir } = await makeView(alice, 'allow *');
      const call = await t.connect(await t.as(ALICE, { aname: dir }));
      const over = new Promise(resolve =>
        call.socket
          .once('close', resolve)
          .on('error', () => {})
          .resume(),
      );
      await t.leave(alice);
      await over;
      await t.refuses(other.stat(dir), ...GONE);
    });

    it('is as good as another to whom nobody vouches for, and his alone', async () => {
      const none = { caller: unauthenticated(), claims: 'ignored' as const };
      const client = await connect(await t.socketAs(none), { dialect: t.dialect });
      const other = await connect(await t.socketAs({ ...none, caller: unauthenticated() }), {
        dialect: t.dialect,
      });
      t.after(() => [client, other].forEach(each => each.close()));
      const { dir } = await makeView(client, 'allow *');
      const { address } = await t.remote();
      await t.tell(`connect ${address}`, client);
      const ctl = await client.open(`${dir}/tcp/clone`, 'rw');
      await ctl.write(`connect ${address}`);
      await t.refuses(other.stat(`${dir}/tcp`), ...DENIED);
      await t.refuses(other.remove(dir), ...DENIED);
      await t.client.chmod('tcp/clone', 0o660);
      await t.refuses(client.open(`${dir}/tcp/clone`, 'rw'), ...DENIED);
    });
  },
  options,
);

inProcess(
  'views',
  t => {
    beforeEach(() => t.client.chmod('tcp/clone', 0o666));
    const by = { caller: ALICE };

    it('leave a quarter of the conversations to others, however many there are', async () => {
      const alice = await t.as(ALICE);
      const views: View[] = [t.server.net.make(ALICE), t.server.net.make(ALICE)];
      views.push(views[0]!.make(ALICE));
      const paths = ['tcp', ...views.map(view => `${view.place}/tcp`)];
      const files = [];
      for (let n = 0; n < 12; n++) files.push(await alice.open(`${paths[n % paths.length]!}/clone`, 'rw'));
      for (const path of paths) {
        await t.refuses(alice.open(`${path}/clone`, 'rw'), 'no free devices', 'ENFILE');
      }
      const bob = await t.as(BOB);
      for (let n = 0; n < 4; n++) await bob.open('tcp/clone', 'rw');
      for (const view of views) view.end();
      for (const file of files) await file.close();
      await alice.open('tcp/clone', 'rw');
    });

    it('of a user have 8 MiB of zones together, and the end of one gives its part back', () => {
      const text = `connect tcp!10.0.0.1!80 # ${'x'.repeat(976)}\n`.repeat(2000);
      const views: View[] = [];
      let bytes = 0;
      for (; bytes + text.length <= 8 * 1024 * 1024; bytes += text.length) {
        views.push(t.server.net.make(ALICE));
        views.at(-1)!.add(text, '', by);
      }
      const inner = views[0]!.make(BOB);
      assert.throws(() => inner.add(text, '', by), { name: 'Enofids' });
      // What was to be forbidden with it was not, so it is not allowed either.
      assert.throws(() => inner.add('connect tcp!10.0.0.1!1\n', text, by), { name: 'Enofids' });
      assert.equal(inner.zones.walk('allowed')!.content.length, 0);
      t.server.net.make(BOB).add(text, '', by);
      views[1]!.end();
      inner.add(text, '', by);
      assert.throws(() => inner.add(text, '', by), { name: 'Enofids' });
    });

    it('that have ended leave nothing behind', function () {
      this.timeout(60_000);
      const { net } = t.server;
      const round = (): void => {
        for (let n = 0; n < 1000; n++) {
          const view = net.make(ALICE);
          view.hold();
          view.add('connect tcp!10.0.0.1!80\n', '', by);
          view.learn(true, by);
          const inner = view.make(BOB);
          inner.root.walk('tcp');
          inner.judge.decide(
            {
              verb: 'connect',
              protocol: 'tcp',
              names: [],
              ip: { family: 4, bytes: Buffer.from([10, 0, 0, 1]) },
              port: 80,
              trusted: false,
              special: true,
            },
            BOB,
          );
          view.release();
        }
      };
      const used = (): number => {
        (globalThis as { gc?: () => void }).gc?.();
        return process.memoryUsage().heapUsed;
      };
      round();
      round();
      const before = used();
      for (let n = 0; n < 8; n++) round();
      const grown = used() - before;
      assert.equal(net.views.all.length, 0);
      // What one of them takes, 16,000 times over, would be more than hundred MiB.
      assert(grown < 48 * 1024 * 1024, `${grown} bytes`);
    });

    it('may be ended by their own ctl, and by what their end sets off', async () => {
      const alice = await t.as(ALICE);
      const ctl = await alice.open('view/clone', 'rw');
      await ctl.write('allow *');
      const inner = await alice.open('view/0/view/clone', 'rw');
      await inner.write('allow *');
      await Promise.all([
        ctl.write('remove'),
        inner.write('remove').catch(isRefusal),
        alice.stat('view/0').catch(isRefusal),
      ]);
      await Promise.all([ctl.close(), inner.close()]);
      assert.equal(t.server.net.views.all.length, 0);
    });

    it('bound what a user edits in all of them', async () => {
      const alice = await t.as(ALICE);
      const line = `connect tcp!10.0.0.1!80 # ${'x'.repeat(900)}\n`;
      const text = Buffer.from(line.repeat(Math.floor((15 * 1024 * 1024) / line.length)));
      const open = [];
      let refused = false;
      for (let n = 0; n < 6 && !refused; n++) {
        const view = t.server.net.make(ALICE);
        view.add('connect tcp!10.0.0.1!80\n', '', by);
        const file = await alice.open(`${view.place}/zone/allowed`, 'rw');
        open.push(file);
        refused = await file.write(text, 0).then(() => false, isRefusal);
      }
      assert(refused);
      assert.equal(open.length, 5);
    });
  },
  () => ({ ...options(), conversations: 16 }),
);
