/** The guest's root, who owns the tree there whoever runs the tests. */
import type { Caller } from '../../src/policy/identity.ts';

export const ROOT: Caller = { name: 'root', uid: 0, gid: 0, groups: [0] };
