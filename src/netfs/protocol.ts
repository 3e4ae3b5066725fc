/** A protocol's conversations: who has which number, how many there may be. */
import { FsError } from './error.ts';
import { WaitQueue, type Signal } from '../abort.ts';
import type { Caller } from '../policy/identity.ts';
import type { Conversation, Keeper } from './conversation.ts';
import { NumberPool } from './numbers.ts';
import type { Qids } from './qid.ts';

export interface ProtocolOptions {
  /** `tcp` */
  readonly name: string;
  /** Distinguishes the protocols' qids: 1, 2, 3 ... */
  readonly index: number;
  readonly qids: Qids;
  /** The server's owner, who owns what nobody uses. */
  readonly owner: Caller;
  /** The most conversations at a time; past it `no free devices`. */
  readonly limit: number;
  /** Seconds since the epoch. */
  now(): number;
  make(number: number, owner: Caller, keeper: Keeper): Conversation;
  /** The text of `stats`. */
  stats(): string;
}

export class Protocol implements Keeper {
  readonly options: ProtocolOptions;
  private readonly numbers = new NumberPool();
  /** By number; the last holder stays until the number is taken again. */
  private readonly conversations: Conversation[] = [];
  /** Those that nobody uses any more and that are not free yet, the oldest first. */
  private readonly closing = new Set<Conversation>();

  private readonly idlers = new WaitQueue<void>();

  constructor(options: ProtocolOptions) {
    this.options = options;
  }

  get name(): string {
    return this.options.name;
  }

  get owner(): Caller {
    return this.options.owner;
  }

  now(): number {
    return this.options.now();
  }

  /** Numbers below this have been given at least once. */
  get count(): number {
    return this.conversations.length;
  }

  /** The conversation that has, or had last, this number below `count`. */
  at(number: number): Conversation {
    return this.conversations[number]!;
  }

  hasRoom(): boolean {
    return this.closing.size > 0 || this.numbers.has(this.options.limit);
  }

  allocate(owner: Caller): Conversation {
    const number = this.takeNumber();
    if (number === undefined) throw new FsError('Enodev', `all ${this.options.limit} are in use`);
    return this.install(number, owner);
  }

  /** Under pressure the conversation that has been ending for the longest makes room. */
  private takeNumber(): number | undefined {
    const number = this.numbers.take(this.options.limit);
    if (number !== undefined) return number;
    const [oldest] = this.closing;
    oldest?.evict();
    return this.numbers.take(this.options.limit);
  }

  private install(number: number, owner: Caller): Conversation {
    const conversation = this.options.make(number, owner, this);
    this.conversations[number] = conversation;
    return conversation;
  }

  /** A new conversation in the place of one that nobody uses. */
  revive(number: number, owner: Caller): Conversation {
    if (!this.numbers.claim(number)) throw new FsError('Ehungup', 'the conversation is ending');
    return this.install(number, owner);
  }

  ending(conversation: Conversation): void {
    this.closing.add(conversation);
  }

  freed(conversation: Conversation): void {
    this.closing.delete(conversation);
    this.numbers.give(conversation.number);
    if (this.closing.size === 0) while (this.idlers.wake());
  }

  /** Waits until every conversation that was closed has sent what it had and is gone. */
  async idle(signal: Signal): Promise<void> {
    if (this.closing.size > 0) await this.idlers.wait(signal).catch(() => {});
  }
}
