// The yardstick for ip-cidr: sorted, merged ranges per family and a binary search. It is a yardstick and
// no more: just enough parsing for the rules and addresses that the probe makes.

/** An IPv4 address as a number, an IPv6 one as a BigInt; IPv4-mapped IPv6 is IPv4. Throws on anything else. */
export function toNumber(text) {
  return text.includes(':') ? v6(text) : v4(text);
}

function v4(text) {
  const parts = text.split('.');
  if (parts.length !== 4) throw new Error(`not an address: ${text}`);
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) throw new Error(`not an address: ${text}`);
    value = value * 256 + Number(part);
  }
  return value;
}

function v6(text) {
  const halves = text.split('::');
  const [head, tail = []] = halves.map(half => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 1 ? missing !== 0 : missing < 1)) {
    throw new Error(`not an address: ${text}`);
  }
  const groups = [...head, ...Array(missing).fill('0'), ...tail];
  if (!groups.every(group => /^[0-9a-f]{1,4}$/i.test(group))) throw new Error(`not an address: ${text}`);
  const value = BigInt(`0x${groups.map(group => group.padStart(4, '0')).join('')}`);
  return value >> 32n === 0xffffn ? Number(value & 0xffffffffn) : value;
}

function toRange(rule) {
  const [address, length] = rule.split('/');
  const start = toNumber(address);
  if (typeof start === 'number') {
    const size = 2 ** (32 - Number(length));
    const first = start - (start % size);
    return [first, first + size - 1];
  }
  const size = 1n << (128n - BigInt(length));
  const first = start - (start % size);
  return [first, first + size - 1n];
}

/** Sorted by start, overlapping ones merged, so that one comparison decides after the search. */
function merge(ranges) {
  ranges.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
  const merged = [];
  for (const range of ranges) {
    const last = merged.at(-1);
    if (last === undefined || range[0] > last[1]) merged.push(range);
    else if (range[1] > last[1]) last[1] = range[1];
  }
  return { starts: merged.map(range => range[0]), ends: merged.map(range => range[1]) };
}

export function compile(rules) {
  const ranges = rules.map(toRange);
  return {
    v4: merge(ranges.filter(range => typeof range[0] === 'number')),
    v6: merge(ranges.filter(range => typeof range[0] === 'bigint')),
  };
}

export function matches(table, address) {
  const { starts, ends } = typeof address === 'number' ? table.v4 : table.v6;
  let low = 0;
  let high = starts.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= address) low = middle + 1;
    else high = middle;
  }
  return low > 0 && address <= ends[low - 1];
}
