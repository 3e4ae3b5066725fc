/** Zones as files: made, edited, judged, replaced in one step, and taken away. */
import assert from 'node:assert/strict';
import { Abort } from '../../src/abort.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { OpenMode, Reply } from '../../src/netfs/node.ts';
import type { ZoneFile } from '../../src/netfs/zone.ts';
import type { Caller } from '../../src/policy/identity.ts';
import { ALICE, BOB, GLENDA, people, TEAM } from '../support/callers.ts';
import { forEachDialect, inProcess, onFuse, type Fixture } from '../support/fixture.ts';
import { shellAs } from '../support/realusers.ts';
import type { Tree } from '../support/tree.ts';
import { DENIED, dials, idsOf, lend, logged, NOT_OWNER, withZones, zone } from '../support/zones.ts';

const CHANGED = ['file has changed', 'ESTALE'] as const;
const SYNTAX = ['syntax error', 'EINVAL'] as const;
const NOT_THERE = ['file does not exist', 'ENOENT'] as const;
const TAKEN = ['file already exists', 'EEXIST'] as const;

/** Everything at home, to the byte: a test's own remotes are there. */
const HOME = 'connect tcp!127.0.0.0/8!*';

/** A comment that takes the place of HOME. */
const NOTHING = '#'.repeat(HOME.length);

const zoneOf = (t: Fixture, name: string): ZoneFile => t.server.net.zones.walk(name)!;

