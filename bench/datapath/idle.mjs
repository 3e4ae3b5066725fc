// Memory of a conversation that is dialled and then left alone.
import { createInterface } from 'node:readline';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import * as procs from './procs.mjs';
import { addresses, startClient, startRelay, startSlashnet } from './stage.mjs';

export const IDLE_PATHS = ['relay', 'unix'];

const WARM_UP = 300; // first calls compile code and grow the heap: not the conversations' bytes
const SETTLE_MS = 700;
const SPARE_FILES = 200;

async function fill(stage, where, count) {
  const child = startClient([...addresses(stage, where, 'hold'), '-c', count, 'idle']);
  let complaint = '';
  child.stderr.on('data', chunk => (complaint += chunk));
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, 'line'), child.exited.then(() => [])]);
  if (line === undefined) throw new Error(complaint.trim() || 'the client ended early');
  return { result: JSON.parse(line), child };
}

async function empty({ child }) {
  child.stdin.end();
  await child.exited;
  await sleep(SETTLE_MS);
}

const filesPerConversation = { relay: 2, unix: 1 };

async function measureOn(stage, where, conversations) {
  const { pid } = stage[where];
  const room = Math.floor((procs.fileLimit(pid) - SPARE_FILES) / filesPerConversation[where]);
  await empty(await fill(stage, where, WARM_UP));
  const before = procs.residentBytes(pid);
  const filled = await fill(stage, where, Math.min(conversations, room));
  await sleep(SETTLE_MS);
  const bytes = procs.residentBytes(pid) - before;
  await empty(filled);
  const { ops, seconds, note } = filled.result;
  return { conversations: ops, bytes, figure: bytes / ops, seconds, note, residentBefore: before };
}

/** One measurement, with a server of its own: memory that was used before cannot be told apart. */
export async function measureIdle(stage, where, { conversations, ...serverOptions }) {
  const fresh = where === 'relay' ? await startRelay(stage.peers) : await startSlashnet(where, serverOptions);
  try {
    return await measureOn({ peers: stage.peers, [where]: fresh }, where, conversations);
  } catch (e) {
    if (fresh.log) procs.assertRunning(fresh);
    return { error: e.message };
  } finally {
    await procs.end(fresh.child);
  }
}
