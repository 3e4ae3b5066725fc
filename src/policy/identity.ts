/**
 * Who asks. A caller is known by numbers (as the kernel knows him); names are looked up where a
 * protocol shows them.
 */

export interface Caller {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** The uid and gid shown for whom nobody vouches: Linux's overflow id, also called nobody. */
export const NOBODY = 65534;

/**
 * A caller nobody vouches for. Each call makes a new one, and it equals only itself: what one
 * unauthenticated connection opens is not another's.
 */
export function unauthenticated(): Caller {
  return { name: 'none', uid: NOBODY, gid: NOBODY, groups: [] };
}

/** Nobody who is only the overflow id is anybody's equal. */
export function sameCaller(a: Caller, b: Caller): boolean {
  return a === b || (a.uid === b.uid && a.name !== 'none' && b.name !== 'none');
}
