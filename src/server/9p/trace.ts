/** A message as one line for people, from the table: `Twalk tag 3 fid 1 newfid 2 names ["tcp","clone"]`. */
import { NOFID, NOTAG, type Message } from './messages.ts';

/** Bytes of a payload that are shown. */
const SHOWN = 40;

export function format(message: Message): string {
  const { type, tag, ...fields } = message;
  const parts = [`${type} tag ${tag === NOTAG ? 'NOTAG' : tag}`];
  for (const [name, value] of Object.entries(fields)) parts.push(`${name} ${show(name, value)}`);
  return parts.join(' ');
}

function show(name: string, value: unknown): string {
  if (Buffer.isBuffer(value)) return showData(value);
  if (name.endsWith('fid') && value === NOFID) return 'NOFID';
  if (isQid(value)) return showQid(value);
  if (Array.isArray(value) && value.every(isQid)) return `[${value.map(showQid).join(' ')}]`;
  return JSON.stringify(value);
}

function showData(data: Buffer): string {
  const head = JSON.stringify(data.toString('latin1', 0, SHOWN));
  return `${data.length} bytes ${head}${data.length > SHOWN ? '...' : ''}`;
}

const isQid = (value: unknown): value is { type: number; vers: number; path: number } =>
  typeof value === 'object' && value !== null && 'vers' in value && 'path' in value;

const showQid = (q: { type: number; vers: number; path: number }): string =>
  `(${q.path.toString(16)} ${q.vers} ${q.type === 0x80 ? 'd' : q.type.toString(16)})`;
