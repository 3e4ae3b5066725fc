/** A server in this process and clients of it over unix sockets in a temporary directory. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectSocket, createServer, type Server as NetServer, type Socket } from 'node:net';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, NinepError, type Client, type ConnectOptions, type File } from '../../src/client/index.ts';
import type { Caller, Peer } from '../../src/policy/identity.ts';
import type { Dialect } from '../../src/server/9p/messages.ts';
import { Server, type ServerOptions } from '../../src/server/server.ts';
import { unixDoor } from '../../src/server/transport/unix.ts';
import { Remote } from './remote.ts';

export const DIALECTS: readonly Dialect[] = ['9P2000', '9P2000.u', '9P2000.L'];

/** A conversation as a test holds it: its ctl open, and its directory. */
export interface Conv {
  readonly ctl: File;
  readonly number: number;
  /** `tcp/3` */
  readonly dir: string;
}

/** One that is connected: its data open too, and the socket at the other end. */
export interface Call extends Conv {
  readonly data: File;
  readonly socket: Socket;
}

/** Runs a suite once in each dialect, each test with a server of its own. */
export function forEachDialect(
  subject: string,
  define: (t: Fixture) => void,
  options: () => ServerOptions = () => ({}),
): void {
  for (const dialect of DIALECTS) {
    describe(`${subject} (${dialect})`, () => {
      const t = new Fixture(dialect);
      beforeEach(() => t.start(options()));
      afterEach(() => t.stop());
      define(t);
    });
  }
}

export class Fixture {
  readonly dialect: Dialect;
  server!: Server;
  /** Attached as the server's owner. */
  client!: Client;
  private dir!: string;
  private readonly cleanups: (() => void)[] = [];
  private doors = 0;

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  /** By default the server is this process's user's, and the client comes in by the real unix door. */
  async start(options: ServerOptions = {}): Promise<void> {
    this.dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    this.server = new Server(options);
    if (options.owner !== undefined) this.client = await this.as(options.owner);
    else {
      const door = { mode: 0o600, squash: false, users: this.server.users };
      await this.server.addDoor(onClient => unixDoor(join(this.dir, 'sock'), door, onClient));
      this.client = await this.another();
    }
  }

  stop(): void {
    for (const clean of this.cleanups.splice(0).reverse()) clean();
    this.server.close();
    rmSync(this.dir, { recursive: true });
  }

  /** Runs when the test is over. */
  after(clean: () => void): void {
    this.cleanups.push(clean);
  }

  // ---- clients ----------------------------------------------------------------------------------

  /** One more client of the server's owner. */
  another(options: ConnectOptions = {}): Promise<Client> {
    return this.connected(`unix!${join(this.dir, 'sock')}`, options);
  }

  /** A client of whom the transport says that he is this caller. */
  async as(caller: Caller, options: ConnectOptions = {}): Promise<Client> {
    return this.connected(await this.socketAs({ caller, claims: 'self' }), {
      uname: caller.name,
      ...options,
    });
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

  // ---- conversations ----------------------------------------------------------------------------

  async clone(client = this.client, mode: 'r' | 'w' | 'rw' = 'rw'): Promise<Conv> {
    return opened(await client.open('tcp/clone', mode));
  }

  /** Opens a conversation's listen and gives the call's. */
  async listen({ dir }: Conv, client = this.client, signal?: AbortSignal): Promise<Conv> {
    return opened(await client.open(`${dir}/listen`, 'rw', { signal }));
  }

  /** Opens clone, writes one message and tells what the write did. */
  async tell(message: string, client = this.client): Promise<Conv> {
    const conv = await this.clone(client);
    await conv.ctl.write(message);
    return conv;
  }

  async remote(host?: string): Promise<Remote> {
    const remote = await Remote.listen(host);
    this.after(() => remote.close());
    return remote;
  }

  /** A conversation connected to a socket of the test's. */
  async connect(client = this.client, host?: string): Promise<Call> {
    const remote = await this.remote(host);
    const conv = await this.tell(`connect ${remote.address}`, client);
    return { ...conv, data: await client.open(`${conv.dir}/data`, 'rw'), socket: await remote.accept() };
  }

  /** An announced conversation and its port. */
  async announce(address = '127.0.0.1!0', client = this.client): Promise<Conv & { readonly port: number }> {
    const conv = await this.tell(`announce ${address}`, client);
    const local = await this.text(`${conv.dir}/local`, client);
    return { ...conv, port: Number(local.trimEnd().split('!')[1]) };
  }

  async text(path: string, client = this.client): Promise<string> {
    return (await client.readFile(path)).toString();
  }

  /** The first word of status. */
  async state({ dir }: Conv, client = this.client): Promise<string> {
    return (await this.text(`${dir}/status`, client)).split(' ')[0]!;
  }

  /** Opens N/ctl or another file of a conversation; closes it at once. */
  async touch(path: string, mode: 'r' | 'w' | 'rw' = 'rw', client = this.client): Promise<void> {
    await (await client.open(path, mode)).close();
  }

  // ---- what is expected -------------------------------------------------------------------------

  /** The text counts in 9P2000 and .u, the number in .u and .L. */
  async refuses(promise: Promise<unknown>, text: string, code: keyof typeof constants.errno): Promise<void> {
    await assert.rejects(promise, (error: unknown) => {
      if (!(error instanceof NinepError)) throw error;
      if (this.dialect !== '9P2000.L') assert.equal(error.text, text);
      if (this.dialect !== '9P2000') assert.equal(error.errno, constants.errno[code], error.text);
      return true;
    });
  }

  /** Whether a request still waits when one that was sent later has been answered. */
  async pending(promise: Promise<unknown>, client = this.client): Promise<boolean> {
    const settled = promise.then(
      () => false,
      () => false,
    );
    return Promise.race([settled, client.stat('').then(() => true)]);
  }
}

export async function opened(ctl: File): Promise<Conv> {
  const number = Number((await ctl.read(32, 0)).toString());
  return { ctl, number, dir: `tcp/${number}` };
}

export const close = (...files: File[]): Promise<void[]> => Promise.all(files.map(file => file.close()));

/** Asks again and again, until mocha's patience ends. For what happens in the host and tells nobody. */
export async function eventually(what: () => Promise<boolean>): Promise<void> {
  while (!(await what())) await new Promise(setImmediate);
}
