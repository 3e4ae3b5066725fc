/** A server in this process and clients of it by every door, in a temporary directory. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect as connectSocket, createServer, type Server as NetServer, type Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, NinepError, type Client, type ConnectOptions, type File } from '../../src/client/index.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { Caller, Peer } from '../../src/policy/identity.ts';
import type { Dialect } from '../../src/server/9p/messages.ts';
import { Server, type ServerOptions } from '../../src/server/server.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { DirectTree, type DirectFile } from './direct.ts';
import { FdClient, SystemCallError } from './fdclient.ts';
import { FuseTree, type FuseFile } from './fusefs.ts';
import { Remote } from './remote.ts';
import type { OpenFile, Tree } from './tree.ts';

export const DIALECTS: readonly Dialect[] = ['9P2000', '9P2000.u', '9P2000.L'];

/** How a client comes in. */
export type DoorName = Dialect | 'FUSE' | 'in process';

export type Protocol = 'tcp' | 'udp';

/** A conversation as a test holds it: its ctl open, and its directory. */
export interface Conv<F extends OpenFile = OpenFile> {
  readonly ctl: F;
  readonly number: number;
  /** `tcp/3` */
  readonly dir: string;
}

/** One that is connected: its data open too, and the socket at the other end. */
export interface Call<F extends OpenFile = OpenFile> extends Conv<F> {
  readonly data: F;
  readonly socket: Socket;
}

/** Runs a suite once by each door, each test with a server of its own: the tree in process, 9P in its dialects, FUSE. */
export function forEachDoor(
  subject: string,
  define: (t: Fixture) => void,
  options: () => ServerOptions = () => ({}),
): void {
  suite(subject, new DirectFixture(), define, options);
  forEachDialect(subject, define, options);
  suite(subject, new FuseFixture(), define, options);
}

/** For what only who calls the tree itself can show. */
export function inProcess(
  subject: string,
  define: (t: DirectFixture) => void,
  options: () => ServerOptions = () => ({}),
): void {
  suite(subject, new DirectFixture(), define, options);
}

/** For what is about 9P's own messages. */
export function forEachDialect(
  subject: string,
  define: (t: NinepFixture) => void,
  options: () => ServerOptions = () => ({}),
): void {
  for (const dialect of DIALECTS) suite(subject, new NinepFixture(dialect), define, options);
}

/** For what only descriptors can show. */
export function onFuse(
  subject: string,
  define: (t: FuseFixture) => void,
  options: () => ServerOptions = () => ({}),
): void {
  suite(subject, new FuseFixture(), define, options);
}

function suite<T extends Fixture>(
  subject: string,
  t: T,
  define: (t: T) => void,
  options: () => ServerOptions,
): void {
  describe(`${subject} (${t.door})`, () => {
    beforeEach(async function () {
      const given = options();
      if (t.needsRoot(given)) {
        this.currentTest!.title += ' (needs root)';
        this.skip();
      }
      await t.start(given);
    });
    afterEach(() => t.stop());
    define(t);
  });
}

/** The test's server and clients. `F` is what a client of this door opens, `C` the client. */
export abstract class Fixture<F extends OpenFile = OpenFile, C extends Tree<F> = Tree<F>> {
  readonly door: DoorName;
  server!: Server;
  /** The server's owner. */
  client!: C;
  protected dir!: string;
  private readonly cleanups: (() => unknown)[] = [];

  constructor(door: DoorName) {
    this.door = door;
  }

  /** By default the server is this process's user's. */
  async start(options: ServerOptions = {}): Promise<void> {
    this.dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    this.server = new Server(options);
    this.after(() => rmSync(this.dir, { recursive: true }));
    this.after(() => this.server.close());
    await this.open();
    this.client = options.owner === undefined ? await this.another() : await this.as(options.owner);
  }

  async stop(): Promise<void> {
    for (const clean of this.cleanups.splice(0).reverse()) await clean();
  }

  /** Runs when the test is over. */
  after(clean: () => unknown): void {
    this.cleanups.push(clean);
  }

  // ---- clients ----------------------------------------------------------------------------------

  protected abstract open(): Promise<void>;
  /** One more client of the user's that runs this process. */
  abstract another(): Promise<C>;
  /** A client of this caller's. */
  abstract as(caller: Caller): Promise<C>;
  /** A client goes away, and the server knows. */
  abstract leave(client: C): Promise<void>;
  /** Whether only root can make clients for such a server. */
  needsRoot(_options: ServerOptions): boolean {
    return false;
  }

  // ---- conversations ----------------------------------------------------------------------------

