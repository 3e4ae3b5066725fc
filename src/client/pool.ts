/** Numbers from `first` up: tags and fids. A freed one is handed out again before a new one is. */
export class NumberPool {
  readonly #freed: number[] = [];
  #next: number;

  constructor(first: number) {
    this.#next = first;
  }

  take(): number {
    return this.#freed.pop() ?? this.#next++;
  }

  /** `n` must have come from take() and not been freed since. */
  free(n: number): void {
    this.#freed.push(n);
  }
}
