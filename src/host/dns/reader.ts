/** Reads the octets of a message that somebody sent us. RFC 1035, 4. */
import { labelText, MAX_NAME } from '../../netfs/domain.ts';

/** What came is no message of the domain name system. The only error of this codec. */
export class Malformed extends Error {}

/** Octets of a message's header. */
export const HEADER = 12;

/** Compression makes much text out of few octets; an answer that makes more than this is an attack. */
const MAX_TEXT = 256 * 1024;

/** Pointers in a name: as many as labels, if each led to one. */
const MAX_POINTERS = 127;

/** Reads on through a message, never beyond its end. */
export class Reader {
  readonly message: Buffer;
  at = 0;
  private text = 0;

  constructor(message: Buffer) {
    this.message = message;
  }

  u8(): number {
    return this.octet(this.at++);
  }

  u16(): number {
    return (this.u8() << 8) | this.u8();
  }

  u32(): number {
    return this.u16() * 0x10000 + this.u16();
  }

  bytes(length: number): Buffer {
    const start = this.at;
    this.skip(length);
    return this.message.subarray(start, start + length);
  }

  skip(length: number): void {
    this.at += length;
    if (this.at > this.message.length) throw new Malformed('it ends too early');
  }

  /** Text is being made of it. */
  spend(characters: number): void {
    this.text += characters;
    if (this.text > MAX_TEXT) throw new Malformed('it makes more text than an answer has');
  }

  skipName(): void {
    for (let length = this.u8(); length !== 0; length = this.u8()) {
      if (length >= 0xc0) return this.skip(1);
      if (length > 63) throw new Malformed('a label of an unknown kind');
      this.skip(length);
    }
  }

  /**
   * RFC 1035, 4.1.4: a pointer leads to a prior occurrence of the name. Each must lead further back than
   * all before it, so that none leads in a circle; and no name is longer than names are.
   */
  name(): string {
    const labels: string[] = [];
    let length = 1;
    let pointers = 0;
    let at = this.at;
    let lowest = at;
    let end = 0;
    for (let octet = this.octet(at++); octet !== 0; octet = this.octet(at++)) {
      if (octet >= 0xc0) {
        const to = ((octet & 0x3f) << 8) | this.octet(at);
        if (end === 0) end = at + 1;
        if (to >= lowest || to < HEADER) throw new Malformed('a pointer that does not lead back');
        if (++pointers > MAX_POINTERS) throw new Malformed('pointers to pointers');
        lowest = to;
        at = to;
      } else {
        if (octet > 63) throw new Malformed('a label of an unknown kind');
        length += octet + 1;
        if (at + octet > this.message.length) throw new Malformed('it ends too early');
        labels.push(labelText(this.message.toString('latin1', at, at + octet)));
        at += octet;
      }
      if (length > MAX_NAME) throw new Malformed('a name of more than 255 octets');
    }
    this.at = end === 0 ? at : end;
    const name = labels.length === 0 ? '.' : labels.join('.');
    this.spend(name.length);
    return name;
  }

  private octet(at: number): number {
    const octet = this.message[at];
    if (octet === undefined) throw new Malformed('it ends too early');
    return octet;
  }
}
