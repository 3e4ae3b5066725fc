/**
 * A 9P client: 9P2000, 9P2000.u and 9P2000.L; pipelined and cancellable; and on it, dial and announce
 * through a served /net.
 *
 *     const client = await connect('unix!/run/slashnet.sock');
 *     const call = await dial(client, 'tcp!192.0.2.7!80');
 *     await call.data.write('GET / HTTP/1.0\r\n\r\n');
 *     for await (const bytes of call.data) process.stdout.write(bytes);
 *     await call.close();
 *     client.close();
 */
export { connect, type ConnectOptions } from './connect.ts';
export { Client, type CallOptions, type CreateOptions } from './client.ts';
export { Connection, type Reply, type RequestName } from './connection.ts';
export { Fid, type OpenMode, type OpenOptions } from './fid.ts';
export { File } from './file.ts';
export type { Entry } from './directory.ts';
export type { Qid, Stat, StatChange } from './stat.ts';
export { NinepError, ProtocolError, TransportError } from './error.ts';
export { announce, Announcement, dial, type NetOptions } from './dial.ts';
export { Conversation } from './conversation.ts';
export { netstat, type ConversationStatus, type NetstatOptions } from './netstat.ts';
export {
  ask,
  explain,
  lookup,
  QuestionError,
  translate,
  type Explanation,
  type ExplainOptions,
  type QueryOptions,
  type ResourceRecord,
} from './query.ts';
export { AddressError, parseNetAddress, type NetAddress } from './address.ts';
export { EndpointError, parseEndpoint, type Endpoint } from '../endpoint.ts';
export type { Body, Dialect, Message } from '../server/9p/messages.ts';
