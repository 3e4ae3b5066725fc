/** What udp/stats says of this /net's own conversations. */
export interface UdpCounters {
  datagramsIn: number;
  datagramsOut: number;
  /** Datagrams that came and for which a conversation had no room. */
  drops: number;
}
