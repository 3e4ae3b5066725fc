/** A request or its answer as one line for people: `LOOKUP 8 node 1 uid 1000 pid 77 name "tcp"`. */
import type { Incoming } from './codec.ts';

/** Bytes of a write that are shown. */
const SHOWN = 40;
/** Fields that say nothing. */
const SILENT = new Set(['padding', 'dummy', 'unused', 'unused4', 'unused5', 'lockOwner', 'openFlags']);

export function formatRequest({ op, header, body }: Incoming): string {
  const { unique, nodeid, uid, pid } = header;
  const parts = [`${op} ${unique} node ${nodeid} uid ${uid} pid ${pid}`];
  for (const [name, value] of Object.entries(body)) {
    if (!SILENT.has(name)) parts.push(`${name} ${show(value)}`);
  }
  return parts.join(' ');
}

function show(value: unknown): string {
  if (!Buffer.isBuffer(value)) return JSON.stringify(value);
  const head = JSON.stringify(value.toString('latin1', 0, SHOWN));
  return `${value.length} bytes ${head}${value.length > SHOWN ? '...' : ''}`;
}
