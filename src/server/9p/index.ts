/**
 * `slashnet/9p`: the 9P codec and a 9P server for any tree of Nodes, in 9P2000, 9P2000.u and
 * 9P2000.L. `new Session(stream, options)` serves one client over any Duplex.
 */
export { codecFor, encodeMessage, MalformedMessage, type Codec } from './codec.ts';
export * from './messages.ts';
export { format } from './trace.ts';
export { Locks } from './locks.ts';
export {
  DEFAULT_LIMITS,
  MAX_MSIZE,
  MIN_MSIZE,
  Session,
  type Limits,
  type SessionOptions,
} from './session.ts';
export { Mount } from '../../netfs/mount.ts';
export type * from '../../netfs/node.ts';
export { ERRORS, FsError, type ErrorName } from '../../netfs/error.ts';
export {
  identify,
  unauthenticated,
  type Caller,
  type Claim,
  type Peer,
  type Users,
} from '../../policy/identity.ts';
export { Authority, type Permissions } from '../../policy/permissions.ts';
