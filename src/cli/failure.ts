/** How a command says that it failed. */
import { NinepError, ProtocolError } from '../client/index.ts';
import { printable } from './printable.ts';

/** 0: done; 1: the operation failed; 2: the command line was wrong. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** What went wrong, for people. */
export function reason(error: unknown): string {
  if (error instanceof NinepError) return printable(error.detail ?? error.text);
  if (error instanceof ProtocolError) return printable(error.message);
  return error instanceof Error ? error.message : String(error);
}

/** `slashnet: ls tcp/9: file does not exist`; the command goes on and ends with 1. */
export function report(what: string, error: unknown): void {
  tell(`${what}: ${reason(error)}`);
  process.exitCode = EXIT.failed;
}

/** A line on stderr. */
export function tell(text: string): void {
  process.stderr.write(`slashnet: ${text}\n`);
}
