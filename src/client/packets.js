// The binary messages of `roomtone.v1`: one header of 20 bytes, then packets or the bytes of a container, all big-endian.
//
// | bytes | field |
// |---|---|
// | 1 | kind: 1 packets; 2 bytes of a container (to the hub only) |
// | 1 | flags: 1 discontinuity before, 2 backlog |
// | 2 | track number: the room's from the hub, the publisher's own to the hub |
// | 8 | sequence number of the first packet; 0 in kind 2 |
// | 8 | time of the first packet in ticks of 48 kHz: session time from the hub, capture time to the hub; 0 in kind 2 |
// | then, for each packet, 2 + n | length, packet |
//
// What belongs here: bytes to values and back. What does not: sockets, clocks, the sound in the packets.

/** Bytes of the header. */
export const HEADER = 20;

const PACKETS = 1;
const CONTAINER = 2;
const DISCONTINUITY = 1;
const BACKLOG = 2;
const LONGEST_PACKET = 0xffff;

/**
 * @typedef {object} Packets a message of kind 1
 * @property {number} track
 * @property {boolean} discontinuity the first packet does not go on where the one before it ended
 * @property {boolean} backlog packets of the past, sent after newer ones
 * @property {number} first the sequence number of the first packet
 * @property {number} time when the first packet begins, in ticks
 * @property {Uint8Array[]} packets at least one
 */

/** Why a binary message cannot be read or written: a stable `code`, and where. */
export class PacketsError extends Error {
  /**
   * @param {'header' | 'kind' | 'packet' | 'empty' | 'number'} code
   * @param {number} offset the byte of the message
   * @param {string} message
   */
  constructor(code, offset, message) {
    super(message);
    this.name = 'PacketsError';
    this.code = code;
    this.offset = offset;
  }
}

/**
 * Reads a message of kind 1, the only kind that a hub sends. The packets share the message's memory.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Packets}
 * @throws {PacketsError}
 */
export function decode(buffer) {
  if (buffer.byteLength < HEADER) {
    const message = `a binary message of ${buffer.byteLength} bytes is shorter than its header of ${HEADER}`;
    throw new PacketsError('header', 0, message);
  }
  const view = new DataView(buffer);
  const kind = view.getUint8(0);
  if (kind !== PACKETS) throw new PacketsError('kind', 0, `a hub sends messages of kind 1, this one is of kind ${kind}`);
  const flags = view.getUint8(1);
  const packets = [];
  for (let at = HEADER; at < buffer.byteLength; ) {
    const length = at + 2 <= buffer.byteLength ? view.getUint16(at) : Infinity;
    if (at + 2 + length > buffer.byteLength) {
      throw new PacketsError('packet', at, `the packet at byte ${at} ends after its message`);
    }
    packets.push(new Uint8Array(buffer, at + 2, length));
    at += 2 + length;
  }
  if (packets.length === 0) throw new PacketsError('empty', HEADER, 'a binary message of kind 1 carries no packet');
  return {
    track: view.getUint16(2),
    discontinuity: (flags & DISCONTINUITY) !== 0,
    backlog: (flags & BACKLOG) !== 0,
    first: readNumber(view, 4),
    time: readNumber(view, 12),
    packets,
  };
}

/**
 * Writes a message of kind 1.
 *
 * @param {Packets} message
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {PacketsError} where a number or a packet does not fit
 */
export function encode({ track, discontinuity, backlog, first, time, packets }) {
  if (packets.length === 0) throw new PacketsError('empty', HEADER, 'a message of kind 1 needs a packet');
  const bytes = new Uint8Array(packets.reduce((length, packet) => length + 2 + packet.length, HEADER));
  const view = new DataView(bytes.buffer);
  view.setUint8(0, PACKETS);
  view.setUint8(1, (discontinuity ? DISCONTINUITY : 0) | (backlog ? BACKLOG : 0));
  writeTrack(view, track);
  writeNumber(view, 4, first);
  writeNumber(view, 12, time);
  let at = HEADER;
  for (const packet of packets) {
    if (packet.length > LONGEST_PACKET) {
      throw new PacketsError('packet', at, `a packet of ${packet.length} bytes is longer than ${LONGEST_PACKET}`);
    }
    view.setUint16(at, packet.length);
    bytes.set(packet, at + 2);
    at += 2 + packet.length;
  }
  return bytes;
}

/**
 * Writes a message of kind 2: the next bytes of a container, wherever they were cut.
 *
 * @param {number} track the publisher's own number
 * @param {Uint8Array} container
 * @returns {Uint8Array<ArrayBuffer>}
 * @throws {PacketsError} where the number does not fit
 */
export function encodeContainer(track, container) {
  const bytes = new Uint8Array(HEADER + container.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, CONTAINER);
  writeTrack(view, track);
  bytes.set(container, HEADER);
  return bytes;
}

/**
 * @param {DataView} view
 * @param {number} track
 */
function writeTrack(view, track) {
  if (!Number.isInteger(track) || track < 0 || track > 0xffff) {
    throw new PacketsError('number', 2, `${track} is not a track number: 0 to 65535`);
  }
  view.setUint16(2, track);
}

/**
 * Reads 64 bits as a number, which is exact up to 2^53 − 1: six thousand years of ticks.
 *
 * @param {DataView} view
 * @param {number} at
 */
function readNumber(view, at) {
  const number = view.getBigUint64(at);
  if (number > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new PacketsError('number', at, `the number at byte ${at} is past 2^53: ${number}`);
  }
  return Number(number);
}

/**
 * @param {DataView} view
 * @param {number} at
 * @param {number} number
 */
function writeNumber(view, at, number) {
  if (!Number.isSafeInteger(number) || number < 0) {
    throw new PacketsError('number', at, `${number} is not a whole number from 0 to 2^53 − 1`);
  }
  view.setBigUint64(at, BigInt(number));
}
