/**
 * slashnet as a library: a /net of this host's sockets, served over 9P.
 *
 * ```ts
 * import { Server, unixDoor } from 'slashnet';
 *
 * const server = new Server();
 * await server.addDoor(onClient =>
 *   unixDoor('/run/slashnet.sock', { mode: 0o600, squash: false, users: server.users }, onClient));
 * ```
 *
 * or mounted, `await server.addMount('/net', { allowOther: false })`.
 *
 * Who may go where a policy says: `const loaded = await loadPolicy(path, { users: hostUsers() })`, and if it has no
 * errors `server.policy.apply(loaded.policy, path)`.
 *
 * `slashnet/9p` has the 9P server alone, for any tree; `slashnet/client` is the client.
 */
export { DEFAULT_CONVERSATIONS, Server, type ServerOptions } from './server/server.ts';
export { loadPolicy, type Loaded, type Policy, type PolicyError } from './policy/config/index.ts';
export { PolicyFile } from './server/policyfile.ts';
export { LogSinks, SYSLOG, type LogSinksOptions, type LogTarget } from './server/logsinks.ts';
export { DoorError, type Door, type OnClient } from './server/transport/door.ts';
export { unixDoor, unixDoorOn, type UnixOptions } from './server/transport/unix.ts';
export { tcpDoor, tcpDoorOn, type TcpOptions } from './server/transport/tcp.ts';
export { stdioDoor } from './server/transport/stdio.ts';
export { mount, type Mounted, type MountOptions } from './server/fuse/mount.ts';
export { FuseSession, type FuseOptions } from './server/fuse/session.ts';
export { defaultEndpoint, EndpointError, formatEndpoint, parseEndpoint, type Endpoint } from './endpoint.ts';
export { hostDialer } from './host/dialer.ts';
export { hostUsers } from './host/users.ts';
export type { Connection, Dialer, Listener } from './netfs/dialer.ts';
export { ERRORS, FsError, type ErrorName } from './netfs/error.ts';
export type { Log } from './log.ts';
