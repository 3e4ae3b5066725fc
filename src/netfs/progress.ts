/**
 * How far a conversation has come, whatever its protocol:
 *
 *     Idle -- connect --> Connecting --> Connected --+
 *          -- announce -> Announcing --> Announced --+--> Finished   (hangup, close, failure)
 *
 * A failed connect or announce ends in Finished, as in Plan 9: `connection in use` from then on, a
 * client takes a new conversation. Only one that was flushed goes back to Idle: it never happened.
 */
import { FsError } from './error.ts';
import type { Endpoint } from './address.ts';
import type { Awaitable, Req } from './node.ts';
import { Abort, onAbort, WaitQueue, Watchers, type Signal, type Watch } from '../abort.ts';

export type Phase = 'Idle' | 'Connecting' | 'Connected' | 'Announcing' | 'Announced' | 'Finished';

/** Both ends, as a conversation has them. */
interface Ends {
  local: Endpoint;
  remote: Endpoint;
}

export class Progress {
  phase: Phase = 'Idle';
  /** Aborts what a connect waits for. */
  private attempt: Abort | undefined;
  /** Reads and writes that wait for a connect to end. */
  private readonly settled = new WaitQueue<void>();
  /** Those who poll while it is being made. */
  private readonly watchers = new Watchers();

  mustBeIdle(): void {
    if (this.phase !== 'Idle') throw new FsError('Econinuse', 'open clone for a new conversation');
  }

  /**
   * Runs a connect or announce, which the request's flush or `end` may abort. Failed, the conversation
   * is Finished; flushed, Idle again, and its ends are what they were.
   */
  async run(
    ends: Ends,
    phase: 'Connecting' | 'Announcing',
    req: Req,
    attempt: (signal: Signal) => Promise<void>,
  ): Promise<void> {
    this.mustBeIdle();
    const { local, remote } = ends;
    this.phase = phase;
    const signal = new Abort();
    this.attempt = signal;
    const stop = onAbort(req.signal, () => signal.abort(req.signal.reason as Error));
    try {
      await attempt(signal);
    } catch (error) {
      const flushed = req.signal.aborted && isInterrupt(error);
      if (flushed) Object.assign(ends, { local, remote });
      this.phase = flushed ? 'Idle' : 'Finished';
      throw error;
    } finally {
      stop();
      this.attempt = undefined;
      while (this.settled.wake());
      this.watchers.tell();
    }
  }

  /** Whatever was begun or reached is over; an attempt that waits fails with this. */
  end(why: FsError): void {
    this.attempt?.abort(why);
    if (this.phase !== 'Idle') this.phase = 'Finished';
  }

  /** I/O before there is a connection: waits while one is being made, else fails. */
  async whenSettled<T>(req: Req, run: () => Awaitable<T>): Promise<T> {
    if (this.phase === 'Finished') throw new FsError('Ehungup');
    if (this.phase !== 'Connecting') throw new FsError('Enotconn', 'write connect HOST!PORT to ctl first');
    if (req.nonblocking === true) throw new FsError('Eagain');
    await this.settled.wait(req.signal);
    return run();
  }

  /** Tells when the attempt that is being made has ended. */
  onSettled(watch: Watch): void {
    this.watchers.add(watch);
  }
}

const isInterrupt = (error: unknown): boolean => error instanceof FsError && error.name === 'Eintr';
