/** Datagrams for which the host has no room: one tries again, the others wait for their turn. */
import { FsError } from './error.ts';
import type { Datagrams } from './dialer.ts';
import type { Req } from './node.ts';
import { Abort, onAbort, WaitQueue } from '../abort.ts';

export class Sending {
  private readonly writers = new WaitQueue<void>();
  private busy = false;
  /** A write that may not wait found no room. */
  private full = false;
  /** Aborts the wait for room. */
  private turn: Abort | undefined;
  private readonly changed: () => void;

  /** `changed` is called when it is worth trying again. */
  constructor(changed: () => void) {
    this.changed = changed;
  }

  /** Nobody waits who was there before. */
  get mayTry(): boolean {
    return !this.busy;
  }

  get hasRoom(): boolean {
    return !this.busy && !this.full;
  }

  /**
   * Waits until `send` says that it went; its turn is handed on when it has, or is given up. Who may not
   * wait gets Eagain.
   */
  wait(socket: Datagrams, send: () => boolean, { signal, nonblocking }: Req): Promise<void> {
    if (nonblocking === true) {
      this.tellOfRoom(socket);
      throw new FsError('Eagain');
    }
    return this.inTurn(socket, send, signal);
  }

  private tellOfRoom(socket: Datagrams): void {
    if (this.full) return;
    this.full = true;
    void socket.room(new Abort()).then(() => {
      this.full = false;
      this.changed();
    });
  }

  private async inTurn(socket: Datagrams, send: () => boolean, signal: Req['signal']): Promise<void> {
    if (this.busy) await this.writers.wait(signal);
    this.busy = true;
    const turn = new Abort();
    this.turn = turn;
    const stop = onAbort(signal, () => turn.abort(signal.reason as Error));
    try {
      for (;;) {
        if (turn.aborted) throw turn.reason;
        if (send()) return;
        await socket.room(turn);
      }
    } finally {
      stop();
      this.turn = undefined;
      this.busy = this.writers.wake();
      if (!this.busy) this.changed();
    }
  }

  /** Everybody who waits fails. */
  fail(error: FsError): void {
    this.writers.fail(error);
    this.turn?.abort(error);
  }
}
