/** `slashnet log`: what happened in a /net. */
import { StringDecoder } from 'node:string_decoder';
import type { Command } from 'commander';
import type { Client, File } from '../client/index.ts';
import { eachPath } from './each.ts';
import { printable } from './printable.ts';
import { clientCommand, withClient, type SessionOptions } from './session.ts';
import { untilOutputCloses, writeOut } from './stdio.ts';

interface LogOptions extends SessionOptions {
  readonly follow?: boolean;
}

export function register(program: Command): void {
  clientCommand(program, 'log', 'show what happened: who went where, what was refused, what changed')
    .argument('[file]', "the log to show; a view has one of its own, 'view/3/log'", 'log')
    .option('-f, --follow', 'go on with what happens from now on')
    .addHelpText(
      'after',
      `
One line for each thing that happened: key=value and blanks, in double quotes where a value has blanks.
docs/log.md has the keys.

Examples:
  slashnet log | grep verdict=refused
  slashnet log --follow`,
    )
    .action((file: string, options: LogOptions) =>
      withClient(options, client =>
        untilOutputCloses(() => eachPath('log', [file], path => show(client, path, options))),
      ),
    );
}

async function show(client: Client, path: string, { follow = false }: LogOptions): Promise<void> {
  const file = await client.open(path);
  try {
    await (follow ? print(file) : print(whatIsThere(file)));
  } finally {
    await file.close();
  }
}

/** Characters; more than a line of a log has. */
const MOST_OF_LINE = 64 * 1024;

async function print(parts: AsyncIterable<Buffer>): Promise<void> {
  const decoder = new StringDecoder();
  let rest = '';
  for await (const bytes of parts) {
    const lines = (rest + decoder.write(bytes)).split('\n');
    rest = lines.pop()!;
    // What is no log may have no lines.
    if (rest.length > MOST_OF_LINE) {
      lines.push(rest);
      rest = '';
    }
    await writeOut(lines.map(line => `${printable(line)}\n`).join(''));
  }
  if (rest !== '') await writeOut(`${printable(rest)}\n`);
}

/** Up to where a read waits, or, while lines come as fast as we read, to those of a later second. */
async function* whatIsThere(file: File): AsyncGenerator<Buffer, void> {
  const { mtime } = await file.stat();
  let bytes: Buffer | undefined;
  do {
    bytes = await readNow(file);
    if (bytes !== undefined) yield bytes;
  } while (bytes !== undefined && bytes.length > 0 && !(lastTime(bytes) >= mtime + 1));
}

/** Requests are answered in their order, but for those that wait: undefined if the read does. */
async function readNow(file: File): Promise<Buffer | undefined> {
  const enough = new AbortController();
  const waiting = file.read(undefined, undefined, enough.signal);
  const stop = (): void => enough.abort();
  file.stat().then(stop, stop);
  try {
    return await waiting;
  } catch (error) {
    if (error === enough.signal.reason) return undefined;
    throw error;
  }
}

/** Of the last line that begins in these bytes, in seconds; NaN where none does. */
function lastTime(bytes: Buffer): number {
  const at = bytes.lastIndexOf('\ntime=') + 1;
  const stamp = /^time=(\S{1,40})/.exec(bytes.toString('latin1', at, at + 50))?.[1];
  return stamp === undefined ? NaN : Date.parse(stamp) / 1000;
}
