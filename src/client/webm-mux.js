// Opus packets to WebM, for one SourceBuffer: a head, then Clusters (RFC 9559; Media Source Extensions, WebM byte stream).
//
// What belongs here: bytes. What does not: which packets, and when. The stream has no end and no index.

import { bigEndian, element, ID, join, openElement } from './ebml.js';
import { duration, TICKS_PER_SECOND, writeHead } from './opus.js';

/** Nanoseconds of one unit of time: a millisecond. */
const SCALE = 1_000_000;
const TICKS_PER_MILLI = TICKS_PER_SECOND / 1000;
const AUDIO = 2;
const KEYFRAME = 0x80;
const NAME = new TextEncoder().encode('roomtone');

/** @typedef {import('./opus.js').Format} Format */

/**
 * What stands before the first Cluster, and again where the format changes. Its pre-skip is 0: whoever joins late would
 * lose sound by the encoder's.
 *
 * @param {Format} format
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function head({ channels }) {
  const rate = new Uint8Array(8);
  new DataView(rate.buffer).setFloat64(0, TICKS_PER_SECOND);
  const track = element(
    ID.TRACK_ENTRY,
    element(ID.TRACK_NUMBER, [1]),
    element(ID.TRACK_UID, [1]),
    element(ID.TRACK_TYPE, [AUDIO]),
    element(ID.CODEC_ID, new TextEncoder().encode('A_OPUS')),
    element(ID.CODEC_PRIVATE, writeHead({ codec: 'opus', channels, input_rate: TICKS_PER_SECOND })),
    element(ID.AUDIO, element(ID.SAMPLING_FREQUENCY, rate), element(ID.CHANNELS, [channels])),
  );
  const ebml = element(
    ID.EBML,
    element(ID.EBML_VERSION, [1]),
    element(ID.EBML_READ_VERSION, [1]),
    element(ID.EBML_MAX_ID_LENGTH, [4]),
    element(ID.EBML_MAX_SIZE_LENGTH, [8]),
    element(ID.DOC_TYPE, new TextEncoder().encode('webm')),
    element(ID.DOC_TYPE_VERSION, [4]),
    element(ID.DOC_TYPE_READ_VERSION, [2]),
  );
  const info = element(ID.INFO, element(ID.TIMESTAMP_SCALE, bigEndian(SCALE)), element(ID.MUXING_APP, NAME), element(ID.WRITING_APP, NAME));
  return join(ebml, openElement(ID.SEGMENT), info, element(ID.TRACKS, track));
}

/**
 * A Cluster of packets, each of which goes on where the one before it ended; up to half a minute of them.
 *
 * @param {number} time when the first begins, in ticks
 * @param {Uint8Array[]} packets
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function cluster(time, packets) {
  const begin = Math.round(time / TICKS_PER_MILLI);
  const blocks = packets.map((packet) => {
    const relative = Math.round(time / TICKS_PER_MILLI) - begin;
    time += duration(packet);
    return element(ID.SIMPLE_BLOCK, [0x81, relative >> 8, relative & 0xff, KEYFRAME], packet);
  });
  return element(ID.CLUSTER, element(ID.TIMESTAMP, bigEndian(begin)), ...blocks);
}
