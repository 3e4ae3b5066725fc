/** The MODE of chmod(1): octal, or symbolic as POSIX has it, without s and t, which /net does not know. */

export interface Changeable {
  /** The nine permission bits. */
  readonly mode: number;
  readonly isDirectory: boolean;
}

/** A mode that cannot be understood; the message says what would be right. */
export class ModeError extends Error {}

/** The bits that a file is to have. */
export type ModeChange = (old: Changeable) => number;

const WHO: Readonly<Record<string, number>> = { u: 0o700, g: 0o070, o: 0o007, a: 0o777 };
const BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 };
const CLAUSE = /^([ugoa]*)((?:[-+=](?:[rwxX]*|[ugo]))+)$/;
const ACTION = /([-+=])([rwxX]*|[ugo])(?=[-+=]|$)/g;

export function parseMode(text: string): ModeChange {
  if (/^[0-7]{1,4}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode > 0o777) throw new ModeError(`${text}: only the nine permission bits can be set, up to 777`);
    return () => mode;
  }
  const clauses = text.split(',').map(clause => parseClause(text, clause));
  return old => clauses.reduce((mode, change) => change({ ...old, mode }), old.mode);
}

/** `ug+rw-x`: for whom, and what is done one after the other. Nobody named is everybody. */
function parseClause(text: string, clause: string): ModeChange {
  const match = CLAUSE.exec(clause);
  if (match === null) throw new ModeError(`${text}: write octal digits such as 640, or u+rwx,g-w,o=r,a+X`);
  const [, who = '', actions = ''] = match;
  const mask = [...(who === '' ? 'a' : who)].reduce((bits, letter) => bits | WHO[letter]!, 0);
  const changes = [...actions.matchAll(ACTION)].map(([, sign, what = '']) => action(mask, sign!, what));
  return old => changes.reduce((mode, change) => change({ ...old, mode }), old.mode);
}

function action(mask: number, sign: string, what: string): ModeChange {
  return old => {
    const bits = named(old, what) & mask;
    switch (sign) {
      case '+':
        return old.mode | bits;
      case '-':
        return old.mode & ~bits;
      default:
        return (old.mode & ~mask) | bits;
    }
  };
}

/** The bits that letters name, for all three classes at once. */
function named(old: Changeable, what: string): number {
  return [...what].reduce((bits, letter) => bits | letterBits(old, letter), 0);
}

function letterBits({ mode, isDirectory }: Changeable, letter: string): number {
  switch (letter) {
    // x where it makes sense: on directories, and where somebody has it.
    case 'X':
      return isDirectory || (mode & 0o111) !== 0 ? 0o111 : 0;
    case 'u':
      return ((mode >> 6) & 7) * 0o111;
    case 'g':
      return ((mode >> 3) & 7) * 0o111;
    case 'o':
      return (mode & 7) * 0o111;
    default:
      return BITS[letter]!;
  }
}

/** `rwxr-x---`. */
export function formatMode(mode: number): string {
  return [...'rwxrwxrwx'].map((letter, i) => (mode & (0o400 >> i) ? letter : '-')).join('');
}
