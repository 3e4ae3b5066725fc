/** The command line of a mount(8) helper, as mount.fuse3 makes it of a line of fstab. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { fromMountHelper, MountOptionError } from '../../src/cli/mounthelper.ts';

const COMMANDS = ['serve', 'ls', 'help'];
const translate = (...args: string[]): readonly string[] => fromMountHelper(args, COMMANDS);

describe('the command line of a mount helper', () => {
  it('is serve in other words', () => {
    assert.deepEqual(
      translate('net', '/net', '-o', 'rw,nosuid,allow_other,conversations=50,policy=/etc/net.yaml'),
      [
        ...['serve', '--mount', '/net', '--mount-name', 'net', '--background'],
        ...['--allow-other', '--conversations', '50', '--policy', '/etc/net.yaml'],
      ],
    );
  });

  it('may have a descriptor in place of the directory, which mount.fuse3 has mounted here', () => {
    const words = ['serve', '--mount', '/dev/fd/5', '--mount-name', 'net', '--background', '--trust-mount'];
    assert.deepEqual(translate('net', '/dev/fd/5', '-o', 'rw'), words);
  });

  it('knows the options of every file system', () => {
    const options =
      'defaults,noauto,user,nofail,_netdev,x-systemd.automount,noexec,relatime,setuid=alice,drop_privileges';
    assert.equal(translate('net', '/net', '-o', options).length, 6);
  });

  it('refuses an option that it cannot keep, and says what there is', () => {
    for (const option of ['ro', 'conversation=5', 'mode=755', 'toString']) {
      assert.throws(
        () => translate('net', '/net', '-o', `rw,${option}`),
        (error: Error) =>
          error instanceof MountOptionError &&
          error.message.includes(option) &&
          /allow_other/.test(error.message),
      );
    }
  });

  it('without its source is shown the line that would be right', () => {
    assert.throws(() => translate('/net', '-o', 'rw'), /: slashnet \/net fuse\.slashnet rw 0 0/);
  });

  it('is told from every other', () => {
    for (const args of [
      [],
      ['serve'],
      ['ls', '/tcp'],
      ['-h'],
      ['serve', '/net', '-o'],
      ['net', 'tcp'],
      ['net'],
      ['lss', '/tcp'],
    ]) {
      assert.deepEqual(translate(...args), args);
    }
  });

  it('of any words is translated, given back or refused', () => {
    const word = fc.oneof(fc.constantFrom('net', '/net', '-o', 'rw', 'serve', ''), fc.string());
    fc.assert(
      fc.property(fc.array(word), args => {
        try {
          const words = fromMountHelper(args, COMMANDS);
          assert(words === args || words[0] === 'serve');
        } catch (error) {
          if (!(error instanceof MountOptionError)) throw error;
        }
      }),
    );
  });
});
