// What is measured. `load(where)` are the driver's arguments, without those that say which way it goes;
// `where` has the targets. `paths` are the ways of a table and `ratios` its last columns. `aim` is the
// least that the first ratio must be.
import { namesMeant } from '../datapath/workloads.mjs';
import { calls } from '../fuse/workloads.mjs';

// ---- datagrams ------------------------------------------------------------------------------------

const NINEP_DEPTH = 16;
const UDP_PATHS = ['plain', 'relay', 'fuse', '9p', `9p-${NINEP_DEPTH}`];
const ONE_AT_A_TIME = UDP_PATHS.slice(0, -1);

/** `verb` is the driver's and the peer of that name is its target. */
const datagrams = (name, verb, peer, args, more = {}) => ({
  name: `udp-${name}`,
  ...calls(verb === 'echo' ? 'rt/s' : 'dgram/s'),
  load: ({ udp }) => [...args, verb, udp(peer)],
  relayed: peer,
  paths: UDP_PATHS,
  ...more,
});

const SIZES = [64, 1400];
const HEADERS = { paths: UDP_PATHS.filter(path => path !== 'relay') };

const udp = [
  ...SIZES.map(size => datagrams(`send-${size}`, 'send', 'sink', ['-z', size], { aim: 1 })),
  ...SIZES.map(size => datagrams(`receive-${size}`, 'receive', 'source', ['-z', size], { aim: 1 })),
  datagrams('flood-64', 'flood', 'source', ['-z', 64]),
  datagrams('echo-64', 'echo', 'echo', ['-z', 64], { aim: 1, paths: ONE_AT_A_TIME }),
  datagrams('send-headers', 'send', 'sink', ['-h', '-z', 64], HEADERS),
  datagrams('receive-headers', 'receive', 'source', ['-h', '-z', 64], HEADERS),
  datagrams('echo-headers', 'echo', 'echo', ['-h', '-z', 64], { paths: ['plain', 'fuse', '9p'] }),
];

// ---- questions ----------------------------------------------------------------------------------------

const AT_ONCE = 32;

/** One at a time and many at once; `libc` is how libc is asked the same. */
const questions = (name, [file, question, answer], libc, aim) =>
  [1, AT_ONCE].map(depth => ({
    name: depth === 1 ? name : `${name}-x${depth}`,
    ...calls('query/s'),
    load: (where, path) => [
      '-d',
      depth,
      ...(path === 'libc' ? libc(where) : ['ask', file, question, answer]),
    ],
    paths: ['libc', 'fuse', '9p'],
    aim,
  }));

/** Of the zone that the name server has: test/support/nameserver.ts. */
const NAME = 'four.example.test';

const asked = [
  ...questions('cs-number', ['cs', 'tcp!127.0.0.1!80', '/'], () => ['getaddrinfo', '127.0.0.1', '80']),
  ...questions('cs-service', ['cs', 'tcp!127.0.0.1!http', '/'], () => ['getaddrinfo', '127.0.0.1', 'http']),
  ...questions('cs-localhost', ['cs', 'tcp!localhost!80', '/'], () => ['getaddrinfo', 'localhost', '80']),
  ...questions(
    'dns-ip',
    ['dns', `${NAME} ip`, `${NAME} ip\t192.0.2.4`],
    ({ nameServer }) => ['query', nameServer, NAME],
    0.5,
  ),
];

// ---- connections --------------------------------------------------------------------------------------

// More dials than this in one go, and the loopback's ports in TIME_WAIT begin to show.
const MOST_DIALS = 3000;
const DIAL_DEPTH = 8;

/** `door` is the way that both kinds of dialling take; the plain socket takes none. */
const dials = (name, door, depth, aim) => ({
  name,
  ...calls('dial/s'),
  load: ({ tcp }, path) => [
    ...(path === 'plain' ? [] : ['-d', depth]),
    '-c',
    MOST_DIALS,
    path === 'open' ? 'open' : 'clone',
    tcp(path),
  ],
  door,
  dials: true,
  paths: ['plain', 'clone', 'open'],
  aim,
});

const dialled = [
  dials('dial-fuse', 'fuse', 1, 1),
  dials('dial-9p', '9p', 1, 1.2),
  dials(`dial-9p-x${DIAL_DEPTH}`, '9p', DIAL_DEPTH, 1.2),
];

// ---- all ------------------------------------------------------------------------------------------------

export const tables = [
  {
    workloads: udp,
    paths: UDP_PATHS,
    ratios: [
      ['fuse', 'relay'],
      [`9p-${NINEP_DEPTH}`, 'relay'],
      ['fuse', 'plain'],
      [`9p-${NINEP_DEPTH}`, 'plain'],
    ],
  },
  {
    workloads: asked,
    paths: ['libc', 'fuse', '9p'],
    ratios: [
      ['fuse', 'libc'],
      ['9p', 'libc'],
    ],
  },
  {
    workloads: dialled,
    paths: ['plain', 'clone', 'open'],
    ratios: [
      ['open', 'clone'],
      ['open', 'plain'],
    ],
  },
];

/** Requests in flight on a path. */
export const depthOf = path => (path === `9p-${NINEP_DEPTH}` ? NINEP_DEPTH : 1);

export const workloads = tables.flatMap(table => table.workloads);

export const selectNames = words =>
  namesMeant(
    workloads.map(w => w.name),
    words,
  );
