/** A policy as the text of a file that says the same when it is loaded. */
import { formatEndpoint, type Endpoint } from '../../endpoint.ts';
import type { Caller } from '../identity.ts';
import type { LogSettings } from './policy.ts';

/** Owners and groups as numbers, or as names where that is what is known. */
export interface ShownSettings {
  readonly mode?: number | undefined;
  readonly owner?: number | string | undefined;
  readonly group?: number | string | undefined;
}

/** A Policy is one; every section may be missing. */
export interface ShownPolicy {
  readonly listen?: readonly Endpoint[] | undefined;
  readonly mount?: readonly string[] | undefined;
  readonly files?: ReadonlyMap<string, ShownSettings>;
  readonly zones?: ReadonlyMap<string, ShownSettings & { readonly lines: string }> | undefined;
  readonly users?: ReadonlyMap<string, Caller>;
  readonly log?: LogSettings;
}

export function formatPolicy({ listen, mount, files, zones, users, log = {} }: ShownPolicy): string {
  const text = [
    ...listed('listen', listen?.map(formatEndpoint)),
    ...listed('mount', mount),
    ...section('files', files, (name, settings) => [`  ${word(name)}: ${flow(fields(settings))}`]),
    // Without this key everything is allowed.
    ...(zones?.size === 0 ? ['zones: {}'] : section('zones', zones, zone)),
    ...section('users', users, (name, user) => [`  ${word(name)}: ${person(name, user)}`]),
    ...(Object.keys(log).length === 0 ? [] : [`log: ${flow(logFields(log))}`]),
  ];
  return text.length === 0 ? '{}\n' : `${text.join('\n')}\n`;
}

const listed = (key: string, items: readonly string[] | undefined): string[] =>
  items === undefined ? [] : [`${key}: [${items.map(quoted).join(', ')}]`];

function section<T>(
  key: string,
  entries: ReadonlyMap<string, T> = new Map(),
  format: (name: string, entry: T) => string[],
): string[] {
  return entries.size === 0
    ? []
    : [`${key}:`, ...[...entries].flatMap(([name, entry]) => format(name, entry))];
}

function zone(name: string, { lines, ...settings }: ShownSettings & { readonly lines: string }): string[] {
  return [
    `  ${word(name)}:`,
    ...fields(settings).map(field => `    ${field}`),
    `    lines: ${block(lines, '      ')}`,
  ];
}

function fields({ mode, owner, group }: ShownSettings): string[] {
  return [
    ...(mode === undefined ? [] : [`mode: '${mode.toString(8).padStart(4, '0')}'`]),
    ...(owner === undefined ? [] : [`owner: ${scalar(owner)}`]),
    ...(group === undefined ? [] : [`group: ${scalar(group)}`]),
  ];
}

/** A user of the host by his name, where the policy gave him another. */
function person(name: string, { name: real, uid, gid, groups = [] }: Caller): string {
  return real === name
    ? flow([`uid: ${uid}`, `gid: ${gid}`, `groups: [${groups.join(', ')}]`])
    : quoted(real);
}

const logFields = ({ file, syslog }: LogSettings): string[] => [
  ...(file === undefined ? [] : [`file: ${quoted(file)}`]),
  ...(syslog === undefined ? [] : [`syslog: ${syslog}`]),
];

const flow = (fields: readonly string[]): string => (fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`);

/** Words that mean nothing else to YAML need no quotes. */
const word = (text: string): string =>
  /^[a-z][a-z0-9/_-]*$/.test(text) && !MEANS.has(text) ? text : quoted(text);
const MEANS = new Set(['null', 'true', 'false']);

const scalar = (value: number | string): string =>
  typeof value === 'number' ? String(value) : quoted(value);

/** JSON, which is YAML, with all escaped that a terminal would obey. */
const quoted = (text: string): string => JSON.stringify(text).replace(CONTROLS, escaped);
const CONTROLS = /[\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff]/g;
const escaped = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;

/** A block, if its text is one as it stands: lines that end in a newline, the first not indented or empty. */
function block(lines: string, indent: string): string {
  if (!BLOCK.test(lines) || /\n\n$/.test(lines)) return quoted(lines);
  const rows = lines.slice(0, -1).split('\n');
  return ['|', ...rows.map(row => (row === '' ? '' : indent + row))].join('\n');
}

/** Without controls, and without what is no character. */
const BLOCK =
  /^(?![ \t\n])[^\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]+\n$/;
