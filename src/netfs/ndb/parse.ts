/**
 * The form of a network database, ndb(6): an entry is a line of tuples and the indented lines behind it.
 *
 *     ip=192.0.2.7 ipmask=/120
 *     	sys=jerq dom=jerq.example.org    # a comment
 *
 * A word without `=` is an attribute with an empty value; `"..."` holds blanks.
 */
import { isUtf8 } from 'node:buffer';
import { FsError } from '../error.ts';

export interface Tuple {
  readonly attr: string;
  readonly value: string;
}

/** The tuples of a line, in their order; at least one. */
export type Line = readonly Tuple[];
/** What belongs together: at least one line. */
export type Entry = readonly Line[];

/** Everything that bytes say; Esyntax with line, column and reason where they say nothing. */
export function parse(text: Buffer): Entry[] {
  const entries: Line[][] = [];
  for (const { bytes, number } of lines(text)) {
    const line = parseLine(decode(bytes, number), number);
    if (line.length === 0) continue;
    const last = entries.at(-1);
    if (last !== undefined && isBlank(bytes[0])) last.push(line);
    else entries.push([line]);
  }
  return entries;
}

function* lines(text: Buffer): Iterable<{ bytes: Buffer; number: number }> {
  for (let start = 0, number = 1; start < text.length; number++) {
    const end = text.indexOf(0x0a, start);
    const stop = end < 0 ? text.length : end;
    yield { bytes: text.subarray(start, stop), number };
    start = stop + 1;
  }
}

const isBlank = (byte: number | undefined): boolean => byte === 0x20 || byte === 0x09;

function decode(bytes: Buffer, number: number): string {
  const text = bytes.toString('utf8');
  if (!isUtf8(bytes)) throw syntaxError(number, text.indexOf('\ufffd'), 'this is not UTF-8');
  const control = CONTROL.exec(text);
  if (control !== null) {
    const code = control[0].charCodeAt(0).toString(16).padStart(2, '0');
    throw syntaxError(number, control.index, `a control character, 0x${code}`);
  }
  return text;
}

/** What no text holds: all but the tab, and the return at the end of lines that come from elsewhere. */
const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?=[^\r])/;

/** The tuples of one line; none if it is empty or a comment. */
function parseLine(text: string, number: number): Tuple[] {
  const tuples: Tuple[] = [];
  let at = afterBlanks(text, 0);
  while (at < text.length && text[at] !== '#') {
    const { tuple, end } = parseTuple(text, at, number);
    tuples.push(tuple);
    at = afterBlanks(text, end);
  }
  return tuples;
}

function parseTuple(text: string, start: number, number: number): { tuple: Tuple; end: number } {
  const attrEnd = afterWord(text, start, '=');
  const attr = text.slice(start, attrEnd);
  if (attr === '') throw syntaxError(number, start, "'=' without an attribute before it");
  if (attr.includes('"')) throw syntaxError(number, start, 'a quoted attribute; only values are quoted');
  const equals = afterBlanks(text, attrEnd);
  if (text[equals] !== '=') return { tuple: { attr, value: '' }, end: attrEnd };
  const { value, end } = parseValue(text, equals + 1, number);
  return { tuple: { attr, value }, end };
}

function parseValue(text: string, start: number, number: number): { value: string; end: number } {
  // As in ndb(2), a comment may follow the `=` at once.
  if (text[start] === '#') return { value: '', end: start };
  if (text[start] !== '"') {
    const end = afterWord(text, start);
    return { value: text.slice(start, end), end };
  }
  const close = text.indexOf('"', start + 1);
  if (close < 0) throw syntaxError(number, start, 'a quote that does not end on its line');
  if (afterWord(text, close + 1) > close + 1) {
    throw syntaxError(number, close + 1, 'something follows the quote without a blank');
  }
  return { value: text.slice(start + 1, close), end: close + 1 };
}

const BLANKS = ' \t\r';

function afterBlanks(text: string, at: number): number {
  while (at < text.length && BLANKS.includes(text[at]!)) at++;
  return at;
}

/** Where a word ends, at a blank or at `stop`. */
function afterWord(text: string, at: number, stop?: string): number {
  while (at < text.length && !BLANKS.includes(text[at]!) && text[at] !== stop) at++;
  return at;
}

/** `at` counts from 0, columns from 1. */
function syntaxError(line: number, at: number, reason: string): FsError {
  return new FsError('Esyntax', `line ${line}, column ${at + 1}: ${reason}; write attr=value ...`);
}

/** A tuple as `parse` reads it. */
export function formatTuple({ attr, value }: Tuple): string {
  return /[ \t]|^#/.test(value) ? `${attr}="${value}"` : `${attr}=${value}`;
}
