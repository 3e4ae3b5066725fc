/**
 * Tells when a policy file or a file that it includes may have changed. Directories are watched, not the
 * files, for a file's watch goes deaf when another is renamed over it; and all directories above, for those
 * may be replaced, too.
 */
import {
  lstatSync,
  readlinkSync,
  realpathSync,
  statSync,
  watch,
  type BigIntStats,
  type FSWatcher,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

export interface PolicyWatch {
  /**
   * The files that are included by now, absolute. Where they are others than before, `changed` is called
   * once more: one may have changed between being read and being watched.
   */
  update(includes: readonly string[]): void;
  close(): void;
}

export interface WatchOptions {
  /** Milliseconds in which changes count as one: many editors empty a file before they fill it. */
  readonly settle?: number;
  /** Told when a directory cannot be watched, as for want of inotify watches; SIGHUP is left then. */
  readonly failed?: (directory: string, error: Error) => void;
}

const SETTLE_MS = 50;

/**
 * Calls `changed` some moments after the files have become others, or gone, or come. Begin to watch, load,
 * then update: so nothing is missed. Does not keep the process alive.
 */
export function watchPolicy(
  path: string,
  includes: readonly string[],
  changed: () => void,
  { settle = SETTLE_MS, failed = () => {} }: WatchOptions = {},
): PolicyWatch {
  return new Watch(resolve(path), includes, { changed, settle, failed });
}

interface Hooks {
  readonly changed: () => void;
  readonly settle: number;
  readonly failed: (directory: string, error: Error) => void;
}

class Watch implements PolicyWatch {
  private readonly path: string;
  private readonly hooks: Hooks;
  private files: readonly string[];
  private names: ReadonlySet<string> = new Set();
  private readonly watched = new Map<string, { readonly inode: string; readonly watcher: FSWatcher }>();
  private stamps = '';
  private timer: NodeJS.Timeout | undefined;
  /** One of the files was named: what its stamp says does not matter. */
  private touched = false;

  constructor(path: string, includes: readonly string[], hooks: Hooks) {
    this.path = path;
    this.hooks = hooks;
    this.files = [path, ...includes];
    this.arm();
    this.stamps = stampsOf(this.files);
  }

  update(includes: readonly string[]): void {
    const files = [this.path, ...includes];
    if (files.join('\0') === this.files.join('\0')) return;
    this.files = files;
    this.arm();
    this.seen(null);
  }

  close(): void {
    clearTimeout(this.timer);
    for (const { watcher } of this.watched.values()) watcher.close();
    this.watched.clear();
  }

  /** Watches the directories as they are now; what comes to be in between is seen in a second round. */
  private arm(): void {
    for (let round = 0; round < 3 && this.armOnce(); round++);
  }

  /** Whether another directory is watched than before. */
  private armOnce(): boolean {
    const places = this.files.flatMap(placesOf);
    this.names = new Set(places.map(place => basename(place)));
    const wanted = new Map([...new Set(places.flatMap(above))].map(dir => [dir, inodeOf(dir)]));
    for (const [dir, { inode, watcher }] of this.watched) {
      if (wanted.get(dir) === inode) continue;
      watcher.close();
      this.watched.delete(dir);
    }
    const missing = [...wanted].filter(([dir, inode]) => inode !== GONE && !this.watched.has(dir));
    return missing.filter(([dir, inode]) => this.watch(dir, inode)).length > 0;
  }

  private watch(dir: string, inode: string): boolean {
    try {
      const watcher = watch(dir, { persistent: false }, (_, name) => this.seen(name));
      watcher.on('error', () => this.seen(null));
      this.watched.set(dir, { inode, watcher });
      return true;
    } catch (error) {
      // What has gone meanwhile is seen where it was.
      if (inodeOf(dir) !== GONE) this.hooks.failed(dir, error as Error);
      return false;
    }
  }

  private seen(name: string | null): void {
    if (name === null || this.names.has(name)) this.touched = true;
    // Not put off by what follows: what goes on for ever is told again and again.
    this.timer ??= setTimeout(() => this.settled(), this.hooks.settle).unref();
  }

  private settled(): void {
    this.timer = undefined;
    this.arm();
    const stamps = stampsOf(this.files);
    const changed = this.touched || stamps !== this.stamps;
    this.touched = false;
    this.stamps = stamps;
    if (changed) this.hooks.changed();
  }
}

/** More links than the kernel follows. */
const MOST_LINKS = 40;

/** Where a file can become another: itself, each link on its way, and what it is in the end. */
function placesOf(file: string): string[] {
  const places = [file];
  for (let at = linkOf(file); at !== undefined && places.length < MOST_LINKS; at = linkOf(at))
    places.push(at);
  const real = orUndefined(() => realpathSync(file));
  return real === undefined ? places : [...places, real];
}

const linkOf = (path: string): string | undefined =>
  orUndefined(() =>
    lstatSync(path).isSymbolicLink() ? resolve(dirname(path), readlinkSync(path)) : undefined,
  );

/** The directories above, up to the root. */
function above(path: string): string[] {
  const dir = dirname(path);
  return dir === path ? [] : [dir, ...above(dir)];
}

const GONE = '';

const statOf = (path: string): BigIntStats | undefined => orUndefined(() => statSync(path, { bigint: true }));

function inodeOf(path: string): string {
  const stat = statOf(path);
  return stat === undefined ? GONE : `${stat.dev} ${stat.ino}`;
}

const stampsOf = (files: readonly string[]): string =>
  files.map(file => `${inodeOf(file)} ${statOf(file)?.mtimeNs} ${statOf(file)?.size}`).join('\n');

function orUndefined<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
