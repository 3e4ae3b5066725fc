// The tree of yardstick.c served by slashnet's FUSE door: `tree.mjs DIR`. Ends by SIGTERM.
import { FsError } from '../../dist/netfs/error.js';
import { DirHandle, statOf } from '../../dist/netfs/file.js';
import { Mount } from '../../dist/netfs/mount.js';
import { QTDIR, QTFILE } from '../../dist/netfs/node.js';
import { hostUsers } from '../../dist/host/users.js';
import { silent } from '../../dist/log.js';
import { Authority } from '../../dist/policy/permissions.js';
import { mount } from '../../dist/server/fuse/mount.js';
import { FuseSession } from '../../dist/server/fuse/session.js';

const [dir] = process.argv.slice(2);
const users = hostUsers();
const owner = users.byId(process.getuid());
if (owner === undefined) throw new FsError('Eperm', `uid ${process.getuid()} is in no user database`);

let small = 0x78;

const PAGE = 4096;

// A connection would have put its bytes straight into the reply's room. So nothing is copied there, but
// each page is touched: else the kernel would read one page of zeros over and over.
function source(_offset, reply) {
  const room = reply.room(reply.count);
  for (let at = 0; at < room.length; at += PAGE) room[at] = 0x78;
  return room.length;
}

const CONTENT = {
  small: {
    read(_offset, reply) {
      reply.room(1)[0] = small;
      return 1;
    },
    write(_offset, data) {
      small = data[0];
      return data.length;
    },
  },
  sink: { read: () => 0, write: (_offset, data) => data.length },
  source: { read: source, write: (_offset, data) => data.length },
  plain: { read: () => 0, write: (_offset, data) => data.length },
};

class File {
  permissions = { owner, gid: owner.gid, mode: 0o666 };

  constructor(parent, name, path) {
    this.parent = parent;
    this.name = name;
    this.qid = { type: QTFILE, vers: 0, path };
  }

  stat() {
    return statOf(this, this.name, 0);
  }

  open() {
    return { node: this, stream: false, close() {}, ...CONTENT[this.name] };
  }

  // A truncation that comes before a write changes nothing.
  wstat() {}
}

class Root {
  qid = { type: QTDIR, vers: 0, path: 0 };
  parent = this;
  permissions = { owner, gid: owner.gid, mode: 0o755 };
  files = new Map(Object.keys(CONTENT).map((name, i) => [name, new File(this, name, i + 1)]));

  stat() {
    return statOf(this, '/', 0);
  }

  open() {
    return new DirHandle(this);
  }

  walk(name) {
    return this.files.get(name);
  }

  *children(_req, from) {
    for (const [position, node] of [...this.files.values()].entries()) {
      if (position >= from) yield { node, position };
    }
  }
}

const mounted = await mount(dir, { allowOther: false });
new FuseSession(mounted.fd, { mount: new Mount(new Root(), new Authority(owner)), users, log: silent });
process.on('SIGTERM', async () => {
  await mounted.unmount();
  process.exit();
});
