/** `slashnet chgrp`: which group a file belongs to. */
import type { Command } from 'commander';
import { numberOrName } from './chown.ts';
import { eachPath } from './each.ts';
import { NinepError } from '../client/index.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';

export function register(program: Command): void {
  clientCommand(program, 'chgrp', 'give files of the tree to a group')
    .argument('<group>', 'its name or number, as the server knows it')
    .argument('<path...>', 'files or directories')
    .addHelpText(
      'after',
      `
Examples:
  slashnet chgrp net tcp/clone; slashnet chmod 660 tcp/clone     the group net may dial`,
    )
    .action((group: string, paths: string[], options: SessionOptions) =>
      withClient(options, client =>
        eachPath('chgrp', paths, path => client.chown(path, { gid: numberOrName(group) }).catch(asOfGroup)),
      ),
    );
}

/** 9P has one error for users and groups. */
function asOfGroup(error: unknown): never {
  if (error instanceof NinepError && error.text === 'unknown user') error.detail = 'unknown group';
  throw error;
}
