/** The ways in: who may come by which, and who he is then. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer, type AddressInfo, type ListenOptions, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { Server } from '../../src/server/server.ts';
import { DoorError, type Door } from '../../src/server/transport/door.ts';
import { tcpDoor } from '../../src/server/transport/tcp.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import * as b from './bytes.ts';
import { DIALECTS, R } from './bytes.ts';
import { asUser, Child, connected, connectUnix, serve, slashnet, type User } from './child.ts';
import { assertError, Peers, RawClient, until, type Answer } from './rig.ts';
import { close, listenTcp, listenUnix, Mailbox } from './sockets.ts';

const NOBODY: User = { uid: 65534, gid: 65534 };
const DAEMON: User = { uid: 1, gid: 1 };
const LINUX = '9P2000.L';

describe('a unix socket', () => {
  let dir: string;
  let path: string;
  let server: Server;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    chmodSync(dir, 0o755);
    path = join(dir, 'sock');
    server = new Server();
  });

  afterEach(async () => {
    server.close();
    await until(() => server.sessions.size === 0);
    rmSync(dir, { recursive: true });
  });

  function open({ mode = 0o600, squash = false, at = path } = {}): Promise<Door> {
    return server.addDoor(onClient => unixDoor(at, { mode, squash, users: server.users }, onClient));
  }

  const mode = (): number => statSync(path).mode & 0o777;

  describe('as a file', () => {
    it('has mode 0600 from the first moment, whatever the umask', async () => {
      for (const umask of [0, 0o022, 0o777]) {
        const before = process.umask(umask);
        try {
          const opening = open();
          assert.equal(mode(), 0o600, 'in the step that makes it');
          assert.equal(process.umask(), umask, 'the umask is as it was');
          const door = await opening;
          assert.equal(mode(), 0o600);
          door.close();
          await door.closed;
        } finally {
          process.umask(before);
        }
      }
    });

    it('has the mode that was asked for', async () => {
      await open({ mode: 0o660 });
      assert.equal(mode(), 0o660);
    });

    it('is gone when the door is closed', async () => {
      const door = await open();
      door.close();
      await door.closed;
      assert(!existsSync(path));
    });

    it('replaces one that a killed server left', async () => {
      const killed = createServer();
      await new Promise<void>(resolve => killed.listen(join(dir, 'killed'), resolve));
      linkSync(join(dir, 'killed'), path);
      await new Promise(resolve => killed.close(resolve));
      await open();
      assert.equal(mode(), 0o600);
      await (await connectUnix(path, '9P2000')).start();
    });

    it('does not replace one at which a server listens', async () => {
      const live = createServer();
      await new Promise<void>(resolve => live.listen(path, resolve));
      await assert.rejects(open(), error => {
        assert(error instanceof DoorError);
        assert.match(error.message, /already listening.*--listen unix!PATH/);
        return true;
      });
      (await connected(connect(path))).destroy();
      await new Promise(resolve => live.close(resolve));
    });

    it('replaces nothing that is no socket', async () => {
      const refused = async (): Promise<void> => {
        await assert.rejects(open(), error => error instanceof DoorError && /no socket/.test(error.message));
      };
      writeFileSync(path, 'precious');
      await refused();
      assert.equal(readFileSync(path, 'utf8'), 'precious');
      rmSync(path);
      mkdirSync(path);
      await refused();
      rmSync(path, { recursive: true });
      symlinkSync('/nowhere', path);
      await refused();
    });

    it('in a directory that is not there is refused by that name', async () => {
      await assert.rejects(open({ at: join(dir, 'no', 'sock') }), /directory does not exist/);
    });
  });

  describe('knows its peer', () => {
    before(function () {
      // Only root can be somebody else.
      if (process.getuid!() !== 0) this.skip();
    });

    async function ask(user: User, ...frames: Buffer[]): Promise<Answer[]> {
      const answers = await asUser(user, path, frames);
      assert(typeof answers !== 'string', `could not connect: ${answers as string}`);
      return answers;
    }

    /** Opens clone after an attach in 9P2000.L; the attach's answer and the open's. */
    async function attachAndClone(
      user: User,
      claim: { uname?: string; nUname?: number } = {},
    ): Promise<{ attached: Answer; opened: Answer }> {
      const [, attached, , opened] = await ask(
        user,
        b.Tversion(8192, LINUX),
        b.Tattach(LINUX, 1, 0, claim),
        b.Twalk(1, 0, 1, 'tcp', 'clone'),
        b.Tlopen(1, 1, b.ORDWR),
      );
      return { attached: attached!, opened: opened! };
    }

    for (const dialect of DIALECTS) {
      it(`who may attach as himself and as nobody else, in ${dialect}`, async () => {
        await open({ mode: 0o666 });
        const attach = (claim: { uname?: string; nUname?: number }): Buffer =>
          b.Tattach(dialect, 1, 0, claim);
        const mine = [{}, { uname: 'nobody' }, { uname: '65534' }];
        const root = [{ uname: 'root' }, { uname: '0' }, { uname: 'adm' }, { uname: 'no such user' }];
        const numbers = dialect !== '9P2000';
        const allowed = numbers ? [...mine, { nUname: 65534 }, { uname: 'root', nUname: 65534 }] : mine;
        const refused = numbers
          ? [...root, { nUname: 0 }, { nUname: 1 }, { uname: 'nobody', nUname: 0 }]
          : root;
        const frames = [...refused.map(attach), ...allowed.flatMap(claim => [attach(claim), b.Tclunk(1, 0)])];
        const [, ...answers] = await ask(NOBODY, b.Tversion(8192, dialect), ...frames);
        for (const [i, answer] of answers.entries()) {
          if (i < refused.length) assertError(answer, dialect, 'permission denied', 'EACCES');
          else assert.equal(answer.type, (i - refused.length) % 2 === 0 ? R.attach : R.clunk, `attach ${i}`);
        }
      });
    }

    it("and gives him what he may: clone is its owner's", async () => {
      await open({ mode: 0o666 });
      const { attached, opened } = await attachAndClone(NOBODY);
      assert.equal(attached.type, R.attach);
      assertError(opened, LINUX, 'permission denied', 'EACCES');
    });

    it('root, who may attach for others, and is them then', async () => {
      await open();
      const root = { uid: 0, gid: 0 };
      assert.equal((await attachAndClone(root)).opened.type, R.lopen);
      assert.equal((await attachAndClone(root, { nUname: 0 })).opened.type, R.lopen);
      for (const claim of [
        { nUname: 65534 },
        { uname: 'daemon' },
        { nUname: 4242 },
        { uname: 'no such user' },
      ]) {
        const { attached, opened } = await attachAndClone(root, claim);
        assert.equal(attached.type, R.attach);
        assertError(opened, LINUX, 'permission denied', 'EACCES');
      }
    });

    it('who is himself under --squash, whatever he claims', async () => {
      await open({ mode: 0o666, squash: true });
      for (const claim of [{ uname: 'root' }, { nUname: 0 }, {}]) {
        const { attached, opened } = await attachAndClone(NOBODY, claim);
        assert.equal(attached.type, R.attach);
        assertError(opened, LINUX, 'permission denied', 'EACCES');
      }
      const root = await attachAndClone({ uid: 0, gid: 0 }, { nUname: 65534 });
      assert.equal(root.opened.type, R.lopen);
    });

    it('by his groups, the supplementary ones too', async () => {
      await open({ mode: 0o666 });
      const gid = 54321;
      const root = await (await connectUnix(path, LINUX)).start();
      await root.walk(1, 'tcp/clone');
      await root.ok(b.Tsetattr(1, 1, { valid: 1 | 4, mode: 0o660, gid }));
      const many = Array.from({ length: 200 }, (_, i) => 60_000 + i);
      const members = [
        { ...NOBODY, gid },
        { ...NOBODY, groups: [7, gid] },
        { ...NOBODY, groups: [...many, gid] },
      ];
      for (const member of members) assert.equal((await attachAndClone(member)).opened.type, R.lopen);
      for (const other of [NOBODY, { ...NOBODY, groups: many }]) {
        assertError((await attachAndClone(other)).opened, LINUX, 'permission denied', 'EACCES');
      }
      root.socket.destroy();
    });

    it('whose conversations are his own', async () => {
      await open({ mode: 0o666 });
      const root = await (await connectUnix(path, LINUX)).start();
      await root.walk(1, 'tcp/clone');
      await root.ok(b.Tsetattr(1, 1, { valid: 1, mode: 0o666 }));
      // Root attaches as daemon and keeps a conversation as that user.
      await root.ok(b.Tattach(LINUX, 1, 100, { nUname: DAEMON.uid }));
      await root.ok(b.Twalk(1, 100, 101, 'tcp', 'clone'));
      await root.ok(b.Tlopen(1, 101, b.ORDWR));
      const attributes = await root.ok(b.Tgetattr(1, 101));
      assert.equal(attributes.u32(25), DAEMON.uid);
      const openCtl = async (user: User): Promise<Answer> => {
        const answers = await ask(
          user,
          b.Tversion(8192, LINUX),
          b.Tattach(LINUX, 1, 0),
          b.Twalk(1, 0, 1, 'tcp', '0', 'ctl'),
          b.Tlopen(1, 1, b.ORDWR),
        );
        return answers[3]!;
      };
      assertError(await openCtl(NOBODY), LINUX, 'permission denied', 'EACCES');
      assert.equal((await openCtl(DAEMON)).type, R.lopen);
      root.socket.destroy();
    });

    it('at its file: mode 0600 lets nobody else come in', async () => {
      await open();
      assert.equal(await asUser(NOBODY, path, [b.Tversion(8192, LINUX)]), 'EACCES');
    });
  });
});

