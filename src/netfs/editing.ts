/**
 * Files that people edit. What is written is kept with the open file and comes into force when close(2)
 * returns; whole lines are judged as they are written, since most programs do not look at what close
 * says. Readers see what is in force, an editor sees his own. Of two editors the last commit counts.
 */
import { FsError } from './error.ts';
import { readText } from './handles.ts';
import type { Handle, Node, OpenMode, Reply, Req } from './node.ts';
import type { Caller } from '../policy/identity.ts';
import type { Quota } from '../policy/quota.ts';

/** What is edited. */
export interface Document {
  /** In force; never changed, only replaced. */
  readonly content: Buffer;
  /** It has fewer bytes than this. */
  readonly limit: number;
  /** Texts that are being edited. */
  readonly editing: Quota;
  /** Throws where the text says nothing that could be in force; line, column and reason are the detail. */
  judge(text: Buffer): void;
  /** Puts a text that was judged into force. */
  commit(text: Buffer): void;
}

const EMPTY = Buffer.alloc(0);
const NEWLINE = 0x0a;

export class EditHandle implements Handle {
  readonly node: Node;
  readonly stream = false;
  private readonly document: Document;
  private readonly editor: Caller;
  /** Every write goes to the end, O_APPEND. */
  private readonly append: boolean;
  /** What this editor sees; undefined until he has changed something. */
  private text: Buffer | undefined;
  /** The text takes room, of the editor's share. */
  private takesRoom = false;
  /** What is to come into force: bytes at the next flush, a truncation alone when the file is closed. */
  private pending: 'nothing' | 'truncation' | 'bytes' = 'nothing';
  /** Somebody has closed a descriptor of it since it was truncated. */
  private wasFlushed = false;

  constructor(node: Node, document: Document, mode: OpenMode, { caller }: Req) {
    this.node = node;
    this.document = document;
    this.editor = caller;
    this.append = mode.append === true;
    if (mode.truncate) this.truncate(0);
  }

  private get seen(): Buffer {
    return this.text ?? this.document.content;
  }

  read(offset: number, reply: Reply): number {
    return readText(this.seen, offset, reply);
  }

  write(offset: number, data: Buffer): number {
    try {
      this.keep(this.written(this.append ? this.seen.length : offset, data));
    } catch (error) {
      // The truncation was for what is refused: without it, what was there stays.
      if (this.pending === 'truncation') this.pending = 'nothing';
      throw error;
    }
    if (data.length > 0) this.pending = 'bytes';
    return data.length;
  }

  private written(offset: number, data: Buffer): Buffer {
    const text = overwritten(this.seen, offset, data, this.document.limit);
    const { start, end } = linesAround(text, offset, offset + data.length);
    try {
      // The others were judged when they were written.
      this.document.judge(text.subarray(start, end));
    } catch {
      // Of the whole text the error's line has its right number.
      this.document.judge(text.subarray(0, end));
    }
    return text;
  }

  private keep(text: Buffer | undefined): void {
    const room = text !== undefined && text.length > 0;
    const { editing } = this.document;
    if (room && !this.takesRoom && !editing.take(this.editor, 1)) {
      throw new FsError('Enofids', `${this.editor.name} edits too many copies of this at once; close some`);
    }
    if (!room && this.takesRoom) editing.give(this.editor, 1);
    this.takesRoom = room;
    this.text = text;
  }

  /** Shortens it. What is cut off in the middle of a line is judged when it comes into force. */
  truncate(length: number): void {
    if (length === this.seen.length) return;
    this.keep(cut(this.seen, length));
    if (this.pending === 'nothing') this.pending = 'truncation';
    this.wasFlushed = false;
  }

  /** close(2). A shell says it before it has written, too, of a descriptor that it copied. */
  flush(): void {
    this.wasFlushed = true;
    if (this.pending !== 'bytes') return;
    this.document.judge(this.seen);
    this.commit();
  }

  /** What was never flushed is gone: nobody said that it was all. */
  close(): void {
    if (this.pending === 'truncation' && this.wasFlushed && this.isSound()) this.commit();
    this.keep(undefined);
    this.pending = 'nothing';
  }

  private isSound(): boolean {
    try {
      this.document.judge(this.seen);
      return true;
    } catch {
      return false;
    }
  }

  private commit(): void {
    this.document.commit(this.seen);
    this.pending = 'nothing';
    // Who goes on writing goes on from here; who appends, from what is there by then.
    if (this.append) this.keep(undefined);
  }
}

/** The whole lines that a write from `from` to `to` changed: the last may be what it left of one. */
function linesAround(text: Buffer, from: number, to: number): { start: number; end: number } {
  const start = from === 0 ? 0 : text.lastIndexOf(NEWLINE, from - 1) + 1;
  const next = text.indexOf(NEWLINE, to);
  return { start, end: Math.max(start, (next < 0 ? text.lastIndexOf(NEWLINE) : next) + 1) };
}

/** The first bytes of a text; Eio beyond its end. */
export function cut(text: Buffer, length: number): Buffer {
  if (length > text.length) throw new FsError('Eio', `it has ${text.length} bytes and is not made longer`);
  return length === 0 ? EMPTY : text.subarray(0, length);
}

/** Never in place: the text before may be in force. */
function overwritten(text: Buffer, offset: number, data: Buffer, limit: number): Buffer {
  const end = offset + data.length;
  if (offset > text.length) throw new FsError('Eio', `offset ${offset} is beyond the end, ${text.length}`);
  if (end >= limit) throw new FsError('Eio', `${end} bytes; it has fewer than ${limit}`);
  return Buffer.concat([text.subarray(0, offset), data, text.subarray(end)]);
}
