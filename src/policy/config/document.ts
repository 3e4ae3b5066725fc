/**
 * A policy file as YAML: its plain value, and where in the text each part of it stands. Of YAML it takes
 * what the file needs and refuses the rest by name, with what to write instead: no directives, anchors,
 * aliases, tags, merge keys, or strings of several rows other than `|`.
 */
import {
  Composer,
  CST,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  Parser,
  type Document as YamlDocument,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
} from 'yaml';
import { Lines } from './rows.ts';
import { shown } from './words.ts';

/** A number as it was written without quotes: what it means depends on where it stands. */
export class Unquoted {
  readonly source: string;

  constructor(source: string) {
    this.source = source;
  }
}

/** What was refused, and told: no part of a policy. */
const REFUSED = Symbol('refused');

/** `offset` in characters from the start of the text. */
export interface Fault {
  readonly offset: number;
  readonly reason: string;
}

export type Path = readonly PropertyKey[];

export interface Document {
  /** Maps, arrays, strings, Unquoted, booleans, null and REFUSED; undefined where the syntax is broken. */
  readonly value: unknown;
  readonly faults: readonly Fault[];
  readonly lines: Lines;
  /** Where the value of a path begins, or the nearest that there is above it. */
  valueAt(path: Path): number;
  /** Where the last key of a path stands. */
  keyAt(path: Path): number;
  /** Where a line and column, from 1, of a string's text stand; undefined where its text is not the file's, as with escapes. */
  insideAt(path: Path, line: number, column: number): number | undefined;
  /** Whether what begins there was refused and told, so that what else is wrong with it does not matter. */
  isRefused(offset: number): boolean;
}

export function readDocument(text: string): Document {
  const faults: Fault[] = [];
  const lines = new Lines(text);
  const root = compose(text, faults);
  const plain = new Plain(text, faults);
  return {
    value: root === undefined ? undefined : plain.value(root),
    faults,
    lines,
    valueAt: path => startOf(find(root, path)),
    keyAt: path => find(root, path).key?.range?.[0] ?? 0,
    isRefused: offset => plain.refused.has(offset),
    insideAt: (path, line, column) => inside(lines, find(root, path), line, column),
  };
}

// ---- syntax -----------------------------------------------------------------------------------

/** A policy needs five levels, each of which are up to three here. */
const DEEPEST = 40;
/** Words and signs: some 20,000 settings. A text in `|` is one, however long. */
const MOST_WORDS = 2 ** 18;

/** The file's value, or undefined, with the faults told, where it cannot be known. */
function compose(text: string, faults: Fault[]): Node | undefined {
  const tokens = tokenize(text, faults);
  if (tokens === undefined) return undefined;
  const options = { uniqueKeys: false, prettyErrors: false, merge: false, logLevel: 'silent' } as const;
  const [document, second] = new Composer(options).compose(tokens, false, text.length);
  const broken = [document, second].flatMap(each => each?.errors ?? []);
  for (const { pos, message } of broken) faults.push({ offset: pos[0], reason: message });
  if (second !== undefined)
    faults.push({ offset: secondAt(second), reason: 'a second document; a policy is one' });
  if (broken.length > 0 || second !== undefined) return undefined;
  const root = document?.contents;
  if (root !== null && root !== undefined && !isEmpty(root)) return root;
  // What an editor leaves for a moment must not take every zone away.
  faults.push({ offset: 0, reason: 'the file is empty; a policy that says nothing is {}' });
  return undefined;
}

const secondAt = ({ range }: YamlDocument): number => range?.[0] ?? 0;

/** The tokens of the text; nesting and number are bounded before anything is made of them. */
function tokenize(text: string, faults: Fault[]): CST.Token[] | undefined {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let words = 0;
  let before = '';
  for (const word of new Lexer().lex(text)) {
    const { offset } = parser;
    const refused = before === CST.SCALAR ? undefined : refuse(word);
    if (refused !== undefined) faults.push({ offset, reason: refused });
    for (const token of parser.next(word)) tokens.push(token);
    before = word;
    const tooMuch = excess(parser.stack.length, ++words);
    if (tooMuch === undefined) continue;
    faults.push({ offset, reason: tooMuch });
    return undefined;
  }
  for (const token of parser.end()) tokens.push(token);
  return faults.some(({ reason }) => reason === DIRECTIVE) ? undefined : tokens;
}

function excess(depth: number, words: number): string | undefined {
  if (depth > DEEPEST) return 'this is nested too deeply';
  return words > MOST_WORDS
    ? 'too many keys and values; long lists of addresses go into included files'
    : undefined;
}

const DIRECTIVE = 'a directive; leave this line out';

