/** Ports by name: the host's /etc/services, Plan 9's own, and those that everybody writes. */
import { readFileSync } from 'node:fs';

/** Plan 9's services (9front's lib/ndb/common), and common ones for hosts without /etc/services. */
const BUILT_IN: Readonly<Record<string, number>> = {
  '9fs': 564,
  whoami: 565,
  guard: 566,
  ticket: 567,
  exportfs: 17007,
  rcpu: 17019,
  venti: 17034,
  echo: 7,
  discard: 9,
  ftp: 21,
  ssh: 22,
  telnet: 23,
  smtp: 25,
  domain: 53,
  http: 80,
  pop3: 110,
  ntp: 123,
  imap: 143,
  https: 443,
  submission: 587,
  git: 9418,
};

let table: Map<string, number> | undefined;

/** The port of a service such as `http` for a protocol such as `tcp`; undefined when it is unknown. */
export function servicePort(name: string, protocol: string): number | undefined {
  table ??= parseServices(readIfThere('/etc/services'));
  const key = name.toLowerCase();
  return table.get(`${key}/${protocol}`) ?? (Object.hasOwn(BUILT_IN, key) ? BUILT_IN[key] : undefined);
}

/** services(5): `name port/protocol alias...`; the first of several lines counts. */
export function parseServices(text: string): Map<string, number> {
  const ports = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name, portAndProtocol, ...aliases] = line.replace(/#.*/, '').trim().split(/\s+/);
    const match = /^(\d{1,5})\/(\w+)$/.exec(portAndProtocol ?? '');
    if (name === undefined || match === null || Number(match[1]) > 65535) continue;
    for (const alias of [name, ...aliases]) {
      const key = `${alias.toLowerCase()}/${match[2]}`;
      if (!ports.has(key)) ports.set(key, Number(match[1]));
    }
  }
  return ports;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
