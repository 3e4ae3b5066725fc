/** What udp/stats says of this /net's own conversations. */
export interface UdpCounters {
  datagramsIn: number;
  datagramsOut: number;
  /** Lost here for want of room. */
  drops: number;
}
