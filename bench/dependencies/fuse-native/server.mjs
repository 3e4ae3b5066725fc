// One mount of fuse-native: `server.mjs DIR PATH OPTIONS`, forked by mounted.mjs. It starts no child of
// its own: a child would inherit /dev/fuse, and would keep the connection open when the server is killed.

import { createRequire } from 'node:module';
import { join } from 'node:path';

// Every read is answered in the end, since a reader in D state cannot be killed.
const ANSWER_MS = 3000;

const [dir, path, options] = process.argv.slice(2);
const Fuse = createRequire(join(dir, 'package.json'))('fuse-native');

// Leaving closes /dev/fuse, and the kernel then fails every request that still waits on it.
setTimeout(() => process.exit(3), 7_000);
process.on('disconnect', () => process.exit(0));

const since = new Date(0);
const stat = (mode, size) => ({
  mode,
  size,
  mtime: since,
  atime: since,
  ctime: since,
  nlink: 1,
  uid: 0,
  gid: 0,
});

const FILES = {
  '/': stat(0o40755, 0),
  '/blocked': stat(0o100666, 4096),
  '/sizeless': stat(0o100666, 0),
};

const operations = {
  getattr: (file, reply) => (file in FILES ? reply(0, FILES[file]) : reply(Fuse.ENOENT)),
  open: (_file, _flags, reply) => reply(0, 1),
  truncate: (_file, _size, reply) => reply(0),
  write: (_file, _fd, _buffer, length, _offset, reply) => reply(length),
  read: (file, _fd, buffer, _length, offset, reply) => {
    if (offset > 0) return reply(0);
    if (file === '/sizeless') return reply(buffer.write('now\n'));
    process.send({ read: ANSWER_MS });
    setTimeout(() => reply(buffer.write('late\n')), ANSWER_MS);
  },
};

// Options that the package has no name for can be passed on behind a comma in one that it has.
new Fuse(path, operations, { fsname: `slashnet-probe${options}`, timeout: false }).mount(error => {
  process.send(error ? { failed: error.message } : { mounted: true });
});
