/** `slashnet netstat`: every conversation there is. */
import type { Command } from 'commander';
import { netstat, type ConversationStatus } from '../client/index.ts';
import { formatTime, isoTime } from './describe.ts';
import { jsonText, printable } from './printable.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';
import { untilOutputCloses, writeOut } from './stdio.ts';

interface NetstatOptions extends SessionOptions {
  readonly all?: boolean;
  readonly json?: boolean;
}

export function register(program: Command): void {
  clientCommand(program, 'netstat', 'show the conversations: whose, in which state, from where to where')
    .option('-a, --all', 'those that are closed, too')
    .option('--json', 'as an array of objects')
    .addHelpText(
      'after',
      `
Columns: protocol and number (tcp 3 is the directory tcp/3), owner, state, local and remote address,
bytes read and written (- where the server does not count), and when the conversation began. The
objects of --json have them as protocol, number, owner, state, local, remote, bytesIn, bytesOut (null
where the server does not count) and since (ISO 8601, null where that cannot be).

Examples:
  slashnet netstat
  slashnet netstat --json | jq '.[] | select(.state == "Established") | .remote'`,
    )
    .action((options: NetstatOptions) =>
      withClient(options, client =>
        untilOutputCloses(async () => {
          const found = await netstat(client, { all: options.all });
          await writeOut(options.json === true ? json(found) : table(found));
        }),
      ),
    );
}

const json = (found: readonly ConversationStatus[]): string =>
  jsonText(
    found.map(one => ({
      ...one,
      bytesIn: one.bytesIn ?? null,
      bytesOut: one.bytesOut ?? null,
      since: isoTime(one.since),
    })),
  );

const HEADER = ['proto', 'number', 'owner', 'state', 'local', 'remote', 'in', 'out', 'since'];
/** Those are aligned to the right. */
const NUMBERS = new Set(['number', 'in', 'out']);

function table(found: readonly ConversationStatus[]): string {
  const rows = [HEADER, ...found.map(row)];
  const widths = HEADER.map((_, column) =>
    rows.reduce((width, cells) => Math.max(width, cells[column]!.length), 0),
  );
  const pad = (cell: string, column: number): string =>
    NUMBERS.has(HEADER[column]!) ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
  return rows.map(cells => `${cells.map(pad).join(' ').trimEnd()}\n`).join('');
}

const row = (one: ConversationStatus): string[] => cells(one).map(printable);

const cells = (one: ConversationStatus): string[] => [
  one.protocol,
  String(one.number),
  one.owner,
  one.state,
  one.local,
  one.remote,
  String(one.bytesIn ?? '-'),
  String(one.bytesOut ?? '-'),
  formatTime(one.since),
];
