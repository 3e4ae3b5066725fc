/** Made-up people, so that no test needs a real user. Alice and Bob share the group `team`. */
import type { Caller, Users } from '../../src/policy/identity.ts';

export const TEAM = 72000;

const person = (name: string, uid: number, ...groups: number[]): Caller => ({
  name,
  uid,
  gid: uid,
  groups: [uid, ...groups],
});

export const GLENDA = person('glenda', 70000);
export const ALICE = person('alice', 70001, TEAM);
export const BOB = person('bob', 70002, TEAM);
export const CAROL = person('carol', 70003);

const PEOPLE = [GLENDA, ALICE, BOB, CAROL];

export const people: Users = {
  byName: name => PEOPLE.find(each => each.name === name),
  byId: uid => PEOPLE.find(each => each.uid === uid),
  userName: uid => PEOPLE.find(each => each.uid === uid)?.name ?? String(uid),
  groupName: gid => (gid === TEAM ? 'team' : (PEOPLE.find(each => each.gid === gid)?.name ?? String(gid))),
  groupId: name => (name === 'team' ? TEAM : PEOPLE.find(each => each.name === name)?.gid),
};