function refuse(word: string): string | undefined {
  switch (CST.tokenType(word)) {
    case 'alias':
      return `${shown(word)} is an alias to YAML; quote it: ${shown(word)}`;
    case 'anchor':
      return `${shown(word)} is an anchor to YAML, which a policy does not use; if it is text, quote it`;
    case 'tag':
      return `${shown(word)} is a tag to YAML, which a policy does not use; if it is text, quote it`;
    case 'directive-line':
      return DIRECTIVE;
    default:
      return undefined;
  }
}

// ---- values -----------------------------------------------------------------------------------

class Plain {
  readonly refused = new Set<number>();
  private readonly text: string;
  private readonly faults: Fault[];

  constructor(text: string, faults: Fault[]) {
    this.text = text;
    this.faults = faults;
  }

  value(node: unknown): unknown {
    if (isNode(node) && (isAlias(node) || node.tag !== undefined)) return this.refuse(node);
    if (isMap(node)) return this.map(node);
    if (isSeq(node)) return node.items.map(item => this.value(item));
    return isScalar(node) ? this.scalar(node) : null;
  }

  private refuse(node: Node): typeof REFUSED {
    this.refused.add(node.range?.[0] ?? 0);
    return REFUSED;
  }

  private map(node: YAMLMap): Map<string, unknown> {
    const map = new Map<string, unknown>();
    for (const pair of node.items) {
      const key = this.key(pair, map);
      if (key !== undefined) map.set(key, this.value(pair.value));
    }
    return map;
  }

  private key({ key }: Pair, map: ReadonlyMap<string, unknown>): string | undefined {
    const text = keyText(key);
    if (text === undefined || text === '') return this.fault(key as Node, 'a key must be a word');
    if (text === '<<')
      return this.fault(key as Node, "'<<' merges maps in YAML, which a policy does not use");
    if (map.has(text)) return this.fault(key as Node, `${shown(text)} is there twice`);
    return text;
  }

  private scalar(node: Scalar): unknown {
    const { value, type, source = '' } = node;
    if (typeof value === 'number' || typeof value === 'bigint') return new Unquoted(source);
    if (type !== 'BLOCK_LITERAL' && type !== undefined && this.isFolded(node)) {
      this.fault(node, 'YAML makes one line of these; write | and the lines below it');
      return this.refuse(node);
    }
    return value;
  }

  private isFolded({ type, range }: Scalar): boolean {
    return type === 'BLOCK_FOLDED' || this.text.slice(range![0], range![1]).includes('\n');
  }

  private fault(node: Node | null, reason: string): undefined {
    this.faults.push({ offset: node?.range?.[0] ?? 0, reason });
  }
}

/** A key is what it looks like: `600` and `null` are names like others. */
function keyText(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined;
  return typeof key.value === 'string' ? key.value : key.source;
}

// ---- places -----------------------------------------------------------------------------------

interface Found {
  readonly key: Node | undefined;
  readonly value: Node | undefined;
}

function find(root: Node | undefined, path: Path): Found {
  let found: Found = { key: undefined, value: root };
  for (const step of path) {
    const next = child(found, step);
    if (next === undefined) return found;
    found = next;
  }
  return found;
}

function child({ key, value }: Found, step: PropertyKey): Found | undefined {
  if (isMap(value)) {
    const pair = value.items.find(each => keyText(each.key) === step);
    return pair === undefined
      ? undefined
      : { key: pair.key as Node, value: (pair.value ?? undefined) as Node | undefined };
  }
  const item = isSeq(value) && typeof step === 'number' ? value.items[step] : undefined;
  return item === undefined ? undefined : { key, value: item as Node };
}

/** What is not there is where its key is. */
function startOf({ key, value }: Found): number {
  const at = value === undefined || isEmpty(value) ? (key ?? value) : value;
  return at?.range?.[0] ?? 0;
}

const isEmpty = (node: Node): boolean => isScalar(node) && node.value === null && node.source === '';

function inside(lines: Lines, found: Found, line: number, column: number): number | undefined {
  const { value: node } = found;
  const start = startOf(found);
  if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return undefined;
  if (node.type === 'BLOCK_LITERAL') return inBlock(lines, start, node.value, line, column);
  const { text } = lines;
  const quote = node.type === 'PLAIN' ? 0 : 1;
  const same = text.slice(start + quote, node.range[1] - quote) === node.value;
  return same && line === 1 ? start + quote + column - 1 : undefined;
}

/** The rows of a block are the lines of its text behind the same indent, which its first line with text shows. */
function inBlock(lines: Lines, header: number, text: string, line: number, column: number): number {
  const row = lines.at(header).line;
  const first = Math.max(0, text.search(/[^\n]/));
  const end = text.indexOf('\n', first);
  const length = (end < 0 ? text.length : end) - first;
  const indent = lines.row(row + 1 + first).length - length;
  return lines.offset(row + line, indent + column);
}
