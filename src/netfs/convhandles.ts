/** The files of a conversation, opened: each holds one reference on it until it is closed. */
import { abortable, type Watch } from '../abort.ts';
import type { Conversation } from './conversation.ts';
import { FsError } from './error.ts';
import { CtlNumber, READY, TextHandle } from './handles.ts';
import type { Awaitable, Handle, Node, Readiness, Reply, Req } from './node.ts';
import { checkMessageSize, ctlWords } from './tokens.ts';

/**
 * A listen that was opened without waiting: it polls readable when a call has come, and the first read
 * or write takes it. From then on it is the ctl of the call's conversation.
 */
export class CallHandle implements Handle {
  readonly stream = false;
  readonly messages = true;
  private readonly file: Node;
  private readonly announced: Conversation;
  private readonly takeCall: (req: Req) => Promise<Handle>;
  private ctl: Handle | undefined;
  /** One read or write takes the call; others that come meanwhile wait for it. */
  private taking: Promise<void> | undefined;
  private closed = false;

  /** `takeCall` gives the ctl of the next call. */
  constructor(file: Node, announced: Conversation, takeCall: (req: Req) => Promise<Handle>) {
    // Told now, as by an open that waits.
    try {
      announced.mustBeAnnounced();
    } catch (error) {
      announced.noteError(error);
      throw error;
    }
    this.file = file;
    this.announced = announced;
    this.takeCall = takeCall;
    announced.retain();
  }

  get node(): Node {
    return this.ctl?.node ?? this.file;
  }

  async read(offset: number, reply: Reply, req: Req): Promise<number> {
    return (await this.taken(req)).read(offset, reply, req);
  }

  async write(offset: number, data: Buffer, req: Req): Promise<number> {
    checkMessageSize(data);
    const own = Buffer.from(data);
    return (await this.taken(req)).write(offset, own, req);
  }

  private async taken(req: Req): Promise<Handle> {
    while (this.ctl === undefined) {
      if (this.taking === undefined) await this.take(req);
      else await abortable(this.taking, req.signal).catch(() => failIfAborted(req));
    }
    return this.ctl;
  }

  private async take(req: Req): Promise<void> {
    const call = this.takeCall(req);
    this.taking = call.then(
      () => {},
      () => {},
    );
    try {
      const ctl = await call;
      if (this.closed) ctl.close();
      else {
        this.ctl = ctl;
        // As after an open that waited: a call does not keep what announced it.
        this.announced.release();
      }
    } finally {
      this.taking = undefined;
    }
    if (this.closed) throw new FsError('Ehungup');
  }

  poll(watch: Watch | undefined): Readiness {
    if (this.ctl !== undefined) return READY;
    const ready = this.announced.pollListen(watch);
    return { readable: ready, writable: ready };
  }

  close(): void {
    this.closed = true;
    if (this.ctl === undefined) this.announced.release();
    else this.ctl.close();
  }
}

function failIfAborted({ signal }: Req): void {
  if (signal.aborted) throw signal.reason;
}
export function errText(conversation: Conversation): string {
  return conversation.errorText === '' ? '' : `${conversation.errorText}\n`;
}
export class ErrHandle extends TextHandle {
  private readonly conversation: Conversation;
  /** Errors that were noted when it was last read. */
  private seen = 0;

  constructor(node: Node, conversation: Conversation) {
    super(node, () => errText(conversation));
    this.conversation = conversation;
  }

  override read(offset: number, reply: Reply): number {
    if (offset === 0) this.seen = this.conversation.errors;
    return super.read(offset, reply);
  }

  /** Readable when there is an error that was not read here. */
  poll(watch: Watch | undefined): Readiness {
    const readable = this.seen !== this.conversation.errors;
    if (watch !== undefined) this.conversation.onError(watch);
    return { readable, writable: false };
  }

  override close(): void {
    this.conversation.release();
  }
}

export class CtlHandle implements Handle {
  readonly node: Node;
  readonly stream = false;
  readonly messages = true;
  private readonly conversation: Conversation;
  private readonly number: CtlNumber;

  constructor(node: Node, conversation: Conversation) {
    this.node = node;
    this.conversation = conversation;
    this.number = new CtlNumber(conversation.number);
  }

  read(offset: number, reply: Reply): number {
    return this.number.read(offset, reply);
  }

  async write(offset: number, data: Buffer, req: Req): Promise<number> {
    const { length } = data;
    try {
      await this.conversation.control(ctlWords(data), req);
      this.number.wrote(offset + length);
      return length;
    } catch (error) {
      this.conversation.noteError(error);
      throw error;
    }
  }

  close(): void {
    this.conversation.release();
  }
}

export class DataHandle implements Handle {
  readonly node: Node;
  readonly stream = true;
  private readonly conversation: Conversation;

  constructor(node: Node, conversation: Conversation) {
    this.node = node;
    this.conversation = conversation;
  }

  get datagrams(): boolean {
    return this.conversation.datagrams;
  }

  read(_offset: number, reply: Reply, req: Req): Awaitable<number> {
    const { conversation } = this;
    return this.noting(
      () => conversation.read(reply, req),
      n => (conversation.received += n),
    );
  }

  write(_offset: number, data: Buffer, req: Req): Awaitable<number> {
    const { conversation } = this;
    return this.noting(
      () => conversation.write(data, req),
      n => (conversation.sent += n),
    );
  }

  poll(watch: Watch | undefined): Readiness {
    return this.conversation.poll(watch);
  }

  /** Runs an operation; its bytes are counted, its failure is noted for err. */
  private noting(run: () => Awaitable<number>, count: (n: number) => unknown): Awaitable<number> {
    const counted = (n: number): number => {
      count(n);
      return n;
    };
    try {
      const n = run();
      return n instanceof Promise ? n.then(counted, (error: unknown) => this.note(error)) : counted(n);
    } catch (error) {
      return this.note(error);
    }
  }

  private note(error: unknown): never {
    this.conversation.noteError(error);
    throw error;
  }

  close(): void {
    this.conversation.release();
  }
}
