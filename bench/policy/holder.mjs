// Who holds conversations: `holder.mjs UID 9p ADDR COUNT PORT...` or `holder.mjs UID fuse MOUNT COUNT PORT...`:
// so many to each port of 127.0.0.1. It prints [CONVERSATIONS] when it has them. For each line of input those
// to the first port are dialled anew.
import fs from 'node:fs';
import { createInterface } from 'node:readline';
import { connect } from '../../dist/client/index.js';

const AT_ONCE = 32;

const [uid, door, at, count, ...ports] = process.argv.slice(2);

// What is imported may be where he cannot read.
process.setgroups([]);
process.setgid(Number(uid));
process.setuid(Number(uid));

const DOORS = {
  '9p': async () => {
    const client = await connect(at);
    return { open: name => client.open(`dial/${name}`, 'rw'), close: file => file.close() };
  },
  // One system call after the other: nothing else is to be done here.
  fuse: () => ({ open: name => fs.openSync(`${at}/dial/${name}`, 'r+'), close: fd => fs.closeSync(fd) }),
};

const { open, close } = await DOORS[door]();

async function many(all, run) {
  const jobs = [...all];
  const results = [];
  const worker = async () => {
    for (let job = jobs.pop(); job !== undefined; job = jobs.pop()) results.push(await run(job));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

const dialled = port => many(Array(Number(count)).fill(`tcp!127.0.0.1!${port}`), open);

const held = [];
for (const port of ports) held.push(await dialled(port));
const tell = () => console.log(JSON.stringify([held.flat().length]));
tell();
createInterface({ input: process.stdin })
  .on('line', async () => {
    await many(held[0], close);
    held[0] = await dialled(ports[0]);
    tell();
  })
  .on('close', () => process.exit());
