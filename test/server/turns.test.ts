/** A client that asks for much at once leaves turns to the others. */
import assert from 'node:assert/strict';
import { forEachDialect } from '../support/fixture.ts';

/** How often each of two clients was heard, in the order; each request of the first's takes long. */
let heard: string[] = [];
let slow = false;

function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

const REQUESTS = 40;

forEachDialect(
  'what takes long',
  t => {
    it('is done in turns with what others ask, and loses nothing of its order', async () => {
      const [busy, other] = [await t.another(), await t.another()];
      heard = [];
      slow = true;
      const all = Promise.all(Array.from({ length: REQUESTS }, () => busy.root.stat()));
      // Both are there before the server looks.
      const one = other.root.stat();
      assert.equal((await all).length, REQUESTS);
      await one;
      slow = false;
      assert.equal(heard.length, REQUESTS + 1);
      assert.ok(heard.indexOf('other') < REQUESTS / 2, heard.join(' '));
    });
  },
  () => ({
    trace: line => {
      const [session, arrow, type = ''] = line.split(' ');
      if (!slow || arrow !== '->' || !/^T(stat|getattr)$/.test(type)) return;
      heard.push(session === '3' ? 'other' : 'busy');
      if (session !== '3') spin(12);
    },
  }),
);
