/**
 * What an edit left of a list: most of its beginning and of its end. Only what lies between is looked up
 * by its text, so that a line more or less in a hundred thousand costs little beyond going through them.
 */
export class Edited {
  private readonly before: readonly string[];
  private readonly now: readonly string[];
  private readonly isPassedOver: (text: string) => boolean;
  /** Of `before`, what comes next if nothing was edited. */
  private next = 0;
  /** What is the same to the end begins here, in `before` and in `now`. */
  private end: { readonly before: number; readonly now: number } | undefined;
  private readonly between = new Map<string, number>();

  /** `isPassedOver`: what may stand in `now` and never stands in `before`. */
  constructor(before: readonly string[], now: readonly string[], isPassedOver: (text: string) => boolean) {
    this.before = before;
    this.now = now;
    this.isPassedOver = isPassedOver;
  }

  /** Where in `before` stood what is at `at` now; to be asked in order. Undefined: it is new, or was moved far. */
  find(at: number): number | undefined {
    const { before, now } = this;
    if (before.length === 0) return undefined;
    if (this.end !== undefined && at >= this.end.now && this.next < this.end.before)
      this.next = this.end.before;
    let found: number | undefined = this.next;
    if (before[found] !== now[at]) {
      if (this.end === undefined) this.lookAhead(at);
      if (at >= this.end!.now && this.next < this.end!.before) return this.find(at);
      found = this.between.get(now[at]!);
      if (found === undefined) return undefined;
    }
    this.next = found + 1;
    return found;
  }

  private lookAhead(at: number): void {
    let [a, b] = [this.before.length, this.now.length];
    while (b > at) {
      if (a > this.next && this.before[a - 1] === this.now[b - 1]) a--;
      else if (!this.isPassedOver(this.now[b - 1]!)) break;
      b--;
    }
    this.end = { before: a, now: b };
    for (let i = this.next; i < a; i++) this.between.set(this.before[i]!, i);
  }
}
