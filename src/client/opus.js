// Opus packets, read without decoding (RFC 6716 §3), and the head that tells of them (RFC 7845 §5.1).

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

/**
 * @typedef {object} Format how a track's packets are encoded: what OpusHead says (RFC 7845 §5.1)
 * @property {'opus'} codec
 * @property {number} channels 1 or 2
 * @property {number} [pre_skip] ticks to throw away at the start of the track
 * @property {number} [input_rate] Hz before encoding; 0 is unknown
 */

/** Silence, 20 ms, mono or stereo as the decoder is: CELT, full band. */
export const SILENCE = Uint8Array.of(0xf8, 0xff, 0xfe);

/**
 * Reads an OpusHead.
 *
 * @param {Uint8Array} head
 * @returns {Format | null} `null` where it is none, or not of one or two channels
 */
export function readHead(head) {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 19 || new TextDecoder().decode(head.subarray(0, 8)) !== 'OpusHead') return null;
  const channels = view.getUint8(9);
  if (channels !== 1 && channels !== 2) return null;
  return { codec: 'opus', channels, pre_skip: view.getUint16(10, true), input_rate: view.getUint32(12, true) };
}

/**
 * Writes an OpusHead.
 *
 * @param {Format} format
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function writeHead({ channels, pre_skip = 0, input_rate = 0 }) {
  const head = new Uint8Array(19);
  const view = new DataView(head.buffer);
  head.set(new TextEncoder().encode('OpusHead'));
  view.setUint8(8, 1);
  view.setUint8(9, channels);
  view.setUint16(10, pre_skip, true);
  view.setUint32(12, input_rate, true);
  return head;
}
