/** `slashnet chown`: whose a file is. */
import type { Command } from 'commander';
import { eachPath } from './each.ts';
import { argument, clientCommand, withClient, type SessionOptions } from './session.ts';

interface Owner {
  readonly uid?: number | string;
  readonly gid?: number | string;
}

export function register(program: Command): void {
  clientCommand(program, 'chown', 'give files of the tree to a user, and to a group')
    .argument('<owner>', 'USER, USER:GROUP or :GROUP, by name or number, as the server knows them', text =>
      argument(() => parseOwner(text)),
    )
    .argument('<path...>', 'files or directories')
    .addHelpText(
      'after',
      `
Examples:
  slashnet chown alice tcp/3/ctl         conversation 3 is Alice's
  slashnet chown alice:net zone/lan`,
    )
    .action((owner: Owner, paths: string[], options: SessionOptions) =>
      withClient(options, client => eachPath('chown', paths, path => client.chown(path, owner))),
    );
}

function parseOwner(text: string): Owner {
  const [user = '', group, ...more] = text.split(':');
  if (more.length > 0 || group === '' || (user === '' && group === undefined)) {
    throw new Error(`${text}: write USER, USER:GROUP or :GROUP`);
  }
  return {
    ...(user !== '' && { uid: numberOrName(user) }),
    ...(group !== undefined && { gid: numberOrName(group) }),
  };
}

/** Digits are a number. */
export const numberOrName = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text);
