/** Unique numbers for files. */

/** Files of one directory. */
const FILES = 2 ** 5;
/** Conversations of one protocol, and its own directory. */
const CONVERSATIONS = 2 ** 27;

/**
 * qid.path as 9front lays it out - protocol, conversation, file - with more room for conversations.
 * `conversation` is undefined for the protocol's own files; the root is protocol 0. Below 2^53.
 */
export function qidPath(protocol: number, conversation: number | undefined, file: number): number {
  const slot = conversation === undefined ? 0 : conversation + 1;
  return (protocol * CONVERSATIONS + slot) * FILES + file;
}

/** Numbers of the directories below the root: the first part of qidPath. */
export const DIRECTORIES = { root: 0, tcp: 1, udp: 2, ipifc: 3, dial: 4 } as const;

/** Files of the root itself: the last part of qidPath. */
export const ROOT_FILES = { dir: 0, arp: 1, cs: 2, dns: 3, iproute: 4, ipselftab: 5, ndb: 6 } as const;
