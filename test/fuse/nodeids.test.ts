/** What the kernel's inodes stand for, and what is kept of those that it does not let go of. */
import assert from 'node:assert/strict';
import { Abort } from '../../src/abort.ts';
import { FsError } from '../../src/netfs/error.ts';
import type { Node, Req } from '../../src/netfs/node.ts';
import { ROOT_NODEID } from '../../src/server/fuse/kernel.ts';
import { Nodeids } from '../../src/server/fuse/nodeids.ts';
import { Server } from '../../src/server/server.ts';

const { mount, owner } = new Server();
const req: Req = { caller: owner, signal: new Abort() };

/** Walks as a LOOKUP does. */
async function walk(...names: string[]): Promise<Node> {
  let node: Node = mount.root;
  for (const name of names) node = await mount.walk(node, name, req);
  return node;
}

describe('node ids', () => {
  let nodeids: Nodeids;
  beforeEach(() => (nodeids = new Nodeids(mount.root)));

  const isStale = (nodeid: number): boolean => {
    try {
      nodeids.get(nodeid);
      return false;
    } catch (error) {
      assert(error instanceof FsError && error.name === 'Estale');
      return true;
    }
  };

  it('are one for a file, and another for each lookup of what is separate', async () => {
    const [tcp, clone] = [await walk('tcp'), await walk('tcp', 'clone')];
    assert.equal(nodeids.lookedUp(tcp), nodeids.lookedUp(tcp));
    assert.notEqual(nodeids.lookedUp(clone), nodeids.lookedUp(clone));
  });

  it('are gone when the kernel forgets them, as often as it was given them', async () => {
    const tcp = await walk('tcp');
    const { nodeid } = nodeids.lookedUp(tcp);
    nodeids.lookedUp(tcp);
    nodeids.forget(nodeid, 1);
    assert(!isStale(nodeid));
    nodeids.forget(nodeid, 1);
    assert(isStale(nodeid));
    assert.equal(nodeids.size, 1);
  });

  it('of a hundred thousand names that were looked up are bounded, and the last ones are there', async () => {
    const tcp = nodeids.lookedUp(await walk('tcp'));
    const found: number[] = [];
    for (let i = 0; i < 100_000; i++) found.push(nodeids.lookedUp(await walk('dial', `tcp!h${i}!80`)).nodeid);
    assert(nodeids.size < 40_000, `${nodeids.size}`);
    assert(isStale(found[0]!));
    assert(!isStale(found.at(-1)!) && !isStale(found.at(-30_000)!));
    assert(!isStale(tcp.nodeid) && !isStale(ROOT_NODEID));
    for (const nodeid of found) nodeids.forget(nodeid, 1);
    assert.equal(nodeids.size, 2);
  });

  it('that are open stay, and so do those that were dropped while they were being opened', async () => {
    const open = nodeids.lookedUp(await walk('tcp', 'clone'));
    open.countOpen(owner, 1);
    const opening = nodeids.lookedUp(await walk('tcp', 'clone'));
    for (let i = 0; i < 40_000; i++) nodeids.lookedUp(await walk('dial', 'tcp!h!80'));
    assert(!isStale(open.nodeid) && isStale(opening.nodeid));
    opening.countOpen(owner, 1);
    nodeids.keep(opening);
    assert.equal(nodeids.get(opening.nodeid), opening);
  });
});
