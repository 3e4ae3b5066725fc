/** Standard input and output as the commands use them. */

/** Nobody reads our output any more (`| head`): no error, only the end. */
export class OutputClosed extends Error {}

let watched = false;

/** Writes to stdout; resolves when it is out, so that a slow reader slows us down. */
export function writeOut(data: Buffer | string): Promise<void> {
  if (!watched) {
    // Each failure is told to the callback of its write; as an event it would end the process.
    process.stdout.on('error', () => {});
    watched = true;
  }
  return new Promise((resolve, reject) => {
    process.stdout.write(data, error => {
      if (error === null || error === undefined) resolve();
      else reject(isGone(error) ? new OutputClosed() : error);
    });
  });
}

const GONE = ['EPIPE', 'ECONNRESET', 'ERR_STREAM_DESTROYED'];

function isGone(error: Error): boolean {
  return GONE.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Runs a command; that its reader went away ends it, quietly. */
export async function untilOutputCloses(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof OutputClosed)) throw error;
  }
}
