// WebM to Opus packets, over a byte stream however it is cut: what a MediaRecorder gives (RFC 9559, RFC 8794).
//
// What belongs here: the way through the tree of elements. What does not: where the bytes come from; what is done with the
// packets. It takes what browsers write: one Opus track, beside which others are passed over; sizes known and unknown;
// blocks without lacing. Between two pushes it holds one incomplete element, at most `MOST_HELD` bytes.

import { ID, readChildren, readHeader, readUnsigned, readVint, UNKNOWN } from './ebml.js';
import { duration, readHead, TICKS_PER_SECOND } from './opus.js';

/** The longest element that is read whole, in bytes: a head, or a block of sound. */
export const MOST_HELD = 64 * 1024;
/** Nanoseconds of one unit of time, where Info does not say (RFC 9559 §5.1.2.9). */
const DEFAULT_SCALE = 1_000_000;
/** Children of Segment, which end a Cluster of unknown size. @type {ReadonlySet<number>} */
const IN_SEGMENT = new Set([ID.SEEK_HEAD, ID.INFO, ID.TRACKS, ID.CLUSTER, ID.CUES, ID.TAGS, ID.CHAPTERS, ID.ATTACHMENTS]);
/** Elements that are entered. @type {ReadonlySet<number>} */
const ENTERED = new Set([ID.SEGMENT, ID.CLUSTER, ID.BLOCK_GROUP]);
/** Elements that are read, besides blocks. Others are passed over. @type {ReadonlySet<number>} */
const READ = new Set([ID.EBML, ID.INFO, ID.TRACKS, ID.TIMESTAMP]);

/**
 * @typedef {import('./opus.js').Format} Format
 *
 * @typedef {{ kind: 'head', format: Format }} Head a stream begins, with times of its own: the first, or another after
 *   `stop()` and `start()`
 * @typedef {{ kind: 'packet', time: number, duration: number, data: Uint8Array }} Packet in ticks; the time is its block's
 */

/** Why a stream cannot be read any further, and at which of its bytes. */
export class WebmError extends Error {
  /**
   * @param {'malformed' | 'unsupported' | 'limit'} code
   * @param {number} offset
   * @param {string} message
   */
  constructor(code, offset, message) {
    super(`${message} (at byte ${offset} of the stream)`);
    this.name = 'WebmError';
    this.code = code;
    this.offset = offset;
  }
}

export class Demuxer {
  #bytes = new Uint8Array(0);
  /** Where in the stream `#bytes` begins. */
  #offset = 0;
  /** Bytes of the stream to pass over first. */
  #skip = 0;
  /** The elements that are entered, outermost first, and where in the stream each ends. @type {{ id: number, end: number }[]} */
  #open = [];
  #scale = DEFAULT_SCALE;
  /** The number of the track that is read. @type {number | null} */
  #track = null;
  #clusterTime = 0;
  #begun = false;
  /** @type {WebmError | null} */
  #failed = null;

