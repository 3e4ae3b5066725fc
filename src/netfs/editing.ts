/**
 * Files that people edit. What is written is kept with the open file and comes into force when close(2)
 * returns; whole lines are judged as they are written, since most programs do not look at what close
 * says. Readers see what is in force, an editor sees his own. Of two editors the last commit counts; but who
 * has read what is in force, by the file that he then writes, replaces that and nothing else: where another
 * commit came between, his fails, and loses nothing.
 */
import { FsError } from './error.ts';
import { readText } from './handles.ts';
import type { Handle, Node, OpenMode, Reply, Req } from './node.ts';
import type { Changer } from '../policy/permissions.ts';
import type { Quota } from '../policy/quota.ts';

/** What is edited. */
export interface Document {
  /** In force; never changed, only replaced. */
  readonly content: Buffer;
  /** It has fewer bytes than this. */
  readonly limit: number;
  /** How often it was replaced. */
  readonly version: number;
  /** What the texts that are being edited take, in whatever `room` counts. */
  readonly editing: Quota;
  room(text: Buffer): number;
  /**
   * Throws where the text says nothing that could be in force, or nothing that this editor may bring into
   * force; line, column and reason are the detail.
   */
  judge(text: Buffer, editor: Changer): void;
  /** The same of all of it, before it comes into force. */
  judgeAll(text: Buffer, editor: Changer): void;
  /** Told what was refused, which it gives back to be thrown. */
  refused<E>(error: E, editor: Changer): E;
  /** Puts a text that was judged into force. */
  commit(text: Buffer, editor: Changer): void;
}

const EMPTY = Buffer.alloc(0);
const NEWLINE = 0x0a;

export class EditHandle implements Handle {
  readonly node: Node;
  readonly stream = false;
  private readonly document: Document;
  private readonly editor: Changer;
  /** Every write goes to the end, O_APPEND. */
  private readonly append: boolean;
  /** What this editor sees; undefined until he has changed something. */
  private text: Buffer | undefined;
  /** What stood before all that was appended; undefined where more was done than that. */
  private base: Buffer | undefined;
  /** What the text takes of the editor's share. */
  private room = 0;
  /** The version of what he has read; undefined until he has. */
  private seenVersion: number | undefined;
  /** What is to come into force: bytes at the next flush, a truncation alone when the file is closed. */
  private pending: 'nothing' | 'truncation' | 'bytes' = 'nothing';
  /** Somebody has closed a descriptor of it since it was truncated. */
  private wasFlushed = false;

  constructor(node: Node, document: Document, mode: OpenMode, { caller, privileged = false }: Req) {
    this.node = node;
    this.document = document;
    this.editor = { caller, privileged };
    this.append = mode.append === true;
    if (mode.truncate) this.truncate(0);
  }

  private get seen(): Buffer {
    return this.text ?? this.document.content;
  }

  read(offset: number, reply: Reply): number {
    if (this.text === undefined) this.seenVersion = this.document.version;
    return readText(this.seen, offset, reply);
  }

  write(offset: number, data: Buffer): number {
    try {
      this.mustBeWhatWasRead();
      if (this.append && this.text === undefined) this.base = this.document.content;
      this.keep(this.written(this.append ? this.seen.length : offset, data));
    } catch (error) {
      // The truncation was for what is refused: without it, what was there stays.
      if (this.pending === 'truncation') this.pending = 'nothing';
      throw this.document.refused(error, this.editor);
    }
    if (data.length > 0) this.pending = 'bytes';
    return data.length;
  }

  private written(offset: number, data: Buffer): Buffer {
    const text = overwritten(this.seen, offset, data, this.document.limit);
    const { start, end } = linesAround(text, offset, offset + data.length);
    try {
      // The others were judged when they were written.
      this.document.judge(text.subarray(start, end), this.editor);
    } catch {
      // Of the whole text the error's line has its right number.
      this.document.judge(text.subarray(0, end), this.editor);
    }
    return text;
  }

  /** Only where nothing is put behind the end, wherever that is by then. */
  private mustBeWhatWasRead(): void {
    const { version } = this.document;
    if (this.append || this.seenVersion === undefined || this.seenVersion === version) return;
    throw new FsError('Echanged', `version ${this.seenVersion} was read, ${version} is there; open it again`);
  }

  private keep(text: Buffer | undefined): void {
    const room = text === undefined || text.length === 0 ? 0 : this.document.room(text);
    const { editing } = this.document;
    const { caller } = this.editor;
    if (room > this.room && !editing.take(caller, room - this.room)) {
      throw new FsError('Enofids', `${caller.name} edits too many copies of this at once; close some`);
    }
    if (room < this.room) editing.give(caller, this.room - room);
    this.room = room;
    this.text = text;
  }

  /** Shortens it. What is cut off in the middle of a line is judged when it comes into force. */
  truncate(length: number): void {
    if (length === this.seen.length) return;
    this.keep(cut(this.seen, length));
    this.base = undefined;
    if (this.pending === 'nothing') this.pending = 'truncation';
    this.wasFlushed = false;
  }

  /** close(2). A shell says it before it has written, too, of a descriptor that it copied. */
  flush(): void {
    this.wasFlushed = true;
    if (this.pending !== 'bytes') return;
    try {
      this.mustBeWhatWasRead();
      this.moveBehind();
      this.document.judgeAll(this.seen, this.editor);
      this.commit();
    } catch (error) {
      throw this.document.refused(error, this.editor);
    }
  }

  /** What was appended stands behind what is there by now. */
  private moveBehind(): void {
    const { content, limit } = this.document;
    if (this.base === undefined || this.base === content) return;
    const added = this.seen.subarray(this.base.length);
    this.keep(overwritten(content, content.length, added, limit));
    this.base = content;
  }

  /** What was never flushed is gone: nobody said that it was all. */
  close(): void {
    if (this.pending === 'truncation' && this.wasFlushed && this.isSound()) this.commit();
    this.keep(undefined);
    this.pending = 'nothing';
  }

  private isSound(): boolean {
    try {
      this.mustBeWhatWasRead();
      this.document.judgeAll(this.seen, this.editor);
      return true;
    } catch (error) {
      this.document.refused(error, this.editor);
      return false;
    }
  }

  private commit(): void {
    this.document.commit(this.seen, this.editor);
    this.pending = 'nothing';
    if (this.seenVersion !== undefined) this.seenVersion = this.document.version;
    // Who goes on writing goes on from here; who appends, from what is there by then.
    if (!this.append) return;
    this.keep(undefined);
    this.base = undefined;
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
