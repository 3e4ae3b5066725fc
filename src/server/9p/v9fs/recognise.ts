/**
 * Who is helped. A client is taken for Linux's v9fs when it begins as its mount does, or when it says so
 * in the name that it attaches to. Nobody else must ever be: the help is made of symlinks that are not
 * there and of ends of file that are none.
 */
import { NOFID, NONUNAME, type Dialect, type Message, type TName } from '../messages.ts';

/** The attach name that declares v9fs, alone or before a path: `v9fs`, `v9fs:tcp`. */
const DECLARED = /^v9fs(?::|$)/;

/** What an attach name asks for. A comma would not do: mount(8) divides its options by them. */
export function attachName(aname: string): { declared: boolean; path: string } {
  return { declared: DECLARED.test(aname), path: aname.replace(DECLARED, '') };
}

/** The attributes that v9fs asks of the root when it mounts: P9_STATS_BASIC, or with P9_STATS_GEN. */
const MOUNT_MASKS: readonly number[] = [0x7ff, 0x17ff];

/**
 * Watches how a session begins. v9fs attaches fid 0 with no number of a user, and its next message asks
 * for that fid's attributes. In plain 9P2000 other clients do the same: there it must be declared.
 */
export class Recogniser {
  private readonly dialect: Dialect;
  private attached = false;

  constructor(dialect: Dialect) {
    this.dialect = dialect;
  }

  /** Undefined: the next message will tell. */
  judge(message: Message<TName>): 'v9fs' | 'other' | undefined {
    if (this.dialect === '9P2000') return 'other';
    if (this.attached) return this.looksAtRoot(message) ? 'v9fs' : 'other';
    this.attached = attachesAsMount(message);
    return this.attached ? undefined : 'other';
  }

  private looksAtRoot(message: Message<TName>): boolean {
    if (this.dialect === '9P2000.u') return message.type === 'Tstat' && message.fid === 0;
    return message.type === 'Tgetattr' && message.fid === 0 && MOUNT_MASKS.includes(message.requestMask);
  }
}

function attachesAsMount(m: Message<TName>): boolean {
  return m.type === 'Tattach' && m.fid === 0 && m.afid === NOFID && m.nUname === NONUNAME;
}
