import assert from 'node:assert/strict';
import fc from 'fast-check';
import { formatMode, ModeError, parseMode } from '../../src/cli/mode.ts';

const apply = (text: string, mode: number, isDirectory = false): string =>
  (parseMode(text)({ mode, isDirectory }) as number).toString(8).padStart(3, '0');

describe('the mode of chmod', () => {
  // As chmod(1) of coreutils does with a umask of 0.
  const cases: [string, number, string][] = [
    ['640', 0o777, '640'],
    ['0', 0o777, '000'],
    ['0755', 0o000, '755'],
    ['u+rwx', 0o000, '700'],
    ['g-w', 0o666, '646'],
    ['o=r', 0o007, '004'],
    ['a+x', 0o640, '751'],
    ['+x', 0o640, '751'],
    ['-w', 0o666, '444'],
    ['=r', 0o777, '444'],
    ['u+rwx,g-w,o=r', 0o026, '704'],
    ['ug+rw', 0o000, '660'],
    ['u=rw,go=', 0o777, '600'],
    ['u+x-w', 0o600, '500'],
    ['g=u', 0o640, '660'],
    ['o=g', 0o640, '644'],
    ['o+u', 0o740, '747'],
    ['g=u,u=', 0o640, '060'],
    ['u=', 0o777, '077'],
    ['a+X', 0o640, '640'],
    ['a+X', 0o740, '751'],
    ['u+', 0o640, '640'],
  ];
  for (const [text, old, wanted] of cases) {
    it(`${text} makes ${old.toString(8).padStart(3, '0')} into ${wanted}`, () => {
      assert.equal(apply(text, old), wanted);
    });
  }

  it('X is x on a directory', () => {
    assert.equal(apply('go+X', 0o600, true), '611');
  });

  for (const text of [
    '',
    '8',
    '78',
    '1777',
    '4755',
    '12345',
    'u',
    'rwx',
    'u+s',
    '+t',
    'z+r',
    'u+r,',
    ',u+r',
    'u+ug',
    'u+ru',
    'u + r',
    'u+r\n',
  ]) {
    it(`${JSON.stringify(text)} is refused`, () => {
      assert.throws(() => parseMode(text), ModeError);
    });
  }

  it('any text is refused or gives nine bits', () => {
    const likely = fc.string({ unit: fc.constantFrom(...'ugoarwxXst+-=,01234567'), maxLength: 12 });
    fc.assert(
      fc.property(fc.oneof(fc.string(), likely), fc.nat(0o777), fc.boolean(), (text, mode, isDirectory) => {
        try {
          const bits = parseMode(text)({ mode, isDirectory });
          assert.equal(bits & 0o777, bits);
        } catch (error) {
          assert(error instanceof ModeError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('what was added is there, and what was removed is not', () => {
    const letters = fc.subarray([...'rwx'], { minLength: 1 }).map(some => some.join(''));
    fc.assert(
      fc.property(fc.nat(0o777), letters, (mode, what) => {
        const added = parseMode(`a+${what}`)({ mode, isDirectory: false });
        assert.equal(added | mode, added);
        const removed = parseMode(`a-${what}`)({ mode: added, isDirectory: false });
        assert.equal(parseMode(`a=${what}`)({ mode: 0, isDirectory: false }) & removed, 0);
      }),
    );
  });

  it('is shown as ls shows it', () => {
    assert.equal(formatMode(0o640), 'rw-r-----');
    assert.equal(formatMode(0o777), 'rwxrwxrwx');
    assert.equal(formatMode(0), '---------');
  });
});
