/** A file's facts as text, for ls and stat. */
import type { Stat } from '../client/index.ts';
import { formatMode } from './mode.ts';

/** `drwxr-x---`. */
export const formatType = (stat: Stat): string => (stat.isDirectory ? 'd' : '-') + formatMode(stat.mode);

/** The name, or the number where that is all we know. */
export const formatOwner = (name: string | undefined, id: number | undefined): string =>
  name ?? (id === undefined ? '?' : String(id));

/** Local time, `2025-11-24 16:04`. */
export function formatTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
