// The tree of yardstick.c served by fuse-native: `native.mjs PACKAGES DIR SECONDS`, where PACKAGES is
// the folder that it was installed into. Ends by a signal.
import { createRequire } from 'node:module';
import path from 'node:path';

const [packages, dir, seconds] = process.argv.slice(2);
const Fuse = createRequire(path.join(packages, 'package.json'))('fuse-native');

const since = new Date(0);
const stat = mode => ({ mode, size: 0, mtime: since, atime: since, ctime: since, nlink: 1, uid: 0, gid: 0 });

const FILES = new Map(
  ['small', 'sink', 'source', 'plain'].map((name, i) => [`/${name}`, { fd: i + 1, stat: stat(0o100666) }]),
);
const LISTING = ['.', '..', ...[...FILES.keys()].map(name => name.slice(1))];
const root = stat(0o40755);
const SMALL = FILES.get('/small').fd;
const SOURCE = FILES.get('/source').fd;

let small = 0x78;

const PAGE = 4096;

// As in tree.mjs: nothing is copied, but the pages are there.
function touch(buffer, length) {
  for (let at = 0; at < length; at += PAGE) buffer[at] = 0x78;
  return length;
}

function read(_file, fd, buffer, length, _offset, reply) {
  if (fd === SOURCE) return reply(touch(buffer, length));
  if (fd !== SMALL) return reply(0);
  buffer[0] = small;
  reply(1);
}

function write(_file, fd, buffer, length, _offset, reply) {
  if (fd === SMALL) small = buffer[0];
  reply(length);
}

const operations = {
  getattr(file, reply) {
    const found = file === '/' ? root : FILES.get(file)?.stat;
    if (found === undefined) reply(Fuse.ENOENT);
    else reply(0, found);
  },
  readdir: (_file, reply) => reply(0, LISTING),
  open: (file, _flags, reply) => reply(0, FILES.get(file).fd),
  truncate: (_file, _size, reply) => reply(0),
  read,
  write,
};

// Options that the package has no name for, or whose 0 it drops, are passed on behind a comma in one
// that it passes on as it is.
const options = `bench,direct_io,attr_timeout=0,entry_timeout=${seconds}`;

new Fuse(dir, operations, { fsname: options, timeout: false }).mount(error => {
  if (!error) return;
  console.error(error.message);
  process.exit(1);
});
