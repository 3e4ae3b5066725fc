/** `slashnet stat`: all that the server tells about a file. */
import type { Command } from 'commander';
import type { Stat } from '../client/index.ts';
import { formatOwner, formatTime, formatType } from './describe.ts';
import { eachPath } from './each.ts';
import { printable } from './printable.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';
import { untilOutputCloses, writeOut } from './stdio.ts';

export function register(program: Command): void {
  clientCommand(program, 'stat', 'show all that is known about files of the tree')
    .argument('<path...>', 'files or directories')
    .addHelpText(
      'after',
      `
Examples:
  slashnet stat tcp/clone          who may dial
  slashnet stat tcp/3/data`,
    )
    .action((paths: string[], options: SessionOptions) =>
      withClient(options, client =>
        untilOutputCloses(() =>
          eachPath('stat', paths, async (path, written) =>
            writeOut(describe(written, await client.stat(path))),
          ),
        ),
      ),
    );
}

function describe(written: string, stat: Stat): string {
  const { qid } = stat;
  return [
    ['path', written],
    ['name', stat.name],
    ['mode', `0${stat.mode.toString(8).padStart(3, '0')} ${formatType(stat)}`],
    ['owner', both(stat.owner, stat.uid)],
    ['group', both(stat.group, stat.gid)],
    ['length', String(stat.length)],
    ['accessed', formatTime(stat.atime)],
    ['modified', formatTime(stat.mtime)],
    ['qid', `path 0x${qid.path.toString(16)} version ${qid.vers} type 0x${qid.type.toString(16)}`],
  ]
    .map(([name = '', value = '']) => `${name.padEnd(9)}${printable(value)}\n`)
    .join('');
}

/** `alice (1000)`, or the one of the two that is known. */
const both = (name: string | undefined, id: number | undefined): string =>
  name === undefined || id === undefined || name === String(id) ? formatOwner(name, id) : `${name} (${id})`;
