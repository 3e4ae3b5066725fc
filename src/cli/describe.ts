/** A file's facts as text, for ls and stat. */
import type { Stat } from '../client/index.ts';
import { formatMode } from './mode.ts';

/** `drwxr-x---`. */
export const formatType = (stat: Stat): string => (stat.isDirectory ? 'd' : '-') + formatMode(stat.mode);

/** The name, or the number where that is all we know. */
export const formatOwner = (name: string | undefined, id: number | undefined): string =>
  name ?? (id === undefined ? '?' : String(id));

/** In UTC, `2025-11-24T15:04:00.000Z`; null where a server says what no date is. */
export function isoTime(seconds: number): string | null {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** Local time, `2025-11-24 16:04`; `?` where a server says what no date is. */
export function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return '?';
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
