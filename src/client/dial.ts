/** Calls out and takes calls over a /net, as dial(2) does. */
import { parseNetAddress } from './address.ts';
import type { CallOptions, Client } from './client.ts';
import { Conversation, openControl, readAddress, type Control } from './conversation.ts';
import { NinepError } from './error.ts';

export interface NetOptions extends CallOptions {
  /** Where the tree that holds `tcp` lies under the attached one; default the attached one itself. */
  readonly netdir?: string | undefined;
}

/**
 * Connects to `tcp!HOST!PORT` through the server; resolves when the connection stands. The server
 * resolves names. Fails with AddressError, or NinepError such as `connection refused`. Aborting the
 * signal gives the call up and leaves nothing behind.
 */
export async function dial(client: Client, address: string, options: NetOptions = {}): Promise<Conversation> {
  const { network, host, port } = parseNetAddress(address);
  const control = await commanded(client, network, `connect ${host}!${port}`, options);
  return Conversation.open(client, control, options.signal);
}

/** Waits for calls to `tcp!HOST!PORT`; HOST `*` is every address of the server's machine, PORT 0 a free one. */
export async function announce(
  client: Client,
  address: string,
  options: NetOptions = {},
): Promise<Announcement> {
  const { network, host, port } = parseNetAddress(address);
  const control = await commanded(client, network, `announce ${host}!${port}`, options);
  return new Announcement(client, protocolDir(network, options), control);
}

const protocolDir = (network: string, { netdir = '' }: NetOptions): string =>
  netdir === '' ? network : `${netdir}/${network}`;

/** A new conversation that has carried out a control message. */
async function commanded(
  client: Client,
  network: string,
  message: string,
  options: NetOptions,
): Promise<Control> {
  const protocol = protocolDir(network, options);
  const clone = `${protocol}/clone`;
  const control = await openControl(client, protocol, clone, options.signal).catch((error: unknown) => {
    if (error instanceof NinepError && error.code === 'EACCES') {
      error.detail = `permission denied: ${clone} is not open to you; who owns it can chgrp and chmod it`;
    }
    if (error instanceof NinepError && error.code === 'ENOENT') {
      error.detail = `file does not exist: ${clone}; this /net has no ${network}`;
    }
    throw error;
  });
  try {
    await control.ctl.write(message, 0, options.signal);
    return control;
  } catch (error) {
    if (error instanceof NinepError) error.detail = await particulars(client, control.dir);
    await control.ctl.close();
    throw error;
  }
}

/** Plan 9's `err` waits for something to happen; who has nothing to say by now is not worth waiting for. */
const PATIENCE_MS = 200;

/** What `err` says about a control message that failed; undefined where it says nothing. */
async function particulars(client: Client, dir: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const text = (await client.readFile(`${dir}/err`, { signal })).toString().trim();
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
}

export class Announcement {
  readonly number: number;
  /** Such as `tcp/3`, relative to the attached tree. */
  readonly dir: string;
  readonly ctl: Control['ctl'];
  readonly #client: Client;
  readonly #protocol: string;

  /** Made by announce(). */
  constructor(client: Client, protocol: string, { ctl, number, dir }: Control) {
    this.#client = client;
    this.#protocol = protocol;
    this.ctl = ctl;
    this.number = number;
    this.dir = dir;
  }

  /**
   * The next call. Several may listen at once; each call goes to one. The signal cancels the waiting,
   * never a call that came: it is returned even if the signal fired meanwhile.
   */
  async listen({ signal }: CallOptions = {}): Promise<Conversation> {
    const control = await openControl(this.#client, this.#protocol, `${this.dir}/listen`, signal);
    return Conversation.open(this.#client, control);
  }

  /** Where calls are waited for, `ADDRESS!PORT`. */
  local(signal?: AbortSignal): Promise<string> {
    return readAddress(this.#client, `${this.dir}/local`, signal);
  }

  /** No more calls. Those that were taken go on; a listen() that waits should be aborted first. Never fails. */
  close(): Promise<void> {
    return this.ctl.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
