/** What a refusal says, to whom, and that /net/explain says the same of what was not tried. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import type { Caller } from '../../src/policy/identity.ts';
import { ALICE, BOB, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import { inProcess, type Fixture } from '../support/fixture.ts';
import { facts } from '../support/machine.ts';
import { shellAs, withRealUsers } from '../support/realusers.ts';
import { Remote } from '../support/remote.ts';
import { addressesBy, FakeResolver } from '../support/resolver.ts';
import type { Tree } from '../support/tree.ts';
import { DENIED, dials, idsOf, lend, logged, whyNot, withZones, zone } from '../support/zones.ts';

const resolver = () =>
  new FakeResolver({
    'far.example': { ip: ['127.0.0.1'] },
    'far.example.': { ip: ['127.0.0.1'] },
    'two.example': { ip: ['127.0.0.2', '127.0.0.3'] },
    'two.example.': { ip: ['127.0.0.2', '127.0.0.3'] },
    'nat64.example': { ipv6: ['64:ff9b::7f00:1'] },
  });

async function explained(client: Tree, question: string): Promise<string> {
  const file = await client.open('explain', 'rw');
  try {
    await file.write(question, 0);
    return (await file.read(2000, 0)).toString();
  } finally {
    await file.close();
  }
}

withZones(
  'a refusal',
  (t, by) => {
    const ids = (group: number) => idsOf(t, { group });

    it('comes at once, and err, the log and explain say the same sentence', async () => {
      await zone(t, 'lan', ['connect tcp!10.0.0.0/8!*'], { mode: 0o754 });
      const why = await whyNot(t, by.alice, 'connect 10.0.0.5!22');
      const sentence =
        'alice may not connect to tcp!10.0.0.5!22: zone lan (connect tcp!10.0.0.0/8!*) decides,' +
        ' mode 0754, owner glenda, group glenda; to allow: chmod o+x /net/zone/lan';
      assert.equal(why, `permission denied: ${sentence}\n`);
      const [line] = logged(t, 'verb=connect', 'verdict=refused');
      assert.ok(
        line!.includes(`reason="${sentence}"`) && line!.includes('user=alice') && line!.includes('zone=lan'),
      );
      assert.equal(await explained(by.alice, 'tcp!10.0.0.5!22'), `no: ${sentence}`);
      assert.equal(await explained(by.glenda, 'user alice tcp!10.0.0.5!22'), `no: ${sentence}`);
    });

    it('shows the text of a line only to who may read it', async () => {
      await zone(t, 'lan', ['connect tcp!10.0.0.0/8!* # secret'], { mode: 0o750 });
      const why = await whyNot(t, by.alice, 'connect 10.0.0.5!22');
      assert.match(why, /: zone lan decides, mode 0750/);
      assert.doesNotMatch(why + (await explained(by.alice, 'tcp!10.0.0.5!22')), /10\.0\.0\.0|secret/);
      assert.match(
        await explained(by.glenda, 'user alice tcp!10.0.0.5!22'),
        /zone lan \(connect tcp!10\.0\.0\.0\/8!\*\)/,
      );
      await t.client.chmod('zone/lan', 0o751);
      assert.equal(
        await explained(by.alice, 'tcp!10.0.0.5!22'),
        'yes: alice may connect to tcp!10.0.0.5!22: zone lan',
      );
    });

    it('names the class of bits that counts', async () => {
      await zone(t, 'lan', ['connect tcp!10.0.0.5!22'], { mode: 0o744, group: TEAM });
      const commands = await Promise.all(
        [by.alice, by.bob, by.carol].map(client => whyNot(t, client, 'connect 10.0.0.5!22')),
      );
      assert.deepEqual(
        commands.map(why => /chmod .*$/m.exec(why)![0]),
        ['g', 'g', 'o'].map(letter => `chmod ${letter}+x /net/zone/lan`),
      );
      await t.client.setStat('zone/lan', { ...idsOf(t, { owner: ALICE }), ...ids(TEAM) });
      await t.client.chmod('zone/lan', 0o644);
      assert.match(
        await whyNot(t, by.alice, 'connect 10.0.0.5!22'),
        /forbids it to everybody, having no x bit; to allow: chmod u\+x/,
      );
    });

    it('is a command that can be copied, whatever the zone is called', async () => {
      const name = "it's $(a) zone;";
      await zone(t, name, ['connect tcp!10.0.0.5!22'], { mode: 0o700 });
      assert.match(
        await whyNot(t, by.alice, 'connect 10.0.0.5!22'),
        /chmod o\+x '\/net\/zone\/it'\\''s \$\(a\) zone;'\n$/,
      );
      const dns = await by.alice.open('dns', 'rw');
      await t.refuses(dns.write("a';reboot;'.example ip", 0), ...DENIED);
      assert.match(logged(t, 'verb=resolve')[0]!, /echo 'resolve a'\\\\'';reboot;'\\\\''\.example' >>/);
    });

    it('about others than himself is told to nobody but the owner of /net', async () => {
      for (const name of ['bob', 'glenda', 'nobody-at-all']) {
        await t.refuses(explained(by.alice, `user ${name} tcp!10.0.0.5!22`), ...DENIED);
      }
      assert.match(await explained(by.alice, 'user alice tcp!10.0.0.5!22'), /^no: alice may not/);
      assert.match(await explained(by.glenda, 'user bob tcp!10.0.0.5!22'), /^no: bob may not/);
      await t.refuses(explained(by.glenda, 'user nobody-at-all tcp!10.0.0.5!22'), 'unknown user', 'EACCES');
      for (const question of [
        'user',
        'connect',
        'tcp',
        'tcp!a',
        'connect resolve',
        'tcp!a!b!c!d',
        'x!a!1',
        'a b c',
      ]) {
        await assert.rejects(explained(by.alice, question), question);
      }
    });

    it('is explained of names, announcements and calls, too', async () => {
      await zone(t, 'a', [
        'resolve *.example',
        'announce tcp!127.0.0.1!8000-8999',
        'accept tcp!10.0.0.0/8!*',
      ]);
      for (const [question, answer] of [
        ['resolve far.example', /^yes: alice may look up far\.example: zone a \(resolve \*\.example\)$/],
        ['resolve FAR.test', /^no: alice may not look up far\.test: no line .*echo 'resolve far\.test'/],
        ['announce tcp!127.0.0.1!8080', /^yes: .*zone a/],
        ['announce tcp!*!8080', /^no: .*echo 'announce tcp!\*!8080'/],
        ['announce tcp!127.0.0.1!0', /^no: /],
        ['accept tcp!10.0.0.5!80', /^yes: /],
        ['accept tcp!11.0.0.5!80', /^no: /],
      ] as const) {
        assert.match(await explained(by.alice, question), answer, question);
      }
    });
  },
  () => ({ resolver: resolver() }),
);

// ---- the command, run -----------------------------------------------------------------------------

/** For each reason why somebody may not: the zones that say so, and what he tries. */
const REASONS: Readonly<
  Record<string, { zones: [string[], number, number?][]; as?: Caller; message?: string }>