  async clone(
    client: C = this.client,
    mode: 'r' | 'w' | 'rw' = 'rw',
    protocol: Protocol = 'tcp',
  ): Promise<Conv<F>> {
    return opened(await client.open(`${protocol}/clone`, mode), protocol);
  }

  /** Opens a conversation's listen and gives the call's. */
  async listen({ dir }: Conv, client: C = this.client, signal?: AbortSignal): Promise<Conv<F>> {
    return opened(await client.open(`${dir}/listen`, 'rw', { signal }), protocolOf(dir));
  }

  /** Opens clone, writes one message and tells what the write did. */
  async tell(message: string, client: C = this.client, protocol: Protocol = 'tcp'): Promise<Conv<F>> {
    const conv = await this.clone(client, 'rw', protocol);
    await conv.ctl.write(message);
    return conv;
  }

  async remote(host?: string): Promise<Remote> {
    const remote = await Remote.listen(host);
    this.after(() => remote.close());
    return remote;
  }

  /** A conversation connected to a socket of the test's. */
  async connect(client: C = this.client, host?: string): Promise<Call<F>> {
    const remote = await this.remote(host);
    const conv = await this.tell(`connect ${remote.address}`, client);
    return { ...conv, data: await client.open(`${conv.dir}/data`, 'rw'), socket: await remote.accept() };
  }

  /** An announced conversation and its port. */
  async announce(
    address = '127.0.0.1!0',
    client: C = this.client,
    protocol: Protocol = 'tcp',
  ): Promise<Conv<F> & { readonly port: number }> {
    const conv = await this.tell(`announce ${address}`, client, protocol);
    const local = await this.text(`${conv.dir}/local`, client);
    return { ...conv, port: Number(local.trimEnd().split('!')[1]) };
  }

  async text(path: string, client: C = this.client): Promise<string> {
    return (await client.readFile(path)).toString();
  }

  /** The first word of status. */
  async state({ dir }: Conv, client: C = this.client): Promise<string> {
    return (await this.text(`${dir}/status`, client)).split(' ')[0]!;
  }

  /** What an open ctl reads as. */
  async number(ctl: F): Promise<string> {
    return (await ctl.read(32, 0)).toString();
  }

  /** A ctl on which to write while a write to this one waits. */
  beside({ ctl }: Conv<F>): Promise<F> {
    return Promise.resolve(ctl);
  }

  /** Opens N/ctl or another file of a conversation; closes it at once. */
  async touch(path: string, mode: 'r' | 'w' | 'rw' = 'rw', client: C = this.client): Promise<void> {
    await (await client.open(path, mode)).close();
  }

  // ---- what is expected -------------------------------------------------------------------------

  /** Which of the two an error has is the door's: 9P2000 has the text, .L and FUSE the number. */
  async refuses(promise: Promise<unknown>, text: string, code: keyof typeof constants.errno): Promise<void> {
    await assert.rejects(promise, (error: unknown) => {
      const refusal = asRefusal(error);
      if (this.door !== '9P2000.L' && this.door !== 'FUSE') assert.equal(refusal.message, text);
      if (this.door !== '9P2000') assert.equal(refusal.errno, constants.errno[code], refusal.message);
      return true;
    });
  }

  /** Whether a request still waits when one that was sent later has been answered. */
  async pending(promise: Promise<unknown>, client: C = this.client): Promise<boolean> {
    const settled = promise.then(
      () => false,
      () => false,
    );
    return Promise.race([settled, this.answered(client).then(() => true)]);
  }

  /** Everything that was asked before has been answered, or waits for what is to come. */
  protected async answered(client: C): Promise<void> {
    await client.stat('');
  }
}

/** For assert.rejects: the server said no, whatever it said. */
export function isRefusal(error: unknown): true {
  asRefusal(error);
  return true;
}

function asRefusal(error: unknown): { message: string; errno: number | undefined } {
  if (error instanceof NinepError || error instanceof SystemCallError || error instanceof FsError)
    return error;
  throw error;
}

// ---- the doors ----------------------------------------------------------------------------------

export class NinepFixture extends Fixture<File, Client> {
  readonly dialect: Dialect;
  private doors = 0;

  constructor(dialect: Dialect) {
    super(dialect);
    this.dialect = dialect;
  }

  /** The real unix door. */
  protected override async open(): Promise<void> {
    const door = { mode: 0o600, squash: false, users: this.server.users };
    await this.server.addDoor(onClient => unixDoor(join(this.dir, 'sock'), door, onClient));
  }

