/** `slashnet mkdir`: new directories. */
import type { Command } from 'commander';
import { eachPath } from './each.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';

export function register(program: Command): void {
  clientCommand(program, 'mkdir', 'make directories, where the tree has room for some')
    .argument('<path...>', 'what is to be made')
    .addHelpText(
      'after',
      `
Their mode is for the server to say, and then yours to change.

Examples:
  slashnet mkdir view/guests`,
    )
    .action((paths: string[], options: SessionOptions) =>
      withClient(options, client =>
        eachPath('mkdir', paths, path => client.create(path, { directory: true })),
      ),
    );
}
