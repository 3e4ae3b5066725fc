/** Columns as Plan 9's print(2) makes them: `%-15I`, `%4.4s`. Text is of ASCII. */
import type { Ip } from './address.ts';

/** `%-WIDTHs` */
export const left = (text: string, width: number): string => text.padEnd(width);

/** `%WIDTHs` */
export const right = (text: string, width: number): string => text.padStart(width);

/** `%-WIDTH.WIDTHs` */
export const leftCut = (text: string, width: number): string => text.slice(0, width).padEnd(width);

/** `%WIDTH.WIDTHs` */
export const rightCut = (text: string, width: number): string => text.slice(0, width).padStart(width);

/** `%M` of a network's prefix: all addresses are of 128 bits, those of IPv4 behind 96 of their own. */
export const formatMask = (family: Ip['family'], prefix: number): string =>
  `/${family === 4 ? 96 + prefix : prefix}`;

/** The bits of an address of this family. */
export const addressBits = (family: Ip['family']): number => (family === 4 ? 32 : 128);

export const formatMac = (mac: Uint8Array): string => Buffer.from(mac).toString('hex');
