/** What is mounted where: /proc/self/mountinfo, proc_pid_mountinfo(5). Reading it asks no file system. */
import { readFile } from 'node:fs/promises';

export interface MountEntry {
  readonly id: number;
  /** major:minor of st_dev */
  readonly device: string;
  readonly at: string;
  readonly type: string;
  readonly source: string;
  /** Of FUSE, the user who mounted it; nobody else may unmount it but root. */
  readonly userId: number | undefined;
}

/** In the order of mounting: of those at one place the last is on top. */
export async function mounts(): Promise<MountEntry[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text.split('\n').filter(Boolean).map(parse);
}

function parse(line: string): MountEntry {
  const fields = line.split(' ');
  // Optional fields end with a lone hyphen; after it: type, source, options of the file system.
  const [type = '', source = '', options = ''] = fields.slice(fields.indexOf('-', 6) + 1);
  const userId = /(?:^|,)user_id=(\d+)/.exec(options)?.[1];
  return {
    id: Number(fields[0]),
    device: fields[2] ?? '',
    at: unescaped(fields[4] ?? ''),
    type,
    source: unescaped(source),
    userId: userId === undefined ? undefined : Number(userId),
  };
}

/** What one sees at exactly this path; undefined if nothing is mounted there. */
export async function mountAt(path: string): Promise<MountEntry | undefined> {
  return (await mounts()).findLast(({ at }) => at === path);
}

/** The mount that a path above `path` is looked up in. */
export async function mountAbove(path: string): Promise<MountEntry | undefined> {
  const above = (await mounts()).filter(
    ({ at }) => path !== at && path.startsWith(at === '/' ? at : `${at}/`),
  );
  return above.reduce<MountEntry | undefined>(
    (nearest, entry) => (nearest !== undefined && nearest.at.length > entry.at.length ? nearest : entry),
    undefined,
  );
}

/** A path as it stands there: with these four in octal (show_mountinfo in the kernel's fs/proc_namespace.c). */
export function escaped(path: string): string {
  return path.replace(/[ \t\n\\]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
}
