/** A question to the name servers, until one of them answers. */
import { randomInt } from 'node:crypto';
import type { Signal } from '../../abort.ts';
import { FsError } from '../../netfs/error.ts';
import {
  decodeAnswer,
  encodeQuery,
  isTruncated,
  RCODE,
  TYPE,
  type Answer,
  type Question,
} from './message.ts';
import { Malformed } from './reader.ts';
import type { NameServer, ResolvConf } from './resolvconf.ts';
import { overTcp, overUdp, type Wait, type Why } from './transport.ts';
import { hostTimers, Turns, type Timers } from './turns.ts';

/** Whom to ask and how long: of ResolvConf. */
export type Manner = Pick<ResolvConf, 'servers' | 'timeoutMs' | 'attempts' | 'rotate'>;

export interface ExchangeOptions {
  readonly timers?: Timers;
  /** An id nobody can guess, 0 to 65535. */
  readonly randomId?: () => number;
  /** The most questions that are out at a time, each with a socket, and the most that wait for that; of all who ask. */
  readonly inFlight?: number;
  readonly waiting?: number;
}

const IN_FLIGHT = 512;
const WAITING = 4096;

export class Exchange {
  private readonly timers: Timers;
  private readonly randomId: () => number;
  private readonly turns: Turns;
  private asked = 0;

  constructor({
    timers = hostTimers,
    randomId = () => randomInt(0x10000),
    inFlight = IN_FLIGHT,
    waiting = WAITING,
  }: ExchangeOptions = {}) {
    this.timers = timers;
    this.randomId = randomId;
    this.turns = new Turns({ most: inFlight, waiting, timers });
  }

  /** An answer with rcode ok or name. Errors: Edns. Heeds the signal. `asker` is a number of whoever asks. */
  async ask(question: Question, manner: Manner, signal: Signal, asker: number): Promise<Answer> {
    const { servers, timeoutMs, attempts } = manner;
    // Nobody waits longer for his turn than he would for an answer.
    if (!(await this.turns.begin(asker, timeoutMs * attempts * servers.length, signal))) {
      throw new FsError('Edns', 'too many questions at once');
    }
    try {
      return await this.rounds(question, manner, signal);
    } finally {
      this.turns.end(asker);
    }
  }

  private async rounds(question: Question, manner: Manner, signal: Signal): Promise<Answer> {
    const { servers, timeoutMs: ms, attempts } = manner;
    const first = manner.rotate ? this.asked++ : 0;
    const wait = { ms, timers: this.timers, signal };
    const whys = new Map<string, Why>();
    for (let i = 0; i < attempts * servers.length; i++) {
      const server = servers[(first + i) % servers.length]!;
      const outcome = await this.askOne(server, question, wait);
      if (typeof outcome !== 'string') return outcome;
      whys.set(`${server.address}!${server.port}`, outcome);
    }
    throw new FsError('Edns', [...whys].map(([server, why]) => `${server}: ${why}`).join('; '));
  }

  /** One server. RFC 6891, 7: one that knows no EDNS says that the query's format is wrong. */
  private async askOne(server: NameServer, question: Question, wait: Wait): Promise<Answer | Why> {
    const outcome = await this.query(server, question, true, wait);
    const plain = typeof outcome !== 'string' && outcome.rcode === RCODE.format;
    return judged(plain ? await this.query(server, question, false, wait) : outcome);
  }

  /** By UDP, and by TCP where that does not hold the answer. */
  private async query(
    server: NameServer,
    question: Question,
    edns: boolean,
    wait: Wait,
  ): Promise<Answer | Why> {
    const query = (): Buffer => encodeQuery(question, this.randomId(), edns);
    let message = await overUdp(server, query(), wait);
    if (typeof message === 'string') return message;
    if (isTruncated(message)) message = await overTcp(server, query(), wait);
    if (typeof message === 'string') return message;
    if (isTruncated(message)) return 'a truncated answer by TCP';
    return decoded(message);
  }
}

function decoded(message: Buffer): Answer | Why {
  try {
    return decodeAnswer(message);
  } catch (error) {
    if (error instanceof Malformed) return `a malformed answer: ${error.message}`;
    throw error;
  }
}

const RCODES: Readonly<Record<number, string>> = {
  [RCODE.format]: 'it says that the query is malformed',
  [RCODE.server]: 'it failed to find out',
  [RCODE.unimplemented]: 'it does not know such queries',
  [RCODE.refused]: 'it refuses to answer',
};

/** An answer that says something, or why it does not. */
function judged(answer: Answer | Why): Answer | Why {
  if (typeof answer === 'string') return answer;
  const { rcode } = answer;
  if (rcode !== RCODE.ok && rcode !== RCODE.name) return RCODES[rcode] ?? `response code ${rcode}`;
  return isReferral(answer) ? 'it knows only whom else to ask' : answer;
}

/** Of a server that does not ask others for us. */
function isReferral({ rcode, records, authoritative, recursive, authority }: Answer): boolean {
  if (rcode !== RCODE.ok || records.length > 0 || authoritative || recursive) return false;
  return authority.includes(TYPE.ns) && !authority.includes(TYPE.soa);
}