  override another(options: ConnectOptions = {}): Promise<Client> {
    return this.connected(`unix!${join(this.dir, 'sock')}`, options);
  }

  /** The transport says that he is this caller. */
  override async as(caller: Caller, options: ConnectOptions = {}): Promise<Client> {
    return this.connected(await this.socketAs({ caller, claims: 'self' }), {
      uname: caller.name,
      ...options,
    });
  }

  override async leave(client: Client): Promise<void> {
    const others = this.server.sessions.size - 1;
    client.close();
    await eventually(() => Promise.resolve(this.server.sessions.size === others));
  }

  /** A socket whose other end is served with this peer. */
  async socketAs(peer: Peer): Promise<Socket> {
    const path = join(this.dir, `peer${this.doors++}`);
    const listener: NetServer = createServer(socket => {
      this.server.serve(socket, peer);
      listener.close();
    });
    await once(listener.listen(path), 'listening');
    return connectSocket(path);
  }

  private async connected(to: string | Socket, options: ConnectOptions): Promise<Client> {
    const client = await connect(to, { dialect: this.dialect, ...options });
    this.after(() => client.close());
    return client;
  }
}

export class FuseFixture extends Fixture<FuseFile, FuseTree> {
  private mounter!: FdClient;
  private readonly clients: FdClient[] = [];

  constructor() {
    super('FUSE');
  }

  protected override async open(): Promise<void> {
    const dir = join(this.dir, 'net');
    mkdirSync(dir);
    const { client, device } = await FdClient.mount(dir);
    this.mounter = client;
    this.after(() => Promise.all(this.clients.splice(0).map(({ gone }) => gone)));
    const session = this.server.serveFuse(device);
    this.after(() => session.close());
    this.keep(client);
    await session.ready;
  }

  /** A process that sees the mount; its working directory is the mounted one. */
  get inside(): { readonly pid: number; readonly dir: string } {
    return { pid: this.mounter.pid, dir: join(this.dir, 'net') };
  }

  private keep(client: FdClient): FuseTree {
    this.clients.push(client);
    this.after(() => client.close());
    return new FuseTree(client);
  }

  override another(): Promise<FuseTree> {
    const [uid, gid] = [process.getuid!(), process.getgid!()];
    return this.as({ uid, gid, groups: process.getgroups!() });
  }

  /** A process of his, with these groups. */
  override as(caller: Pick<Caller, 'uid' | 'gid' | 'groups'>): Promise<FuseTree> {
    return this.mounter.join(caller).then(client => this.keep(client));
  }

  override leave({ client }: FuseTree): Promise<void> {
    client.close();
    return client.gone;
  }

  /** A descriptor of ctl has no offsets: it may be behind the number, and then an end comes first. */
  override async number(ctl: FuseFile): Promise<string> {
    const found = await ctl.read(32);
    return (found.length > 0 ? found : await ctl.read(32)).toString();
  }

  /** The kernel lets one write at a time go to an opened file. */
  override beside({ dir }: Conv<FuseFile>): Promise<FuseFile> {
    return this.client.open(`${dir}/ctl`, 'rw');
  }

  override needsRoot({ owner }: ServerOptions): boolean {
    return owner !== undefined && process.getuid!() !== 0;
  }

  /** A process tells of its own calls only. */
  protected override async answered(): Promise<void> {
    await Promise.all(this.clients.map(client => client.barrier().catch(() => {})));
  }
}

export class DirectFixture extends Fixture<DirectFile, DirectTree> {
  constructor() {
    super('in process');
  }

  protected override open(): Promise<void> {
    return Promise.resolve();
  }

  override another(): Promise<DirectTree> {
    return this.as(this.server.owner);
  }

  override as(caller: Caller): Promise<DirectTree> {
    const tree = new DirectTree(this.server, caller);
    this.after(() => tree.close());
    return Promise.resolve(tree);
  }

  override leave(client: DirectTree): Promise<void> {
    client.close();
    return Promise.resolve();
  }
}

// ---- small things -------------------------------------------------------------------------------

export async function opened<F extends OpenFile>(ctl: F, protocol: Protocol = 'tcp'): Promise<Conv<F>> {
  const number = Number((await ctl.read(32)).toString());
  return { ctl, number, dir: `${protocol}/${number}` };
}

const protocolOf = (dir: string): Protocol => (dir.startsWith('udp/') ? 'udp' : 'tcp');

export const close = (...files: OpenFile[]): Promise<void[]> => Promise.all(files.map(file => file.close()));

/** Asks again and again, until mocha's patience ends. For what happens in the host and tells nobody. */
export async function eventually(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise(setImmediate);
}
