/** `slashnet chmod`: who may use a file. */
import type { Command } from 'commander';
import { eachPath } from './each.ts';
import { parseMode, type ModeChange } from './mode.ts';
import { argument, clientCommand, withClient, type SessionOptions } from './session.ts';

export function register(program: Command): void {
  clientCommand(program, 'chmod', 'change who may use files of the tree')
    .argument('<mode>', 'octal digits, or letters: u+rwx,g-w,o=r,a+X', text =>
      argument(() => parseMode(text)),
    )
    .argument('<path...>', 'files or directories')
    .addHelpText(
      'after',
      `
Examples:
  slashnet chmod 660 tcp/clone     its owner and its group may dial
  slashnet chmod o-rw tcp/3/data   only owner and group use conversation 3
  slashnet chmod -- -x tcp/clone   a mode that begins with - comes after --`,
    )
    .action((mode: ModeChange, paths: string[], options: SessionOptions) =>
      withClient(options, client => eachPath('chmod', paths, path => client.chmod(path, mode))),
    );
}
