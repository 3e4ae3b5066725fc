/** Domain names: as text, without a final dot and `.` for the root, and in octets (RFC 1035, 3.1). */
import { domainToASCII } from 'node:url';
import { parseIp, type Ip } from './address.ts';

/** RFC 1035, 2.3.4; the name's with the octets of its lengths and of the root. */
const MAX_LABEL = 63;
export const MAX_NAME = 255;

/** What one label is made of: `\DDD` is an octet by its decimal number, `\X` the character X (RFC 1035, 5.1). */
const PIECE = /\\(\d{3})|\\(\D)|([^\\])/gy;

/**
 * The octets of a name; undefined if it is none: a label that is empty or has more than 63 octets, a name
 * of more than 255. Letters beyond ASCII become what IDNA makes of their label.
 */
export function domainOctets(text: string): Uint8Array | undefined {
  const name = isRooted(text) ? text.slice(0, -1) : text;
  const octets: number[] = [];
  for (const label of name === '' ? [] : splitLabels(name)) {
    const bytes = labelOctets(label);
    if (bytes === undefined || bytes.length === 0 || bytes.length > MAX_LABEL) return undefined;
    octets.push(bytes.length, ...bytes);
    if (octets.length >= MAX_NAME) return undefined;
  }
  octets.push(0);
  // Only the root is written with nothing before its dot.
  return text === '' ? undefined : Uint8Array.from(octets);
}

/** Whether it ends in a dot, and so means itself; one behind a backslash is its label's. */
export const isRooted = (name: string): boolean => name.endsWith('.') && !/(^|[^\\])(\\\\)*\\\.$/.test(name);

/** At its dots, but for those behind a backslash. */
function splitLabels(name: string): string[] {
  if (!name.includes('\\')) return name.split('.');
  const labels = [''];
  for (const [piece] of name.matchAll(/\\?[^]/gu)) {
    if (piece === '.') labels.push('');
    else labels[labels.length - 1] += piece;
  }
  return labels;
}

function labelOctets(label: string): number[] | undefined {
  const ascii = /^[\0-\x7f]*$/.test(label) ? label : domainToASCII(label);
  if (ascii === '' || ascii.includes('.') !== label.includes('.')) return undefined;
  const octets: number[] = [];
  PIECE.lastIndex = 0;
  let end = 0;
  for (let piece = PIECE.exec(ascii); piece !== null; piece = PIECE.exec(ascii)) {
    const octet = piece[1] === undefined ? (piece[2] ?? piece[3]!).charCodeAt(0) : Number(piece[1]);
    if (octet > 255) return undefined;
    octets.push(octet);
    end = PIECE.lastIndex;
  }
  return end === ascii.length ? octets : undefined;
}

/** Octets that stand for themselves: what can be printed, without the dot and the backslash. */
const PLAIN = /^[!-\-/-[\]-~]*$/;

/** A label's octets, one a character, as text. */
export function labelText(latin1: string): string {
  if (PLAIN.test(latin1)) return latin1;
  return latin1.replace(/[^!-\-/-[\]-~]/g, char =>
    char === '.' || char === '\\' ? `\\${char}` : escapeOctet(char),
  );
}

/** `\DDD` */
export const escapeOctet = (char: string): string => `\\${String(char.charCodeAt(0)).padStart(3, '0')}`;

/** A name as messages give it: its letters in ASCII, no escape that need not be. Undefined if it is none. */
export function canonicalName(text: string): string | undefined {
  const octets = domainOctets(text);
  if (octets === undefined) return undefined;
  const labels: string[] = [];
  for (let at = 0; octets[at] !== 0; at += octets[at]! + 1) {
    labels.push(labelText(Buffer.from(octets.subarray(at + 1, at + 1 + octets[at]!)).toString('latin1')));
  }
  return labels.length === 0 ? '.' : labels.join('.');
}

/** Names that are the same name, whatever their case (RFC 4343), have the same key. */
export const domainKey = (name: string): string => name.toLowerCase();

/**
 * A name as zones have it: one key for all ways of writing it, without its final dot. A dot within a label is
 * written so that it does not look like one between two.
 */
export function zoneKey(name: string): string {
  const key = domainKey(
    canonicalName(name) ?? (name.length > 1 && isRooted(name) ? name.slice(0, -1) : name),
  );
  return key.replace(/\\[\\.]/g, pair => (pair === '\\.' ? '\\046' : pair));
}

/** RFC 6761, 6.3: localhost and all below it are this machine, whatever anybody says. `key`: domainKey. */
export const isLocalhost = (key: string): boolean => key === 'localhost' || key.endsWith('.localhost');

// ---- names of addresses -----------------------------------------------------------------------

/** The name that holds an address's ptr: RFC 1035, 3.5; RFC 3596, 2.5. */
export function reverseName({ family, bytes }: Ip): string {
  if (family === 4) return `${[...bytes].reverse().join('.')}.in-addr.arpa`;
  const nibbles = [...Buffer.from(bytes).toString('hex')].reverse();
  return `${nibbles.join('.')}.ip6.arpa`;
}

/** The address that such a name is of, if it is of a whole one. */
export function reverseAddress(name: string): Ip | undefined {
  const key = domainKey(name);
  const v4 = /^((?:\d{1,3}\.){4})in-addr\.arpa$/.exec(key);
  if (v4 !== null) return parseIp(v4[1]!.slice(0, -1).split('.').reverse().join('.'));
  const v6 = /^((?:[0-9a-f]\.){32})ip6\.arpa$/.exec(key);
  if (v6 === null) return undefined;
  return { family: 6, bytes: Buffer.from(v6[1]!.split('.').reverse().join(''), 'hex') };
}
