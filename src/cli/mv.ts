/** `slashnet mv`: another name for a file. */
import type { Command } from 'commander';
import { eachPath } from './each.ts';
import { treePath } from './path.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';

export function register(program: Command): void {
  clientCommand(program, 'mv', 'give a file of the tree another name')
    .argument('<old>', 'the file or directory')
    .argument('<new>', 'its new path; a file that has it is replaced')
    .addHelpText(
      'after',
      `
Examples:
  slashnet mv zone/lan zone/office
  slashnet mv zone/lan.new zone/lan     at no moment is there no zone/lan`,
    )
    .action((old: string, wanted: string, options: SessionOptions) =>
      // The others know no way from one directory to another.
      withClient({ dialect: '9P2000.L', ...options }, client =>
        eachPath('mv', [old], path => client.rename(path, treePath(wanted))),
      ),
    );
}
