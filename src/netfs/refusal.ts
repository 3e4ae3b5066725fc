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

const VERBS: Readonly<Record<string, string>> = {
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
  const where = judge.place === '' ? netdir : `${netdir}/${judge.place}`;
  return `the view may, but ${caller.name}, who made it, may not in ${where}`;
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
  return `${what}decides${inside}, ${shownMode(zone.permissions, telling)}; to allow: ${opening(ruling, telling)}`;
}

/** The text is for who may read the file. */
export function shownLine({ verdict, judge }: Ruling<ZoneFile>, reader: Caller): string {
  const { zone, line } = verdict;
  const visible = zone !== undefined && judge.authority.allows(reader, zone.permissions, R);
  return visible && line !== undefined ? `(${line.text}) ` : '';
}

function shownMode({ mode, owner, gid }: Permissions, { groupName }: Telling): string {
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
  const place = judge.place === '' ? netdir : `${netdir}/${judge.place}`;
  const who = judge.authority.isOwner(caller) ? 'u' : judge.authority.classOf(caller, permissions);
  return `chmod ${who}+x ${quoted(`${place}/zone/${name}`)}`;
}

/** As a word of a shell: who reads a command copies it, and zones are called what people call them. */
const quoted = (path: string): string => (/^[\w./+-]+$/.test(path) ? path : inQuotes(path));

const inQuotes = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
