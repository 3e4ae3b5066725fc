/**
 * A conversation: the noun behind /net/PROTO/N. What all protocols share is here: who owns it, how
 * many files of it are open, when it ends, the text in `err`. A protocol says the rest (tcp.ts).
 *
 * It is in use while a fid is open on ctl (also by way of clone or listen), data or err, or a listen
 * waits. When the last one goes the protocol ends it gracefully; when that is done its number is free,
 * and the next conversation of that number is a new object, so nothing of this one can leak into it.
 */
import { FsError } from './error.ts';
import { formatEndpoint, UNSET, type Endpoint } from './address.ts';
import type { Awaitable, Readiness, Reply, Req } from './node.ts';
import type { Attempt, Gate, Holder, Pass } from './gate.ts';
import { Watchers, type Watch } from '../abort.ts';
import type { Caller } from '../policy/identity.ts';
import type { Permissions } from '../policy/permissions.ts';

/** Plan 9 says 0660, but never uses the group's bits; here they count, and a primary group is often shared. */
export const CONVERSATION_MODE = 0o600;

/** The least port that any user of a host may bind (ip_unprivileged_port_start, ip(7)). */
const UNPRIVILEGED = 1024;

/** What a connect asks of its own end: to be bound there, or, with `!r`, to some port below 1024. */
export interface NearEnd {
  readonly local: Endpoint | undefined;
  readonly reserved: boolean;
}

/**
 * A port below 1024 says who is behind it, to those who believe so: to connect from one needs what it would
 * need to announce it. With `!r` the host picks one. Undefined where nothing is needed.
 */
export function nearAttempt(protocol: string, { local, reserved }: NearEnd): Attempt | undefined {
  const { ip, port } = local ?? UNSET;
  if (!reserved && (port === 0 || port >= UNPRIVILEGED)) return undefined;
  const at = { ip, port: reserved ? 0 : port };
  return { verb: 'announce', protocol, dest: `${protocol}!${formatEndpoint(at)}`, ...at };
}

export abstract class Conversation implements Holder {
  /** Handle.datagrams of data. */
  readonly datagrams: boolean = false;
  readonly number: number;
  readonly permissions: Permissions;
  /** Seconds since the epoch. */
  readonly since: number;
  local: Endpoint = UNSET;
  remote: Endpoint = UNSET;
  /** What `err` shows: the last error, for people. */
  errorText = '';
  /** How many have been noted. */
  errors = 0;
  /** Bytes of data that were read and written by way of it. */
  received = 0;
  sent = 0;
  private readonly erring = new Watchers();
  private references = 0;
  private freed = false;
  private revoked = false;
  /** What let it go where it went. */
  private pass: Pass | undefined;
  private readonly keeper: Keeper;

  constructor(number: number, owner: Caller, keeper: Keeper) {
    this.number = number;
    this.keeper = keeper;
    this.since = keeper.now();
    this.permissions = { owner, gid: owner.gid, mode: CONVERSATION_MODE };
  }

  get inUse(): boolean {
    return this.references > 0;
  }

  /** Its number may be given to a new conversation. */
  get isFree(): boolean {
    return this.freed;
  }

  /** Its directory: `tcp/3` */
  get place(): string {
    return `${this.keeper.name}/${this.number}`;
  }

  /** Asks whether this conversation may; Eperm if not. The one before is over. */
  protected admit(gate: Gate, attempt: Attempt, caller: Caller): Pass {
    this.pass?.end(0, 0);
    this.pass = gate.admit(attempt, caller, this);
    return this.pass;
  }

  /** Eperm for who may not connect from there. */
  protected mustHaveLocal(gate: Gate, near: NearEnd, caller: Caller): void {
    const attempt = nearAttempt(this.keeper.name, near);
    if (attempt !== undefined) gate.demand(attempt, caller, this.place);
  }

  /** What was allowed is not any more: everything ends at once, and `err` says why. */
  revoke(error: FsError): void {
    this.noteError(error);
    this.revoked = true;
    this.hangup(error);
  }

  retain(): void {
    this.references++;
  }

  release(): void {
    if (--this.references > 0) return;
    const { permissions } = this;
    permissions.owner = this.keeper.owner;
    permissions.gid = this.keeper.owner.gid;
    permissions.mode = CONVERSATION_MODE;
    this.keeper.ending(this);
    this.pass?.close(this.received, this.sent);
    this.end();
  }

  /** Remembers an error for `err`; what a flush interrupted is no error of the conversation. */
  noteError(error: unknown): void {
    if (!(error instanceof FsError) || error.name === 'Eintr' || error.name === 'Eagain') return;
    // What follows from its being revoked says less than why.
    if (this.revoked) return;
    this.errorText = error.sentence;
    this.errors++;
    this.erring.tell();
  }

  /** The end of every protocol's status line, which Plan 9's has not. */
  protected counts(): string {
    return `in ${this.received} out ${this.sent}`;
  }

  /** Tells when the next error is noted. */
  onError(watch: Watch): void {
    this.erring.add(watch);
  }

  /** One ctl message, already split; FsErrors are noted by the caller. */
  abstract control(words: readonly string[], req: Req): Awaitable<void>;
  /** RST to the peer, where there is one; whatever waits is woken. */
  abstract hangup(why: FsError): void;
  abstract read(reply: Reply, req: Req): Awaitable<number>;
  abstract write(data: Buffer, req: Req): Awaitable<number>;
  /** The next call, as a conversation on which one reference is held for the caller; Eagain if it may not wait. */
  abstract listen(req: Req): Promise<Conversation>;
  /** Throws Enotannounced where `listen` would. */
  abstract mustBeAnnounced(): void;
  /** As Handle.poll, of data. */
  abstract poll(watch: Watch | undefined): Readiness;
  /** Whether `listen` would not wait; `watch` is told when it would not any more. */
  abstract pollListen(watch: Watch | undefined): boolean;
  /** The text of `status`; its first word is the state. */
  abstract status(): string;
  /** Bytes that a read of data would find. */
  abstract queued(): number;
  /** The last reference is gone: end gracefully, then call `free`. */
  protected abstract end(): void;
  /** A conversation that is ending is in the way: end it at once. */
  abstract evict(): void;

  /** For the protocol, once nothing of it is left. */
  protected free(): void {
    if (this.freed) return;
    this.freed = true;
    this.pass?.end(this.received, this.sent);
    this.keeper.freed(this);
  }
}

/** What a conversation needs of the protocol that numbers it. */
export interface Keeper {
  /** `tcp` */
  readonly name: string;
  /** The owner of conversations that nobody uses: the server's. */
  readonly owner: Caller;
  /** Seconds since the epoch. */
  now(): number;
  /** A new conversation of this owner; Enodev when the protocol is full. */
  allocate(owner: Caller): Conversation;
  /** Whether `allocate` would succeed. */
  hasRoom(owner: Caller): boolean;
  /** The last reference is gone; `freed` follows, at once or later. */
  ending(conversation: Conversation): void;
  freed(conversation: Conversation): void;
}