describe('TCP', () => {
  let server: Server;
  let door: Door;
  const sockets: Socket[] = [];

  beforeEach(() => (server = new Server()));

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
    await until(() => server.sessions.size === 0);
  });

  async function open(trust: boolean, host = '127.0.0.1', port = 0): Promise<Door> {
    door = await server.addDoor(onClient => tcpDoor(host, port, { trust }, onClient));
    return door;
  }

  async function client(claim: { uname?: string; nUname?: number } = {}): Promise<RawClient> {
    const socket = await connected(connect(door.address!.port, '127.0.0.1'));
    sockets.push(socket);
    const raw = new RawClient(socket, LINUX);
    await raw.ok(b.Tversion(8192, LINUX));
    await raw.ok(b.Tattach(LINUX, 1, 0, claim));
    return raw;
  }

  const uid = process.getuid!();

  it('makes everybody none, even who claims to be the owner', async () => {
    await open(false);
    for (const claim of [{}, { uname: 'root' }, { nUname: 0 }, { uname: server.owner.name, nUname: uid }]) {
      const raw = await client(claim);
      await raw.walk(1, 'tcp/clone');
      await raw.refused(b.Tlopen(1, 1, b.ORDWR), 'permission denied', 'EACCES');
      await raw.refused(b.Tsetattr(1, 1, { valid: 1, mode: 0o666 }), 'permission denied', 'EPERM');
      assert.match(await raw.file('tcp/stats'), /^MaxConn/);
    }
  });

  it('with --trust-tcp believes who says he is whom', async () => {
    await open(true);
    const owner = await client({ nUname: uid });
    await owner.open(1, 'tcp/clone');
    const named = await client({ uname: server.owner.name });
    await named.open(1, 'tcp/clone');
    for (const claim of [{}, { nUname: 4242 }, { uname: 'no such user' }]) {
      const other = await client(claim);
      await other.walk(1, 'tcp/clone');
      await other.refused(b.Tlopen(1, 1, b.ORDWR), 'permission denied', 'EACCES');
    }
  });

  it("keeps those whom nobody knows from each other's conversations", async () => {
    await open(false);
    const req = { caller: server.owner, signal: new AbortController().signal };
    const tcp = await server.mount.walk(server.mount.root, 'tcp', req);
    await server.mount.wstat(await server.mount.walk(tcp, 'clone', req), { mode: 0o666 }, req);
    const [one, two] = [await client(), await client()];
    const dir = await one.clone(1);
    await two.walk(2, `${dir}/ctl`);
    await two.refused(b.Tlopen(1, 2, b.ORDWR), 'permission denied', 'EACCES');
    await one.open(2, `${dir}/ctl`);
  });

  for (const host of ['0.0.0.0', '*', '::']) {
    it(`at ${host} is refused without --trust-tcp, and says why`, async () => {
      await assert.rejects(open(false, host), error => {
        assert(error instanceof DoorError);
        assert.match(error.message, /other machines/);
        assert.match(error.message, /--trust-tcp/);
        return true;
      });
    });
  }

  it('listens at a name, at another address of loopback, and everywhere if it is told to', async () => {
    assert.match((await open(false, 'localhost')).name, /^tcp!(127\.0\.0\.1|::1)!\d+$/);
    assert.match((await open(false, '127.0.0.2')).name, /^tcp!127\.0\.0\.2!\d+$/);
    assert.match((await open(true, '0.0.0.0')).name, /^tcp!0\.0\.0\.0!\d+$/);
  });

  it('at a port that is taken is refused', async () => {
    const { address } = await open(false);
    await assert.rejects(open(false, '127.0.0.1', address!.port), DoorError);
  });

  it('is never dialled by the server itself', async () => {
    await open(true);
    const raw = await client({ nUname: uid });
    await raw.open(1, 'tcp/clone');
    const connectTo = b.Twrite(1, 1, 0, `connect 127.0.0.1!${door.address!.port}`);
    await raw.refused(connectTo, 'permission denied', 'EACCES');
  });
});

