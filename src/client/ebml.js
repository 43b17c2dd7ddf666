// EBML, the binary tree that WebM is written in (RFC 8794): IDs, sizes, numbers.
//
// What belongs here: what an element's header and plain value are in bytes. What does not: which elements there are for
// what (`webm-demux.js`, `webm-mux.js`).

/** The elements of WebM that we know (RFC 9559 §5). */
export const ID = Object.freeze({
  EBML: 0x1a45dfa3,
  EBML_VERSION: 0x4286,
  EBML_READ_VERSION: 0x42f7,
  EBML_MAX_ID_LENGTH: 0x42f2,
  EBML_MAX_SIZE_LENGTH: 0x42f3,
  DOC_TYPE: 0x4282,
  DOC_TYPE_VERSION: 0x4287,
  DOC_TYPE_READ_VERSION: 0x4285,
  SEGMENT: 0x18538067,
  SEEK_HEAD: 0x114d9b74,
  INFO: 0x1549a966,
  TIMESTAMP_SCALE: 0x2ad7b1,
  MUXING_APP: 0x4d80,
  WRITING_APP: 0x5741,
  TRACKS: 0x1654ae6b,
  TRACK_ENTRY: 0xae,
  TRACK_NUMBER: 0xd7,
  TRACK_UID: 0x73c5,
  TRACK_TYPE: 0x83,
  CODEC_ID: 0x86,
  CODEC_PRIVATE: 0x63a2,
  AUDIO: 0xe1,
  SAMPLING_FREQUENCY: 0xb5,
  CHANNELS: 0x9f,
  CLUSTER: 0x1f43b675,
  TIMESTAMP: 0xe7,
  SIMPLE_BLOCK: 0xa3,
  BLOCK_GROUP: 0xa0,
  BLOCK: 0xa1,
  CUES: 0x1c53bb6b,
  TAGS: 0x1254c367,
  CHAPTERS: 0x1043a770,
  ATTACHMENTS: 0x1941a469,
  VOID: 0xec,
});

/** A size that is not known: the element ends where one begins that cannot be in it (RFC 8794 §6.2). */
export const UNKNOWN = Infinity;

/**
 * @typedef {object} Header
 * @property {number} id
 * @property {number} size of the data, in bytes, or `UNKNOWN`
 * @property {number} length of the header itself, in bytes
 */

/**
 * Reads a number of variable length (RFC 8794 §4).
 *
 * @param {Uint8Array} bytes
 * @param {number} at
 * @returns {{ value: number, length: number } | null | undefined} `undefined` where more bytes must come, `null` where
 *   there is no such number; a value of only ones is `UNKNOWN`
 */
export function readVint(bytes, at) {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const length = Math.clz32(first) - 23;
  if (length > 8) return null;
  if (at + length > bytes.length) return undefined;
  let value = first & (0x7f >> (length - 1));
  let ones = value === 0x7f >> (length - 1);
  for (const byte of bytes.subarray(at + 1, at + length)) {
    value = value * 256 + byte;
    ones &&= byte === 0xff;
  }
  return { value: ones ? UNKNOWN : value, length };
}

/**
 * Reads an element's header.
 *
 * @param {Uint8Array} bytes
 * @param {number} at
 * @returns {Header | null | undefined} `undefined` where more bytes must come, `null` where there is none
 */
export function readHeader(bytes, at) {
  const first = bytes[at];
  if (first === undefined) return undefined;
  const idLength = Math.clz32(first) - 23;
  if (idLength > 4) return null;
  if (at + idLength > bytes.length) return undefined;
  const id = readUnsigned(bytes.subarray(at, at + idLength));
  const size = readVint(bytes, at + idLength);
  return size && { id, size: size.value, length: idLength + size.length };
}

/** A whole number without a sign, of 0 to 8 bytes. @param {Uint8Array} data */
export function readUnsigned(data) {
  return data.reduce((value, byte) => value * 256 + byte, 0);
}

/**
 * The elements in an element that is whole.
 *
 * @param {Uint8Array} data
 * @returns {Generator<{ id: number, data: Uint8Array }>} up to the first that is not whole
 */
export function* readChildren(data) {
  for (let at = 0; at < data.length; ) {
    const header = readHeader(data, at);
    const from = at + (header?.length ?? 0);
    if (!header || from + header.size > data.length) return;
    at = from + header.size;
    yield { id: header.id, data: data.subarray(from, at) };
  }
}

/**
 * Writes an element.
 *
 * @param {number} id
 * @param {...(Uint8Array | number[])} data in one piece or several
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function element(id, ...data) {
  const size = data.reduce((sum, piece) => sum + piece.length, 0);
  return join(bigEndian(id), writeSize(size), ...data);
}

/**
 * Writes the header of an element whose size is not known.
 *
 * @param {number} id
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function openElement(id) {
  return join(bigEndian(id), [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
}

/** A whole number without a sign, in as few bytes as it needs and at least one. @param {number} value @returns {number[]} */
export function bigEndian(value) {
  const bytes = [value % 256];
  for (let rest = Math.floor(value / 256); rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return bytes;
}

/**
 * @param {...(Uint8Array | number[])} pieces
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function join(...pieces) {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** In 1, 2 or 4 bytes: up to 2^28 − 2. @param {number} size @returns {number[]} */
function writeSize(size) {
  if (size < 0x7f) return [0x80 | size];
  if (size < 0x3fff) return [0x40 | (size >> 8), size & 0xff];
  return [0x10 | (size >> 24), (size >> 16) & 0xff, (size >> 8) & 0xff, size & 0xff];
}
