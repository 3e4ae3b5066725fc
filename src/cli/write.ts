/** `slashnet write`: text or standard input into a file. */
import type { Command } from 'commander';
import { NinepError, type Client } from '../client/index.ts';
import { eachPath } from './each.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';

export function register(program: Command): void {
  clientCommand(program, 'write', 'write to a file of the tree, which is made if it is not there')
    .argument('<path>', 'the file')
    .argument('[text...]', 'words, written at once with a newline (default: standard input)')
    .addHelpText(
      'after',
      `
A file that is not there is made, where its directory lets you.

Examples:
  slashnet write tcp/3/ctl hangup        one control message
  slashnet write tcp/3/ctl keepalive 30000
  date | slashnet write tcp/3/data       bytes for the other side`,
    )
    .action((path: string, text: string[], options: SessionOptions) =>
      withClient(options, client => write(client, path, text)),
    );
}

async function write(client: Client, written: string, text: string[]): Promise<void> {
  await eachPath('write', [written], async path => {
    const file = await client.open(path, 'w', { truncate: true, create: true });
    try {
      if (text.length > 0) await file.write(`${text.join(' ')}\n`);
      else for await (const chunk of process.stdin) await file.write(chunk as Buffer);
      await file.finish();
    } catch (error) {
      throw pointed(error, path);
    } finally {
      await file.close();
    }
  });
}

/** What is wrong with the lines of a zone its /net's log says. */
function pointed(error: unknown, path: string): unknown {
  const [, netdir] = /^(|.*\/)zone\/[^/]+$/.exec(path) ?? [];
  if (netdir !== undefined && error instanceof NinepError && error.text === 'syntax error') {
    const log = netdir === '' ? '' : ` ${netdir}log`;
    error.detail = `${error.text}; line, column and reason are in the log: slashnet log${log}`;
  }
  return error;
}
