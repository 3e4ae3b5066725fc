/** Users and groups of this host. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hostUsers } from '../../src/host/users.ts';

const id = (...args: string[]): string => execFileSync('id', args, { encoding: 'utf8' }).trim();

describe('the users of the host', () => {
  const users = hostUsers();

  it('are known by name and by number, with all their groups', () => {
    const me = users.byName(id('-un'))!;
    assert.deepEqual(me, users.byId(process.getuid!()));
    assert.deepEqual([me.name, me.uid, me.gid], [id('-un'), Number(id('-u')), Number(id('-g'))]);
    const groups = id('-G', id('-un')).split(' ').map(Number);
    assert.deepEqual([...(me.groups ?? [])].sort(), groups.sort());
  });

  it('are shown by name, and as a number where there is none', () => {
    assert.equal(users.userName(process.getuid!()), id('-un'));
    assert.equal(users.groupName(process.getgid!()), id('-gn'));
    assert.equal(users.userName(4_000_000_001), '4000000001');
    assert.equal(users.groupName(4_000_000_001), '4000000001');
    assert.equal(users.groupId(id('-gn')), process.getgid!());
  });

  it('are not there when nobody knows them', () => {
    for (const name of ['', 'no-such-user', 'root\0x', '../root']) {
      assert.equal(users.byName(name), undefined, name);
      assert.equal(users.groupId(name), undefined, name);
    }
    assert.equal(users.byId(4_000_000_001), undefined);
  });
});