  /**
   * Takes the next bytes of the stream, any number of them.
   *
   * @param {Uint8Array} bytes
   * @returns {(Head | Packet)[]} what they complete; packets share no memory with the bytes
   * @throws {WebmError} now and from now on
   */
  push(bytes) {
    if (this.#failed) throw this.#failed;
    const all = new Uint8Array(this.#bytes.length + bytes.length);
    all.set(this.#bytes);
    all.set(bytes, this.#bytes.length);
    this.#bytes = all;
    /** @type {(Head | Packet)[]} */
    const events = [];
    try {
      while (this.#step(events));
    } catch (error) {
      if (!(error instanceof WebmError)) throw error;
      this.#failed = error;
      this.#bytes = new Uint8Array(0);
      // What came before the error is given; the next push throws.
      if (events.length === 0) throw error;
    }
    return events;
  }

  /**
   * Enters, reads or passes over one element.
   *
   * @param {(Head | Packet)[]} events
   * @returns {boolean} false where more bytes must come
   */
  #step(events) {
    const skipped = Math.min(this.#skip, this.#bytes.length);
    this.#skip -= skipped;
    this.#consume(skipped);
    if (this.#skip > 0) return false;
    while (this.#open.at(-1)?.end === this.#offset) this.#open.pop();
    const header = readHeader(this.#bytes, 0);
    if (header === undefined) return false;
    if (header === null) throw this.#error('malformed', 'there is no element');
    const { id, size, length } = header;
    if (!this.#begun && id !== ID.EBML) throw this.#error('malformed', 'it does not begin as WebM');
    this.#leave(id);
    if (ENTERED.has(id)) {
      this.#enter(id, this.#offset + length + size);
      this.#consume(length);
      return true;
    }
    if (size === UNKNOWN) throw this.#error('malformed', `an element (${id.toString(16)}) has no size`);
    const block = id === ID.SIMPLE_BLOCK || id === ID.BLOCK;
    const number = block ? readVint(this.#bytes, length) : null;
    // A block of another track is told apart by its first bytes.
    if (number === undefined && this.#bytes.length < length + Math.min(size, 8)) return false;
    if (block ? (number?.value ?? this.#track) !== this.#track : !READ.has(id)) {
      this.#skip = length + size;
      return true;
    }
    if (size > MOST_HELD) throw this.#error('limit', `an element (${id.toString(16)}) of ${size} bytes is too long`);
    if (this.#bytes.length < length + size) return false;
    const data = this.#bytes.slice(length, length + size);
    this.#read(id, data, events);
    this.#consume(length + size);
    return true;
  }

  /** Leaves the elements of unknown size that an element of this ID ends. @param {number} id */
  #leave(id) {
    for (let open; (open = this.#open.at(-1)) && open.end === UNKNOWN; this.#open.pop()) {
      const ends = id === ID.EBML || id === ID.SEGMENT || (open.id === ID.CLUSTER && IN_SEGMENT.has(id));
      if (!ends) return;
    }
  }

  /** @param {number} id @param {number} end */
  #enter(id, end) {
    const parent = this.#open.at(-1)?.id;
    const expected = id === ID.SEGMENT ? undefined : id === ID.CLUSTER ? ID.SEGMENT : ID.CLUSTER;
    if (parent !== expected) throw this.#error('malformed', `an element (${id.toString(16)}) is in the wrong place`);
    if (id === ID.CLUSTER && this.#track === null) throw this.#error('malformed', 'a Cluster comes before its Tracks');
    this.#open.push({ id, end });
  }

  /**
   * @param {number} id
   * @param {Uint8Array} data
   * @param {(Head | Packet)[]} events
   */
  #read(id, data, events) {
    switch (id) {
      case ID.EBML:
        this.#begun = true;
        this.#scale = DEFAULT_SCALE;
        this.#track = null;
        break;
      case ID.INFO:
        for (const child of readChildren(data)) if (child.id === ID.TIMESTAMP_SCALE) this.#scale = readUnsigned(child.data);
        break;
      case ID.TRACKS:
        events.push({ kind: 'head', format: this.#choose(data) });
        break;
      case ID.TIMESTAMP:
        this.#clusterTime = readUnsigned(data);
        break;
      default:
        events.push(this.#packet(data));
    }
  }

  /** Chooses the first Opus track. @param {Uint8Array} tracks @returns {Format} */
  #choose(tracks) {
    for (const entry of readChildren(tracks)) {
      const fields = new Map([...readChildren(entry.data)].map(({ id, data }) => [id, data]));
      if (new TextDecoder().decode(fields.get(ID.CODEC_ID)) !== 'A_OPUS') continue;
      const format = readHead(fields.get(ID.CODEC_PRIVATE) ?? new Uint8Array(0));
      if (!format) throw this.#error('malformed', 'the track has no OpusHead');
      this.#track = readUnsigned(fields.get(ID.TRACK_NUMBER) ?? new Uint8Array(0));
      return format;
    }
    throw this.#error('unsupported', 'there is no Opus track');
  }

  /** @param {Uint8Array} block @returns {Packet} */
  #packet(block) {
    const number = readVint(block, 0);
    const at = number?.length ?? 0;
    const [high, low, flags] = block.subarray(at);
    if (!number || high === undefined || low === undefined || flags === undefined) {
      throw this.#error('malformed', `a block of ${block.length} bytes is too short`);
    }
    if ((flags & 0x06) !== 0) throw this.#error('unsupported', 'a block has several packets');
    const relative = ((high << 8) | low) << 16 >> 16;
    const time = Math.round(((this.#clusterTime + relative) * this.#scale * TICKS_PER_SECOND) / 1e9);
    const data = block.subarray(at + 3);
    return { kind: 'packet', time: Math.max(time, 0), duration: duration(data), data };
  }

  /** @param {number} bytes */
  #consume(bytes) {
    this.#bytes = this.#bytes.subarray(bytes);
    this.#offset += bytes;
  }

  /**
   * @param {WebmError['code']} code
   * @param {string} message
   */
  #error(code, message) {
    return new WebmError(code, this.#offset, message);
  }
}
