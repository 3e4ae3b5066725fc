/** slashnet as a process of its own, from the source; and other users as processes. */
import { spawn, type ChildProcess, type SpawnOptions, type StdioOptions } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import type { Dialect } from '../../src/server/9p/messages.ts';
import { Answer, RawClient } from './rig.ts';

const MAIN = new URL('../../src/cli/main.ts', import.meta.url).pathname;

/** Arguments for node to run slashnet. */
export const slashnet = (...args: string[]): string[] => ['--import', 'tsx', MAIN, ...args];

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process whose stderr is watched. */
export class Child {
  readonly process: ChildProcess;
  readonly ended: Promise<Ended>;
  stderr = '';
  private readonly watchers = new Set<() => void>();

  constructor(command: string, args: readonly string[], options: SpawnOptions = {}) {
    this.process = spawn(command, args, { ...options });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.wake();
    });
    this.ended = new Promise(resolve => {
      this.process.once('close', (code, signal) => {
        resolve({ code, signal });
        this.wake();
      });
    });
  }

  private wake(): void {
    for (const wake of this.watchers) wake();
  }

  /** Waits for a line on stderr. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stderr);
      if (match !== null) return match;
      const { exitCode, signalCode } = this.process;
      if (exitCode !== null || signalCode !== null) {
        throw new Error(`it ended without saying ${String(pattern)}: ${this.stderr}`);
      }
      await new Promise<void>(resolve => {
        const wake = (): void => {
          this.watchers.delete(wake);
          resolve();
        };
        this.watchers.add(wake);
      });
    }
  }

  kill(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }
}

/** `slashnet serve` with these arguments; it may not be ready yet. */
export function serve(
  args: readonly string[],
  { env = {}, stdio = ['ignore', 'ignore', 'pipe'] }: { env?: NodeJS.ProcessEnv; stdio?: StdioOptions } = {},
): Child {
  return new Child(process.execPath, slashnet('serve', ...args), { stdio, env: { ...process.env, ...env } });
}

export async function connectUnix(path: string, dialect: Dialect): Promise<RawClient> {
  return new RawClient(await connected(connect(path)), dialect);
}

export function connected(socket: Socket): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject).once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
  });
}

// ---- other users --------------------------------------------------------------------------------

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly groups?: readonly number[];
}

/** Run as root, becomes the user, sends each frame and prints its answer. */
const SCRIPT = `
  const { uid, gid, groups, path, frames } = JSON.parse(process.argv[1]);
  process.setgroups(groups);
  process.setgid(gid);
  process.setuid(uid);
  const socket = require('net').connect(path);
  const answers = [];
  let bytes = Buffer.alloc(0);
  const next = () => {
    const frame = frames.shift();
    if (frame !== undefined) return socket.write(Buffer.from(frame, 'hex'));
    console.log(JSON.stringify(answers));
    socket.destroy();
  };
  socket.on('error', error => console.log(JSON.stringify(error.code)));
  socket.on('connect', next);
  socket.on('data', chunk => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 4 && bytes.length >= bytes.readUInt32LE(0)) {
      const size = bytes.readUInt32LE(0);
      answers.push(bytes.subarray(0, size).toString('hex'));
      bytes = bytes.subarray(size);
      next();
    }
  });
`;

/** What another user is answered at a socket, or the error that kept him from it. Needs root. */
export async function asUser(
  { uid, gid, groups = [] }: User,
  path: string,
  frames: readonly Buffer[],
): Promise<Answer[] | string> {
  const request = { uid, gid, groups, path, frames: frames.map(frame => frame.toString('hex')) };
  const child = spawn(process.execPath, ['-e', SCRIPT, JSON.stringify(request)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  await new Promise(resolve => child.once('close', resolve));
  const answer = JSON.parse(out) as string[] | string;
  return typeof answer === 'string' ? answer : answer.map(hex => new Answer(Buffer.from(hex, 'hex')));
}
