/** What a page shows of a session in a shell: commands behind `$ `, and what they print. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

export interface Command {
  readonly command: string;
  readonly printed: string;
}

/** Between what a command prints and what the next one does. */
const MARK = '\u0001';

/** The commands of all blocks of a page, in their order, but for those of sections that are left out. */
export function transcriptOf(page: URL, without: readonly string[] = []): Command[] {
  const sections = readFileSync(page, 'utf8').split(/^## /m);
  const text = sections.filter(section => !without.includes(section.split('\n')[0]!)).join('');
  const blocks = [...text.matchAll(/^```\n(\$ [^]*?)^```$/gm)];
  return blocks.flatMap(([, text = '']) =>
    text
      .split(/^\$ /m)
      .slice(1)
      .map(entry => {
        const [command = '', ...lines] = entry.split('\n');
        return { command, printed: lines.join('\n') };
      }),
  );
}

/** A script that runs them all in one shell. */
export const scriptOf = (commands: readonly Command[]): string =>
  commands.map(({ command }) => `${command}\nprintf '${MARK}'\n`).join('');

/** Compares what that script printed, command by command. */
export function assertPrinted(commands: readonly Command[], output: string): void {
  const printed = output.replaceAll('\r', '').split(MARK);
  const got = commands.map(({ command }, i) => ({ command, printed: printed[i] ?? '(nothing more)' }));
  assert.deepEqual(got, commands);
  assert.deepEqual(printed.slice(commands.length), ['']);
}
