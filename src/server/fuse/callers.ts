/**
 * Who asks: the kernel puts the thread's fsuid and fsgid into each request, but not its supplementary
 * groups. Those are read from /proc when a permission turns on them, which is seldom.
 */
import { readlinkSync } from 'node:fs';
import { statusField, statusOf } from '../../host/proc.ts';
import { unauthenticated, type Caller, type Users } from '../../policy/identity.ts';
import type { Header } from './kernel.ts';

/** (uid_t) -1: an id that the mount's user namespace does not have. */
const UNMAPPED = 0xffffffff;

export class FuseCaller implements Caller {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  private readonly users: Users;
  private known: readonly number[] | undefined;
  private asked = false;

  constructor({ uid, gid, pid }: Header, users: Users) {
    this.uid = uid;
    this.gid = gid;
    this.pid = pid;
    this.users = users;
  }

  get name(): string {
    return this.users.userName(this.uid);
  }

  /** As they were when they were first asked for, which is while the thread waits for the answer. */
  get groups(): readonly number[] | undefined {
    if (!this.asked) this.known = groupsOf(this.pid, this.uid, this.gid);
    this.asked = true;
    return this.known;
  }
}

export function callerOf(header: Header, users: Users): Caller {
  const unmapped = header.uid === UNMAPPED || header.gid === UNMAPPED;
  return unmapped ? unauthenticated() : new FuseCaller(header, users);
}

/**
 * The supplementary groups of a thread, proc_pid_status(5); undefined when it is gone, hidden or in
 * another pid namespace (0), or is not who the request says.
 */
export function groupsOf(pid: number, uid: number, gid: number): readonly number[] | undefined {
  if (pid === 0 || !procIsOurs()) return undefined;
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
