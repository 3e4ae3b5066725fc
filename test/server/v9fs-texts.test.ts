/** Texts as a v9fs client reads them: it never asks again and again. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readText } from '../../src/netfs/handles.ts';
import type { Handle, Node, Reply } from '../../src/netfs/node.ts';
import { TextReader } from '../../src/server/9p/v9fs/padding.ts';
import { newInode, V9fsFile } from './v9fs-client.ts';

const RSIZE = 64;

/** As ctl: what is written is a message, and what is read another text. */
class Ctl implements Handle {
  readonly node = undefined as unknown as Node;
  readonly stream = false;
  readonly text: string;
  private written = Infinity;

  constructor(text: string) {
    this.text = text;
  }

  read(offset: number, reply: Reply): number {
    const from = offset >= this.written ? offset - this.written : offset;
    return readText(Buffer.from(this.text), from, reply);
  }

  write(offset: number, data: Buffer): number {
    this.written = offset + data.length;
    return data.length;
  }

  close(): void {}
}

const opened = (text: string, inode = newInode()): V9fsFile =>
  new V9fsFile(new TextReader(new Ctl(text), inode), RSIZE);

describe('a text that v9fs reads', () => {
  it('is as it is when nothing was written', async () => {
    assert.equal((await opened('17').read(50)).toString(), '17');
    const long = 'a line of many\n'.repeat(20);
    assert.equal((await opened(long).read(1000)).toString(), long);
  });

  it('is found behind a message that was written', async () => {
    const file = opened('17');
    await file.write('connect 192.0.2.7!80\n');
    assert.equal((await file.read(50)).toString(), '17');
  });

  it('is padded with newlines up to the size that the client believes in', async () => {
    const file = opened('17');
    await file.write('ttl 5\n');
    file.position = 0;
    assert.equal((await file.read(50)).toString(), '17\n\n\n\n');
  });

  it('another open of the same inode is padded, too', async () => {
    const inode = newInode();
    const writer = opened('17', inode);
    await writer.write('ttl 5\n');
    const reader = opened('18', inode);
    reader.size = writer.size;
    assert.equal((await reader.read(50)).toString(), '18\n\n\n\n');
  });

  it('asked for its end sixteen times over, it answers with an error', async () => {
    const file = opened('17');
    file.size = 10; // of which the server knows nothing
    await assert.rejects(file.read(50), { name: 'Ebadoffset' });
  });

  it('read to its end now and then, it is no error', async () => {
    const file = opened('17');
    for (let i = 0; i < 50; i++) {
      file.position = 0;
      assert.equal((await file.read(50)).toString(), '17');
    }
  });

  it('whatever is written, sought and read: the client never asks again and again', async () => {
    const step = fc.oneof(
      fc.record({ read: fc.integer({ min: 1, max: 200 }) }),
      fc.record({ write: fc.integer({ min: 1, max: 150 }) }),
      fc.record({ seek: fc.integer({ min: 0, max: 300 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 100 }), fc.array(step), async (text, steps) => {
        const inode = newInode();
        const file = opened(text, inode);
        for (const each of steps) {
          if ('seek' in each) file.position = each.seek;
          else if ('write' in each) await file.write('x'.repeat(each.write));
          else await file.read(each.read);
          assert.equal(inode.size, file.size, 'the server knows what the client believes');
        }
      }),
    );
  });
});
