/**
 * Why somebody may not: a sentence that names him, where he wanted to go, what decided, and the command that
 * would allow it. Of a zone's lines it shows what the reader may read, and of what is outside a view nothing
 * to who is inside.
 */
import type { ZoneFile } from './zone.ts';
import type { Caller } from '../policy/identity.ts';
import type { Judge, Ruling } from '../policy/judge.ts';
import { R, type Permissions } from '../policy/permissions.ts';

/** What was wanted. */
export interface Wanted {
  readonly verb: string;
  /** `tcp!github.com!443` */
  readonly dest: string;
  /** A line of a zone that would say just that. */
  readonly line: string;
  /** The address, where there is one; and the line of that. */
  readonly addr?: string;
  readonly addressLine?: string;
}

export interface Telling {
  /** Who wanted it. */
  readonly caller: Caller;
  /** Who is told. */
  readonly reader: Caller;
  /** Of the /net where it was wanted. */
  readonly judge: Judge<ZoneFile>;
  readonly netdir: string;
  groupName(gid: number): string;
}

/** As in `alice may connect to tcp!...` */
export const VERBS: Readonly<Record<string, string>> = {
  connect: 'connect to',
  announce: 'announce',
  accept: 'accept a call from',
  resolve: 'look up',
};

export function refusal(ruling: Ruling<ZoneFile>, wanted: Wanted, telling: Telling): string {
  const { caller } = telling;
  const addr = wanted.addr !== undefined && !wanted.dest.includes(wanted.addr) ? ` (${wanted.addr})` : '';
  const who = `${caller.name} may not ${VERBS[wanted.verb]} ${wanted.dest}${addr}`;
  return `${who}: ${ruling.judge === telling.judge ? decided(ruling, wanted, telling) : outside(ruling, telling)}`;
}

/** Above a view somebody else was judged, by what those inside cannot see. */
function outside({ judge, caller }: Ruling<ZoneFile>, { netdir }: Telling): string {
  return `the view may, but ${caller.name}, who made it, may not in ${placeOf(judge, netdir)}`;
}

function decided(ruling: Ruling<ZoneFile>, wanted: Wanted, telling: Telling): string {
  const { verdict } = ruling;
  const { zone, reason } = verdict;
  const inside = verdict.inside === undefined ? '' : ', as the IPv4 address inside it';
  if (reason === 'rebinding') {
    const names = `its name leads into special address space${inside}, where an address line is needed, too`;
    return `${names}; to allow: ${adding(wanted.addressLine ?? wanted.line, ruling, telling)}`;
  }
  if (zone === undefined)
    return `no line of any zone has it${inside}; to allow: ${adding(wanted.line, ruling, telling)}`;
  const what = `zone ${zone.name} ${shownLine(ruling, telling.reader)}`;
  if (reason === 'veto') {
    return `${what}forbids it to everybody${inside}, having no x bit; to allow: ${opening(ruling, telling)}`;
  }
  return `${what}decides${inside}, ${shownMode(zone.permissions, telling.groupName)}; to allow: ${opening(ruling, telling)}`;
}

/** A file that somebody would have to use, and may not. */
export interface Lacking {
  /** In its /net: `tcp/clone` */
  readonly path: string;
  readonly permissions: Permissions;
  /** `read and write permission`, and its letters for chmod: `rw` */
  readonly needs: string;
  readonly bits: string;
}

/** `alice needs read and write permission on tcp/clone, mode 0600, ...`, and the command that would give it. */
export function lacking(
  { path, permissions, needs, bits }: Lacking,
  { caller, judge, netdir, groupName }: Omit<Telling, 'reader'>,
): string {
  const file = quoted(`${placeOf(judge, netdir)}/${path}`);
  const command = `chmod ${classFor(caller, permissions, judge)}+${bits} ${file}`;
  return `${caller.name} needs ${needs} on ${path}, ${shownMode(permissions, groupName)}; to allow: ${command}`;
}

/** The text is for who may read the file. */
export function shownLine({ verdict, judge }: Ruling<ZoneFile>, reader: Caller): string {
  const { zone, line } = verdict;
  const visible = zone !== undefined && judge.authority.allows(reader, zone.permissions, R);
  return visible && line !== undefined ? `(${line.text}) ` : '';
}

function shownMode({ mode, owner, gid }: Permissions, groupName: Telling['groupName']): string {
  return `mode ${mode.toString(8).padStart(4, '0')}, owner ${owner.name}, group ${groupName(gid)}`;
}

function adding(line: string, { judge, caller }: Ruling<ZoneFile>, { netdir }: Telling): string {
  if (judge.place !== '') return `write 'allow ${line}' to the ctl of ${judge.place}`;
  const zone = quoted(`${netdir}/zone/allowed`);
  // A new zone is for its maker alone; which class of its bits would count for this one is not known yet.
  const open = judge.authority.isOwner(caller) ? '' : ` && chmod a+x ${zone}`;
  return `echo ${inQuotes(line)} >>${zone}${open}`;
}

/** The bits that would let him pass. */
function opening({ verdict, judge, caller }: Ruling<ZoneFile>, { netdir }: Telling): string {
  const { permissions, name } = verdict.zone!;
  const zone = quoted(`${placeOf(judge, netdir)}/zone/${name}`);
  return `chmod ${classFor(caller, permissions, judge)}+x ${zone}`;
}

/** The class of bits that counts for him, as chmod(1) has it. */
const classFor = (caller: Caller, permissions: Permissions, { authority }: Judge<ZoneFile>): string =>
  authority.isOwner(caller) ? 'u' : authority.classOf(caller, permissions);

/** The /net of these rules: `/net/view/3` */
const placeOf = ({ place }: Judge<ZoneFile>, netdir: string): string =>
  place === '' ? netdir : `${netdir}/${place}`;

/** As a word of a shell: who reads a command copies it, and zones are called what people call them. */
const quoted = (path: string): string => (/^[\w./+-]+$/.test(path) ? path : inQuotes(path));

const inQuotes = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