> = {
  'no line has it': { zones: [] },
  'no line has it, for who shares the group of who allows it': {
    zones: [],
    as: { ...ALICE, groups: [ALICE.gid, GLENDA.gid] },
  },
  'a zone is not his to pass': { zones: [[['connect tcp!127.0.0.0/8!*'], 0o700]] },
  'a zone is not his group’s to pass': { zones: [[['connect tcp!127.0.0.0/8!*'], 0o701, TEAM]] },
  'a zone forbids it': {
    zones: [
      [['connect tcp!127.0.0.0/8!*'], 0o600],
      [['connect *!*!*'], 0o755],
    ],
  },
  'its name leads into special space': {
    zones: [[['connect *!*!*', 'resolve *'], 0o755]],
    message: 'connect far.example!PORT',
  },
  'its name has no line': {
    zones: [[['resolve *'], 0o755]],
    message: 'connect far.example!PORT',
  },
};

withRealUsers(
  'the command that a refusal names',
  t => {
    for (const [reason, { zones, as = ALICE, message = 'connect 127.0.0.1!PORT' }] of Object.entries(
      REASONS,
    )) {
      it(`lets him, where ${reason}`, async () => {
        await lend(t);
        for (const [i, [lines, mode, group]] of zones.entries()) {
          await zone(t, `z${i}`, lines, { mode, ...(group !== undefined && { group }) });
        }
        const remote = await t.remote();
        const said = message.replace('PORT', String(remote.port));
        const alice = await t.as(as);
        // One command at most for the name, and one for the address.
        for (let commands = 0; ; commands++) {
          assert.ok(commands < 2);
          const why = await whyNot(t, alice, said);
          const command = /; to allow: (.*)\n$/.exec(why)![1]!;
          const { code, stderr } = await shellAs(t, GLENDA, command);
          assert.deepEqual([code, stderr], [0, ''], command);
          const allowed = await t.tell(said, alice).then(
            () => true,
            () => false,
          );
          if (allowed) break;
        }
        await remote.accept();
      });
    }

    it('lets him look up a name', async () => {
      await lend(t);
      const alice = await t.as(ALICE);
      const dns = await alice.open('dns', 'rw');
      await t.refuses(dns.write('far.example ip', 0), ...DENIED);
      const why = await explained(alice, 'resolve far.example');
      const { stderr } = await shellAs(t, GLENDA, /; to allow: (.*)$/.exec(why)![1]!);
      assert.equal(stderr, '');
      await dns.write('far.example ip', 0);
    });
  },
  { netdir: '.', resolver: resolver() },
);

