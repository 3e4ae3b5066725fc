/** `slashnet cat`: the bytes of files, as they come, until their end. */
import type { Command } from 'commander';
import { knownError } from '../client/error.ts';
import type { Client } from '../client/index.ts';
import { isDirectory } from '../client/stat.ts';
import { eachPath } from './each.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';
import { untilOutputCloses, writeOut } from './stdio.ts';

export function register(program: Command): void {
  clientCommand(program, 'cat', 'print files of the tree; on a stream, until it ends')
    .argument('<path...>', 'files')
    .addHelpText(
      'after',
      `
Examples:
  slashnet cat tcp/3/status        the state of conversation 3
  slashnet cat tcp/3/data          what the other side sends`,
    )
    .action((paths: string[], options: SessionOptions) =>
      withClient(options, client => untilOutputCloses(() => cat(client, paths))),
    );
}

async function cat(client: Client, paths: string[]): Promise<void> {
  await eachPath('cat', paths, async path => {
    const file = await client.open(path);
    try {
      // Its bytes are the server's list, not text.
      if (isDirectory(file.qid)) throw knownError('Eisdir');
      for await (const bytes of file) await writeOut(bytes);
    } finally {
      await file.close();
    }
  });
}
