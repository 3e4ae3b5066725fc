/** One line of a log: `key=value` and blanks. Whatever a value is made of, it forges neither a key nor a line. */

/**
 * One thing that happened. The keys are words of the code, written in their order, but for `time` and
 * `view`, which are the journal's; a value that is undefined is left out.
 */
export type Entry = Readonly<Record<string, string | number | undefined>>;

/** The most UTF-16 units of a value; one that is cut ends with an ellipsis. */
export const MOST_OF_VALUE = 512;

/** Printable ASCII without the blank, the quote and the equals sign. */
const BARE = /^[!#-<>-~]+$/;

/**
 * Besides what quoting itself needs: controls, what turns the direction of writing or is not seen, line
 * and paragraph separators, and halves of surrogate pairs.
 */
const ESCAPED = /["\\\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** `verb=connect user=alice dest="a b"`, without a newline. */
export function fields(entry: Entry): string {
  let text = '';
  for (const key in entry) {
    const value = entry[key];
    if (value !== undefined) text += `${text === '' ? '' : ' '}${key}=${valueText(value)}`;
  }
  return text;
}

export function valueText(value: string | number): string {
  const text = typeof value === 'number' ? String(value) : shortened(value);
  return BARE.test(text) ? text : `"${text.replace(ESCAPED, escaped)}"`;
}

function shortened(text: string): string {
  if (text.length <= MOST_OF_VALUE) return text;
  // Not between the halves of a pair.
  const end = text.codePointAt(MOST_OF_VALUE - 1)! > 0xffff ? MOST_OF_VALUE - 1 : MOST_OF_VALUE;
  return `${text.slice(0, end)}…`;
}

function escaped(char: string): string {
  if (char === '"' || char === '\\') return `\\${char}`;
  const code = char.codePointAt(0)!.toString(16);
  return code.length <= 2 ? `\\x${code.padStart(2, '0')}` : `\\u{${code}}`;
}

/** Of many lines some are of the same millisecond. */
let latest = { ms: NaN, text: '' };

/** `ms` since the epoch. */
export function timeField(ms: number): string {
  if (ms !== latest.ms) latest = { ms, text: `time=${new Date(ms).toISOString()}` };
  return latest.text;
}

/** The line in the place of so many that were lost. */
export const missedLine = (ms: number, lines: number): string => `${timeField(ms)} missed=${lines}`;
