/** A small file of the host's, read again when it changed. */
import { readFileSync, statSync } from 'node:fs';

export class Reread<T> {
  private readonly path: string;
  private readonly parse: (text: string) => T;
  private stamp: string | undefined;
  private parsed: T | undefined;

  /** A file that is not there is empty. */
  constructor(path: string, parse: (text: string) => T) {
    this.path = path;
    this.parse = parse;
  }

  get(): T {
    const stamp = this.stampNow();
    if (stamp !== this.stamp) {
      this.parsed = this.parse(this.text());
      this.stamp = stamp;
    }
    return this.parsed as T;
  }

  private stampNow(): string {
    try {
      const stat = statSync(this.path, { throwIfNoEntry: false });
      return stat === undefined ? '' : `${stat.mtimeMs} ${stat.size} ${stat.ino}`;
    } catch {
      return '';
    }
  }

  private text(): string {
    try {
      return readFileSync(this.path, 'utf8');
    } catch {
      return '';
    }
  }
}
