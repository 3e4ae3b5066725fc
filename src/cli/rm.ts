/** `slashnet rm`: files that are to go. */
import type { Command } from 'commander';
import { eachPath } from './each.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';

export function register(program: Command): void {
  clientCommand(program, 'rm', 'remove files of the tree, and directories in which nothing is')
    .argument('<path...>', 'files or directories')
    .addHelpText(
      'after',
      `
Most directories of /net keep what they hold: permission denied.

Examples:
  slashnet rm zone/lan     a zone that somebody made`,
    )
    .action((paths: string[], options: SessionOptions) =>
      withClient(options, client => eachPath('rm', paths, path => client.remove(path))),
    );
}
