/** The multicast groups of a udp conversation, before it has a socket and then on it: ip(3), addmulti. */
import { FsError } from './error.ts';
import { isMulticast, isUnspecified, sameIp, type Endpoint, type Ip } from './address.ts';
import { ipArgs } from './ctlargs.ts';
import type { Datagrams } from './dialer.ts';

/** Groups of one conversation; of IPv4 the host allows fewer (igmp_max_memberships, ip(7)). */
const MOST = 256;

/** A group and the address of the interface by which it is received. */
interface Membership {
  readonly group: Ip;
  readonly at: Ip;
}

/** Both ends of the conversation, and its socket where it has one. */
export interface Joining {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  readonly socket: Datagrams | undefined;
}

export class Groups {
  private memberships: Membership[] = [];

  /** `addmulti IFC [GROUP]` */
  add(args: readonly string[], to: Joining): void {
    const [at, named] = ipArgs(args, 'Eaddmulti');
    const membership = { group: groupOr(named, to), at: at! };
    // As ipifc.c: once is enough.
    if (this.memberships.some(each => isSame(each, membership))) return;
    if (this.memberships.length >= MOST) throw new FsError('Enodev', `${MOST} groups are joined here`);
    to.socket?.join(membership.group, membership.at);
    this.memberships.push(membership);
  }

  /** `delmulti [IFC] GROUP`, or the group that addmulti would choose. */
  remove(args: readonly string[], from: Joining): void {
    const group = groupOr(ipArgs(args, 'Edelmulti').find(isMulticast), from);
    const membership = this.memberships.find(each => sameIp(each.group, group));
    if (membership === undefined) throw new FsError('Ebadip', 'no addmulti joined that group here');
    from.socket?.leave(group, membership.at);
    this.memberships = this.memberships.filter(each => each !== membership);
  }

  /** On a socket that was just made. */
  joinAll(socket: Datagrams): void {
    for (const { group, at } of this.memberships) socket.join(group, at);
  }
}

/** Without one the local address is meant if it is a group's, else the remote (devip.c). */
function groupOr(named: Ip | undefined, { local, remote }: Joining): Ip {
  const own = isUnspecified(remote.ip) || isMulticast(local.ip);
  const group = named ?? (own ? local : remote).ip;
  if (!isMulticast(group)) throw new FsError('Ebadip', 'name a multicast group, such as 224.0.0.251');
  return group;
}

const isSame = (a: Membership, b: Membership): boolean => sameIp(a.group, b.group) && sameIp(a.at, b.at);