// ---- explain and dial -----------------------------------------------------------------------------

interface World {
  readonly t: Fixture;
  readonly remotes: readonly Remote[];
  calls: number;
}

/** Two addresses on which something listens, at the same two ports. */
async function world(t: Fixture): Promise<World> {
  const first = [await Remote.listen('127.0.0.1'), await Remote.listen('127.0.0.1')];
  const others = await Promise.all(
    ['127.0.0.2', '127.0.0.3'].flatMap(host => first.map(({ port }) => Remote.listen(host, port))),
  );
  const made: World = { t, remotes: [...first, ...others], calls: 0 };
  for (const remote of made.remotes) {
    remote.server.on('connection', () => made.calls++);
    t.after(() => remote.close());
  }
  return made;
}

const HOSTS = ['127.0.0.1', '127.0.0.2', '127.0.0.0/30', '127.0.0.2/31', '*', '0.0.0.0/0'];
const NAMES = ['far.example', 'two.example', '*.example'];

inProcess(
  'explain',
  t => {
    it('says yes exactly where a dial connects, for whom it is, and connects to nothing itself', async () => {
      await lend(t);
      const there = await world(t);
      const [one, two] = there.remotes.map(({ port }) => port) as [number, number];
      const ports = fc.constantFrom('*', `${one}`, `${two}`, `${one},${two}`, '1-65535');
      const line = fc.oneof(
        {
          weight: 4,
          arbitrary: fc
            .tuple(fc.constantFrom('tcp', '*', 'udp'), fc.constantFrom(...HOSTS, ...NAMES), ports)
            .map(parts => `connect ${parts.join('!')}`),
        },
        { weight: 1, arbitrary: fc.constantFrom('*', ...NAMES).map(name => `resolve ${name}`) },
      );
      const made = fc.record({
        lines: fc.array(line, { maxLength: 4 }),
        mode: fc.constantFrom(0o755, 0o755, 0o750, 0o710, 0o701, 0o070, 0o600),
        owner: fc.constantFrom(GLENDA, ALICE),
        gid: fc.constantFrom(TEAM, GLENDA.gid),
      });
      const host = fc.constantFrom(
        '127.0.0.1',
        '127.0.0.2',
        '127.0.0.3',
        'far.example',
        'TWO.example',
        'two.example.',
      );
      const dial = fc.record({
        who: fc.constantFrom(GLENDA, ALICE, BOB, CAROL),
        host,
        port: fc.constantFrom(one, two),
      });
      const clients = new Map<Caller, Tree>();
      for (const who of [GLENDA, ALICE, BOB, CAROL]) clients.set(who, await t.as(who));
      const { zones } = t.server.net;
      const outcomes = { yes: 0, no: 0 };
      let connected = 0;

      await fc.assert(
        fc.asyncProperty(
          fc.array(made, { maxLength: 4 }),
          fc.array(dial, { minLength: 4, maxLength: 8 }),
          async (all, dialled) => {
            zones.clear();
            for (const [i, { lines, mode, owner, gid }] of all.entries()) {
              zones.add(`z${i}`, { owner, gid, mode }, lines.join('\n'));
            }
            for (const { who, host: to, port } of dialled) {
              const client = clients.get(who)!;
              const told = await explained(client, `tcp!${to}!${port}`);
              assert.equal(
                (await explained(t.client, `user ${who.name} tcp!${to}!${port}`)).slice(0, 3),
                told.slice(0, 3),
              );
              assert.equal(there.calls, connected, 'explain connects to nothing');
              const says = told.startsWith('yes: ') ? 'yes' : 'no';
              if (says === 'yes') {
                const { ctl } = await dials(t, client, `${to}!${port}`);
                await ctl.close();
                connected++;
                while (there.calls < connected) await new Promise(setImmediate);
              } else {
                const { ctl, dir } = await t.clone(client as typeof t.client);
                await t.refuses(ctl.write(`connect ${to}!${port}`), ...DENIED);
                assert.equal(
                  await t.text(`${dir}/err`, client as typeof t.client),
                  `permission denied: ${told.slice(4)}\n`,
                );
                await ctl.close();
              }
              outcomes[says]++;
            }
          },
        ),
        { numRuns: 150 },
      );
      // It has seen enough of both.
      assert.ok(outcomes.yes > 50 && outcomes.no > 50, JSON.stringify(outcomes));
    });

    it('remembers nothing for who asks: a name explained lends no address', async () => {
      await lend(t);
      await zone(t, 'a', ['connect tcp!far.example!*', 'connect tcp!127.0.0.1!1']);
      const alice = await t.as(ALICE);
      await explained(alice, 'tcp!far.example!80');
      assert.deepEqual(
        t.server.net.gate.given.namings(ALICE, { family: 4, bytes: Uint8Array.from([127, 0, 0, 1]) }),
        [],
      );
      assert.deepEqual(logged(t, 'verb=resolve'), []);
    });

    it('says no where tcp or clone is closed to him', async () => {
      await lend(t);
      await zone(t, 'a', ['connect *!*!*']);
      const alice = await t.as(ALICE);
      assert.match(await explained(alice, 'tcp!192.0.2.1!80'), /^yes/);
      await t.client.chmod('tcp/clone', 0o600);
      assert.match(
        await explained(alice, 'tcp!192.0.2.1!80'),
        /^no: alice needs read and write permission on tcp\/clone, mode 0600, owner glenda, group glenda; to allow: chmod o\+rw \/net\/tcp\/clone$/,
      );
      await t.client.chmod('tcp/clone', 0o666);
      await t.client.chmod('tcp', 0o750);
      assert.match(await explained(alice, 'tcp!192.0.2.1!80'), /^no: alice needs execute permission on tcp/);
      await t.client.chmod('dns', 0o600);
      await zone(t, 'b', ['resolve *']);
      assert.match(await explained(alice, 'udp!far.example!80'), /^no: /);
    });
  },
  () => ({
    owner: GLENDA,
    users: people,
    resolver: resolver(),
    facts: facts([['127.0.0.1/8'], ['192.0.2.7/24']]),
    resolverSettings: { servers: [], search: [] },
  }),
);

