/** One query and its answer: by UDP from a port of its own, by TCP on a connection of its own. */
import { Socket } from 'node:net';
import { onAbort, type Signal } from '../../abort.ts';
import { parseIp } from '../../netfs/address.ts';
import { watchReadable, type ReadWatch } from '../fd.ts';
import { callError, connectTo, datagramSocket, peerOf, receiveBytes, sendBytes } from '../inet.ts';
import { closeFd } from '../libc.ts';
import { hostFacts } from '../rtnetlink.ts';
import { isAnswerTo } from './message.ts';
import type { NameServer } from './resolvconf.ts';
import type { Timers } from './turns.ts';

/** Why a server gave no answer, for people. */
export type Why = string;

/** How long to wait, by which clock, and what ends it: the promise fails with the signal's reason. */
export interface Wait {
  readonly ms: number;
  readonly timers: Timers;
  readonly signal: Signal;
}

/** So many datagrams that are no answer are passed over; then somebody is guessing. */
const MAX_STRAYS = 64;

/**
 * The host picks a port at random, and a connected socket hears nobody but the server: together with
 * the query's id that is what somebody must guess who answers in its place (RFC 5452, 9).
 */
export function overUdp(server: NameServer, query: Buffer, wait: Wait): Promise<Buffer | Why> {
  return settling(wait, done => {
    let socket: ReadWatch | undefined;
    try {
      const { fd, peer } = connectedTo(server);
      let strays = 0;
      socket = watchReadable(fd, () => {
        try {
          const message = receiveBytes(fd, peer);
          // The buffer is everybody's.
          if (message === undefined) return;
          if (isAnswerTo(message, query)) done(Buffer.from(message));
          else if (++strays >= MAX_STRAYS) done('many datagrams that are no answer');
        } catch (error) {
          done((error as Error).message);
        }
      });
      socket.start();
      const errno = sendBytes(fd, query);
      if (errno !== 0) done(callError(errno).message);
    } catch (error) {
      done((error as Error).message);
    }
    return () => socket?.close();
  });
}

/** A datagram socket, by its descriptor, and its other end; throws what the host says. */
function connectedTo({ address, port }: NameServer): { fd: number; peer: Buffer } {
  const [text = '', zone] = address.split('%');
  const ip = parseIp(text)!;
  const fd = datagramSocket(ip.family);
  try {
    const errno = connectTo(fd, ip.family, { ip, port }, zone === undefined ? 0 : indexOf(zone));
    if (errno !== 0) throw callError(errno);
    return { fd, peer: peerOf({ ip, port }) };
  } catch (error) {
    closeFd(fd);
    throw error;
  }
}

/** Of the interface that a link-local address names, by its name or already by its index. */
function indexOf(zone: string): number {
  return hostFacts.interfaces().find(({ name }) => name === zone)?.index ?? (Number(zone) || 0);
}

/** RFC 1035, 4.2.2: a length of two octets goes before each message. */
export function overTcp(server: NameServer, query: Buffer, wait: Wait): Promise<Buffer | Why> {
  return settling(wait, done => {
    const socket = new Socket();
    const parts: Buffer[] = [];
    let length = 0;
    socket.on('error', (error: NodeJS.ErrnoException) => done(error.code ?? error.message));
    socket.on('close', () => done('it hung up'));
    socket.on('data', part => {
      parts.push(part);
      length += part.length;
      const whole = length < 2 ? undefined : messageOf(parts, length);
      if (whole !== undefined) done(isAnswerTo(whole, query) ? whole : 'an answer to something else');
    });
    socket.connect({ host: server.address, port: server.port }, () => {
      const prefix = Buffer.alloc(2);
      prefix.writeUInt16BE(query.length);
      socket.write(Buffer.concat([prefix, query]));
    });
    return () => socket.destroy();
  });
}

/** The message, once it is all there. One that dribbles in is put together once. */
function messageOf(parts: Buffer[], length: number): Buffer | undefined {
  if (parts[0]!.length < 2) parts.splice(0, parts.length, Buffer.concat(parts));
  const end = 2 + parts[0]!.readUInt16BE(0);
  return length < end ? undefined : Buffer.concat(parts).subarray(2, end);
}

/** Starts something that ends by `done`, by the clock or by the signal; what it returns then frees it. */
function settling<T>(
  { ms, timers, signal }: Wait,
  start: (done: (outcome: T | Why) => void) => () => void,
): Promise<T | Why> {
  return new Promise((resolve, reject) => {
    let over = false;
    const held: (() => void)[] = [];
    const settle = (run: () => void): void => {
      if (over) return;
      over = true;
      for (const free of held) free();
      run();
    };
    held.push(onAbort(signal, () => settle(() => reject(signal.reason as Error))));
    if (over) return;
    held.push(timers.after(ms, () => settle(() => resolve(`no answer in ${ms / 1000} s`))));
    const free = start(outcome => settle(() => resolve(outcome)));
    // It may have ended while it started.
    if (over) free();
    else held.push(free);
  });
}
