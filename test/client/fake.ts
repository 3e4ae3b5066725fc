/**
 * A 9P server whose every answer is the test's: it decodes what the client sends and hands it over,
 * and sends what it is told. Its framing is not the client's, so that a mistake shows.
 */
import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { connect, type Client, type ConnectOptions } from '../../src/client/index.ts';
import { codecFor, encodeMessage } from '../../src/server/9p/codec.ts';
import type { Body, Dialect, Message, MessageName, RName, TName } from '../../src/server/9p/messages.ts';

/** Two streams, each reading what the other writes, chunk by chunk and without copying. */
export function streamPair(): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read: () => {},
      write: (chunk, _encoding, done) => {
        other().push(chunk);
        done();
      },
      final: done => {
        other().push(null);
        done();
      },
      destroy: (error, done) => {
        if (!other().readableEnded && !other().destroyed) other().push(null);
        done(error);
      },
    });
  const left: Duplex = make(() => right);
  const right: Duplex = make(() => left);
  return [left, right];
}

export const DIALECTS: readonly Dialect[] = ['9P2000', '9P2000.u', '9P2000.L'];
export const FILE = { type: 0, vers: 0, path: 7 };
export const DIR = { type: 0x80, vers: 0, path: 1 };

export class FakeServer {
  readonly stream: Duplex;
  dialect: Dialect;
  /** The chunks as the client wrote them. */
  readonly chunks: Buffer[] = [];
  #bytes = Buffer.alloc(0);
  readonly #arrived: Message[] = [];
  readonly #wanted: ((message: Message) => void)[] = [];

  constructor(stream: Duplex, dialect: Dialect) {
    this.stream = stream;
    this.dialect = dialect;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  #receive(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    while (this.#bytes.length >= 4 && this.#bytes.length >= this.#bytes.readUInt32LE(0)) {
      const size = this.#bytes.readUInt32LE(0);
      const message = codecFor(this.dialect).decode(this.#bytes.subarray(0, size));
      this.#bytes = this.#bytes.subarray(size);
      assert(message, 'the client sent a message of another dialect');
      const wanted = this.#wanted.shift();
      if (wanted === undefined) this.#arrived.push(message);
      else wanted(message);
    }
  }

  /** Messages that came and were not asked for yet. */
  get waiting(): readonly Message[] {
    return this.#arrived;
  }

  /** The next message, which must be of this type. */
  async next<N extends TName>(type: N): Promise<Message<N>> {
    const message =
      this.#arrived.shift() ?? (await new Promise<Message>(resolve => this.#wanted.push(resolve)));
    assert.equal(message.type, type);
    return message as unknown as Message<N>;
  }

  send<N extends MessageName>(type: N, tag: number, body: Body<N>): void {
    this.stream.write(encode(this.dialect, type, tag, body));
  }

  /** Takes the next message, of this type, and answers it. */
  async answer<T extends TName, R extends RName>(request: T, reply: R, body: Body<R>): Promise<Message<T>> {
    const message = await this.next(request);
    this.send(reply, message.tag, body);
    return message;
  }

  /** Answers a Twalk with as many file qids as it has names. */
  async walk(qid = FILE): Promise<Message<'Twalk'>> {
    const message = await this.next('Twalk');
    this.send('Rwalk', message.tag, { qids: message.names.map(() => qid) });
    return message;
  }

  async open(qid = FILE): Promise<Message> {
    return this.dialect === '9P2000.L'
      ? this.answer('Tlopen', 'Rlopen', { qid, iounit: 0 })
      : this.answer('Topen', 'Ropen', { qid, iounit: 0 });
  }

  fail(tag: number, ename: string, errno: number): void {
    if (this.dialect === '9P2000.L') this.send('Rlerror', tag, { ecode: errno });
    else this.send('Rerror', tag, { ename, errno });
  }
}

export function encode<N extends MessageName>(dialect: Dialect, type: N, tag: number, body: Body<N>): Buffer {
  return encodeMessage(codecFor(dialect), { type, tag, ...body } as unknown as Message);
}

/** A client attached to a fake server. */
export async function attached(
  options: ConnectOptions & { iounit?: number } = {},
): Promise<{ client: Client; server: FakeServer }> {
  const [near, far] = streamPair();
  const { dialect = '9P2000.u', msize = 8192 } = options;
  const server = new FakeServer(far, dialect);
  const connecting = connect(near, { msize, ...options });
  await server.answer('Tversion', 'Rversion', { msize, version: dialect });
  await server.answer('Tattach', 'Rattach', { qid: DIR });
  return { client: await connecting, server };
}
