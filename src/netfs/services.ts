/** Ports by name: the host's /etc/services, Plan 9's own, and those that everybody writes. */
import { Reread } from '../reread.ts';
import { SERVICES } from './ndb/common.ts';

const FILE = '/etc/services';

/** Plan 9's by protocol, in lower case. */
const BUILT_IN: ReadonlyMap<string, number> = new Map(
  Object.entries(SERVICES).flatMap(([protocol, ports]) =>
    Object.entries(ports).map(([name, port]) => [`${name.toLowerCase()}/${protocol}`, port] as const),
  ),
);

/** The port of a service such as `http` for a protocol such as `tcp`; undefined when it is unknown. */
export function servicePort(name: string, protocol: string): number | undefined {
  const key = `${name.toLowerCase()}/${protocol}`;
  return hostServices.get().get(key) ?? BUILT_IN.get(key);
}

const hostServices = new Reread(FILE, parseServices);

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
