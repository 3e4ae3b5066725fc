/** `slashnet ls`: what a directory of the tree holds. */
import type { Command } from 'commander';
import type { Client, Stat } from '../client/index.ts';
import { formatOwner, formatTime, formatType } from './describe.ts';
import { eachPath } from './each.ts';
import { printable } from './printable.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';
import { untilOutputCloses, writeOut } from './stdio.ts';

interface LsOptions extends SessionOptions {
  readonly long?: boolean;
}

export function register(program: Command): void {
  clientCommand(program, 'ls', 'list directories of the tree')
    .argument('[path...]', 'directories or files (default: the whole tree)')
    .option('-l, --long', 'with mode, owner, group, length and time of the last change')
    .addHelpText(
      'after',
      `
Examples:
  slashnet ls                      what is served
  slashnet ls -l tcp               who may dial, and whose conversations there are
  slashnet ls -l /net/tcp/3        the same tree under the name it has when mounted`,
    )
    .action((paths: string[], options: LsOptions) =>
      withClient(options, client => untilOutputCloses(() => ls(client, paths, options))),
    );
}

async function ls(client: Client, paths: string[], options: LsOptions): Promise<void> {
  const listed = paths.length === 0 ? ['/'] : paths;
  let first = true;
  await eachPath('ls', listed, async (path, written) => {
    const { isDirectory } = await client.stat(path);
    const stats = await client.ls(path);
    // A file is shown as it was asked for, a directory's files by their names.
    const shown = isDirectory ? stats.sort(byName) : stats.map(stat => ({ ...stat, name: written }));
    if (listed.length > 1 && isDirectory) await writeOut(`${first ? '' : '\n'}${written}:\n`);
    first = false;
    await writeOut(
      options.long === true ? longLines(shown) : shown.map(({ name }) => `${printable(name)}\n`).join(''),
    );
  });
}

/** Numbers by their value: conversation 10 comes after 9. */
const byName = (a: Stat, b: Stat): number => a.name.localeCompare(b.name, 'en', { numeric: true });

function longLines(stats: readonly Stat[]): string {
  const rows = stats.map(stat => ({
    type: formatType(stat),
    owner: printable(formatOwner(stat.owner, stat.uid)),
    group: printable(formatOwner(stat.group, stat.gid)),
    length: String(stat.length),
    time: formatTime(stat.mtime),
    name: printable(stat.name),
  }));
  const width = (column: 'owner' | 'group' | 'length'): number =>
    rows.reduce((most, row) => Math.max(most, row[column].length), 0);
  const [owner, group, length] = [width('owner'), width('group'), width('length')];
  return rows
    .map(row =>
      [
        row.type,
        row.owner.padEnd(owner),
        row.group.padEnd(group),
        row.length.padStart(length),
        row.time,
        `${row.name}\n`,
      ].join(' '),
    )
    .join('');
}
