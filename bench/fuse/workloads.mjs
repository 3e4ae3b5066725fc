// What is measured. `load` are the driver's arguments; what it runs on - a file of the tree, or the peer
// at the other end of a connection - is put behind them. `aim` is the least ratio that will do: of
// slashnet to the C yardstick, or over /net to the plain socket.
import { namesMeant } from '../datapath/workloads.mjs';

export const calls = unit => ({
  unit,
  figure: r => r.ops / r.seconds,
  cost: { unit: 'µs/op', per: 'ops', scale: 1e6 },
});
const megabytes = {
  unit: 'MB/s',
  figure: r => r.bytes / r.seconds / 1e6,
  cost: { unit: 'ms/GB', per: 'bytes', scale: 1e12 },
};

const MIB = 1 << 20;
const ENOUGH = 0.75;
const FAR_ENOUGH = 0.25;

/** On files that do next to nothing: what the door itself costs. */
export const doorWorkloads = [
  { name: 'stat', ...calls('calls/s'), aim: ENOUGH, load: ['stat'], file: 'plain' },
  { name: 'write-read', ...calls('pairs/s'), aim: ENOUGH, load: ['echo'], file: 'small' },
  { name: 'open', ...calls('calls/s'), load: ['open'], file: 'small' },
  { name: 'list', ...calls('calls/s'), load: ['list'], file: '' },
  { name: 'write-1m', ...megabytes, load: ['-s', MIB, 'write'], file: 'sink' },
  { name: 'read-1m', ...megabytes, load: ['-s', MIB, 'read'], file: 'source' },
  { name: 'dd-write', ...megabytes, aim: ENOUGH, dd: 'of', file: 'sink' },
  { name: 'dd-read', ...megabytes, aim: ENOUGH, dd: 'if', file: 'source' },
];

// More dials than this in one go, and the loopback's ports in TIME_WAIT begin to show.
const MOST_DIALS = 5000;

const SIZES = { '64k': 65536, '1m': MIB };

const bulk = (verb, target) =>
  Object.entries(SIZES).map(([size, bytes]) => ({
    name: `net-${verb}-${size}`,
    ...megabytes,
    aim: FAR_ENOUGH,
    load: ['-s', bytes, verb],
    target,
  }));

/** Through /net/tcp/N/data to a peer. */
export const netWorkloads = [
  { name: 'net-echo', ...calls('rt/s'), aim: FAR_ENOUGH, load: ['echo'], target: 'echo' },
  { name: 'net-poll', ...calls('rt/s'), load: ['-p', 'echo'], target: 'echo' },
  ...bulk('write', 'sink'),
  ...bulk('read', 'source'),
  {
    name: 'net-dial',
    ...calls('dial/s'),
    load: ['-c', MOST_DIALS, 'dial'],
    target: 'hold',
    noRelay: true,
  },
];

export const workloads = [...doorWorkloads, ...netWorkloads];

export const selectNames = words =>
  namesMeant(
    workloads.map(w => w.name),
    words,
  );
