/** Who may not read and write dns uses no name, by whatever file he goes about it. */
import assert from 'node:assert/strict';
import { ALICE, GLENDA, people } from '../support/callers.ts';
import { forEachDialect, forEachDoor, isRefusal, type Fixture } from '../support/fixture.ts';
import { facts } from '../support/machine.ts';
import { FakeResolver } from '../support/resolver.ts';
import type { Tree } from '../support/tree.ts';

const DENIED = ['permission denied', 'EACCES'] as const;

const NDB = `
sys=mailer dom=mail.example ip=127.0.0.1
cname=far.example dom=alias.example
ipnet=office ip=192.0.2.0 ipmask=255.255.255.0
	auth=far.example
	fs=192.0.2.99
`;

let resolver: FakeResolver;

const options = () => {
  resolver = new FakeResolver({ 'far.example': { ip: ['127.0.0.1'] }, localhost: { ip: ['127.0.0.1'] } });
  resolver.domains = () => ['example'];
  return {
    owner: GLENDA,
    users: people,
    resolver,
    facts: facts([['127.0.0.1/8'], ['192.0.2.7/24']]),
    resolverSettings: { servers: [], search: ['example'] },
  };
};

/** Everything but dns is hers to use. */
async function lend(t: Fixture): Promise<void> {
  for (const file of ['cs', 'tcp/clone', 'udp/clone']) await t.client.chmod(file, 0o666);
  await t.client.writeFile('ndb', NDB);
}

const NAMES = ['far.example', 'FAR.example.', 'far', 'mailer', 'mail.example', 'alias.example', 'localhost'];

forEachDoor(
  'a name, to who may not use dns,',
  t => {
    let alice: Tree;
    beforeEach(async () => {
      await lend(t);
      alice = await t.as(ALICE);
    });

    const denied = (promise: Promise<unknown>): Promise<void> => t.refuses(promise, ...DENIED);
    const ask = async (question: string): Promise<string> => {
      const cs = await alice.open('cs', 'rw');
      await cs.write(question, 0);
      return (await cs.read(1000, 0)).toString();
    };

    it('is nothing that cs translates', async () => {
      for (const name of NAMES) {
        for (const net of ['tcp', 'udp', 'net']) await denied(ask(`${net}!${name}!80`));
      }
      for (const question of [
        'tcp!$auth!80',
        '!ipinfo @auth',
        '!ipinfo ip=192.0.2.1 @auth',
        '!dom=far.example',
        '!dom=nobody.example',
        '!ip=198.51.100.1',
        '!ip=::1',
      ]) {
        await assert.rejects(ask(question), isRefusal, question);
      }
      assert.deepEqual(resolver.asked, []);
      // What is no name needs no right to it.
      assert.equal(await ask('tcp!127.0.0.1!80'), '/net/tcp/clone 127.0.0.1!80');
      assert.equal(await ask('tcp!$fs!80'), '/net/tcp/clone 192.0.2.99!80');
      assert.equal(await ask('!ipinfo auth'), 'auth=far.example');
    });

    it('is nothing to connect to', async () => {
      for (const name of NAMES) {
        for (const protocol of ['tcp', 'udp'] as const) {
          const { ctl, dir } = await t.clone(alice, 'rw', protocol);
          await denied(ctl.write(`connect ${name}!80`));
          assert.match(await t.text(`${dir}/err`, alice), /^permission denied/);
          assert.equal(await t.text(`${dir}/remote`, alice), '::!0\n');
        }
      }
      assert.deepEqual(resolver.asked, []);
    });

    it('is nothing to dial by opening', async () => {
      for (const name of NAMES) {
        for (const protocol of ['tcp', 'udp', 'net']) {
          await denied(alice.open(`dial/${protocol}!${name}!80`, 'rw'));
        }
      }
      assert.deepEqual(resolver.asked, []);
    });

    it('is nothing to announce, bind or join, as it is to nobody', async () => {
      for (const who of [alice, t.client]) {
        for (const protocol of ['tcp', 'udp'] as const) {
          for (const message of [
            'announce far.example!0',
            'bind far.example!0',
            'addmulti far.example',
            'connect 127.0.0.1!80 far.example!0',
            'connect 127.0.0.1!80 far.example!!r',
          ]) {
            const { ctl } = await t.clone(who, 'rw', protocol);
            await assert.rejects(ctl.write(message), isRefusal, message);
          }
        }
      }
      assert.deepEqual(resolver.asked, []);
    });

    it('needs both, to read and to write it; and dns that was opened goes on when it is taken away', async () => {
      const { ctl } = await t.clone(alice, 'rw', 'udp');
      for (const bits of [0o604, 0o602, 0o060, 0o600]) {
        await t.client.chmod('dns', bits);
        await denied(ask('tcp!far.example!80'));
      }
      await t.client.chmod('dns', 0o606);
      const dns = await alice.open('dns', 'rw');
      assert.equal(await ask('tcp!far.example!80'), '/net/tcp/clone 127.0.0.1!80');
      await t.client.chmod('dns', 0o600);
      await dns.write('far.example ip', 0);
      assert.equal((await dns.read(100, 0)).toString(), 'far.example ip\t127.0.0.1');
      // The right to names is looked at when one is used.
      await denied(ctl.write('connect far.example!80'));
      await denied(ask('tcp!far.example!80'));
    });
  },
  options,
);

forEachDialect(
  'a client that attaches below the root',
  t => {
    it('has no other rights to names than one of the whole tree', async () => {
      await lend(t);
      const alice = await t.as(ALICE, { aname: 'tcp' });
      const ctl = await alice.open('clone', 'rw');
      await t.refuses(ctl.write('connect far.example!80'), ...DENIED);
      await assert.rejects(alice.open('../dns', 'rw'), isRefusal);
      await assert.rejects(t.as(ALICE, { aname: 'dns' }), isRefusal);
      assert.deepEqual(resolver.asked, []);
    });
  },
  options,
);
