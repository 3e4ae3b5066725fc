/**
 * Networks of one family, and the innermost one around an address. The addresses are cut into stretches
 * that lie in the same networks; an address is looked up among the stretches' starts by halving.
 */
import type { Network } from './network.ts';

/** A network with what is kept of it. */
export interface Node<T> {
  readonly value: T;
  readonly network: Network;
  /** The address in 32-bit words of which the first bit is turned, so that they compare as signed numbers. */
  readonly words: readonly [number, number, number, number];
  /** The next larger network around this one. */
  outer: Node<T> | undefined;
  gone: boolean;
}

const FIRST_BIT = 0x80000000;

const wordAt = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) ^ FIRST_BIT;

export class Networks<T> {
  private readonly family: 4 | 6;
  private readonly nodes = new Map<string, Node<T>>();
  /** In the order of their addresses, the larger first. */
  private sorted: Node<T>[] = [];
  private added: Node<T>[] = [];
  private changed = false;
  private stretches: Stretches<T>;

  constructor(family: 4 | 6) {
    this.family = family;
    this.stretches = cut<T>([], family);
  }

  /** What is kept of this network; `make` gives it where there is nothing yet. */
  at(network: Network, make: () => T): T {
    const key = keyOf(network);
    let node = this.nodes.get(key);
    if (node === undefined) {
      node = { value: make(), network, words: wordsOf(network.ip.bytes), outer: undefined, gone: false };
      this.nodes.set(key, node);
      this.added.push(node);
      this.changed = true;
    }
    return node.value;
  }

  get(network: Network): Node<T> | undefined {
    return this.nodes.get(keyOf(network));
  }

  delete(network: Network): void {
    const node = this.get(network);
    if (node === undefined) return;
    node.gone = true;
    this.nodes.delete(keyOf(network));
    this.changed = true;
  }

  /** After changes, before `find`. */
  tidy(): void {
    if (!this.changed) return;
    const stay = [...this.sorted, ...this.added].filter(({ gone }) => !gone);
    // What is sorted but for a few at its end is sorted quickly.
    this.sorted = stay.sort(inOrder);
    this.added = [];
    this.stretches = cut(this.sorted, this.family);
    this.changed = false;
  }

  /** The innermost network around an address of this family. */
  find(bytes: Uint8Array): Node<T> | undefined {
    const { nodes } = this.stretches;
    return this.family === 4 ? nodes[this.index4(bytes)] : nodes[this.index6(bytes)];
  }

