/** A view: a /net in a /net, for whom it was made, and no wider than its maker's. docs/views.md. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { ALICE, BOB, CAROL, GLENDA, people, TEAM } from '../support/callers.ts';
import { eventually, forEachDoor, isRefusal, type Fixture } from '../support/fixture.ts';
import { Tarpit } from '../support/remote.ts';
import { FakeResolver } from '../support/resolver.ts';
import type { OpenFile, Tree } from '../support/tree.ts';

const DENIED = ['permission denied', 'EACCES'] as const;
const NOT_OWNER = ['permission denied', 'EPERM'] as const;
const GONE = ['file does not exist', 'ENOENT'] as const;
const BAD = ['unknown control request', 'EINVAL'] as const;

let resolver: FakeResolver;

/** Glenda's, and everybody may use it. */
const options = () => {
  resolver = new FakeResolver({
    'far.example': { ip: ['127.0.0.1'] },
    'slow.example': { ip: ['127.0.0.1'] },
    'other.example': { ip: ['127.0.0.1'] },
  });
  return { owner: GLENDA, users: people, resolver };
};

interface Made {
  readonly ctl: OpenFile;
  /** `view/3` */
  readonly dir: string;
  readonly number: number;
}

async function makeView(client: Tree, ...messages: string[]): Promise<Made> {
  return makeIn('', client, ...messages);
}

/** `around` is a view's directory with a slash, or nothing. */
async function makeIn(around: string, client: Tree, ...messages: string[]): Promise<Made> {
  const ctl = await client.open(`${around}view/clone`, 'rw');
  const number = Number((await ctl.read(32)).toString());
  for (const message of messages) await ctl.write(message);
  return { ctl, number, dir: `${around}view/${number}` };
}

/** Opens the view's clone, writes a message, and tells what became of it. */
async function tell(client: Tree, dir: string, message: string, protocol = 'tcp'): Promise<Made> {
  const ctl = await client.open(`${dir}/${protocol}/clone`, 'rw');
  const number = Number((await ctl.read(32)).toString());
  await ctl.write(message);
  return { ctl, number, dir: `${dir}/${protocol}/${number}` };
}

/** A query file's answer. */
async function ask(client: Tree, path: string, question: string): Promise<string> {
  const file = await client.open(path, 'rw');
  try {
    await file.write(question, 0);
    return (await file.read(4096, 0)).toString();
  } finally {
    await file.close();
  }
}

function forEachDoorAndUser(
  subject: string,
  define: (t: Fixture, by: { alice: Tree; bob: Tree }) => void,
): void {
  forEachDoor(
    subject,
    t => {
      const by = {} as { alice: Tree; bob: Tree };
      beforeEach(async () => {
        for (const file of ['tcp/clone', 'udp/clone', 'cs', 'dns']) await t.client.chmod(file, 0o666);
        [by.alice, by.bob] = [await t.as(ALICE), await t.as(BOB)];
      });
      define(t, by);
    },
    options,
  );
}

