/** A conversation of /net: one connection, as its numbered directory. */
import { Duplex } from 'node:stream';
import type { Client } from './client.ts';
import { ProtocolError } from './error.ts';
import { pull, type File } from './file.ts';

/** Longer than any conversation's number. */
const NUMBER_LENGTH = 32;

/** The ctl of a conversation, which came from opening `clone` or `listen`, and the directory it stands for. */
export interface Control {
  readonly ctl: File;
  readonly number: number;
  /** Such as `tcp/3`, relative to the attached tree. */
  readonly dir: string;
}

/**
 * Opens `clone` or `listen` under `protocol` (such as `tcp`) and reads which conversation it is. Only
 * the open can be cancelled: once there is a conversation, it must not get lost.
 */
export async function openControl(
  client: Client,
  protocol: string,
  path: string,
  signal?: AbortSignal,
): Promise<Control> {
  const ctl = await client.open(path, 'rw', { signal });
  try {
    const number = (await ctl.read(NUMBER_LENGTH, 0)).toString();
    if (!/^\d+$/.test(number)) throw new ProtocolError(`${path} reads ${number}, not a number`);
    return { ctl, number: Number(number), dir: `${protocol}/${number}` };
  } catch (error) {
    await ctl.close();
    throw error;
  }
}

export class Conversation {
  readonly number: number;
  /** Such as `tcp/3`, relative to the attached tree. */
  readonly dir: string;
  /** Takes control messages, such as `hangup`. */
  readonly ctl: File;
  /** The bytes of the connection, both ways. */
  readonly data: File;
  readonly #client: Client;

  private constructor(client: Client, { ctl, number, dir }: Control, data: File) {
    this.#client = client;
    this.ctl = ctl;
    this.number = number;
    this.dir = dir;
    this.data = data;
  }

  /** Opens the data of a conversation that is established; its ctl is closed if that fails. */
  static async open(client: Client, control: Control, signal?: AbortSignal): Promise<Conversation> {
    try {
      return new Conversation(client, control, await client.open(`${control.dir}/data`, 'rw', { signal }));
    } catch (error) {
      await control.ctl.close();
      throw error;
    }
  }

  /** This side's address, `ADDRESS!PORT`. */
  local(signal?: AbortSignal): Promise<string> {
    return readAddress(this.#client, `${this.dir}/local`, signal);
  }

  /** The other side's address, `ADDRESS!PORT`. */
  remote(signal?: AbortSignal): Promise<string> {
    return readAddress(this.#client, `${this.dir}/remote`, signal);
  }

  /**
   * The connection as a stream; take it once. A chunk is asked for when the reader wants one, and a
   * write is done when the server took it, so both sides slow down their senders.
   *
   * Plan 9's /net cannot close one direction: ending the writable side sends nothing, and the remote
   * sees no end of file until the stream is destroyed. The readable side goes on until the remote's
   * end. When both have ended, or on destroy, the conversation is closed.
   */
  duplex(): Duplex {
    const ended = new AbortController();
    const stream: Duplex = new Duplex({
      read: () => pull(this.data, stream, ended.signal),
      write: (chunk: Buffer, _encoding, done) => {
        this.data.write(chunk, undefined, ended.signal).then(() => done(), done);
      },
      destroy: (error, done) => {
        ended.abort();
        void this.close().then(() => done(error));
      },
    });
    return stream;
  }

  /** Gives both files back; when nobody else has them open, the connection ends gracefully. Never fails. */
  async close(): Promise<void> {
    await Promise.all([this.data.close(), this.ctl.close()]);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** The text of a `local` or `remote` file, without its newline. */
export async function readAddress(client: Client, path: string, signal?: AbortSignal): Promise<string> {
  return (await client.readFile(path, { signal })).toString().trimEnd();
}
