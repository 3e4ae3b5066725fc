/**
 * A server in this process, clients that speak to it in raw frames over real sockets, and peers on
 * loopback. Answers are taken apart here by hand, not by the server's codec.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import type { Duplex } from 'node:stream';
import { join } from 'node:path';
import type { Log } from '../../src/log.ts';
import type { Dialect } from '../../src/server/9p/messages.ts';
import type { Session } from '../../src/server/9p/session.ts';
import { Server, type ServerOptions } from '../../src/server/server.ts';
import { client as accepted } from '../../src/server/transport/door.ts';
import type { Peer } from '../../src/policy/identity.ts';
import * as b from './bytes.ts';

/** One turn of the event loop. */
const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve));

/** Waits, turn by turn, until it is so; the test's own time-out ends what never is. */
export async function until(so: () => boolean): Promise<void> {
  while (!so()) await turn();
}

export async function turns(n: number): Promise<void> {
  for (let i = 0; i < n; i++) await turn();
}

// ---- answers ------------------------------------------------------------------------------------

/** One message from the server. */
export class Answer {
  readonly type: number;
  readonly tag: number;
  /** What follows the tag. */
  readonly body: Buffer;
  readonly size: number;

  constructor(frame: Buffer) {
    this.size = frame.length;
    this.type = frame[4]!;
    this.tag = frame.readUInt16LE(5);
    this.body = frame.subarray(7);
  }

  u32(at = 0): number {
    return this.body.readUInt32LE(at);
  }

  /** length[2] and text. */
  str(at = 0): string {
    return this.body.toString('utf8', at + 2, at + 2 + this.body.readUInt16LE(at));
  }

  /** Of Rread and Rreaddir. */
  get data(): Buffer {
    assert.equal(this.u32(), this.body.length - 4, 'the count is what follows');
    return this.body.subarray(4);
  }

  get text(): string {
    return this.data.toString();
  }

  /** A qid at a place of the body. */
  qid(at = 0): { type: number; vers: number; path: bigint } {
    return { type: this.body[at]!, vers: this.u32(at + 1), path: this.body.readBigUInt64LE(at + 5) };
  }

  /** Of an error in any dialect. */
  get error(): { ename?: string; errno?: number } | undefined {
    if (this.type === b.R.lerror) return { errno: this.u32() };
    if (this.type !== b.R.error) return undefined;
    const ename = this.str();
    const end = 2 + Buffer.byteLength(ename);
    return this.body.length > end ? { ename, errno: this.u32(end) } : { ename };
  }
}

/** Linux's numbers of the errors that the tests expect. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  EBADF: 9,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EPIPE: 32,
  ENAMETOOLONG: 36,
  ENODATA: 61,
  EPROTO: 71,
  EOPNOTSUPP: 95,
  ENOBUFS: 105,
} as const;

/** The answer is this error, exactly as its dialect carries it. */
export function assertError(
  answer: Answer,
  dialect: Dialect,
  ename: string,
  errno: keyof typeof ERRNO,
): void {
  const expected = {
    '9P2000': { ename },
    '9P2000.u': { ename, errno: ERRNO[errno] },
    '9P2000.L': { errno: ERRNO[errno] },
  }[dialect];
  assert.deepEqual(answer.error ?? { type: answer.type }, expected);
}

// ---- clients ------------------------------------------------------------------------------------

export class RawClient {
  readonly socket: Duplex;
  readonly dialect: Dialect;
  readonly closed: Promise<void>;
  /** Every answer in the order of its arrival. */
  readonly answers: Answer[] = [];
  private taken = 0;
  private bytes: Buffer[] = [];
  private length = 0;
  private readonly waiting: (() => void)[] = [];
  private isClosed = false;

  private readonly far: Session | undefined;

  constructor(socket: Duplex, dialect: Dialect, far?: Session) {
    this.socket = socket;
    this.dialect = dialect;
    this.far = far;
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', () => {});
    this.closed = new Promise(resolve => {
      socket.once('close', () => {
        this.isClosed = true;
        this.wake();
        resolve();
      });
    });
  }

  /** The session at the server's end, where the server is in this process. */
  get session(): Session {
    assert(this.far, 'the server is another process');
    return this.far;
  }

  private receive(chunk: Buffer): void {
    this.bytes.push(chunk);
    this.length += chunk.length;
    while (this.length >= 7) {
      const first = this.joined(7);
      const size = first.readUInt32LE(0);
      if (this.length < size) break;
      const all = this.joined(size);
      this.answers.push(new Answer(all.subarray(0, size)));
      this.bytes[0] = all.subarray(size);
      this.length -= size;
    }
    this.wake();
  }

