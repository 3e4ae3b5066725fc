/**
 * Who asks: the kernel puts the thread's fsuid and fsgid into each request, but not its supplementary
 * groups. Those are read from /proc when a permission turns on them, which is seldom.
 */
import { readlinkSync } from 'node:fs';
import { statusField, statusOf } from '../../host/proc.ts';
import { unauthenticated, type Caller, type Users } from '../../policy/identity.ts';
import type { Header } from './kernel.ts';

/**
 * What the ids in a mount's requests mean here. The kernel writes uids and gids as the user namespace of
 * the mount has them, pids as its pid namespace.
 *
 *   ours     both namespaces are this process's
 *   users    the user namespace is, the other may not be: a pid names nobody, so groups are not known
 *   unknown  another user namespace, or nobody knows which: its uid 0 may be anybody
 */
export type Ids = 'ours' | 'users' | 'unknown';

/** (uid_t) -1: an id that the mount's user namespace does not have. */
const UNMAPPED = 0xffffffff;

export class FuseCaller implements Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number | undefined;
  private readonly users: Users;
  private known: readonly number[] | undefined;
  private asked = false;

  constructor({ uid, gid, pid }: Header, users: Users, ids: Ids) {
    this.uid = uid;
    this.gid = gid;
    // 0: a process that our pid namespace does not have.
    this.pid = ids === 'ours' && pid !== 0 ? pid : undefined;
    this.users = users;
  }

  get name(): string {
    return this.users.userName(this.uid);
  }

  /** As they were when they were first asked for, which is while the thread waits for the answer. */
  get groups(): readonly number[] | undefined {
    if (!this.asked && this.pid !== undefined) this.known = groupsOf(this.pid, this.uid, this.gid);
    this.asked = true;
    return this.known;
  }
}

export function callerOf(header: Header, users: Users, ids: Ids): Caller {
  const unmapped = header.uid === UNMAPPED || header.gid === UNMAPPED;
  return unmapped || ids === 'unknown' ? unauthenticated() : new FuseCaller(header, users, ids);
}

/**
 * The supplementary groups of a thread, proc_pid_status(5); undefined when it is gone or hidden, or is not who
 * the request says.
 */
export function groupsOf(pid: number, uid: number, gid: number): readonly number[] | undefined {
  if (!procIsOurs()) return undefined;
  let status: string;
  try {
    status = statusOf(pid);
  } catch {
    return undefined;
  }
  // Uid and Gid: real, effective, saved, file system.
  if (numbers(status, 'Uid')?.[3] !== uid || numbers(status, 'Gid')?.[3] !== gid) return undefined;
  return numbers(status, 'Groups');
}

let ours: boolean | undefined;

/** Whether /proc is that of our own pid namespace: else its numbers are other processes'. */
function procIsOurs(): boolean {
  if (ours === undefined) {
    try {
      ours = readlinkSync('/proc/self') === String(process.pid);
    } catch {
      ours = false;
    }
  }
  return ours;
}

function numbers(status: string, field: string): number[] | undefined {
  return statusField(status, field)?.split(/\s+/).filter(Boolean).map(Number);
}