describe('slashnet serve', () => {
  let dir: string;
  let path: string;
  let peers: Peers;
  const children: Child[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    path = join(dir, 'sock');
    peers = new Peers();
  });

  afterEach(async () => {
    for (const child of children.splice(0)) {
      child.kill('SIGKILL');
      await child.ended;
    }
    await peers.close();
    rmSync(dir, { recursive: true });
  });

  function started(child: Child): Child {
    children.push(child);
    return child;
  }

  async function listening(...args: string[]): Promise<Child> {
    const child = started(serve(['--listen', `unix!${path}`, ...args]));
    await child.says(/listening at/);
    return child;
  }

  /** It talks to an echo server through clone, ctl and data. */
  async function works(client: RawClient): Promise<void> {
    await client.dial(1, 2, await peers.echo());
    await client.write(2, 'hello');
    assert.equal((await client.read(2)).toString(), 'hello');
    await client.clunk(1);
    await client.clunk(2);
  }

  describe('on stdin and stdout', () => {
    const duplex = ({ process: { stdin, stdout } }: Child): Duplex =>
      Duplex.from({ readable: stdout!, writable: stdin! });

    /** Both ends of a connection, the far one to be given away. */
    async function pair(at: ListenOptions): Promise<{ near: Socket; far: Socket }> {
      const server = createServer({ pauseOnConnect: true });
      await new Promise<void>(resolve => server.listen(at, resolve));
      const arrived = new Promise<Socket>(resolve => server.once('connection', resolve));
      const address = server.address() as AddressInfo | string;
      const near = typeof address === 'string' ? connect(address) : connect(address.port, '127.0.0.1');
      const far = await arrived;
      server.close();
      return { near, far };
    }

    it('speaks 9P over two pipes, and ends with its input', async () => {
      // cat makes them pipes: what spawn itself makes are sockets.
      const command = `cat | "$@" | cat`;
      const args = ['-c', command, 'sh', process.execPath, ...slashnet('serve', '--listen', '-')];
      const child = started(new Child('sh', args, { stdio: ['pipe', 'pipe', 'pipe'] }));
      const client = await new RawClient(duplex(child), LINUX).start();
      await works(client);
      child.process.stdin!.end();
      assert.deepEqual(await child.ended, { code: 0, signal: null });
      assert.equal(child.stderr, '');
    });

    it('speaks 9P over one socket, as inetd gives it, and knows its peer', async () => {
      const { near, far } = await pair({ path });
      const child = started(serve(['--listen', '-'], { stdio: [far, far, 'pipe'] }));
      far.destroy();
      const client = await new RawClient(near, LINUX).start();
      await works(client);
      near.end();
      assert.deepEqual(await child.ended, { code: 0, signal: null });
    });

    it('over a TCP socket knows nobody', async () => {
      const { near, far } = await pair({ host: '127.0.0.1', port: 0 });
      const child = started(serve(['--listen', '-'], { stdio: [far, far, 'pipe'] }));
      far.destroy();
      const client = new RawClient(near, LINUX);
      await client.ok(b.Tversion(8192, LINUX));
      await client.ok(b.Tattach(LINUX, 1, 0, { nUname: process.getuid!() }));
      await client.walk(1, 'tcp/clone');
      await client.refused(b.Tlopen(1, 1, b.ORDWR), 'permission denied', 'EACCES');
      near.end();
      assert.deepEqual(await child.ended, { code: 0, signal: null });
    });

    it('and on a socket at once serves both the same tree', async () => {
      const child = started(
        serve(['--listen', '-', '--listen', `unix!${path}`], { stdio: ['pipe', 'pipe', 'pipe'] }),
      );
      const first = await new RawClient(duplex(child), LINUX).start();
      await until(() => existsSync(path));
      const second = await (await connectUnix(path, '9P2000.u')).start();
      const dir = await first.clone(1);
      await first.write(1, `connect ${await peers.echo()}`);
      await second.open(1, `${dir}/data`);
      await second.write(1, 'across');
      await first.open(2, `${dir}/data`);
      assert.equal((await first.read(2)).toString(), 'across');
      second.socket.destroy();
      first.socket.destroy();
    });
  });

  describe('at SIGTERM', () => {
    const MiB = 1024 * 1024;
    const WRITES = 12;
    const SIZE = MiB - 64;

    /** A client whose writes wait for a peer that does not read, and whose read waits too. */
    async function blocked(): Promise<{ client: RawClient; peer: Socket }> {
      const client = await (await connectUnix(path, LINUX)).start(MiB);
      const { address, socket } = await peers.one();
      await client.dial(1, 2, address);
      for (let i = 0; i < WRITES; i++) client.send(b.Twrite(100 + i, 2, 0, Buffer.alloc(SIZE, i)));
      client.send(b.Tread(50, 2, 0, 10), b.stat(LINUX, 51, 0));
      // The last request is answered: all of them are with the server.
      await until(() => client.answers.some(({ tag }) => tag === 51));
      assert(client.answers.filter(({ type, tag }) => type === R.write && tag >= 100).length < WRITES);
      return { client, peer: await socket };
    }

    const readFailed = (client: RawClient): Promise<void> =>
      until(() => client.answers.some(({ tag, error }) => tag === 50 && error !== undefined));

    it('takes no more clients, finishes what was written, and exits 0', async () => {
      const child = await listening();
      const { client, peer } = await blocked();
      child.kill('SIGTERM');
      await readFailed(client);
      assert(!existsSync(path), 'the socket is gone');
      let got = 0;
      const ended = new Promise(resolve => peer.once('end', resolve));
      peer.on('data', (chunk: Buffer) => (got += chunk.length));
      await ended;
      peer.end();
      assert.deepEqual(await child.ended, { code: 0, signal: null });
      assert.equal(got, WRITES * SIZE);
      await client.closed;
      const counts = client.answers
        .filter(({ type, tag }) => type === R.write && tag >= 100)
        .map(answer => answer.u32());
      assert.deepEqual(counts, Array<number>(WRITES).fill(SIZE));
    });

    it('exits at once when it comes again, and at a SIGINT', async () => {
      for (const [second, code] of [
        ['SIGTERM', 143],
        ['SIGINT', 130],
      ] as const) {
        const child = await listening();
        const { client } = await blocked();
        child.kill('SIGTERM');
        await readFailed(client);
        child.kill(second);
        assert.deepEqual(await child.ended, { code, signal: null });
        await client.closed;
      }
    });

    it('with nothing to do exits 0 and takes its socket along, as at SIGINT', async () => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        const child = await listening();
        const client = await (await connectUnix(path, LINUX)).start();
        child.kill(signal);
        assert.deepEqual(await child.ended, { code: 0, signal: null });
        await client.closed;
        assert(!existsSync(path));
      }
    });
  });

  describe('under a service manager', () => {
    /** Starts it with descriptor 3 and LISTEN_PID as systemd does, which sets it between fork and exec. */
    function activated(fd: number, args: readonly string[], pid = '$$', env: NodeJS.ProcessEnv = {}): Child {
      return started(
        new Child(
          'sh',
          ['-c', `LISTEN_PID=${pid} exec "$@"`, 'sh', process.execPath, ...slashnet('serve', ...args)],
          {
            stdio: ['ignore', 'ignore', 'pipe', fd],
            env: { ...process.env, LISTEN_FDS: '1', ...env },
          },
        ),
      );
    }

    it('takes a unix socket from it, whose clients were waiting', async () => {
      const fd = listenUnix(path);
      const waiting = await connectUnix(path, LINUX);
      const child = activated(fd, []);
      close(fd);
      await works(await waiting.start());
      await works(await (await connectUnix(path, '9P2000')).start());
      child.kill('SIGTERM');
      assert.deepEqual(await child.ended, { code: 0, signal: null });
    });

    it('takes a TCP socket from it, at which nobody is authenticated', async () => {
      const { fd, port } = listenTcp();
      const child = activated(fd, []);
      close(fd);
      await child.says(/listening at tcp!127\.0\.0\.1!\d+/);
      const client = new RawClient(await connected(connect(port, '127.0.0.1')), LINUX);
      await client.ok(b.Tversion(8192, LINUX));
      await client.ok(b.Tattach(LINUX, 1, 0, { nUname: process.getuid!() }));
      await client.walk(1, 'tcp/clone');
      await client.refused(b.Tlopen(1, 1, b.ORDWR), 'permission denied', 'EACCES');
      client.socket.destroy();
    });

    it('refuses a TCP socket that other machines reach', async () => {
      const { fd } = listenTcp([0, 0, 0, 0]);
      const child = activated(fd, []);
      close(fd);
      assert.deepEqual(await child.ended, { code: 1, signal: null });
      assert.match(child.stderr, /--trust-tcp/);
    });

    it('leaves alone what was passed to another process', async () => {
      const fd = listenUnix(join(dir, 'theirs'));
      const child = activated(fd, ['--listen', `unix!${path}`], '1');
      close(fd);
      await child.says(/listening at/);
      assert.equal(child.stderr.match(/listening at/g)!.length, 1);
      await works(await (await connectUnix(path, LINUX)).start());
    });

    for (const [kind, name] of [
      ['a path', (): string => join(dir, 'notify')],
      ['an abstract name', (): string => `@slashnet-test-${process.pid}`],
    ] as const) {
      it(`tells it when it is ready and when it ends, at ${kind}`, async () => {
        const mailbox = new Mailbox(name());
        const child = started(serve(['--listen', `unix!${path}`], { env: { NOTIFY_SOCKET: name() } }));
        await child.says(/listening at/);
        assert.equal(mailbox.take(), 'READY=1');
        await (await connectUnix(path, LINUX)).start();
        child.kill('SIGTERM');
        assert.deepEqual(await child.ended, { code: 0, signal: null });
        assert.equal(mailbox.take(), 'STOPPING=1');
        mailbox.close();
      });
    }
  });

  it('at an address that other machines reach is refused with what to do', async () => {
    const child = started(serve(['--listen', 'tcp!0.0.0.0!0']));
    assert.deepEqual(await child.ended, { code: 1, signal: null });
    assert.match(child.stderr, /slashnet: serve: tcp!0\.0\.0\.0 .*--trust-tcp/);
  });

  it('where another one listens is refused, and the other goes on', async () => {
    await listening();
    const second = started(serve(['--listen', `unix!${path}`]));
    assert.deepEqual(await second.ended, { code: 1, signal: null });
    assert.match(second.stderr, /already listening/);
    await works(await (await connectUnix(path, LINUX)).start());
  });
});