  /** The first buffer, with at least `n` bytes in it. */
  private joined(n: number): Buffer {
    if (this.bytes[0]!.length < n) this.bytes = [Buffer.concat(this.bytes)];
    return this.bytes[0]!;
  }

  private wake(): void {
    for (const wake of this.waiting.splice(0)) wake();
  }

  private async arrival(): Promise<void> {
    if (this.isClosed) throw new Error('the server closed the connection');
    await new Promise<void>(resolve => this.waiting.push(resolve));
  }

  /** Sends frames in one piece. */
  send(...frames: Buffer[]): void {
    this.socket.write(Buffer.concat(frames));
  }

  /** The next answer in the order of arrival. */
  async next(): Promise<Answer> {
    while (this.taken >= this.answers.length) await this.arrival();
    return this.answers[this.taken++]!;
  }

  async nexts(n: number): Promise<Answer[]> {
    const answers: Answer[] = [];
    while (answers.length < n) answers.push(await this.next());
    return answers;
  }

  /** The next answer, which must be the only one that is due and bear the request's tag. */
  async call(frame: Buffer): Promise<Answer> {
    this.send(frame);
    const answer = await this.next();
    assert.equal(answer.tag, frame.readUInt16LE(5));
    return answer;
  }

  /** The same, for what must succeed. */
  async ok(frame: Buffer): Promise<Answer> {
    const answer = await this.call(frame);
    assert.equal(answer.type, frame[4]! + 1, `refused: ${JSON.stringify(answer.error)}`);
    return answer;
  }

  /** The same, for what must be refused. */
  async refused(frame: Buffer, ename: string, errno: keyof typeof ERRNO): Promise<void> {
    assertError(await this.call(frame), this.dialect, ename, errno);
  }

  /** Version and attach: fid 0 is the root. */
  async start(msize = 64 * 1024): Promise<this> {
    const version = await this.ok(b.Tversion(msize, this.dialect));
    assert.equal(version.str(4), this.dialect);
    await this.ok(b.Tattach(this.dialect, 0, 0));
    return this;
  }

  /** A new fid for a path from fid 0. */
  async walk(fid: number, path: string): Promise<Answer> {
    const names = path.split('/').filter(name => name !== '');
    const answer = await this.ok(b.Twalk(0, 0, fid, ...names));
    assert.equal(answer.body.readUInt16LE(0), names.length, `${path} was reached`);
    return answer;
  }

  /** A new fid for a path, opened. */
  async open(fid: number, path: string, mode = b.ORDWR): Promise<Answer> {
    await this.walk(fid, path);
    return this.ok(b.open(this.dialect, 0, fid, mode));
  }

  async read(fid: number, count = 8192, offset = 0): Promise<Buffer> {
    return (await this.ok(b.Tread(0, fid, offset, count))).data;
  }

  async write(fid: number, bytes: Buffer | string): Promise<number> {
    return (await this.ok(b.Twrite(0, fid, 0, bytes))).u32();
  }

  clunk(fid: number): Promise<Answer> {
    return this.ok(b.Tclunk(0, fid));
  }

  /** Opens clone as `fid`; the new conversation's directory, such as `tcp/3`. */
  async clone(fid: number): Promise<string> {
    await this.open(fid, 'tcp/clone');
    return `tcp/${(await this.read(fid)).toString()}`;
  }

  /** Connects: `ctl` and `data` become its fids. */
  async dial(ctl: number, data: number, address: string): Promise<string> {
    const dir = await this.clone(ctl);
    await this.write(ctl, `connect ${address}`);
    await this.open(data, `${dir}/data`);
    return dir;
  }

  /** Announces a free port of loopback; its directory and port. */
  async announce(ctl: number): Promise<{ dir: string; port: number }> {
    const dir = await this.clone(ctl);
    await this.write(ctl, 'announce 127.0.0.1!0');
    const local = await this.file(`${dir}/local`);
    return { dir, port: Number(local.trim().split('!')[1]) };
  }

  /** A small file's text, by fid 9999. */
  async file(path: string): Promise<string> {
    await this.open(9999, path, b.OREAD);
    const text = (await this.read(9999)).toString();
    await this.clunk(9999);
    return text;
  }

  destroy(): Promise<void> {
    this.socket.destroy();
    return this.closed;
  }
}

// ---- the server ---------------------------------------------------------------------------------

export interface RigOptions extends ServerOptions {
  /** Who the clients are; by default the owner, who may attach as anyone. */
  readonly peer?: Peer;
}

/** A server and its clients, for one test. */
export class Rig {
  readonly server: Server;
  /** What was logged as an error: the server's own bugs. */
  readonly errors: unknown[] = [];
  readonly peers: Peers = new Peers();
  private readonly peer: Peer;
  private readonly door: NetServer;
  private readonly dir: string;
  private readonly sockets = new Set<Socket>();
  private readonly arrivals: ((socket: Socket) => void)[] = [];

