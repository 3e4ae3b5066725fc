/** A server with a log in its tree, in which a test writes. */
import { Journal, LogFile } from '../../src/netfs/log.ts';
import type { DirNode } from '../../src/netfs/node.ts';
import { DIRECTORIES, qidPath } from '../../src/netfs/qid.ts';
import { Authority } from '../../src/policy/permissions.ts';
import type { Server } from '../../src/server/server.ts';

/** Puts the file `log` into a server's tree. `now` in milliseconds since the epoch. */
export function logged({ owner, mount: { root } }: Server, now: () => number): Journal {
  const journal = new Journal({ now });
  const path = qidPath(DIRECTORIES.root, undefined, 31);
  const file = new LogFile(root, journal, { path, authority: new Authority(owner), since: 0 });
  const others = root.walk.bind(root);
  const walk: DirNode['walk'] = (name, req) => (name === 'log' ? file : others(name, req));
  Object.assign(root, { walk });
  return journal;
}
