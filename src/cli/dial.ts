/** `slashnet dial`: a connection as standard input and output. */
import type { Command } from 'commander';
import { dial, NinepError, parseNetAddress, type Client, type Conversation } from '../client/index.ts';
import { report } from './failure.ts';
import { argument, clientCommand, withClient, type SessionOptions } from './session.ts';
import { untilOutputCloses, writeOut } from './stdio.ts';

export function register(program: Command): void {
  clientCommand(program, 'dial', 'connect through the tree; standard input and output become the connection')
    .argument('<address>', 'tcp!HOST!PORT or udp!HOST!PORT', parseAddress)
    .addHelpText(
      'after',
      `
The end of standard input is not told to the other side: /net cannot close one direction. dial ends
when the other side closes. By udp what is read at once is one datagram, and an empty one is the end.

Examples:
  slashnet dial 'tcp!192.0.2.7!25'
  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | slashnet dial 'tcp!example.org!80'
  ssh -o ProxyCommand='slashnet dial tcp!%h!%p' example.org`,
    )
    .action((address: string, options: SessionOptions) =>
      withClient(options, client => dialOut(client, address)),
    );
}

/** An address as it was written, once it is known to be one. */
export function parseAddress(text: string): string {
  argument(() => parseNetAddress(text));
  return text;
}

async function dialOut(client: Client, address: string): Promise<void> {
  try {
    const call = await dial(client, address);
    try {
      await untilOutputCloses(() => relay(call));
    } finally {
      // The read that waits would keep the process.
      process.stdin.destroy();
      await call.close();
    }
  } catch (error) {
    report(`dial ${address}`, error);
  }
}

/** Ends with the other side's end. A write that fails leaves what was sent to us still to be read. */
async function relay(call: Conversation): Promise<void> {
  let failure: unknown;
  sendInput(call).catch((error: unknown) => (failure = error));
  for await (const bytes of call.data) await writeOut(bytes);
  if (failure !== undefined && !isHangup(failure)) throw failure;
}

/** The other side closed while we were sending: that is how a connection ends. */
const isHangup = (error: unknown): boolean => error instanceof NinepError && error.code === 'EPIPE';

async function sendInput(call: Conversation): Promise<void> {
  for await (const chunk of process.stdin) await call.data.write(chunk as Buffer);
}