  /** The last stretch that does not start behind the address. */
  private index4(bytes: Uint8Array): number {
    const { starts, heads, nodes } = this.stretches;
    const word = wordAt(bytes, 0);
    const head = headOf(word);
    let low = heads === undefined ? 0 : Math.max(heads[head]! - 1, 0);
    let high = heads === undefined ? nodes.length : heads[head + 1]!;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (starts[middle]! <= word) low = middle;
      else high = middle;
    }
    return low;
  }

  private index6(bytes: Uint8Array): number {
    const { starts, heads, nodes } = this.stretches;
    const first = wordAt(bytes, 0);
    const head = headOf(first);
    let low = heads === undefined ? 0 : Math.max(heads[head]! - 1, 0);
    let high = heads === undefined ? nodes.length : heads[head + 1]!;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      const start = starts[4 * middle]!;
      if (start < first || (start === first && !startsBehind(starts, 4 * middle, bytes))) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** Of a start and an address whose first words are the same. */
function startsBehind(starts: Int32Array, at: number, bytes: Uint8Array): boolean {
  for (let i = 1; i < 4; i++) {
    const word = wordAt(bytes, 4 * i);
    if (starts[at + i] !== word) return starts[at + i]! > word;
  }
  return false;
}

const keyOf = ({ ip, prefix }: Network): string => String.fromCharCode(prefix, ...ip.bytes);

function wordsOf(bytes: Uint8Array): Node<unknown>['words'] {
  if (bytes.length === 4) return [wordAt(bytes, 0), 0, 0, 0];
  return [wordAt(bytes, 0), wordAt(bytes, 4), wordAt(bytes, 8), wordAt(bytes, 12)];
}

function inOrder(a: Node<unknown>, b: Node<unknown>): number {
  for (let i = 0; i < 4; i++) if (a.words[i] !== b.words[i]) return a.words[i]! < b.words[i]! ? -1 : 1;
  return a.network.prefix - b.network.prefix;
}

const HEADS = 65536;
/** So many stretches are worth a table of their heads. */
const MANY = 4096;

/** The first 16 bits of an address, from its first word. */
const headOf = (word: number): number => (word ^ FIRST_BIT) >>> 16;

/** Stretches of addresses: where each starts, and the innermost network that it lies in. */
interface Stretches<T> {
  /** One word each of IPv4, four of IPv6, as those of a node. */
  readonly starts: Int32Array;
  /** How many of them begin with 16 bits less than the index, which is where to look; of many only. */
  readonly heads: Uint32Array | undefined;
  readonly nodes: (Node<T> | undefined)[];
}

/** Cuts at the start and behind the end of each network, and finds what is around each. */
function cut<T>(sorted: readonly Node<T>[], family: 4 | 6): Stretches<T> {
  const size = family === 4 ? 1 : 4;
  const starts = new Int32Array((2 * sorted.length + 1) * size);
  const nodes: (Node<T> | undefined)[] = [];
  const start = (words: Node<T>['words'], node: Node<T> | undefined): void => {
    // A stretch that ends where it starts was none.
    const last = nodes.length - 1;
    const at =
      last >= 0 && words.every((word, i) => i >= size || starts[last * size + i] === word) ? last : last + 1;
    for (let i = 0; i < size; i++) starts[at * size + i] = words[i]!;
    nodes[at] = node;
  };
  const first = wordsOf(new Uint8Array(4 * size));
  start(first, undefined);

  let open: Node<T> | undefined;
  const close = (): void => {
    const end = wordsBehind(open!);
    open = open!.outer;
    if (end !== undefined) start(end, open);
  };
  for (const node of sorted) {
    while (open !== undefined && !isAround(open, node)) close();
    node.outer = open;
    start(node.words, node);
    open = node;
  }
  while (open !== undefined) close();
  return { starts: starts.slice(0, nodes.length * size), heads: headsOf(starts, nodes.length, size), nodes };
}

function headsOf(starts: Int32Array, count: number, size: number): Uint32Array | undefined {
  if (count < MANY) return undefined;
  const heads = new Uint32Array(HEADS + 1);
  for (let i = 0; i < count; i++) heads[headOf(starts[i * size]!) + 1]!++;
  for (let head = 0; head < HEADS; head++) heads[head + 1]! += heads[head]!;
  return heads;
}

function isAround(outer: Node<unknown>, inner: Node<unknown>): boolean {
  const { prefix } = outer.network;
  for (let i = 0; 32 * i < prefix; i++) {
    const behind = Math.max(32 * (i + 1) - prefix, 0);
    if ((outer.words[i]! ^ inner.words[i]!) >>> behind !== 0) return false;
  }
  return true;
}

/** The first address behind a network; undefined where there is none. */
function wordsBehind({ words, network: { prefix } }: Node<unknown>): Node<unknown>['words'] | undefined {
  if (prefix === 0) return undefined;
  const sum: [number, number, number, number] = [...words];
  let i = (prefix - 1) >> 5;
  let add = FIRST_BIT >>> ((prefix - 1) & 31);
  for (; i >= 0 && add !== 0; i--) {
    const word = ((sum[i]! ^ FIRST_BIT) >>> 0) + (add >>> 0);
    sum[i] = (word | 0) ^ FIRST_BIT;
    add = word > 0xffffffff ? 1 : 0;
  }
  return add === 0 ? sum : undefined;
}
