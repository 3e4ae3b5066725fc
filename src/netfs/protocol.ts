/** A protocol's conversations: who has which number, how many there may be. */
import { FsError } from './error.ts';
import { WaitQueue, type Signal } from '../abort.ts';
import type { Caller } from '../policy/identity.ts';
import type { Conversation, Keeper } from './conversation.ts';
import type { Gate } from './gate.ts';
import { NumberPool } from './numbers.ts';
import type { Qids } from './qid.ts';
import type { Room } from './room.ts';
import type { Authority } from '../policy/permissions.ts';

export interface ProtocolOptions {
  /** `tcp` */
  readonly name: string;
  /** Distinguishes the protocols' qids: 1, 2, 3 ... */
  readonly index: number;
  readonly qids: Qids;
  /** Whose owner owns what nobody uses. */
  readonly authority: Authority;
  readonly gate: Gate;
  /** The most conversations at a time; past it `no free devices`. */
  readonly limit: number;
  /** What all views share. */
  readonly room: Room;
  /** On whose account conversations are; undefined: on that of who opens them. */
  payer(): Caller | undefined;
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

  /** On whose account each is that is not free. */
  private readonly payers = new Map<Conversation, Caller>();
  private readonly idlers = new WaitQueue<void>();

  constructor(options: ProtocolOptions) {
    this.options = options;
  }

  get name(): string {
    return this.options.name;
  }

  get owner(): Caller {
    return this.options.authority.owner;
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

  /** Conversations that somebody uses. */
  get inUse(): number {
    return this.conversations.filter(each => each.inUse).length;
  }

  /** Every conversation is over. */
  hangUp(error: FsError): void {
    for (const each of this.conversations) if (!each.isFree) each.revoke(error);
  }

  hasRoom(owner: Caller): boolean {
    return (
      this.closing.size > 0 ||
      (this.options.room.has(this.payer(owner)) && this.numbers.has(this.options.limit))
    );
  }

  private payer(owner: Caller): Caller {
    return this.options.payer() ?? owner;
  }

  allocate(owner: Caller): Conversation {
    this.takeRoom(owner);
    const number = this.numbers.take(this.options.limit)!;
    return this.install(number, owner);
  }

  /** Under pressure the conversation that has been ending for the longest makes room. */
  private takeRoom(owner: Caller): void {
    const { room, limit } = this.options;
    const payer = this.payer(owner);
    if (room.take(payer)) return;
    const [oldest] = this.closing;
    oldest?.evict();
    if (!room.take(payer))
      throw new FsError('Enodev', `all of ${limit} that ${payer.name} may have are in use`);
  }

  private install(number: number, owner: Caller): Conversation {
    const conversation = this.options.make(number, owner, this);
    this.conversations[number] = conversation;
    this.payers.set(conversation, this.payer(owner));
    return conversation;
  }

  /** A new conversation in the place of one that nobody uses. */
  revive(number: number, owner: Caller): Conversation {
    this.takeRoom(owner);
    if (!this.numbers.claim(number)) {
      this.options.room.give(this.payer(owner));
      throw new FsError('Ehungup', 'the conversation is ending');
    }
    return this.install(number, owner);
  }

  ending(conversation: Conversation): void {
    this.closing.add(conversation);
  }

  freed(conversation: Conversation): void {
    this.closing.delete(conversation);
    this.options.room.give(this.payers.get(conversation)!);
    this.payers.delete(conversation);
    this.numbers.give(conversation.number);
    if (this.closing.size === 0) while (this.idlers.wake());
  }

  /** Waits until every conversation that was closed has sent what it had and is gone. */
  async idle(signal: Signal): Promise<void> {
    if (this.closing.size > 0) await this.idlers.wait(signal).catch(() => {});
  }
}
