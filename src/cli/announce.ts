/** `slashnet announce`: a program for each call, as listen1(8) does. */
import { spawn, type ChildProcess } from 'node:child_process';
import type { Command } from 'commander';
import { announce, type Announcement, type Client, type Conversation } from '../client/index.ts';
import { parseAddress } from './dial.ts';
import { report, tell } from './failure.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';

export function register(program: Command): void {
  clientCommand(program, 'announce', 'wait for calls and run a program for each')
    .argument(
      '<address>',
      'tcp!HOST!PORT or udp!HOST!PORT; HOST * is every address, PORT 0 a free one',
      parseAddress,
    )
    .argument('<command>', 'run for each call, which is its standard input and output')
    .argument('[args...]', "the command's own arguments")
    .passThroughOptions()
    .addHelpText(
      'after',
      `
The command finds the call's directory in $net (/net/tcp/3), its two addresses in $LOCAL and $REMOTE.
By udp each remote that sends is a call, and what is written at once is one datagram.
The call is closed when the command ends. SIGINT or SIGTERM ends announce and the commands it runs.

Examples:
  slashnet announce 'tcp!*!7' cat                 an echo service
  slashnet announce 'tcp!127.0.0.1!8080' sh -c 'echo you are $REMOTE'`,
    )
    .action((address: string, command: string, args: string[], options: SessionOptions) =>
      withClient(options, client => serveCalls(client, address, [command, ...args])),
    );
}

async function serveCalls(client: Client, address: string, command: string[]): Promise<void> {
  const stop = new AbortController();
  const calls = new Calls(command);
  const interrupt = (): void => {
    stop.abort();
    calls.end();
  };
  try {
    const announcement = await announce(client, address);
    process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
    const [protocol] = announcement.dir.split('/');
    tell(`announced ${protocol}!${await announcement.local()} as ${announcement.dir}`);
    await takeCalls(announcement, calls, stop.signal);
  } catch (error) {
    if (!stop.signal.aborted) report(`announce ${address}`, error);
  } finally {
    await calls.finished();
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

/** Until the signal fires, or listening fails. */
async function takeCalls(announcement: Announcement, calls: Calls, signal: AbortSignal): Promise<void> {
  try {
    for (;;) calls.start(await announcement.listen({ signal }));
  } finally {
    await announcement.close();
  }
}

/** The calls that are being served, each by its process. */
class Calls {
  readonly #command: string[];
  readonly #served = new Set<Promise<void>>();
  readonly #processes = new Set<ChildProcess>();
  #ended = false;

  constructor(command: string[]) {
    this.#command = command;
  }

  start(call: Conversation): void {
    const served = this.#serve(call).catch((error: unknown) => report(`announce ${call.dir}`, error));
    this.#served.add(served);
    void served.then(() => this.#served.delete(served));
  }

  /** Takes no more calls, and asks those who serve one to end. */
  end(): void {
    this.#ended = true;
    for (const child of this.#processes) child.kill('SIGTERM');
  }

  async finished(): Promise<void> {
    await Promise.all(this.#served);
  }

  async #serve(call: Conversation): Promise<void> {
    try {
      const env = await environment(call);
      if (!this.#ended) await this.#run(call, env);
    } finally {
      await call.close();
    }
  }

  /** Runs the command on the call; resolves when it has ended and all it wrote was sent. */
  async #run(call: Conversation, env: NodeJS.ProcessEnv): Promise<void> {
    const [file = '', ...args] = this.#command;
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
    const ended = new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => resolve());
    });
    this.#processes.add(child);
    const input = call.data.readable();
    // Either side may go away before the other: a hang-up is the end of input, and nobody's mistake.
    input.on('error', () => child.stdin.end());
    child.stdin.on('error', () => input.destroy());
    input.pipe(child.stdin);
    const sent = sendOutput(child, call);
    try {
      await ended;
      await sent;
    } finally {
      input.destroy();
      this.#processes.delete(child);
    }
  }
}

/** What the command writes goes to the caller; when the caller is gone, the command learns it by SIGPIPE. */
async function sendOutput(child: ChildProcess, call: Conversation): Promise<void> {
  try {
    for await (const chunk of child.stdout!) await call.data.write(chunk as Buffer);
  } catch {
    child.stdout!.destroy();
  }
}

async function environment(call: Conversation): Promise<NodeJS.ProcessEnv> {
  const [LOCAL, REMOTE] = await Promise.all([call.local(), call.remote()]);
  return { ...process.env, net: `/net/${call.dir}`, LOCAL, REMOTE };
}