forEachDoorAndUser('a view', (t, by) => {
  it('is a /net, and its number is what ctl reads', async () => {
    const { ctl, dir, number } = await makeView(by.alice);
    assert.equal(number, 0);
    assert.equal((await makeView(by.alice)).number, 1);
    const names = (await by.alice.readdir(dir)).map(({ name }) => name);
    for (const name of [
      'tcp',
      'udp',
      'cs',
      'dns',
      'zone',
      'view',
      'log',
      'explain',
      'ctl',
      'status',
      'learned',
    ])
      assert(names.includes(name), name);
    assert.match(
      await t.text(`${dir}/status`, by.alice),
      /^number: 0\nname: \nmaker: alice\nuser: alice\nfrozen: no\n/,
    );
    await ctl.write('allow tcp!127.0.0.1!80');
    assert.equal((await ctl.read(32)).toString() || (await ctl.read(32)).toString(), '0');
  });

  it('answers in its cs for where those inside have it', async () => {
    const { ctl, dir } = await makeView(by.alice);
    assert.equal(await ask(by.alice, `${dir}/cs`, 'tcp!192.0.2.1!80'), '/net/tcp/clone 192.0.2.1!80');
    await ctl.write('netdir /home/alice/net/');
    const answer = await ask(by.alice, `${dir}/cs`, 'tcp!192.0.2.1!80');
    assert.equal(answer, '/home/alice/net/tcp/clone 192.0.2.1!80');
    await t.refuses(ctl.write('netdir net'), 'unknown control request', 'EINVAL');
  });

  it('allows nothing at first', async () => {
    const { dir } = await makeView(by.alice);
    const { address } = await t.remote();
    await t.refuses(tell(by.alice, dir, `connect ${address}`), ...DENIED);
    await t.refuses(tell(by.alice, dir, 'connect far.example!80'), ...DENIED);
    await t.refuses(tell(by.alice, dir, 'announce 127.0.0.1!0'), ...DENIED);
    await t.refuses(tell(by.alice, dir, `connect ${address}`, 'udp'), ...DENIED);
    await t.refuses(tell(by.alice, dir, 'announce 127.0.0.1!0', 'udp'), ...DENIED);
    await assert.rejects(ask(by.alice, `${dir}/dns`, 'far.example ip'), isRefusal);
    await assert.rejects(ask(by.alice, `${dir}/cs`, 'tcp!far.example!80'), isRefusal);
    await t.refuses(by.alice.open(`${dir}/dial/tcp!${address}`, 'rw'), ...DENIED);
    assert.deepEqual(resolver.asked, []);
  });

  it('accepts no call for which it has no line', async () => {
    const { ctl, dir } = await makeView(by.alice, 'allow announce tcp!127.0.0.1!*');
    const announced = await tell(by.alice, dir, 'announce 127.0.0.1!0');
    const port = (await t.text(`${announced.dir}/local`, by.alice)).trim().split('!')[1]!;
    const first = connect(Number(port), '127.0.0.1').on('error', () => {});
    await new Promise(resolve => first.once('close', resolve));
    await ctl.write('allow accept tcp!127.0.0.1!*');
    const listening = by.alice.open(`${announced.dir}/listen`, 'rw');
    const second = connect(Number(port), '127.0.0.1').on('error', () => {});
    t.after(() => second.destroy());
    await (await listening).close();
  });

  it('allows what its ctl is told, and forbids what it is told against that', async () => {
    const { ctl, dir } = await makeView(by.alice);
    const { address } = await t.remote();
    await ctl.write(`allow tcp!${address}`);
    await tell(by.alice, dir, `connect ${address}`);
    await ctl.write('deny connect tcp!127.0.0.0/8!*');
    await t.refuses(tell(by.alice, dir, `connect ${address}`), ...DENIED);
    assert.equal(await t.text(`${dir}/zone/denied`, by.alice), 'connect tcp!127.0.0.0/8!*\n');
  });

  it('adds a line behind a last one that has no end, and refuses nothing of what was there', async () => {
    const { ctl, dir } = await makeView(by.alice, 'allow tcp!127.0.0.1!80');
    await t.client.writeFile(`${dir}/zone/allowed`, '# two\nconnect tcp!127.0.0.1!81');
    await ctl.write('allow tcp!127.0.0.1!82\nallow tcp!127.0.0.1!83');
    const lines = [81, 82, 83].map(port => `connect tcp!127.0.0.1!${port}`);
    assert.equal(await t.text(`${dir}/zone/allowed`), `# two\n${lines.join('\n')}\n`);
    for (const [port, answer] of [
      [80, /^no: /],
      [81, /^yes: /],
      [82, /^yes: /],
      [83, /^yes: /],
    ] as const)
      assert.match(await ask(by.alice, `${dir}/explain`, `tcp!127.0.0.1!${port}`), answer);
    // An edit of it goes on from there.
    await t.client.writeFile(`${dir}/zone/allowed`, `${lines[2]}\n`);
    assert.match(await ask(by.alice, `${dir}/explain`, 'tcp!127.0.0.1!82'), /^no: /);
    assert.match(await ask(by.alice, `${dir}/explain`, 'tcp!127.0.0.1!83'), /^yes: /);
  });

  it('allows all that its maker may with allow *', async () => {
    const { dir } = await makeView(by.alice, 'allow *');
    const { address, port } = await t.remote();
    await tell(by.alice, dir, `connect ${address}`);
    await tell(by.alice, dir, `connect far.example!${port}`);
    await tell(by.alice, dir, 'announce 127.0.0.1!0');
    assert.match(await ask(by.alice, `${dir}/dns`, 'far.example ip'), /127\.0\.0\.1/);
  });

  it('does all that a message says, or nothing', async () => {
    const { ctl, dir } = await makeView(by.alice);
    for (const message of [
      'allow tcp!127.0.0.1!1\nallow nonsense',
      'allow tcp!127.0.0.1!1\nname 7',
      'allow tcp!127.0.0.1!1\nnosuch',
      'name x\nallow tcp!127.0.0.1!99999',
      'remove\nallow tcp!127.0.0.1!1',
      'freeze\nallow tcp!127.0.0.1!1',
      'freeze now',
      'remove it',
      'user alice\nuser nosuchuser',
      'learn perhaps',
      'allow',
      'allow # nothing',
      'deny *',
      "'allow' tcp!127.0.0.1!1",
      'constructor',
      '__proto__ x',
      'allow tcp!127.0.0.1!1\0',
      'name clone',
      'name ..',
      'name a/b',
      'name',
    ]) {
      await assert.rejects(ctl.write(message), isRefusal, message);
      assert.deepEqual(await by.alice.readdir(`${dir}/zone`), [], message);
      assert.match(await t.text(`${dir}/status`, by.alice), /name: \n.*\n.*\nfrozen: no\nlearn: off\n/);
    }
    await t.refuses(ctl.write('nosuch'), ...BAD);
    await ctl.write('allow tcp!127.0.0.1!1\n\n  deny tcp!10.0.0.0/8!*  \nname x\n');
    assert.equal(await t.text('view/x/zone/allowed', by.alice), 'connect tcp!127.0.0.1!1\n');
  });

  it('ends when its ctl is closed, hangs up what it held, and nothing of it is there', async () => {
    const remote = await t.remote();
    const { ctl, dir } = await makeView(by.alice, 'allow *');
    const conv = await tell(by.alice, dir, `connect ${remote.address}`);
    const socket = await remote.accept();
    const data = await by.alice.open(`${conv.dir}/data`, 'rw');
    const idle = await by.alice.open(`${dir}/tcp/clone`, 'rw');
    const zone = await by.alice.open(`${dir}/zone/allowed`, 'r');
    const cs = await by.alice.open(`${dir}/cs`, 'rw');
    const dns = await by.alice.open(`${dir}/dns`, 'rw');
    const udp = await tell(by.alice, dir, 'announce 127.0.0.1!0', 'udp');
    const udpData = await by.alice.open(`${udp.dir}/data`, 'rw');
    await ctl.close();
    const over = new Promise(resolve => socket.once('close', resolve).on('error', () => {}));
    socket.resume();
    await over;
    for (const path of [
      dir,
      `${dir}/tcp/clone`,
      `${conv.dir}/data`,
      `${dir}/zone/allowed`,
      `${dir}/status`,
    ]) {
      await t.refuses(by.alice.stat(path), ...GONE);
      await t.refuses(by.alice.open(path, 'r'), ...GONE);
    }
    await assert.rejects(data.read(), isRefusal);
    await assert.rejects(data.write('x'), isRefusal);
    await assert.rejects(idle.write(`connect ${remote.address}`), isRefusal);
    await assert.rejects(idle.write('announce 127.0.0.1!0'), isRefusal);
    await assert.rejects(cs.write('tcp!far.example!80'), isRefusal);
    await assert.rejects(dns.write('far.example ip'), isRefusal);
    await assert.rejects(udpData.write('x'), isRefusal);
    await assert.rejects(udpData.read(), isRefusal);
    await zone.read();
  });

  it('wakes whatever waits in it when it ends', async () => {
    const tarpit = await Tarpit.dig();
    t.after(() => tarpit.fill());
    const remote = await t.remote();
    const { ctl, dir } = await makeView(by.alice, 'allow *');
    const conv = await tell(by.alice, dir, `connect ${remote.address}`);
    const data = await by.alice.open(`${conv.dir}/data`, 'rw');
    const announced = await tell(by.alice, dir, 'announce 127.0.0.1!0');
    const log = await by.alice.open(`${dir}/log`, 'r');
    const dialler = await by.alice.open(`${dir}/tcp/clone`, 'rw');
    const dials = [
      await by.alice.open(`${dir}/tcp/clone`, 'rw'),
      await by.alice.open(`${dir}/tcp/clone`, 'rw'),
    ];
    const waiting = [
      data.read(),
      by.alice.open(`${announced.dir}/listen`, 'rw'),
      dialler.write(`connect ${tarpit.address}`),
      dials[0]!.write('connect slow.example!80'),
      by.alice.open(`${dir}/dial/tcp!${tarpit.address}`, 'rw'),
    ];
    const reading = (async () => {
      while ((await log.read()).length > 0);
      return 'end';
    })();
    for (const each of waiting) assert(await t.pending(each, by.alice));
    assert(await t.pending(reading, by.alice));
    await ctl.write('remove');
    for (const each of waiting) await assert.rejects(each, isRefusal);
    assert.equal(await reading, 'end');
    resolver.release();
    await t.refuses(ctl.write('allow *'), 'i/o on hungup channel', 'EPIPE');
    await ctl.close();
  });

  it('lives on with a name, until its maker removes it', async () => {
    const { ctl, dir, number } = await makeView(by.alice, 'name lab');
    await ctl.close();
    assert.deepEqual(
      (await by.alice.readdir('view')).map(({ name }) => name),
      ['lab', 'clone'],
    );
    await by.alice.stat('view/lab/tcp');
    await by.alice.stat(`${dir}/tcp`);
    await t.refuses(by.bob.stat('view/lab/tcp'), ...DENIED);
    await t.refuses(by.bob.remove('view/lab'), ...DENIED);
    await t.refuses((await makeView(by.bob)).ctl.write('name lab'), 'file already exists', 'EEXIST');
    await by.alice.remove('view/lab');
    await t.refuses(by.alice.stat('view/lab'), ...GONE);
    await t.refuses(by.alice.stat(`view/${number}`), ...GONE);
  });

  it("is removed by the server's owner, too, and clone by nobody", async () => {
    const { ctl, dir } = await makeView(by.alice);
    await t.client.remove(dir);
    await assert.rejects(ctl.write('allow *'), isRefusal);
    await assert.rejects(t.client.remove('view/clone'), isRefusal);
    await assert.rejects(by.alice.create('view/x', { directory: true }), isRefusal);
  });

  it('that has the number of another shows nothing of it, and has files of its own', async () => {
    const first = await makeView(by.alice, 'allow *', 'learn');
    await tell(by.alice, first.dir, 'announce 127.0.0.1!0');
    const before = (await by.alice.ls(first.dir)).map(({ qid }) => qid.path);
    const status = await by.alice.open(`${first.dir}/tcp/stats`, 'r');
    await first.ctl.close();
    await eventually(() =>
      by.alice.stat(first.dir).then(
        () => false,
        () => true,
      ),
    );
    const second = await makeView(by.alice);
    assert.equal(second.number, first.number);
    const after = (await by.alice.ls(second.dir)).map(({ qid }) => qid.path);
    assert.deepEqual(
      after.filter(path => before.includes(path)),
      [],
    );
    assert.deepEqual(await by.alice.readdir(`${second.dir}/zone`), []);
    assert.deepEqual(
      (await by.alice.readdir(`${second.dir}/tcp`)).map(({ name }) => name),
      ['clone', 'stats'],
    );
    assert.equal(await t.text(`${second.dir}/learned`, by.alice), '');
    await status.close();
  });

  it("is nobody else's, but the server's owner's from outside", async () => {
    const { dir } = await makeView(by.alice);
    for (const path of [`${dir}/status`, `${dir}/tcp/clone`, `${dir}/zone`, `${dir}/log`]) {
      await t.refuses(by.bob.open(path, 'r'), ...DENIED);
    }
    await t.client.chmod(`${dir}/tcp`, 0o500);
    await (await t.client.open(`${dir}/ctl`, 'w')).write('allow *');
  });

  it('is for another when ctl says so: hers are its files, and she does not govern it', async () => {
    const { ctl, dir } = await makeView(by.alice, 'user bob\nallow *');
    const { address } = await t.remote();
    await tell(by.bob, dir, `connect ${address}`);
    const { uid, owner } = await by.bob.stat(`${dir}/tcp/clone`);
    assert(uid === BOB.uid || owner === 'bob');
    for (const path of [
      'tcp/clone',
      'cs',
      'dns',
      'zone',
      'zone/allowed',
      'tcp',
      'view/clone',
      'log',
      'explain',
    ])
      await t.refuses(by.bob.chmod(`${dir}/${path}`, 0o777), ...NOT_OWNER);
    await t.refuses(by.bob.open(`${dir}/ctl`, 'rw'), ...DENIED);
    await t.refuses(by.bob.remove(dir), ...DENIED);
    await t.refuses(by.bob.create(`${dir}/zone/own`), ...NOT_OWNER);
    await t.refuses(by.bob.open(`${dir}/zone/allowed`, 'w'), ...NOT_OWNER);
    await t.refuses(by.bob.writeFile(`${dir}/zone/allowed`, ''), ...NOT_OWNER);
    await t.refuses(by.bob.setStat(`${dir}/zone/allowed`, { length: 0 }), ...NOT_OWNER);
    await t.refuses(by.bob.remove(`${dir}/zone/allowed`), ...NOT_OWNER);
    await t.refuses(by.bob.rename(`${dir}/zone/allowed`, `${dir}/zone/x`), ...NOT_OWNER);
    // Her own view in it is hers to govern, and its zones are not those of the one around it.
    const inner = await makeIn(`${dir}/`, by.bob, 'allow *');
    await assert.rejects(by.bob.rename(`${inner.dir}/zone/allowed`, `${dir}/zone/more`), isRefusal);
    await assert.rejects(by.bob.rename(`${dir}/zone/allowed`, `${inner.dir}/zone/more`), isRefusal);
    await by.alice.chmod(`${dir}/tcp/clone`, 0o400);
    await t.refuses(tell(by.bob, dir, `connect ${address}`), ...DENIED);
    await t.refuses(tell(by.bob, inner.dir, `connect ${address}`), ...DENIED);
    await ctl.close();
  });

  it('hangs up those who pass by who they are no more when it is given to another', async () => {
    const remote = await t.remote();
    const { ctl, dir } = await makeView(by.alice, 'user bob\nallow *');
    await by.alice.chmod(`${dir}/zone/allowed`, 0o700);
    await tell(by.bob, dir, `connect ${remote.address}`);
    const socket = await remote.accept();
    const over = new Promise(resolve =>
      socket
        .once('close', resolve)
        .on('error', () => {})
        .resume(),
    );
    await ctl.write('user carol');
    await over;
  });

  it('changes no more once it is frozen, for nobody, but it can be removed', async () => {
    const { ctl, dir } = await makeView(by.alice, 'user bob\nallow *');
    const early = await by.alice.open(`${dir}/zone/allowed`, 'rw');
    await ctl.write('freeze');
    await assert.rejects(early.write('connect tcp!127.0.0.1!9\n', 0), isRefusal);
    for (const message of ['allow *', 'deny tcp!10.0.0.1!1', 'name x', 'user carol', 'learn', 'freeze'])
      await t.refuses(ctl.write(message), ...DENIED);
    for (const client of [by.alice, by.bob, t.client]) {
      await t.refuses(client.chmod(`${dir}/zone/allowed`, 0o711), ...NOT_OWNER);
      await t.refuses(client.chmod(`${dir}/tcp/clone`, 0o600), ...NOT_OWNER);
      await assert.rejects(client.create(`${dir}/zone/more`), isRefusal);
      await assert.rejects(client.open(`${dir}/zone/allowed`, 'w'), isRefusal);
      await assert.rejects(client.remove(`${dir}/zone/allowed`), isRefusal);
    }
    await t.text(`${dir}/zone/allowed`, by.bob);
    const { address } = await t.remote();
    await tell(by.bob, dir, `connect ${address}`);
    await ctl.write('remove');
  });

  it('takes no edit that was begun before it was frozen', async () => {
    const { ctl, dir } = await makeView(by.alice, 'user bob\nallow tcp!127.0.0.1!1');
    const zone = await by.alice.open(`${dir}/zone/allowed`, 'rw');
    await zone.write('connect tcp!127.0.0.1!2\n', 0);
    await ctl.write('freeze');
    await zone.close().catch(isRefusal);
    assert.equal(await t.text(`${dir}/zone/allowed`, by.bob), 'connect tcp!127.0.0.1!1\n');
  });

  it('shows ndb to read only, and not where its maker may not read it', async () => {
    const { dir } = await makeView(by.alice, 'user bob');
    assert.equal(await t.text(`${dir}/ndb`, by.bob), await t.text('ndb'));
    await assert.rejects(by.bob.open(`${dir}/ndb`, 'w'), isRefusal);
    await assert.rejects(by.alice.open(`${dir}/ndb`, 'w'), isRefusal);
    await assert.rejects(by.bob.chmod(`${dir}/arp`, 0o777), isRefusal);
    await t.client.chmod('ndb', 0o600);
    await t.refuses(t.text(`${dir}/ndb`, by.bob), ...DENIED);
  });

  it('has a log of its own, which is told above with its number', async () => {
    const { dir, number } = await makeView(by.alice, 'user bob\nallow *');
    const { address } = await t.remote();
    await tell(by.bob, dir, `connect ${address}`);
    const lines = async (path: string, client: Tree): Promise<string> => {
      const log = await client.open(path, 'r');
      const text = (await log.read()).toString();
      await log.close();
      return text;
    };
    const own = await lines(`${dir}/log`, by.bob);
    assert.match(own, new RegExp(`user=bob (pid=\\d+ )?verb=connect conv=tcp/0 dest=tcp!${address}`));
    assert.doesNotMatch(own, /view=/);
    assert.match(
      await lines('log', t.client),
      new RegExp(`view=${number} user=bob (pid=\\d+ )?verb=connect`),
    );
    await t.refuses(by.alice.open('log', 'r'), ...DENIED);
  });

  it('grants no dial by an address that was given outside it, or in another', async () => {
    const { dir } = await makeView(by.alice, 'allow tcp!far.example!*');
    const other = await makeView(by.alice, 'allow *');
    const { port } = await t.remote();
    await ask(by.alice, 'cs', 'tcp!far.example!80');
    await ask(by.alice, `${other.dir}/cs`, 'tcp!far.example!80');
    await t.refuses(tell(by.alice, dir, `connect 127.0.0.1!${port}`), ...DENIED);
  });

  it('tells those inside nothing of the lines around it', async () => {
    await t.client.writeFile('zone/secret', 'connect tcp!127.0.0.0/8!*\n', { create: true });
    await t.client.chmod('zone/secret', 0o700);
    const { dir } = await makeView(by.alice, 'user bob\nallow *');
    const { address } = await t.remote();
    const answer = await ask(by.bob, `${dir}/explain`, `tcp!${address}`);
    assert.match(
      answer,
      /^no: bob may not connect to .*: the view may, but alice, who made it, may not in \/net/,
    );
    assert.doesNotMatch(answer, /secret|127\.0\.0\.0/);
    const ctl = await by.bob.open(`${dir}/tcp/clone`, 'rw');
    await t.refuses(ctl.write(`connect ${address}`), ...DENIED);
    assert.doesNotMatch(await t.text(`${dir}/tcp/0/err`, by.bob), /secret|127\.0\.0\.0/);
    await assert.rejects(ask(by.bob, `${dir}/explain`, `user glenda tcp!${address}`), isRefusal);
    await t.client.chmod('tcp/clone', 0o600);
    assert.doesNotMatch(await ask(by.bob, `${dir}/explain`, `tcp!${address}`), /glenda|0600/);
  });

  it('is hung up in when what is around it is narrowed, and err says nothing of the lines', async () => {
    const remote = await t.remote();
    const { dir } = await makeView(by.alice, 'user bob\nallow *');
    const inner = await makeIn(`${dir}/`, by.bob, 'allow *');
    const convs = [
      await tell(by.bob, dir, `connect ${remote.address}`),
      await tell(by.bob, inner.dir, `connect ${remote.address}`),
    ];
    const sockets = [await remote.accept(), await remote.accept()];
    const over = sockets.map(
      socket =>
        new Promise(resolve =>
          socket
            .once('close', resolve)
            .on('error', () => {})
            .resume(),
        ),
    );
    await t.client.writeFile('zone/secret', 'connect tcp!127.0.0.0/8!*\n', { create: true });
    await Promise.all(over);
    for (const conv of convs) {
      const err = await t.text(`${conv.dir}/err`, by.bob);
      assert.match(err, /alice, who made it, may not in \/net/);
      assert.doesNotMatch(err, /secret/);
    }
  });

  it('needs of its maker what he would need outside: clone, the directory and dns', async () => {
    const { dir } = await makeView(by.alice, 'user bob\nallow *');
    const inner = await makeIn(`${dir}/`, by.bob, 'allow *');
    const { address } = await t.remote();
    for (const [file, mode, back] of [
      ['tcp/clone', 0o600, 0o666],
      ['tcp', 0o500, 0o555],
    ] as const) {
      for (const at of [dir, inner.dir]) await tell(by.bob, at, `connect ${address}`);
      await t.client.chmod(file, mode);
      for (const at of [dir, inner.dir]) {
        await t.refuses(by.bob.open(`${at}/tcp/clone`, 'rw'), ...DENIED);
        await t.refuses(by.bob.open(`${at}/dial/tcp!${address}`, 'rw'), ...DENIED);
      }
      await t.client.chmod(file, back);
    }
    await t.client.chmod('dns', 0o600);
    for (const at of [dir, inner.dir]) {
      await t.refuses(tell(by.bob, at, 'connect far.example!80'), ...DENIED);
      // Of why her dns is closed to her they are told nothing.
      assert.equal(
        await ask(by.bob, `${at}/explain`, 'tcp!far.example!80'),
        `no: ${at === dir ? 'alice' : 'bob'}, who made the view, may not use names outside it`,
      );
      await assert.rejects(ask(by.bob, `${at}/dns`, 'far.example ip'), isRefusal);
      await assert.rejects(ask(by.bob, `${at}/cs`, 'tcp!far.example!80'), isRefusal);
    }
  });

  it('is judged by the groups that its maker had', async () => {
    await t.client.setStat('tcp/clone', { gid: t.door === '9P2000' ? ('team' as never) : TEAM });
    await t.client.chmod('tcp/clone', 0o660);
    const { address } = await t.remote();
    const { dir } = await makeView(by.alice, 'user carol\nallow *');
    await tell(await t.as(CAROL), dir, `connect ${address}`);
    const carols = await makeView(await t.as(CAROL), 'user alice\nallow *');
    await t.refuses(tell(by.alice, carols.dir, `connect ${address}`), ...DENIED);
  });

  it('goes sixteen deep, each level is judged, and all of it ends with the outermost', async () => {
    const remote = await t.remote();
    const outermost = await makeView(by.alice, 'allow *');
    const levels = [outermost];
    while (levels.length < 16) levels.push(await makeIn(`${levels.at(-1)!.dir}/`, by.alice, 'allow *'));
    const deepest = levels.at(-1)!;
    await t.refuses(makeIn(`${deepest.dir}/`, by.alice), 'no free devices', 'ENFILE');
    for (const level of [levels[14]!, levels[7]!, outermost]) {
      const conv = await tell(by.alice, deepest.dir, `connect ${remote.address}`);
      const socket = await remote.accept();
      const over = new Promise(resolve =>
        socket
          .once('close', resolve)
          .on('error', () => {})
          .resume(),
      );
      await level.ctl.write(`deny tcp!127.0.0.1!${remote.port}`);
      await over;
      await t.refuses(tell(by.alice, deepest.dir, `connect ${remote.address}`), ...DENIED);
      await conv.ctl.close();
      // From outside, as by FUSE only others do than whom it is for.
      await t.client.remove(`${level.dir}/zone/denied`);
    }
    await outermost.ctl.write('remove');
    await assert.rejects(deepest.ctl.write('allow *'), isRefusal);
    await t.refuses(by.alice.stat(deepest.dir), ...GONE);
  });

  it('learns what is asked, and what it writes down allows just that', async () => {
    const remote = await t.remote();
    const other = await t.remote();
    const first = await makeView(by.alice, 'learn\ndeny tcp!127.0.0.1!1');
    await t.refuses(tell(by.alice, first.dir, 'connect 127.0.0.1!1'), ...DENIED);
    await tell(by.alice, first.dir, `connect ${remote.address}`);
    await tell(by.alice, first.dir, `connect ${remote.address}`);
    await tell(by.alice, first.dir, `connect far.example!${remote.port}`);
    await tell(by.alice, first.dir, 'announce *!0');
    await ask(by.alice, `${first.dir}/dns`, 'other.example ip');
    await ask(by.alice, `${first.dir}/explain`, 'tcp!127.0.0.1!7');
    const learned = await t.text(`${first.dir}/learned`, by.alice);
    assert.deepEqual(learned.split('\n'), [
      'connect tcp!127.0.0.1!1',
      `connect tcp!127.0.0.1!${remote.port}`,
      `connect tcp!far.example!${remote.port}`,
      'announce tcp!*!*',
      'resolve other.example',
      '',
    ]);
    const lines = learned.split('\n').filter(line => line !== '');
    const second = await makeView(by.alice, lines.map(line => `allow ${line}`).join('\n'));
    await tell(by.alice, second.dir, `connect far.example!${remote.port}`);
    await tell(by.alice, second.dir, 'announce *!0');
    await ask(by.alice, `${second.dir}/dns`, 'other.example ip');
    await t.refuses(tell(by.alice, second.dir, `connect ${other.address}`), ...DENIED);
  });

  it('denies as it learns when asked to, and allows no more when it learns no more', async () => {
    const { address } = await t.remote();
    const { ctl, dir } = await makeView(by.alice, 'learn deny');
    await t.refuses(tell(by.alice, dir, `connect ${address}`), ...DENIED);
    assert.equal(await t.text(`${dir}/learned`, by.alice), `connect tcp!${address}\n`);
    await ctl.write('learn');
    await tell(by.alice, dir, `connect ${address}`);
    await ctl.write('learn off');
    await t.refuses(tell(by.alice, dir, `connect ${address}`), ...DENIED);
  });

  it('allows no more than its maker may while it learns', async () => {
    const { address } = await t.remote();
    const outer = await makeView(by.alice);
    const inner = await makeIn(`${outer.dir}/`, by.alice, 'learn');
    await t.refuses(tell(by.alice, inner.dir, `connect ${address}`), ...DENIED);
    assert.equal(await t.text(`${inner.dir}/learned`, by.alice), `connect tcp!${address}\n`);
    assert.equal(await t.text(`${outer.dir}/learned`, by.alice), '');
  });

  it('is one of 256 of a user, nested ones and all, and others make theirs', async () => {
    const views: Made[] = [await makeView(by.alice, 'user bob')];
    while (views.length < 255) views.push(await makeView(by.alice));
    await makeIn(`${views[0]!.dir}/`, by.bob);
    await t.refuses(makeView(by.alice), 'no free devices', 'ENFILE');
    await t.refuses(makeIn(`${views[0]!.dir}/`, by.bob), 'no free devices', 'ENFILE');
    await makeView(by.bob);
    await views[1]!.ctl.close();
    await views[0]!.ctl.close();
    await makeView(by.alice);
    await makeView(by.alice);
    await makeView(by.alice);
    await t.refuses(makeView(by.alice), 'no free devices', 'ENFILE');
  });
});
