/** What a Handle's poll says, in poll(2)'s bits. */
import type { Readiness } from '../../netfs/node.ts';
import { POLL } from './kernel.ts';

export function pollBits({ readable, writable, ended, hungup, failed }: Readiness): number {
  return (
    (readable ? POLL.IN | POLL.RDNORM : 0) |
    (writable ? POLL.OUT | POLL.WRNORM : 0) |
    (ended === true ? POLL.RDHUP : 0) |
    (hungup === true ? POLL.HUP : 0) |
    (failed === true ? POLL.ERR : 0)
  );
}
