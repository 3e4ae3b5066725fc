/**
 * A FUSE session behind a socket that keeps messages apart, in the kernel's place: what the kernel
 * would never send is survived, and what it may send in odd order is answered.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import fc from 'fast-check';
import koffi from 'koffi';
import { pipeSocket } from '../../src/host/fd.ts';
import { Abort } from '../../src/abort.ts';
import { silent } from '../../src/log.ts';
import type { DirNode, Node } from '../../src/netfs/node.ts';
import { REQUESTS, type Op } from '../../src/server/fuse/kernel.ts';
import type { FuseSession } from '../../src/server/fuse/session.ts';
import { Server } from '../../src/server/server.ts';
import { requestBytes, type HeaderBytes } from './wire.ts';
import { u32, u64 } from '../server/bytes.ts';

const socketpair = koffi
  .load('libc.so.6')
  .func('int socketpair(int domain, int type, int protocol, _Out_ int *descriptors)');
const AF_UNIX = 1;
const SOCK_SEQPACKET = 5;

const EINTR = 4;
const EACCES = 13;
const EINVAL = 22;
const ESTALE = 116;
const EBADF = 9;
const ENOSYS = 38;

interface Answer {
  /** 0 or a negative errno; the code of a notification. */
  readonly error: number;
  readonly unique: number;
  readonly bytes: Buffer;
}

/** The kernel's end of a session. */
class Kernel {
  readonly server = new Server({ log: silent });
  readonly session: FuseSession;
  private readonly socket: Socket;
  private readonly answers = new Map<number, (answer: Answer) => void>();
  readonly unasked: Answer[] = [];
  private unique = 0;

  constructor() {
    const ends = [0, 0];
    assert.equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
    const buffer = Buffer.alloc(1024 * 1024 + 4096);
    this.socket = pipeSocket(ends[0]!, {
      buffer,
      callback: n => {
        this.answered(Buffer.from(buffer.subarray(0, n)));
        return true;
      },
    })!;
    this.socket.on('error', () => {}).resume();
    this.session = this.server.serveFuse(ends[1]!);
  }

  private answered(frame: Buffer): void {
    assert.equal(frame.readUInt32LE(0), frame.length);
    const answer = {
      error: frame.readInt32LE(4),
      unique: Number(frame.readBigUInt64LE(8)),
      bytes: frame.subarray(16),
    };
    const wanted = this.answers.get(answer.unique);
    this.answers.delete(answer.unique);
    if (wanted === undefined) this.unasked.push(answer);
    else wanted(answer);
  }

