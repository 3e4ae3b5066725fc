/** A process that makes system calls on a mount of its own for the test, as whoever it is told to be: fdclient.c. */
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, closeSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TransportError } from '../../src/client/index.ts';
import { receiveFd, socketPair } from '../../src/host/fdpass.ts';
import type { Caller } from '../../src/policy/identity.ts';
import { need, needFuse } from './packages.ts';

/** In the order of fdclient.c's list. */
const CALLS = [
  'open',
  'close',
  'read',
  'write',
  'lseek',
  'stat',
  'fstat',
  'getdents',
  'chmod',
  'chown',
  'truncate',
  'ftruncate',
  'utimes',
  'access',
  'dup',
  'fcntl',
  'poll',
  'select',
  'epoll',
  'mkdir',
  'unlink',
  'rmdir',
  'rename',
  'symlink',
  'link',
  'mknod',
  'fsync',
  'fork',
  'kill',
  'wait',
  'cancel',
  'barrier',
  'chdir',
  'openat',
  'setgroups',
] as const;

export type CallName = (typeof CALLS)[number];

export interface Answer {
  readonly result: number;
  /** What the call gave beside its result: bytes read, a struct stat. */
  readonly bytes: Buffer;
}

/** A system call said no. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly call: CallName;
  readonly errno: number;
  /** Such as `ENOENT`. */
  readonly code: string;

  constructor(call: CallName, errno: number) {
    const code = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? String(errno);
    super(`${call}: ${code}`);
    this.call = call;
    this.errno = errno;
    this.code = code;
  }
}

interface Waiting {
  readonly call: CallName;
  resolve(answer: Answer): void;
  reject(error: Error): void;
}

/** size[4] id[4] call[4] a[8] b[8] c[8] */
const REQUEST = 36;
/** size[4] id[4] result[8] */
const ANSWER = 16;

/** The paths are relative to the mounted directory, which is the process's working directory. */
export class FdClient {
  readonly dir: string;
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private input: Buffer = Buffer.alloc(0);
  private closed = false;
  private readonly started: Promise<unknown>;
  /** Settles when the process is gone. */
  readonly gone: Promise<void>;

  /** `command` starts with what it is started by, if anything. */
  private constructor(dir: string, command: readonly string[], ...more: number[]) {
    this.dir = dir;
    const stdio: StdioOptions = ['pipe', 'pipe', 'inherit', ...more];
    this.child = spawn(command[0]!, command.slice(1), { stdio });
    this.child.stdout!.on('data', (chunk: Buffer) => this.receive(chunk));
    this.child.stdin!.on('error', () => {});
    this.started = new Promise((resolve, reject) => this.waiting.set(0, { call: 'open', resolve, reject }));
    this.gone = once(this.child, 'close').then(() => this.failAll());
  }

  /**
   * Mounts at `dir`, in a mount namespace of the new process's own; `device` is its /dev/fuse. `by` is what
   * the process is started by, e.g. unshare with its options.
   */
  static async mount(dir: string, by: readonly string[] = []): Promise<{ client: FdClient; device: number }> {
    const [ours, theirs] = socketPair();
    const client = new FdClient(dir, [...by, executable(), 'mount', dir, '3'], theirs);
    closeSync(theirs);
    await client.started;
    const device = receiveFd(ours);
    closeSync(ours);
    assert(device !== undefined, 'a descriptor of /dev/fuse');
    return { client, device };
  }

  /** One more process that sees the same mount, as this caller. */
  async join(caller: Pick<Caller, 'uid' | 'gid' | 'groups'>): Promise<FdClient> {
    const ids = [caller.uid, caller.gid, ...(caller.groups ?? [])].map(String);
    const client = new FdClient(this.dir, [executable(), 'join', this.dir, String(this.child.pid), ...ids]);
    await client.started;
    return client;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** The process ends, and whatever it has open is closed. */
  close(): void {
    this.closed = true;
    this.child.stdin!.end();
  }

  /**
   * Makes a call. Calls are begun in the order in which they were asked for. Aborted, the call is
   * interrupted: unless it was done before, this fails with the signal's reason.
   */
  async call(
    call: CallName,
    { a = 0, b = 0, c = 0, bytes = NOTHING }: Arguments,
    signal?: AbortSignal,
  ): Promise<Answer> {
    signal?.throwIfAborted();
    if (this.closed) throw new TransportError('the process that makes the calls is gone');
    const id = ++this.lastId;
    const cancel = (): void => this.send(0, 'cancel', { a: id });
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await new Promise<Answer>((resolve, reject) => {
        this.waiting.set(id, { call, resolve, reject });
        this.send(id, call, { a, b, c, bytes });
      });
    } catch (error) {
      if (signal?.aborted === true && error instanceof SystemCallError && error.code === 'EINTR') {
        throw signal.reason;
      }
      throw error;
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Every call asked for before has been answered, or waits for what is to come: the server knows of it. */
  async barrier(): Promise<void> {
    await this.call('barrier', {});
    // What was answered has settled, and so has what follows from it.
    await new Promise(setImmediate);
  }

  private send(id: number, call: CallName, { a = 0, b = 0, c = 0, bytes = NOTHING }: Arguments): void {
    const request = Buffer.alloc(REQUEST + bytes.length);
    request.writeUInt32LE(request.length, 0);
    request.writeUInt32LE(id, 4);
    request.writeUInt32LE(CALLS.indexOf(call) + 1, 8);
    [a, b, c].forEach((argument, i) => request.writeBigInt64LE(BigInt(argument), 12 + 8 * i));
    request.set(bytes, REQUEST);
    this.child.stdin!.write(request);
  }

  private receive(chunk: Buffer): void {
    this.input = this.input.length === 0 ? chunk : Buffer.concat([this.input, chunk]);
    while (this.input.length >= ANSWER && this.input.length >= this.input.readUInt32LE(0)) {
      const size = this.input.readUInt32LE(0);
      this.answered(this.input.subarray(0, size));
      this.input = this.input.subarray(size);
    }
  }

  private answered(answer: Buffer): void {
    const id = answer.readUInt32LE(4);
    const result = Number(answer.readBigInt64LE(8));
    const waiting = this.waiting.get(id)!;
    this.waiting.delete(id);
    if (result < 0) waiting.reject(new SystemCallError(waiting.call, -result));
    else waiting.resolve({ result, bytes: answer.subarray(ANSWER) });
  }

  private failAll(): void {
    this.closed = true;
    const gone = new TransportError('the process that makes the calls is gone; stderr may say why');
    for (const { reject } of this.waiting.values()) reject(gone);
    this.waiting.clear();
  }
}

export interface Arguments {
  readonly a?: number;
  readonly b?: number;
  readonly c?: number;
  readonly bytes?: Uint8Array;
}

const NOTHING = new Uint8Array(0);

// ---- the compiler -------------------------------------------------------------------------------

let compiled: string | undefined;

/** Where the program is: compiled when it is first needed, and gone with this process. */
function executable(): string {
  if (compiled !== undefined) return compiled;
  const dir = mkdtempSync(join(tmpdir(), 'slashnet-fdclient-'));
  // Other users start it, too.
  chmodSync(dir, 0o755);
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  needFuse();
  need({ gcc: 'gcc', '/usr/include/stdio.h': 'libc6-dev' });
  const source = fileURLToPath(new URL('fdclient.c', import.meta.url));
  execFileSync('gcc', ['-O1', '-Wall', '-Wextra', '-pthread', '-o', join(dir, 'fdclient'), source], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  compiled = join(dir, 'fdclient');
  return compiled;
}
