/** Waiting, and watching for changes. */
import assert from 'node:assert/strict';
import { Abort, Watchers, type Watch } from '../src/abort.ts';

class Watcher implements Watch {
  readonly closed = new Abort();
  told = 0;

  changed(): void {
    this.told++;
  }
}

describe('Watchers', () => {
  it('tell each once, however often it was added, and then forget it', () => {
    const watchers = new Watchers();
    const watch = new Watcher();
    for (let i = 0; i < 3; i++) watchers.add(watch);
    watchers.tell();
    watchers.tell();
    assert.equal(watch.told, 1);
    watchers.add(watch);
    watchers.tell();
    assert.equal(watch.told, 2);
  });

  it('keep nobody who has closed', () => {
    const watchers = new Watchers();
    const watch = new Watcher();
    watchers.add(watch);
    watch.closed.abort(new Error('closed'));
    watchers.tell();
    assert.equal(watch.told, 0);
  });

  it('may be added to while they are told', () => {
    const watchers = new Watchers();
    const watch = new Watcher();
    watch.changed = () => {
      watch.told++;
      watchers.add(watch);
    };
    watchers.add(watch);
    watchers.tell();
    assert.equal(watch.told, 1);
    watchers.tell();
    assert.equal(watch.told, 2);
  });
});