withZones('a zone', (t, by) => {
  const mode = async (path: string): Promise<number> => (await t.client.stat(path)).mode;
  const names = async (): Promise<string[]> =>
    (await t.client.readdir('zone')).map(({ name }) => name).sort();

  /** Whether everybody who may use clone reaches this remote, and no longer. */
  async function isOpen(client: Tree = by.alice): Promise<boolean> {
    const { address } = await t.remote();
    return dials(t, client, address).then(
      () => true,
      (error: Error) => t.refuses(Promise.reject(error), ...DENIED).then(() => false),
    );
  }

  // ---- making -----------------------------------------------------------------------------------

  it("is its maker's and nobody else's, however it is made", async () => {
    await t.client.chmod('zone', 0o777);
    await by.alice.create('zone/a');
    await by.alice.writeFile('zone/b', '', { create: true });
    await (await by.alice.open('zone/c', 'rw', { create: true })).close();
    for (const name of ['a', 'b', 'c']) {
      const stat = await t.client.stat(`zone/${name}`);
      assert.deepEqual([stat.mode, stat.length], [0o700, 0], name);
      if (t.door !== '9P2000') assert.deepEqual([stat.uid, stat.gid], [ALICE.uid, ALICE.gid]);
      else assert.deepEqual([stat.owner, stat.group], ['alice', 'alice']);
      await t.refuses(by.bob.open(`zone/${name}`, 'r'), ...DENIED);
    }
  });

  it('is made by nobody but the owner of /net, unless he lets others', async () => {
    await t.refuses(by.alice.create('zone/a'), ...DENIED);
    await t.refuses(by.alice.writeFile('zone/a', HOME, { create: true }), ...DENIED);
    assert.deepEqual(await names(), []);
  });

  it('is a file, and of a name that is free', async () => {
    await t.refuses(t.client.create('zone/a', { directory: true }), ...DENIED);
    await t.client.create('zone/a');
    await t.refuses(t.client.create('zone/a'), ...TAKEN);
    await t.refuses(t.client.create('zone/a', { directory: true }), ...TAKEN);
  });

  // ---- what is written --------------------------------------------------------------------------

  it('is in force when it is closed, and counts its changes', async () => {
    await zone(t, 'home', []);
    const { vers } = (await t.client.stat('zone/home')).qid;
    const file = await t.client.open('zone/home', 'w');
    await file.write(`${HOME}\n`);
    assert.equal(await isOpen(), false);
    await file.close();
    assert.equal(await isOpen(), true);
    assert.equal(await t.text('zone/home'), `${HOME}\n`);
    assert.equal((await t.client.stat('zone/home')).length, HOME.length + 1);
    if (t.door !== 'FUSE') assert.equal((await t.client.stat('zone/home')).qid.vers, vers + 1);
  });

  it('takes comments, blank lines, and a last line without its end', async () => {
    await t.client.writeFile('zone/home', `# mine\n\n ${HOME} # all of it`, { create: true });
    await t.client.chmod('zone/home', 0o701);
    assert.equal(await isOpen(), true);
  });

  it('refuses what says nothing at once, as a whole, and what was there stays and stays in force', async () => {
    await zone(t, 'home', [HOME]);
    const file = await t.client.open('zone/home', 'w', { truncate: true });
    await t.refuses(file.write(`${HOME}\nconnect tcp!010.0.0.1!80\nresolve *\n`), ...SYNTAX);
    await file.close();
    assert.equal(await t.text('zone/home'), `${HOME}\n`);
    assert.equal(await isOpen(), true);
    const [said] = logged(t, 'verb=zone', 'verdict=refused', 'zone=home', 'user=glenda');
    assert.match(said!, /reason="line 2, column 13: '010\.0\.0\.1' is no IP address/);
  });

  it('refuses a last line without its end when it is closed, and says so in the log', async () => {
    await zone(t, 'home', [HOME]);
    const file = await t.client.open('zone/home', 'w', { truncate: true });
    await file.write('connect tcp!github.com');
    await file.close();
    assert.equal(await t.text('zone/home'), `${HOME}\n`);
    assert.equal(await isOpen(), true);
    assert.equal(logged(t, 'verb=zone', 'verdict=refused', 'line 1, column 23').length, 1);
  });

  it('is emptied by a truncation alone', async () => {
    await zone(t, 'home', [HOME]);
    await (await t.client.open('zone/home', 'w', { truncate: true })).close();
    assert.equal(await t.text('zone/home'), '');
    assert.equal(await isOpen(), false);
  });

  it('is cut where lines end, and nowhere else', async () => {
    await zone(t, 'home', [HOME, 'connect tcp!github.com!443']);
    await t.refuses(t.client.setStat('zone/home', { length: HOME.length + 12 }), ...SYNTAX);
    await t.client.setStat('zone/home', { length: HOME.length + 1 });
    assert.equal(await t.text('zone/home'), `${HOME}\n`);
  });

  it('is replaced in one step: at each on the way the old lines are in force, or the new', async () => {
    await zone(t, 'home', [HOME]);
    const file = await t.client.open('zone/home', 'w', { truncate: true });
    assert.equal(await isOpen(), true);
    await file.write('connect tcp!127.0.0.1!1');
    assert.equal(await isOpen(), true);
    await file.write('-65535\n');
    assert.equal(await isOpen(), true);
    await file.close();
    assert.equal(await isOpen(), true);
    assert.equal(await t.text('zone/home'), 'connect tcp!127.0.0.1!1-65535\n');
    assert.equal(logged(t, 'verb=connect', 'verdict=refused').length, 0);
  });

  it('is what was there for readers until it is replaced, and what he has written for its editor', async () => {
    await zone(t, 'home', [HOME]);
    const file = await t.client.open('zone/home', 'rw');
    await file.write(NOTHING, 0);
    assert.equal((await file.read(1000, 0)).toString(), `${NOTHING}\n`);
    assert.equal(await t.text('zone/home'), `${HOME}\n`);
    await file.close();
    assert.equal(await t.text('zone/home'), `${NOTHING}\n`);
  });

  // ---- two editors ------------------------------------------------------------------------------

  it('is what the last one wrote who has not looked', async () => {
    await zone(t, 'home', [HOME]);
    const [one, two] = [await t.client.open('zone/home', 'w'), await t.client.open('zone/home', 'w')];
    await one.write(`connect tcp!127.0.0.1!1\n#`, 0);
    await two.write(`connect tcp!127.0.0.2!1\n#`, 0);
    await two.close();
    await one.close();
    assert.equal(await t.text('zone/home'), `connect tcp!127.0.0.1!1\n#\n`);
  });

  it('is not replaced by who has read it, when another has replaced it since', async () => {
    await zone(t, 'home', [HOME]);
    const editor = await t.client.open('zone/home', 'rw');
    await editor.read(1000, 0);
    await zone(t, 'home', ['connect tcp!127.0.0.0/8!1-65535']);
    await t.refuses(editor.write(NOTHING, 0), ...CHANGED);
    await editor.close();
    assert.equal(await t.text('zone/home'), 'connect tcp!127.0.0.0/8!1-65535\n');
    assert.equal(await isOpen(), true);
    assert.equal(logged(t, 'verb=zone', 'verdict=refused', 'was read').length, 1);
  });

  it('is not, either, when the other comes between his write and his close', async () => {
    await zone(t, 'home', [HOME]);
    const editor = await t.client.open('zone/home', 'rw');
    await editor.read(1000, 0);
    await editor.write(NOTHING, 0);
    await zone(t, 'home', ['connect tcp!127.0.0.0/8!1-65535']);
    await editor.close();
    assert.equal(await t.text('zone/home'), 'connect tcp!127.0.0.0/8!1-65535\n');
    assert.equal(await isOpen(), true);
  });

  // ---- taking away, renaming --------------------------------------------------------------------

  it('says nothing any more once it is removed, whoever has it open', async () => {
    await zone(t, 'home', [HOME]);
    const editor = await t.client.open('zone/home', 'rw');
    assert.equal(await isOpen(), true);
    await t.client.remove('zone/home');
    assert.equal(await isOpen(), false);
    await editor.write(`${HOME}\n`, 0).catch(() => {});
    await editor.close();
    assert.equal(await isOpen(), false);
    assert.deepEqual(await names(), []);
    await t.refuses(t.client.stat('zone/home'), ...NOT_THERE);
    await t.client.create('zone/home');
    assert.equal(await t.text('zone/home'), '');
  });

  it('keeps what it says under a new name, and is listed once wherever it stands', async () => {
    for (const name of ['a', 'b', 'c']) await zone(t, name, [HOME]);
    await t.client.rename('zone/a', 'zone/d');
    assert.deepEqual(await names(), ['b', 'c', 'd']);
    assert.equal(await mode('zone/d'), 0o755);
    assert.equal(await isOpen(), true);
    // In the order of its positions, by which a reader goes on.
    const dir = t.server.net.zones;
    const positions = [...dir.children({} as never, 0)].map(({ position }) => position);
    assert.deepEqual(positions, [1, 2, 3]);
  });

  it('is replaced by a rename in one step', async () => {
    await zone(t, 'home', ['connect tcp!127.0.0.9!9']);
    await zone(t, 'new', [HOME]);
    const { qid } = await t.client.stat('zone/new');
    await t.client.rename('zone/new', 'zone/home');
    assert.deepEqual(await names(), ['home']);
    assert.equal(await t.text('zone/home'), `${HOME}\n`);
    assert.equal((await t.client.stat('zone/home')).qid.path, qid.path);
    assert.equal(await isOpen(), true);
  });

  for (const name of ['.home.swp', '.home', 'home~', '#home#', '.#home']) {
    it(`is not what is called ${name}, until it is called otherwise`, async () => {
      await t.client.create(`zone/${name}`);
      const file = await t.client.open(`zone/${name}`, 'w');
      await file.write(Buffer.from([0, 0xff, 0x0a, 0x31]));
      await file.close();
      assert.deepEqual(await t.client.readFile(`zone/${name}`), Buffer.from([0, 0xff, 0x0a, 0x31]));
      await t.refuses(t.client.rename(`zone/${name}`, 'zone/home'), ...SYNTAX);
      assert.deepEqual(await names(), [name]);
      assert.equal(logged(t, 'verb=zone', 'verdict=refused').length, 1);

      await t.client.writeFile(`zone/${name}`, `${HOME}\n`);
      await t.client.chmod(`zone/${name}`, 0o755);
      assert.equal(await isOpen(), false);
      await t.client.rename(`zone/${name}`, 'zone/home');
      assert.equal(await isOpen(), true);
      await t.client.rename('zone/home', `zone/${name}`);
      assert.equal(await isOpen(), false);
    });
  }

  it('forbids nothing under a name that editors leave, without any x', async () => {
    await zone(t, 'home', [HOME]);
    await zone(t, 'home~', [HOME], { mode: 0o600 });
    assert.equal(await isOpen(), true);
  });

  it('stays in its directory', async () => {
    await zone(t, 'home', [HOME]);
    await assert.rejects(t.client.rename('zone/home', 'home'));
    await assert.rejects(t.client.rename('zone/home', 'tcp/home'));
    assert.equal(await isOpen(), true);
  });

  // ---- who may change it ------------------------------------------------------------------------

  const ids = (group: number) => idsOf(t, { group });

  it('takes from who does not own it only lines that he could pass himself', async () => {
    await zone(t, 'home', ['connect tcp!127.0.0.1!*']);
    await zone(t, 'team', [], { mode: 0o770, group: TEAM });
    await by.alice.writeFile('zone/team', 'connect tcp!127.0.0.1!80\n');
    const file = await by.alice.open('zone/team', 'w', { truncate: true });
    for (const line of [
      'connect tcp!127.0.0.2!80',
      'connect tcp!*!80',
      'connect tcp!127.0.0.0/8!80',
      'connect udp!127.0.0.1!80',
      'connect tcp!github.com!80',
      'announce tcp!*!80',
      'accept tcp!*!80',
      'resolve *',
    ]) {
      await t.refuses(file.write(`${line}\n`, 0), ...DENIED);
    }
    await file.close();
    assert.equal(await t.text('zone/team'), 'connect tcp!127.0.0.1!80\n');
    assert.equal(logged(t, 'verb=zone', 'verdict=refused', 'user=alice', 'only what he may do').length, 8);
    // Who passes everywhere may write anything.
    await by.glenda.writeFile('zone/team', 'connect tcp!127.0.0.2!80\n');
    // What is there already he need not be able to pass.
    await by.alice.writeFile('zone/team', 'connect tcp!127.0.0.2!80\n# ours\n');
  });

  it('is not widened by who writes it: no way about', async () => {
    await zone(t, 'all', ['connect *!*!*', 'connect *!0.0.0.0/0!*']);
    await zone(t, 'shut', [HOME], { mode: 0o720, group: TEAM });
    await zone(t, 'never', ['connect tcp!127.0.0.1!*'], { mode: 0o620, group: TEAM });
    await t.client.chmod('zone', 0o777);
    assert.equal(await isOpen(), false);
    const closed = async (promise: Promise<unknown>): Promise<void> => {
      await promise.catch(() => {});
      assert.equal(await isOpen(), false);
    };
    for (const name of ['shut', 'never']) {
      await closed(by.alice.writeFile(`zone/${name}`, '# nothing\n'));
      await closed(by.alice.writeFile(`zone/${name}`, ''));
      await closed(by.alice.setStat(`zone/${name}`, { length: 0 }));
      await closed(by.alice.open(`zone/${name}`, 'w', { truncate: true }).then(file => file.close()));
      await closed(by.alice.remove(`zone/${name}`));
      await closed(by.alice.rename(`zone/${name}`, `zone/${name}~`));
      await closed(by.alice.rename(`zone/${name}`, `zone/.${name}`));
      await closed(by.alice.rename('zone/all', `zone/${name}`));
      await closed(
        by.alice.create(`zone/${name}~`).then(() => by.alice.rename(`zone/${name}~`, `zone/${name}`)),
      );
      await closed(by.alice.chmod(`zone/${name}`, 0o777));
      await closed(by.alice.setStat(`zone/${name}`, idsOf(t, { owner: ALICE })));
      await closed(by.alice.setStat(`zone/${name}`, ids(TEAM)));
    }
    assert.deepEqual(
      (await names()).filter(name => !name.endsWith('~')),
      ['all', 'never', 'shut'],
    );
    // A zone of her own, more specific, of equal lines, or made by another name first.
    await by.alice.create('zone/mine');
    for (const line of ['connect tcp!127.0.0.1!*', 'connect tcp!127.0.0.1!1-65535', HOME]) {
      await t.refuses(by.alice.writeFile('zone/mine', `${line}\n`), ...DENIED);
      await by.alice.writeFile('zone/mine~', `${line}\n`, { create: true });
      await t.refuses(by.alice.rename('zone/mine~', 'zone/yours'), ...DENIED);
      await t.refuses(by.alice.rename('zone/mine~', 'zone/mine'), ...DENIED);
    }
    await closed(by.alice.chmod('zone/mine', 0o777));
  });

  it('is judged again as what it is called when it is closed', async () => {
    await t.client.chmod('zone', 0o777);
    await zone(t, 'team~', [], { mode: 0o770, group: TEAM });
    const file = await by.alice.open('zone/team~', 'w');
    await file.write(`${HOME}\n`);
    await t.client.rename('zone/team~', 'zone/team');
    await file.close();
    assert.equal(await t.text('zone/team'), '');
    assert.equal(await isOpen(), false);
  });

  it('forbids to everybody only when the owner of /net says so', async () => {
    await t.client.chmod('zone', 0o777);
    await zone(t, 'home', [HOME]);
    await by.alice.create('zone/mine');
    await by.alice.writeFile('zone/mine', `${HOME}\n`);
    for (const bits of [0, 0o600, 0o666]) await t.refuses(by.alice.chmod('zone/mine', bits), ...NOT_OWNER);
    await by.alice.chmod('zone/mine', 0o610);
    await by.glenda.chmod('zone/mine', 0o600);
    for (const who of [by.alice, by.bob, by.glenda]) assert.equal(await isOpen(who), false);
    // It is hers.
    await by.alice.chmod('zone/mine', 0o700);
    assert.equal(await isOpen(), true);
  });

  it('is read by who may read it, and its lines are shown to nobody else', async () => {
    await zone(t, 'home', [HOME], { mode: 0o711 });
    await t.refuses(by.alice.open('zone/home', 'r'), ...DENIED);
    await t.refuses(by.alice.open('zone/home', 'w'), ...DENIED);
    await t.refuses(by.alice.setStat('zone/home', { length: 0 }), ...DENIED);
    assert.equal(await isOpen(), true);
  });
});

// ---- what close says ------------------------------------------------------------------------------

forEachDialect(
  'closing a zone',
  t => {
    it('fails where what was written cannot come into force', async () => {
      await lend(t);
      await zone(t, 'home', [HOME]);
      const editor = await t.client.open('zone/home', 'rw');
      await editor.read(1000, 0);
      await editor.write(NOTHING, 0);
      await zone(t, 'home', ['resolve *']);
      await t.refuses(editor.finish(), ...CHANGED);
      const unfinished = await t.client.open('zone/home', 'w', { truncate: true });
      await unfinished.write('connect');
      await t.refuses(unfinished.finish(), ...SYNTAX);
      assert.equal(await t.text('zone/home'), 'resolve *\n');
    });
  },
  () => ({ owner: GLENDA, users: people }),
);

onFuse(
  'close(2) of a zone',
  t => {
    it('fails where what was written cannot come into force', async () => {
      await lend(t);
      await zone(t, 'home', [HOME]);
      const editor = await t.client.open('zone/home', 'rw');
      await editor.read(1000, 0);
      await editor.write(NOTHING, 0);
      await zone(t, 'home', ['resolve *']);
      const closed = (file: typeof editor) => file.client.call('close', { a: file.fd });
      await t.refuses(closed(editor), ...CHANGED);
      const unfinished = await t.client.open('zone/home', 'w', { truncate: true });
      await unfinished.write('connect');
      await t.refuses(closed(unfinished), ...SYNTAX);
      assert.equal(await t.text('zone/home'), 'resolve *\n');
    });

    it('is added to by a shell that has read it, unless it has changed since', async () => {
      await lend(t);
      await zone(t, 'home', [HOME]);
      const script = (between: string): string =>
        `exec 3<>zone/home; cat <&3 >/dev/null; ${between}; echo 'resolve *' >&3; exec 3>&-; cat zone/home`;
      const first = await shellAs(t, GLENDA, script(':'));
      assert.equal(first.stdout, `${HOME}\nresolve *\n`, first.stderr);
      const second = await shellAs(t, GLENDA, script(`echo '# new' >zone/home`));
      assert.equal(second.stdout, '# new\n');
      assert.match(second.stderr, /echo/);
    });

    it('has the lines of all who append at once, one behind the other', async () => {
      const { O_WRONLY, O_APPEND } = (await import('node:fs')).constants;
      await lend(t);
      await zone(t, 'home', [HOME]);
      const files = [];
      for (let i = 0; i < 4; i++) files.push(await t.client.openWith('zone/home', O_WRONLY | O_APPEND));
      for (const [i, file] of files.entries()) await file.write(`resolve ${i}.example\n`);
      await zone(t, 'home', ['# new']);
      for (const file of files) await file.close();
      const appended = files.map((_, i) => `resolve ${i}.example\n`);
      assert.equal(await t.text('zone/home'), `# new\n${appended.join('')}`);
    });
  },
  () => ({ owner: GLENDA, users: people }),
);

// ---- what only the tree itself shows --------------------------------------------------------------

inProcess(
  'a zone in process',
  t => {
    const by = (caller: Caller) => ({ caller, signal: new Abort(), privileged: caller === GLENDA });
    const RW: OpenMode = { read: true, write: true, truncate: false };
    const failsWith = (name: string) => (error: unknown) => error instanceof FsError && error.name === name;

    beforeEach(() => lend(t));

    it('has lines appended behind what another wrote meanwhile, of two editors both', async () => {
      await zone(t, 'home', [HOME]);
      const file = zoneOf(t, 'home');
      const appending = { ...RW, append: true };
      const [one, two] = [file.open(appending, by(GLENDA)), file.open(appending, by(GLENDA))];
      void one.write(0, Buffer.from('resolve a.x\n'), by(GLENDA));
      void two.write(0, Buffer.from('resolve b.x\n'), by(GLENDA));
      void two.flush!(by(GLENDA));
      void one.flush!(by(GLENDA));
      void one.write(0, Buffer.from('resolve c.x\n'), by(GLENDA));
      void two.write(0, Buffer.from('resolve d.x\n'), by(GLENDA));
      void one.flush!(by(GLENDA));
      void two.flush!(by(GLENDA));
      assert.equal(file.content.toString(), `${HOME}\nresolve b.x\nresolve a.x\nresolve c.x\nresolve d.x\n`);
    });

    it('is what he has read for who empties it and writes, or else his write fails', async () => {
      await zone(t, 'home', [HOME]);
      const file = zoneOf(t, 'home');
      const reply: Reply = {
        count: 100,
        room: size => Buffer.alloc(size),
        drop: () => {},
        mayAnswer: () => true,
      };
      const editors = [file.open(RW, by(GLENDA)), file.open(RW, by(GLENDA))];
      for (const [i, editor] of editors.entries()) {
        void editor.read(0, reply, by(GLENDA));
        void editor.truncate!(0, by(GLENDA));
        if (i === 0) continue;
        void editor.write(0, Buffer.from('resolve *\n'), by(GLENDA));
        void editor.flush!(by(GLENDA));
      }
      assert.throws(() => editors[0]!.write(0, Buffer.from('# no\n'), by(GLENDA)), failsWith('Echanged'));
      void editors[0]!.flush!(by(GLENDA));
      editors[0]!.close();
      assert.equal(file.content.toString(), 'resolve *\n');
    });

    it('has fewer than 16 MiB', async () => {
      await zone(t, 'home', []);
      const file = zoneOf(t, 'home');
      const editor = file.open(RW, by(GLENDA));
      const comment = Buffer.from(`#${'x'.repeat(1022)}\n`);
      const most = Buffer.concat(Array.from({ length: 16 * 1024 }, () => comment));
      assert.throws(() => editor.write(0, most, by(GLENDA)), failsWith('Eio'));
      void editor.write(0, most.subarray(1024), by(GLENDA));
      void editor.flush!(by(GLENDA));
      assert.equal(file.content.length, 16 * 1024 * 1024 - 1024);
    });

    it('is one of 4096 at most, and one that was removed leaves its place', async () => {
      for (let i = 0; i < 4096; i++) t.server.net.zones.create(`z${i}`, 'file', by(GLENDA));
      await t.refuses(t.client.create('zone/more'), 'no free devices', 'ENFILE');
      await t.client.remove('zone/z7');
      await t.client.create('zone/more');
    });

    it('is read to its end by who reads the directory in pieces, also while zones are renamed', async () => {
      for (let i = 0; i < 5; i++) await zone(t, `z${i}`, []);
      await t.client.rename('zone/z0', 'zone/first');
      const { zones } = t.server.net;
      const found: string[] = [];
      for (let from = 0; ;) {
        const [next] = zones.children(by(GLENDA), from);
        if (next === undefined) break;
        found.push(next.node.stat().name);
        from = next.position + 1;
      }
      assert.deepEqual(found, ['first', 'z1', 'z2', 'z3', 'z4']);
    });

    it('is read by its editor as he writes it, whatever is in force', async () => {
      await zone(t, 'home', [HOME]);
      const editor = zoneOf(t, 'home').open({ ...RW, truncate: true }, by(BOB));
      let bytes = Buffer.alloc(0);
      const reply: Reply = {
        count: 100,
        room: size => (bytes = Buffer.alloc(size)),
        drop: () => {},
        mayAnswer: () => true,
      };
      assert.equal(editor.read(0, reply, by(BOB)), 0);
      assert.equal(bytes.length, 0);
      editor.close();
      assert.equal(zoneOf(t, 'home').content.toString(), `${HOME}\n`);
    });
  },
  () => ({ owner: GLENDA, users: people }),
);
