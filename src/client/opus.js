// Opus packets, read without decoding (RFC 6716 §3).

/** Ticks of the Opus clock in a second: all times of packets are counted in them. */
export const TICKS_PER_SECOND = 48_000;

/** Ticks of one frame, by the four lowest configurations of each mode (RFC 6716 §3.1, table 2). */
const SILK = [480, 960, 1920, 2880];
const HYBRID = [480, 960];
const CELT = [120, 240, 480, 960];

/**
 * How long a packet sounds, in ticks; 0 where it is none. The hub has checked its layout already.
 *
 * @param {Uint8Array} packet
 * @returns {number}
 */
export function duration(packet) {
  const [toc, count] = packet;
  if (toc === undefined) return 0;
  const config = toc >> 3;
  const frame = (config < 12 ? SILK[config & 3] : config < 16 ? HYBRID[config & 1] : CELT[config & 3]) ?? 0;
  switch (toc & 3) {
    case 0:
      return frame;
    case 1:
    case 2:
      return 2 * frame;
    default:
      return ((count ?? 0) & 63) * frame;
  }
}
