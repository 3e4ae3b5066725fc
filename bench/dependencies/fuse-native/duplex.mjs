// The client of the duplex probe: read(2) waits on one thread of the pool, write(2) comes on another.

import { open, read, write } from 'node:fs';

open(process.argv[2], 'r+', (error, fd) => {
  if (error) throw error;
  const start = performance.now();
  let readDone = false;
  // position null: read(2) and write(2), which share the file position, and not pread and pwrite
  read(fd, Buffer.alloc(64), 0, 64, null, () => (readDone = true));
  setTimeout(() => {
    const sent = performance.now();
    write(fd, Buffer.from('x'), 0, 1, null, () => {
      const now = performance.now();
      const order = readDone ? 'after the read was answered' : 'while the read still waits';
      console.log(
        `takes ${Math.round(now - sent)} ms, ${order} (read sent ${Math.round(sent - start)} ms before)`,
      );
    });
  }, 300);
});
