import assert from 'node:assert/strict';
import fc from 'fast-check';
import { treePath } from '../../src/cli/path.ts';

describe('a path on the command line', () => {
  for (const [text, wanted] of [
    ['tcp/clone', 'tcp/clone'],
    ['/tcp/clone', 'tcp/clone'],
    ['/net/tcp/clone', 'tcp/clone'],
    ['//net//tcp/clone', 'tcp/clone'],
    ['/net', ''],
    ['/net/', ''],
    ['/', ''],
    ['', ''],
    ['/network', 'network'],
    ['net/tcp', 'net/tcp'],
    ['/net/net', 'net'],
  ] as const) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(wanted)} in the tree`, () => {
      assert.equal(treePath(text), wanted);
    });
  }

  it('never begins with a slash in the tree', () => {
    const likely = fc.string({ unit: fc.constantFrom('/', 'net', 'tcp', '.'), maxLength: 8 });
    fc.assert(fc.property(fc.oneof(fc.string(), likely), text => !treePath(text).startsWith('/')));
  });
});
