/** Unique numbers for files. */

/** Files of one directory. */
const FILES = 2 ** 4;
/** Conversations of one protocol, or zones, and the directory itself. */
const SLOTS = 2 ** 24;
/** Directories below a root. */
const ALL_DIRECTORIES = 2 ** 4;

/** Conversations, zones and the like that one directory can tell apart. */
export const MOST_SLOTS = SLOTS - 1;

/** Roots until a number is given again: below 2^52 with all that is in each. */
export const MOST_ROOTS = 2 ** 20;

/** The numbers of one /net. A /net within it, a view, has its own. */
export class Qids {
  private readonly base: number;

  /** `root` is below MOST_ROOTS; the server's own is 0. */
  constructor(root: number) {
    this.base = root * ALL_DIRECTORIES;
  }

  /**
   * qid.path as 9front lays it out - protocol, conversation, file - with more room for each.
   * `slot` is undefined for the directory's own files; the root is directory 0.
   */
  path(directory: number, slot: number | undefined, file: number): number {
    const at = slot === undefined ? 0 : slot + 1;
    return ((this.base + directory) * SLOTS + at) * FILES + file;
  }
}

/** Numbers of the directories below the root: the first part of a path. */
export const DIRECTORIES = { root: 0, tcp: 1, udp: 2, ipifc: 3, dial: 4, zone: 5, view: 6 } as const;

/** Files of the root itself: the last part of a path. */
export const ROOT_FILES = {
  dir: 0,
  arp: 1,
  cs: 2,
  dns: 3,
  iproute: 4,
  ipselftab: 5,
  ndb: 6,
  log: 7,
  explain: 8,
  ctl: 9,
  status: 10,
  learned: 11,
} as const;
