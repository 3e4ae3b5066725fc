/** Messages of the domain name system written by hand (RFC 1035, 4), and a server that sends what a test says. */
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { NameServer } from '../../../src/host/dns/resolvconf.ts';

export const u16 = (n: number): number[] => [n >> 8, n & 0xff];
export const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n & 0xffff)];
/** A pointer of a compressed name. */
export const to = (offset: number): number[] => u16(0xc000 | offset);
/** The question's name, from where it stands in every message. */
export const ASKED = to(12);

/** Labels, and the root at the end. */
export function name(text: string): number[] {
  const labels = text.split('.').filter(label => label !== '');
  return [...labels.flatMap(label => [label.length, ...Buffer.from(label)]), 0];
}

export interface WrittenRecord {
  readonly owner?: readonly number[];
  readonly type: number;
  readonly class?: number;
  readonly ttl?: number;
  readonly data: readonly number[];
}

export const record = ({ owner = ASKED, type, class: c = 1, ttl = 300, data }: WrittenRecord): number[] => [
  ...owner,
  ...u16(type),
  ...u16(c),
  ...u32(ttl),
  ...u16(data.length),
  ...data,
];

export const RESPONSE = 0x8180;
export const TRUNCATED = 0x0200;

export interface WrittenAnswer {
  readonly id?: number;
  readonly flags?: number;
  /** Name, type and class. */
  readonly question?: readonly number[];
  readonly answers?: readonly (readonly number[])[];
  readonly authority?: readonly (readonly number[])[];
  readonly additional?: readonly (readonly number[])[];
}

export const question = (asked: string, type: number): number[] => [...name(asked), ...u16(type), ...u16(1)];

export function answer({
  id = 0,
  flags = RESPONSE,
  question: asked = question('example.test', 1),
  answers = [],
  authority = [],
  additional = [],
}: WrittenAnswer): Buffer {
  const sections = [answers, authority, additional];
  return Buffer.from([
    ...u16(id),
    ...u16(flags),
    ...u16(asked.length === 0 ? 0 : 1),
    ...sections.flatMap(section => u16(section.length)),
    ...asked,
    ...sections.flat(2),
  ]);
}

/** A query as it arrived. */
export interface Arrived {
  readonly id: number;
  /** Name, type and class. */
  readonly question: number[];
  readonly name: string;
  readonly type: number;
  /** It has an OPT record. */
  readonly edns: boolean;
  /** The client's port. */
  readonly port: number;
}

function parse(message: Buffer, port: number): Arrived {
  const labels: string[] = [];
  let at = 12;
  while (message[at] !== 0) {
    labels.push(message.toString('latin1', at + 1, at + 1 + message[at]!));
    at += message[at]! + 1;
  }
  return {
    id: message.readUInt16BE(0),
    question: [...message.subarray(12, at + 5)],
    name: labels.join('.'),
    type: message.readUInt16BE(at + 1),
    edns: message.readUInt16BE(10) === 1,
    port,
  };
}

/** Says what to send for a query; undefined: nothing. */
export type Script = (
  query: Arrived,
  send: (message: Buffer) => void,
) => Buffer | undefined | readonly Buffer[];

/** A server on loopback that obeys its script; by TCP what `stream` says. */
export class ScriptedServer {
  readonly queries: Arrived[] = [];
  readonly calls: Socket[] = [];
  script: Script;
  /** What a caller gets whose query is there. */
  stream: (socket: Socket, query: Arrived) => void = () => {};
  private readonly udp: UdpSocket;
  private readonly tcp: Server;
  private stopped = false;
  private readonly watchers = new Set<() => void>();

  private constructor(udp: UdpSocket, tcp: Server, script: Script) {
    this.udp = udp;
    this.tcp = tcp;
    this.script = script;
    udp.on('message', (message, from) => this.take(message, from));
    tcp.on('connection', socket => this.call(socket));
  }

  static async start(script: Script = () => undefined): Promise<ScriptedServer> {
    for (;;) {
      const tcp = createServer().listen({ host: '127.0.0.1', port: 0 });
      await once(tcp, 'listening');
      const udp = createSocket('udp4');
      udp.bind((tcp.address() as AddressInfo).port, '127.0.0.1');
      const bound = await once(udp, 'listening').then(
        () => true,
        () => false,
      );
      if (bound) return new ScriptedServer(udp, tcp, script);
      tcp.close();
    }
  }

  get at(): NameServer {
    return { address: '127.0.0.1', port: this.udp.address().port };
  }

  private take(message: Buffer, from: RemoteInfo): void {
    const query = parse(message, from.port);
    this.queries.push(query);
    const send = (reply: Buffer): void => {
      if (!this.stopped) this.udp.send(reply, from.port, from.address, () => {});
    };
    const replies = this.script(query, send);
    for (const reply of replies === undefined ? [] : Buffer.isBuffer(replies) ? [replies] : replies)
      send(reply);
    this.wake();
  }

  private call(socket: Socket): void {
    this.calls.push(socket.on('error', () => {}));
    let bytes = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      if (bytes.length < 2 || bytes.length < 2 + bytes.readUInt16BE(0)) return;
      this.stream(socket, parse(bytes.subarray(2), socket.remotePort!));
      bytes = Buffer.alloc(0);
      this.wake();
    });
    socket.on('close', () => this.wake());
    this.wake();
  }

  private wake(): void {
    for (const wake of this.watchers) wake();
  }

  /** Waits until it is so, looking whenever something has arrived. */
  until(so: () => boolean): Promise<void> {
    if (so()) return Promise.resolve();
    return new Promise(resolve => {
      const look = (): void => {
        if (!so()) return;
        this.watchers.delete(look);
        resolve();
      };
      this.watchers.add(look);
    });
  }

  stop(): void {
    this.stopped = true;
    this.udp.close();
    this.tcp.close();
    for (const socket of this.calls) socket.destroy();
  }
}

/** With the length that goes before it on TCP. */
export const framed = (message: Buffer): Buffer => Buffer.concat([Buffer.from(u16(message.length)), message]);

/** An answer to this query. */
export const reply = (query: Arrived, more: WrittenAnswer = {}): Buffer =>
  answer({ id: query.id, question: query.question, ...more });

/** One address for whoever asks. */
export const ADDRESS = record({ type: 1, data: [192, 0, 2, 7] });

/** A clock that stands still until the test lets it ring. */
export class Clock {
  private readonly waiting = new Map<() => void, number>();

  after(ms: number, run: () => void): () => void {
    const once = (): void => run();
    this.waiting.set(once, ms);
    return () => this.waiting.delete(once);
  }

  get length(): number {
    return this.waiting.size;
  }

  /** The times for which somebody waits, in milliseconds. */
  get times(): number[] {
    return [...this.waiting.values()];
  }

  /** All that are waiting now ring. */
  ring(): void {
    for (const run of [...this.waiting.keys()]) if (this.waiting.delete(run)) run();
  }
}
