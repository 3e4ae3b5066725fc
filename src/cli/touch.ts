/** `slashnet touch`: new files in which nothing is. */
import type { Command } from 'commander';
import { NinepError, type Client } from '../client/index.ts';
import { eachPath } from './each.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';

export function register(program: Command): void {
  clientCommand(program, 'touch', 'make files, where the tree has room for some')
    .argument('<path...>', 'what is to be made; what is there stays as it is')
    .addHelpText(
      'after',
      `
Their mode is for the server to say, and then yours to change.

Examples:
  slashnet touch zone/lan`,
    )
    .action((paths: string[], options: SessionOptions) =>
      withClient(options, client => eachPath('touch', paths, path => touch(client, path))),
    );
}

async function touch(client: Client, path: string): Promise<void> {
  try {
    await client.stat(path);
  } catch (error) {
    if (!(error instanceof NinepError && error.code === 'ENOENT')) throw error;
    await client.create(path);
  }
}
