// What is measured. `client` are the C client's arguments; `target` names the peer that the
// conversation ends at. Depth means nothing to a plain socket, so workloads that differ only
// in depth share the figures of `plain`.
const perSecond = r => r.ops / r.seconds;
const megabytes = r => r.bytes / r.seconds / 1e6;

const SIZES = { '64k': 65536, '1m': 1048576 };
const DEPTHS = [1, 8];

function bulk(verb, target) {
  return Object.entries(SIZES).flatMap(([size, msize]) =>
    DEPTHS.map(depth => ({
      name: `${verb}-${size}-d${depth}`,
      unit: 'MB/s',
      figure: megabytes,
      target,
      plain: `${verb}-${size}`,
      client: ['-m', msize, '-d', depth, verb],
      bulk: true,
    })),
  );
}

// More dials than this in one go, and the loopback's ports in TIME_WAIT begin to show.
const MOST_DIALS = 5000;

export const workloads = [
  { name: 'echo', unit: 'rt/s', figure: perSecond, target: 'echo', plain: 'echo', client: ['echo'] },
  ...bulk('write', 'sink'),
  ...bulk('read', 'source'),
  {
    name: 'dial',
    unit: 'dial/s',
    figure: perSecond,
    target: 'hold',
    plain: 'dial',
    client: ['-c', MOST_DIALS, 'dial'],
  },
  {
    name: 'dial-pipelined',
    unit: 'dial/s',
    figure: perSecond,
    target: 'hold',
    plain: 'dial',
    client: ['-p', '-c', MOST_DIALS, 'dial'],
  },
];

/** Measured apart, with a fresh server: how much memory a conversation takes that does nothing. */
export const IDLE = 'idle';

/** Those of `names` that `words` mean: each is a name or the beginning of some. */
export function namesMeant(names, words) {
  const chosen = words.flatMap(word => {
    const found = names.includes(word) ? [word] : names.filter(name => name.startsWith(word));
    if (found.length === 0) throw new Error(`no workload ${word}; there are ${names.join(', ')}`);
    return found;
  });
  return names.filter(name => chosen.includes(name));
}

export const selectNames = words => namesMeant([...workloads.map(w => w.name), IDLE], words);
