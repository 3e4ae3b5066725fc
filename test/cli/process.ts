/** slashnet as a process, as its users run it. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BIN = new URL('../../bin/slashnet.js', import.meta.url).pathname;

export interface Outcome {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Process {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Outcome>;
  #stdout = '';
  #stderr = '';
  readonly #watchers = new Set<() => void>();

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.child = spawn(process.execPath, [BIN, ...args], { env: { ...process.env, ...env } });
    this.child.stdin.on('error', () => {});
    this.child.stdout.on('data', (chunk: Buffer) => this.#seen((this.#stdout += chunk.toString())));
    this.child.stderr.on('data', (chunk: Buffer) => this.#seen((this.#stderr += chunk.toString())));
    this.ended = new Promise(resolve => {
      this.child.once('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  #seen(_text: string): void {
    for (const watch of this.#watchers) watch();
  }

  /** The match, once a stream has it; fails when the process ends without. */
  async until(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    const find = () => pattern.exec(stream === 'stdout' ? this.#stdout : this.#stderr);
    return new Promise((resolve, reject) => {
      const watch = (): void => {
        const match = find();
        if (match === null) return;
        this.#watchers.delete(watch);
        resolve(match);
      };
      this.#watchers.add(watch);
      void this.ended.then(({ stderr }) => reject(new Error(`ended without ${String(pattern)}: ${stderr}`)));
      watch();
    });
  }
}

/** Runs to the end. */
export function run(args: readonly string[], input = '', env?: NodeJS.ProcessEnv): Promise<Outcome> {
  const started = new Process(args, env);
  started.child.stdin.end(input);
  return started.ended;
}

/** A server of its own for a group of tests; `at` is its address. */
export class Served {
  at = '';
  dir = '';
  #server: Process | undefined;

  async start(): Promise<void> {
    this.dir = mkdtempSync(join(tmpdir(), 'slashnet-'));
    this.at = `unix!${this.dir}/sock`;
    this.#server = new Process(['serve', '--listen', this.at]);
    await this.#server.until('stderr', /listening/);
  }

  async stop(): Promise<void> {
    this.#server?.child.kill('SIGTERM');
    await this.#server?.ended;
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** A TCP server on loopback. */
export async function listener(
  serve: (socket: Socket) => void,
): Promise<{ server: Server; address: string }> {
  const server = createServer({ allowHalfOpen: true }, socket => serve(socket.on('error', () => {})));
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { server, address: `tcp!127.0.0.1!${(server.address() as AddressInfo).port}` };
}