// ---- the page -------------------------------------------------------------------------------------

/** The first block of commands behind some words of a page. */
function blockAfter(page: string, words: string): string {
  const [, block] = /^```\n(.*?)\n```$/ms.exec(page.slice(page.indexOf(words))) ?? [];
  assert.notEqual(block, undefined, words);
  return block!;
}

withRealUsers(
  'docs/zones.md',
  t => {
    const page = readFileSync(new URL('../../docs/zones.md', import.meta.url), 'utf8');
    const [, wanted = ''] = page.split('## What people want');
    const scripts = [...wanted.matchAll(/^([^\n]+)\n\n```\n(.*?)```$/gms)].map(([, what, script]) => ({
      what: what!,
      script: script!.replaceAll('/net/', './').replaceAll(/\b(dev|students)\b/g, String(TEAM)),
    }));

    /** What each page's commands let whom do, and not do: Alice is in the group, Carol is not. */
    const LETS: readonly { yes: string[]; no: string[] }[] = [
      {
        yes: ['alice tcp!github.com!443', 'alice tcp!api.github.com!443'],
        no: ['alice tcp!gitlab.com!443', 'alice tcp!api.github.com!22', 'carol tcp!github.com!443'],
      },
      {
        yes: ['glenda tcp!169.254.169.253!80', 'alice tcp!192.0.2.1!80'],
        no: [
          'glenda tcp!169.254.169.254!80',
          'alice tcp!::ffff:169.254.169.254!80',
          'glenda tcp!fd00:ec2::254!80',
        ],
      },
      {
        yes: [
          'carol tcp!192.0.2.1!80',
          'alice tcp!192.0.2.10!443',
          'alice tcp!192.0.2.11!22',
          'carol tcp!192.0.2.10!443',
        ],
        no: ['alice tcp!192.0.2.1!80', 'alice tcp!192.0.2.11!23', 'alice tcp!10.0.0.1!80'],
      },
      {
        yes: ['carol tcp!192.0.2.1!80', 'carol resolve www.example.org', 'carol resolve example.org'],
        no: ['carol resolve example.com', 'carol tcp!www.example.com!80'],
      },
      {
        yes: ['carol announce tcp!127.0.0.1!8080', 'carol accept tcp!127.0.0.5!8080'],
        no: [
          'carol announce tcp!*!8080',
          'carol announce tcp!127.0.0.1!80',
          'carol accept tcp!192.0.2.1!8080',
        ],
      },
    ];

    it('makes, opens, adds to, removes and replaces a zone, by the commands as they stand', async () => {
      await shellAs(t, GLENDA, "echo 'connect tcp!new.example!80' >zone/new");
      const commands = blockAfter(page, '## Making and editing').replaceAll('/net/', './').split('\n');
      const upToReplacing = commands.slice(0, -1).join('\n');
      const states = `${upToReplacing}\nstat -c %a zone/github; cat zone/github\n${commands.at(-1)}`;
      assert.deepEqual(await shellAs(t, GLENDA, `${states}\ncat zone/github; ls zone`), {
        code: 0,
        stdout:
          '701\nconnect tcp!github.com!443\nconnect tcp!gitlab.com!443\nconnect tcp!new.example!80\nall\ngithub\n',
        stderr: '',
      });
    });

    it('adds to what was read, and to nothing else', async () => {
      const script = blockAfter(page, 'A shell cannot seek').replaceAll('/net/', './');
      const other = "echo 'connect tcp!other.example!1' >>zone/github";
      await shellAs(t, GLENDA, "echo 'connect tcp!github.com!443' >zone/github");
      const first = await shellAs(t, GLENDA, `${script}\ncat zone/github`);
      assert.equal(first.stdout, 'connect tcp!github.com!443\nconnect tcp!gitlab.com!443\n');
      assert.equal(first.stderr, '');
      await shellAs(t, GLENDA, "echo 'connect tcp!github.com!443' >zone/github");
      const second = await shellAs(t, GLENDA, `${script.replace('|| ', `|| ${other}; `)}\ncat zone/github`);
      assert.equal(second.stdout, 'connect tcp!github.com!443\nconnect tcp!other.example!1\n');
      // As dash says it of ESTALE.
      assert.match(second.stderr, /I\/O error/);
    });

    it('has an example for each of what is tried here', () => assert.equal(scripts.length, LETS.length));

    for (const [i, { yes, no }] of LETS.entries()) {
      it(`shows what lets them: ${scripts[i]?.what}`, async () => {
        for (const file of ['tcp/clone', 'dns', 'cs']) await t.client.chmod(file, 0o666);
        if (![0, 1].includes(i)) await t.client.remove('zone/all');
        const { stderr } = await shellAs(t, GLENDA, scripts[i]!.script);
        assert.equal(stderr, '');
        for (const question of [...yes, ...no]) {
          const answer = await explained(t.client, `user ${question}`);
          assert.equal(answer.slice(0, 3), yes.includes(question) ? 'yes' : 'no:', `${question}: ${answer}`);
        }
      });
    }
  },
  {
    netdir: '.',
    resolver: addressesBy(() => ['198.41.0.4']),
  },
);
