/** Conversation numbers: the lowest that is free is given first, in O(log n). */
export class NumberPool {
  /** A binary heap, the least first. */
  private readonly free: number[] = [];
  private next = 0;

  /** One more than the highest number ever given. */
  get size(): number {
    return this.next;
  }

  /** Whether `take` would find one. */
  has(limit: number): boolean {
    return this.free.length > 0 || this.next < limit;
  }

  /** The lowest free number below `limit`, or undefined. */
  take(limit: number): number | undefined {
    if (this.free.length > 0) return this.pop();
    return this.next < limit ? this.next++ : undefined;
  }

  /** Gives a number back; the caller gives each back once. */
  give(n: number): void {
    const heap = this.free;
    let i = heap.push(n) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent]! <= n) break;
      heap[i] = heap[parent]!;
      i = parent;
    }
    heap[i] = n;
  }

  /** Takes a certain free number; false if it is not free. */
  claim(n: number): boolean {
    const at = this.free.indexOf(n);
    if (at < 0) return false;
    const others = this.free.filter(other => other !== n);
    this.free.length = 0;
    for (const other of others) this.give(other);
    return true;
  }

  private pop(): number {
    const heap = this.free;
    const least = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) this.sift(last);
    return least;
  }

  private sift(n: number): void {
    const heap = this.free;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= n) break;
      heap[i] = heap[child]!;
      i = child;
    }
    heap[i] = n;
  }
}
