/** The files of the root that tell of the machine's network: arp, iproute, ipselftab. */
import { formatNeighbours } from './arp.ts';
import type { HostFacts } from './hostfacts.ts';
import { numberedInterfaces } from './interfaces.ts';
import { formatRoutes } from './iproute.ts';
import { selvesOf } from './ipselftab.ts';
import type { DirNode } from './node.ts';
import { DIRECTORIES, ROOT_FILES, type Qids } from './qid.ts';
import { sharedText } from './sharedtext.ts';
import { TextFile } from './textfile.ts';
import type { Caller } from '../policy/identity.ts';

const TEXTS = {
  arp: facts => formatNeighbours(facts.neighbours(), facts.interfaces()),
  iproute: facts => formatRoutes(facts.routes(), numberedInterfaces(facts).numbers),
  ipselftab: selvesOf,
} satisfies Record<string, (facts: HostFacts) => string>;

/** `since`: seconds since the epoch. */
export function factFile(
  root: DirNode,
  name: keyof typeof TEXTS,
  { facts, owner, since, qids }: { facts: HostFacts; owner: Caller; since: number; qids: Qids },
): TextFile {
  const path = qids.path(DIRECTORIES.root, undefined, ROOT_FILES[name]);
  return new TextFile(
    root,
    name,
    { path, owner, since },
    sharedText(() => TEXTS[name](facts)),
  );
}
