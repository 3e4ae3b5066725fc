/** Network addresses as dial(2) writes them: `tcp!HOST!PORT`. */
export interface NetAddress {
  readonly network: string;
  readonly host: string;
  /** A number, or a service's name. */
  readonly port: string;
}

/** An address that cannot be understood; the message says what would be right. */
export class AddressError extends Error {}

/** A control message is split at blanks and quotes: an address must not hold any. */
const UNFIT = /[\s'\0]/;

/** `tcp!HOST!PORT`; an IPv6 host may stand in brackets. `net` is tcp. */
export function parseNetAddress(text: string): NetAddress {
  const [network = '', host = '', port = '', ...more] = text.split('!');
  const parts = [network, host, port];
  if (
    more.length > 0 ||
    parts.includes('') ||
    parts.some(part => UNFIT.test(part)) ||
    network.includes('/')
  ) {
    throw new AddressError(`${text}: not an address; write tcp!HOST!PORT, for example tcp!192.0.2.7!80`);
  }
  return { network: network === 'net' ? 'tcp' : network, host: host.replace(/^\[(.+)\]$/, '$1'), port };
}
