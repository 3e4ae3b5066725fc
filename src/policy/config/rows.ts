/** The rows of a text: offsets from 0, lines and columns from 1, all in characters. */

export interface Place {
  readonly line: number;
  readonly column: number;
}

export class Lines {
  readonly text: string;
  private starts: number[] | undefined;

  constructor(text: string) {
    this.text = text;
  }

  /** The place of an offset; of one behind the text, its end. */
  at(offset: number): Place {
    const starts = this.startsOf();
    const within = Math.max(0, Math.min(offset, this.text.length));
    let low = 0;
    for (let high = starts.length; high - low > 1;) {
      const middle = (low + high) >> 1;
      if (starts[middle]! <= within) low = middle;
      else high = middle;
    }
    return { line: low + 1, column: within - starts[low]! + 1 };
  }

  /** A row without its end; empty where there is none. */
  row(line: number): string {
    const starts = this.startsOf();
    const start = starts[line - 1] ?? this.text.length;
    const end = starts[line] ?? this.text.length + 1;
    return this.text.slice(start, end - 1).replace(/\r$/, '');
  }

  /** The offset of a place; of one behind a row, its end. */
  offset(line: number, column: number): number {
    const start = this.startsOf()[line - 1] ?? this.text.length;
    return start + Math.min(column - 1, this.row(line).length);
  }

  private startsOf(): number[] {
    if (this.starts !== undefined) return this.starts;
    const starts = [0];
    for (let end = this.text.indexOf('\n'); end >= 0; end = this.text.indexOf('\n', end + 1))
      starts.push(end + 1);
    return (this.starts = starts);
  }
}