  private constructor(options: RigOptions) {
    const error: Log['error'] = (fields, message) => void this.errors.push({ message, ...fields });
    this.server = new Server({ log: { debug() {}, info() {}, warn() {}, error }, ...options });
    this.peer = options.peer ?? { caller: this.server.owner, claims: 'anyone' };
    this.dir = mkdtempSync(join(tmpdir(), 'slashnet-test-'));
    this.door = createServer({ pauseOnConnect: true }, socket => this.arrivals.shift()!(socket));
  }

  static async start(options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(options);
    await new Promise<void>(resolve => rig.door.listen(rig.path, resolve));
    return rig;
  }

  private get path(): string {
    return join(this.dir, 'sock');
  }

  /** Both ends of a connection of which the server does not know yet; the far one is paused. */
  async pair(): Promise<{ near: Socket; far: Socket }> {
    const arrived = new Promise<Socket>(resolve => this.arrivals.push(resolve));
    const near = connect(this.path);
    this.sockets.add(near);
    return { near, far: await arrived };
  }

  /** A connection on which nothing was said yet. */
  async connect(dialect: Dialect): Promise<RawClient> {
    const { near, far } = await this.pair();
    const { stream, direct } = accepted(far);
    return new RawClient(near, dialect, this.server.serve(stream, this.peer, direct));
  }

  /** The same over a stream with no descriptor known to the session, as stdin and stdout are. */
  async connectStream(dialect: Dialect): Promise<RawClient> {
    const { near, far } = await this.pair();
    return new RawClient(near, dialect, this.server.serve(far.resume(), this.peer));
  }

  /** A client that is attached: fid 0 is the root. */
  async client(dialect: Dialect, msize?: number): Promise<RawClient> {
    return (await this.connect(dialect)).start(msize);
  }

  /** Conversations that some fid uses. */
  inUse(): number {
    const { tcp } = this.server;
    let n = 0;
    for (let i = 0; i < tcp.count; i++) if (tcp.at(i).inUse) n++;
    return n;
  }

  /** Ends everything, and finds that nothing is left and nothing went wrong. */
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await this.peers.close();
    await until(() => this.server.sessions.size === 0);
    this.server.close();
    await new Promise(resolve => this.door.close(resolve));
    rmSync(this.dir, { recursive: true });
    assert.deepEqual(this.errors, [], 'the server logged errors');
    assert.equal(this.inUse(), 0, 'conversations are still in use');
    assert.equal(this.server.locks.size, 0, 'locks are still held');
  }
}

/** Sockets among this process's descriptors. */
export function socketCount(): number {
  return readdirSync('/proc/self/fd').filter(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      return false;
    }
  }).length;
}

// ---- peers --------------------------------------------------------------------------------------

/** TCP servers on loopback, for one test. */
export class Peers {
  private readonly servers: NetServer[] = [];
  private readonly sockets = new Set<Socket>();

  /** Does `serve` with each connection; the address as connect wants it. */
  async listen(serve: (socket: Socket) => void): Promise<string> {
    const server = createServer({ allowHalfOpen: true }, socket => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.sockets.delete(socket));
      serve(socket);
    });
    this.servers.push(server);
    await new Promise<void>(resolve => server.listen({ host: '127.0.0.1', port: 0, backlog: 1024 }, resolve));
    return `127.0.0.1!${(server.address() as AddressInfo).port}`;
  }

  /** An address of loopback where nobody listens now. */
  async freePort(): Promise<string> {
    const server = createServer();
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await new Promise(resolve => server.close(resolve));
    return `127.0.0.1!${port}`;
  }

  echo(): Promise<string> {
    return this.listen(socket => void socket.pipe(socket));
  }

  /** One connection is expected; it is not read until the test does. */
  async one(): Promise<{ address: string; socket: Promise<Socket> }> {
    let arrived!: (socket: Socket) => void;
    const socket = new Promise<Socket>(resolve => (arrived = resolve));
    return { address: await this.listen(s => arrived(s)), socket };
  }

  /** Calls a port of loopback; the socket and its own address. */
  async call(port: number): Promise<{ socket: Socket; local: string }> {
    const socket = await this.connected(port);
    return { socket, local: `127.0.0.1!${socket.localPort}` };
  }

  private connected(port: number): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket));
      this.sockets.add(socket);
      socket.on('error', reject);
      socket.on('close', () => this.sockets.delete(socket));
    });
  }

  /** Resets every connection; the servers stay. */
  hangup(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(this.servers.splice(0).map(server => new Promise(resolve => server.close(resolve))));
  }
}
