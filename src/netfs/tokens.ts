/** The words of a ctl message, as tokenize(2) splits them: blanks between, 'single quotes' around. */
import { FsError } from './error.ts';

/** Longest ctl message; every message of ours is far shorter. */
export const MAX_CTL = 4096;

export function checkMessageSize(data: Buffer): void {
  if (data.length > MAX_CTL) throw new FsError('Ebadctl', `a message has at most ${MAX_CTL} bytes`);
}

/** The whole write is one message; one final newline is dropped. No words: Eshortctl. */
export function ctlWords(data: Buffer): string[] {
  checkMessageSize(data);
  const text = data.toString('utf8').replace(/\n$/, '');
  if (text.includes('\0')) throw new FsError('Ebadctl', 'a message holds no NUL');
  const words = tokenize(text);
  if (words.length === 0) throw new FsError('Eshortctl', 'the message is empty');
  return words;
}

/** Quotes may stand anywhere in a word; '' inside quotes is one quote; an open quote ends with the text. */
export function tokenize(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    if (quoted) {
      if (c !== "'" || text[i + 1] === "'") word = (word ?? '') + c;
      if (c === "'" && text[i + 1] === "'") i++;
      else if (c === "'") quoted = false;
    } else if (c === "'") {
      quoted = true;
      word ??= '';
    } else if (c === ' ' || c === '\t' || c === '\n' || c === '\r') {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + c;
  }
  if (word !== undefined) words.push(word);
  return words;
}