  /** Sends bytes as one message. */
  raw(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  /** A request and its number; FORGET and INTERRUPT have no answer to wait for. */
  begin(op: Op, parts: Buffer[] = [], header: HeaderBytes = {}): { unique: number; answer: Promise<Answer> } {
    const unique = (this.unique += 2);
    const uid = process.getuid!();
    const answer = new Promise<Answer>(resolve => this.answers.set(unique, resolve));
    const from = { uid, gid: process.getgid!(), pid: process.pid, ...header, unique };
    this.raw(requestBytes(REQUESTS[op].opcode, from, parts));
    return { unique, answer };
  }

  ask(op: Op, parts: Buffer[] = [], header: HeaderBytes = {}): Promise<Answer> {
    return this.begin(op, parts, header).answer;
  }

  async hello(minor = 41): Promise<Answer> {
    return this.ask('INIT', [u32(7), u32(minor), u32(0x20000), u32(0xffffffff)]);
  }

  /** The node id of a path below the root. */
  async lookup(path: string): Promise<number> {
    let nodeid = 1;
    for (const name of path.split('/')) {
      const { error, bytes } = await this.ask('LOOKUP', [Buffer.from(`${name}\0`)], { nodeid });
      assert.equal(error, 0, path);
      nodeid = Number(bytes.readBigUInt64LE(0));
    }
    return nodeid;
  }

  async open(path: string, flags = 2): Promise<number> {
    const nodeid = await this.lookup(path);
    const { error, bytes } = await this.ask('OPEN', [u32(flags), u32(0)], { nodeid });
    assert.equal(error, 0, path);
    return Number(bytes.readBigUInt64LE(0));
  }

  /** Whether it still answers. */
  async isAlive(): Promise<boolean> {
    return (await this.ask('GETATTR', [u32(0), u32(0), u64(0)])).error === 0;
  }

  end(): void {
    this.socket.destroy();
    this.server.close();
  }
}

const readFields = (fh: number, size = 100): Buffer[] => [
  u64(fh),
  u64(0),
  u32(size),
  u32(0),
  u64(0),
  u32(0),
  u32(0),
];

const writeFields = (fh: number, text: string): Buffer[] => [
  u64(fh),
  u64(0),
  u32(text.length),
  u32(0),
  u64(0),
  u32(0),
  u32(0),
  Buffer.from(text),
];

describe('a FUSE session', () => {
  let kernel: Kernel;
  beforeEach(() => (kernel = new Kernel()));
  afterEach(() => kernel.end());

  it('answers INIT with its version, a megabyte a request, and flags that the kernel has', async () => {
    const { error, bytes } = await kernel.hello();
    assert.equal(error, 0);
    assert.equal(bytes.readUInt32LE(0), 7);
    assert.equal(bytes.readUInt32LE(20), 1024 * 1024);
    assert.equal(bytes.readUInt16LE(28), 256);
    await kernel.session.ready;
  });

  it('sets no flag that the kernel does not know', async () => {
    const { bytes } = await kernel.ask('INIT', [u32(7), u32(31), u32(0), u32(0)]);
    assert.equal(bytes.readUInt32LE(12), 0);
  });

  it('refuses a kernel whose protocol is too old, and says which is needed', async () => {
    assert.equal((await kernel.hello(30)).error, -71);
    await assert.rejects(kernel.session.ready, /version/);
  });

  it('answers a newer major with its own and waits for another INIT', async () => {
    const { error, bytes } = await kernel.ask('INIT', [u32(8), u32(0), u32(0), u32(0)]);
    assert.deepEqual([error, bytes.readUInt32LE(0)], [0, 7]);
    await kernel.hello();
    await kernel.session.ready;
  });

  it('answers what it does not know with ENOSYS and goes on', async () => {
    kernel.raw(requestBytes(3999, { unique: 77 }, [Buffer.alloc(100)]));
    assert(await kernel.isAlive());
    assert.deepEqual(
      kernel.unasked.map(({ error, unique }) => [error, unique]),
      [[-ENOSYS, 77]],
    );
  });

  it('answers node ids and file handles that nobody has', async () => {
    assert.equal((await kernel.ask('GETATTR', [u32(0), u32(0), u64(0)], { nodeid: 999 })).error, -ESTALE);
    assert.equal((await kernel.ask('READ', readFields(999))).error, -EBADF);
    assert.equal((await kernel.ask('WRITE', writeFields(999, 'x'))).error, -EBADF);
    assert.equal((await kernel.ask('RELEASE', [u64(999), u64(0), u64(0)])).error, -EBADF);
    assert(await kernel.isAlive());
  });

  it('ends, and closes what was open, when it is sent what is no request', async () => {
    await kernel.open('tcp/clone');
    assert(kernel.server.tcp.at(0).inUse);
    kernel.raw(Buffer.from('GET / HTTP/1.0\r\n\r\n'));
    await kernel.session.ended;
    assert(!kernel.server.tcp.at(0).inUse);
  });

  it('forgets nodes that the kernel forgets, and no others', async () => {
    const before = kernel.session.nodeids.size;
    const tcp = await kernel.lookup('tcp');
    await kernel.lookup('tcp');
    const clones = await Promise.all([kernel.lookup('tcp/clone'), kernel.lookup('tcp/clone')]);
    assert.notEqual(clones[0], clones[1]);
    assert.equal(kernel.session.nodeids.size, before + 3);
    kernel.raw(requestBytes(2, { nodeid: tcp, unique: 1001 }, [u64(1)]));
    kernel.raw(
      requestBytes(42, { unique: 1003 }, [u32(2), u32(0), ...clones.flatMap(id => [u64(id), u64(1)])]),
    );
    assert(await kernel.isAlive());
    assert.equal(kernel.session.nodeids.size, before + 1);
    kernel.raw(requestBytes(2, { nodeid: tcp, unique: 1005 }, [u64(3)]));
    kernel.raw(requestBytes(2, { nodeid: 1, unique: 1007 }, [u64(99)]));
    assert(await kernel.isAlive());
    assert.equal(kernel.session.nodeids.size, before);
  });

  it('answers EINTR to what waits when it is interrupted, once, and ignores what it has answered', async () => {
    const clone = await kernel.open('tcp/clone');
    assert.equal((await kernel.ask('WRITE', writeFields(clone, 'announce 127.0.0.1!0'))).error, 0);
    const nodeid = await kernel.lookup('tcp/0/listen');
    const { unique, answer } = kernel.begin('OPEN', [u32(2), u32(0)], { nodeid });
    assert(await kernel.isAlive());
    assert.equal(kernel.session.requestsInFlight, 1);
    kernel.begin('INTERRUPT', [u64(unique)]);
    assert.equal((await answer).error, -EINTR);
    kernel.begin('INTERRUPT', [u64(unique)]);
    kernel.begin('INTERRUPT', [u64(123456)]);
    assert(await kernel.isAlive());
    assert.deepEqual(kernel.unasked, []);
  });

  it('counts a thread whose groups cannot be read as in no group and outside of none', async () => {
    const header = { uid: 70001, gid: 70001, pid: 0 };
    const { permissions } = kernel.server.mount.root.walk('tcp', undefined as never) as {
      permissions: { mode: number; gid: number };
    };
    const mayList = async (mode: number): Promise<boolean> => {
      permissions.mode = mode;
      const nodeid = await kernel.lookup('tcp');
      return (await kernel.ask('ACCESS', [u32(4), u32(0)], { ...header, nodeid })).error === 0;
    };
    assert(await mayList(0o755));
    assert(!(await mayList(0o705)));
    assert(!(await mayList(0o750)));
  });

  it('judges what is written by who opened the file: who is handed it, as root, lends no rights', async () => {
    const { mount, owner } = kernel.server;
    const own = { caller: owner, signal: new Abort() };
    const [cs, tcp] = ['cs', 'tcp'].map(name => mount.root.walk(name, own) as Node);
    const clone = (tcp as DirNode).walk('clone', own) as Node;
    cs!.permissions.mode = clone.permissions.mode = 0o666;
    const mallory = { uid: 70001, gid: 70001 };
    const open = async (node: string): Promise<number> => {
      const nodeid = await kernel.lookup(node);
      const { error, bytes } = await kernel.ask('OPEN', [u32(2), u32(0)], { nodeid, ...mallory });
      assert.equal(error, 0);
      return Number(bytes.readBigUInt64LE(0));
    };
    for (const by of [mallory, {}]) {
      const files = { cs: await open('cs'), ctl: await open('tcp/clone') };
      assert.equal((await kernel.ask('WRITE', writeFields(files.cs, 'tcp!localhost!80'), by)).error, -EACCES);
      assert.equal((await kernel.ask('WRITE', writeFields(files.cs, 'debug'), by)).error, -EINVAL);
      assert.equal(
        (await kernel.ask('WRITE', writeFields(files.ctl, 'connect localhost!80'), by)).error,
        -EACCES,
      );
    }
    // And the other way round: what its owner opened is his, whoever goes on with it.
    const lent = await kernel.open('cs');
    assert.equal((await kernel.ask('WRITE', writeFields(lent, 'tcp!localhost!80'), mallory)).error, 0);
  });

  it('survives requests of random bytes', async () => {
    await kernel.hello();
    const fh = await kernel.open('tcp/clone');
    // INTERRUPT and the FORGETs have no answer, INIT and DESTROY begin and end it.
    const ops = (Object.keys(REQUESTS) as Op[]).filter(op => !/INTERRUPT|FORGET|INIT|DESTROY/.test(op));
    const number = fc.oneof(fc.nat(5), fc.nat(0xffffffff));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...ops),
        fc.array(fc.oneof(fc.nat(20), fc.nat(0xffffffff), fc.constant(fh)), { minLength: 30, maxLength: 40 }),
        fc.record({ nodeid: number, uid: number, gid: number, pid: number }),
        async (op, words, header) => {
          if (op === 'WRITE') words[4] = 4 * (words.length - 10);
          const answer = kernel.ask(
            op,
            [...words.map(u32), Buffer.from('x\0y\0')].slice(0, op === 'WRITE' ? -1 : undefined),
            header,
          );
          assert((await answer).error <= 0);
        },
      ),
      { numRuns: 1500 },
    );
    assert(await kernel.isAlive());
  });
});
