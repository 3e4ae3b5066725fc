/** The innermost network around an address, among few and among many. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { networkAround, inNetwork, type Network } from '../../src/policy/network.ts';
import { Networks } from '../../src/policy/networks.ts';

/** First bits that are the same, so that networks are nested; the rest as it comes. */
const address = (family: 4 | 6): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.constantFrom(0, 0xff), fc.infiniteStream(fc.nat(255)))
    .map(([first, fill, rest]) =>
      Uint8Array.from({ length: family === 4 ? 4 : 16 }, (_, i) => {
        const byte = rest.next().value;
        return i === 0 ? first : byte < 128 ? fill : byte;
      }),
    );

const network = (family: 4 | 6): fc.Arbitrary<Network> =>
  fc
    .tuple(address(family), fc.nat(family === 4 ? 32 : 128))
    .map(([bytes, prefix]) => networkAround({ family, bytes }, prefix));

const nameOf = ({ ip, prefix }: Network): string => `${ip.bytes.join('.')}/${prefix}`;

/** The address itself, the one before and the one behind. */
function around(bytes: Uint8Array, family: 4 | 6): Uint8Array[] {
  const value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  const bits = family === 4 ? 32 : 128;
  return [value, value - 1n, value + 1n].map(number =>
    Buffer.from(
      BigInt.asUintN(bits, number)
        .toString(16)
        .padStart(bits / 4, '0'),
      'hex',
    ),
  );
}

function check(
  family: 4 | 6,
  list: readonly Network[],
  addresses: readonly Uint8Array[],
  dropped: number,
): void {
  const networks = new Networks<string>(family);
  for (const each of list) networks.at(each, () => nameOf(each));
  networks.tidy();
  for (const each of list.slice(0, dropped)) networks.delete(each);
  networks.tidy();
  const gone = new Set(list.slice(0, dropped).map(nameOf));
  const left = list.filter(each => !gone.has(nameOf(each)));
  for (const bytes of [...addresses, ...left.slice(0, 50).map(({ ip }) => ip.bytes)].flatMap(each =>
    around(each, family),
  )) {
    const inside = left
      .filter(each => inNetwork({ family, bytes }, each))
      .sort((a, b) => b.prefix - a.prefix);
    const found: string[] = [];
    for (let node = networks.find(bytes); node !== undefined; node = node.outer) found.push(node.value);
    assert.deepEqual(found, [...new Set(inside.map(nameOf))], Buffer.from(bytes).toString('hex'));
  }
}

for (const family of [4, 6] as const) {
  describe(`networks of IPv${family}`, () => {
    it('are found from the innermost to the outermost, and no others', () => {
      const list = fc.array(network(family), { maxLength: 30 });
      fc.assert(
        fc.property(
          list,
          fc.array(address(family), { maxLength: 10 }),
          fc.nat(5),
          (some, addresses, dropped) => check(family, some, addresses, dropped),
        ),
        { numRuns: 300 },
      );
    });

    it('are found among thousands', () => {
      const list = fc.array(network(family), { minLength: 6000, maxLength: 6000, size: 'max' });
      fc.assert(
        fc.property(list, fc.array(address(family), { minLength: 20, maxLength: 40 }), (some, addresses) =>
          check(family, some, addresses, 100),
        ),
        { numRuns: 1, endOnFailure: true },
      );
    });
  });
}
