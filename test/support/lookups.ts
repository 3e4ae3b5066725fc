/** Lookups of names where everything is allowed, for who may use dns. */
import { Gate } from '../../src/netfs/gate.ts';
import { Given } from '../../src/netfs/given.ts';
import { Journal } from '../../src/netfs/log.ts';
import { Lookups } from '../../src/netfs/lookups.ts';
import type { Names } from '../../src/netfs/names.ts';
import { EVERYTHING } from '../../src/netfs/view.ts';
import type { ZoneFile } from '../../src/netfs/zone.ts';
import type { Caller } from '../../src/policy/identity.ts';
import { Judge } from '../../src/policy/judge.ts';
import { parseZone } from '../../src/policy/lines.ts';
import { Authority } from '../../src/policy/permissions.ts';

export function lookupsOf(names: Names, owner: Caller): Lookups {
  const authority = new Authority(owner);
  const judge = new Judge<ZoneFile>(authority);
  const all = { name: 'all', permissions: authority.file(0o755) };
  judge.rules.set(all as ZoneFile, parseZone(Buffer.from(EVERYTHING)));
  const now = () => 0;
  const gate = new Gate({
    judge,
    given: new Given(now),
    journal: new Journal({ now }),
    above: undefined,
    ownAddresses: () => [],
    now,
    netdir: '/net',
    groupName: String,
  });
  return new Lookups({ authority, names, gate, above: undefined });
}
