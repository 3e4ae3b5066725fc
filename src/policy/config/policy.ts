/** What a policy file says, once it is sound. */
import type { Endpoint } from '../../endpoint.ts';
import type { Caller } from '../identity.ts';

/** Something that is wrong with a policy file or a file that it includes; line and column (characters) count from 1. */
export interface PolicyError {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly reason: string;
}

/** `policy.yaml:3:22: reason` */
export const errorText = ({ file, line, column, reason }: PolicyError): string =>
  `${file}:${line}:${column}: ${reason}`;

/** What a file is to have; an absent field is not touched. */
export interface FileSettings {
  /** The nine permission bits. */
  readonly mode?: number;
  /** A uid. */
  readonly owner?: number;
  /** A gid. */
  readonly group?: number;
}

export interface ZoneSettings extends FileSettings {
  readonly mode: number;
  /** Its own, then those of the included files, in their order; empty, or ending in a newline. */
  readonly lines: string;
}

export interface LogSettings {
  /** Absolute. */
  readonly file?: string;
  readonly syslog?: boolean;
}

export interface Policy {
  /** By their path in the tree. */
  readonly files: ReadonlyMap<string, FileSettings>;
  /** All that there are; undefined where the file says nothing of zones, not even that there are none. */
  readonly zones: ReadonlyMap<string, ZoneSettings> | undefined;
  /** Who clients of a trusted transport are, by the name that they claim. */
  readonly users: ReadonlyMap<string, Caller>;
  readonly listen: readonly Endpoint[] | undefined;
  readonly mount: readonly string[] | undefined;
  readonly log: LogSettings;
  /** The included files, absolute, each once. */
  readonly includes: readonly string[];
}

/** The files whose modes and owners a policy sets: all of the root's that stay, and what gates a protocol. */
export const FILES: readonly string[] = [
  'tcp',
  'udp',
  'dial',
  'zone',
  'view',
  'tcp/clone',
  'udp/clone',
  'cs',
  'dns',
  'ndb',
  'log',
  'explain',
];

/** What a zone has for which no mode was given. */
export const ZONE_MODE = 0o700;

/** What editors leave, `.x`, `x~` and `#x#`, is never judged, and so is no zone. */
export const isZoneName = (name: string): boolean => /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$/.test(name);
