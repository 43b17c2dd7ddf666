// Says a microphone's sound, or another stream's, in a room: packets, numbered and timed, as one track.
//
// What belongs here: the stream, the track's life, its numbers and times, muting. What does not: sockets and pages; how
// sound becomes packets is one of the ways, `encoder.js` or `recorder.js`.

import { Emitter } from './emitter.js';
import { Encoder } from './encoder.js';
import { MicrophoneError, openMicrophone } from './microphone.js';
import { duration, TICKS_PER_SECOND } from './opus.js';
import { Recorder } from './recorder.js';

/** With more than this waiting in the socket the network is too slow: half a minute. In bytes. */
const MOST_BUFFERED = 256 * 1024;

/**
 * @typedef {import('./opus.js').Format} Format
 * @typedef {import('./packets.js').Packets} Packets
 *
 * @typedef {object} Connection what a `RoomClient` is, as far as it is needed here
 * @property {{ kind: string }} state
 * @property {(event: 'state', listener: (state: { kind: string }) => void) => () => void} on
 * @property {(source: { source: 'packets', format: Format }) => number} publish
 * @property {(track: number) => void} unpublish
 * @property {(track: number, muted: boolean) => void} mute
 * @property {(message: Packets) => void} sendPackets
 * @property {number} buffered
 *
 * @typedef {import('./microphone.js').Failure | 'unplugged' | 'too-slow'} Failure
 *
 * @typedef {{ kind: 'silent' }
 *   | { kind: 'starting' }
 *   | { kind: 'talking', muted: boolean, stream: MediaStream }
 *   | { kind: 'stopping' }
 *   | { kind: 'failed', why: Failure }} State
 *
 * @typedef {object} Run packets, each of which goes on where the one before it ended
 * @property {Format} format of the encoder that made them
 * @property {number} time when the first begins, in ticks since the way was opened
 * @property {Uint8Array[]} packets
 *
 * @typedef {object} Sinks where a way puts what it makes
 * @property {(run: Run) => void} packets
 * @property {(error: unknown) => void} error it makes no more
 *
 * @typedef {object} Way sound becomes packets
 * @property {(stream: MediaStream) => Promise<void>} open
 * @property {() => Promise<void>} close ends when the last packets were given
 * @property {() => number} level the root mean square of the last moments, 0 to 1
 */

/** The ways, the best first. */
const WAYS = [
  { name: /** @type {const} */ ('encoder'), Way: Encoder },
  { name: /** @type {const} */ ('recorder'), Way: Recorder },
];

/** @extends {Emitter<{ state: State, [name: string]: unknown }>} */
export class Publisher extends Emitter {
  /** @type {State} */
  #state = { kind: 'silent' };
  /** @type {{ stream: MediaStream, way: Way } | null} */
  #live = null;
  /** The way whose packets go out: of two that are open for a moment, one speaks. @type {Way | null} */
  #speaks = null;
  #muted = false;
  #track;

  /** The ways in which this browser can make packets, the best first. @returns {('encoder' | 'recorder')[]} */
  static get ways() {
    return WAYS.filter(({ Way }) => Way.supported).map(({ name }) => name);
  }

  /**
   * @param {Connection} connection
   * @param {{ now?: () => number }} [options] a monotonic clock, in ms
   */
  constructor(connection, { now = () => performance.now() } = {}) {
    super();
    this.#track = new Outgoing(connection, now);
    this.connection = connection;
    // Nobody will ever hear it: the microphone is let go.
    connection.on('state', ({ kind }) => void (kind === 'closed' && this.stop()));
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /**
   * Begins a track. What goes wrong becomes the state `failed`.
   *
   * @param {MediaStream} [stream] what is said; it is ours from here on. The default microphone where none is given
   */
  async start(stream) {
    if (this.#state.kind !== 'silent' && this.#state.kind !== 'failed') return stopTracks(stream);
    if (Publisher.ways.length === 0) {
      stopTracks(stream);
      return this.#become({ kind: 'failed', why: globalThis.isSecureContext ? 'unsupported' : 'insecure' });
    }
    this.#become({ kind: 'starting' });
    try {
      stream ??= await openMicrophone();
      if (this.#isNot('starting')) return stopTracks(stream);
      this.#muted = false;
      const way = await this.#open(stream);
      if (this.#isNot('starting')) return await this.#drop({ stream, way });
      this.#live = { stream, way };
      this.#become({ kind: 'talking', muted: false, stream });
    } catch (error) {
      stopTracks(stream);
      if (this.#isNot('starting')) return;
      const why = error instanceof MicrophoneError ? error.why : 'failed';
      if (why === 'failed') console.warn('The microphone’s sound cannot be sent.', error);
      this.#become({ kind: 'failed', why });
    }
  }

  /**
   * Says another stream on the same track: of another device, or with other switches. Where that fails the first goes on.
   *
   * @param {MediaStream} stream it is ours from here on
   */
  async replaceStream(stream) {
    const before = this.#live;
    if (!before || this.#state.kind !== 'talking') return stopTracks(stream);
    /** @type {Way} */
    let way;
    try {
      way = await this.#open(stream);
    } catch (error) {
      stopTracks(stream);
      throw error;
    }
    if (this.#live !== before) return this.#drop({ stream, way });
    this.#live = { stream, way };
    this.#speaks = way;
    this.#become({ kind: 'talking', muted: this.#muted, stream });
    await this.#drop(before);
  }

  /**
   * Says nothing, or speaks again. The track stays live and is silent.
   *
   * @param {boolean} muted
   */
  mute(muted) {
    if (!this.#live || this.#state.kind !== 'talking') return;
    this.#muted = muted;
    const { stream } = this.#live;
    enable(stream, !muted);
    this.#track.mute(muted);
    this.#become({ kind: 'talking', muted, stream });
  }

  /** Ends the track when its last packet is sent. */
  async stop() {
    if (this.#live) await this.#end({ kind: 'silent' });
    else if (this.#state.kind === 'starting') this.#become({ kind: 'silent' });
  }

  /** How loud it is what is said: the root mean square of the last moments, 0 to 1. */
  level() {
    return this.#live && !this.#muted ? this.#live.way.level() : 0;
  }

  /**
   * Opens the best way that works: a browser can have an encoder, and none for Opus.
   *
   * @param {MediaStream} stream
   * @returns {Promise<Way>}
   */
  async #open(stream) {
    enable(stream, !this.#muted);
    for (const it of stream.getAudioTracks()) it.onended = () => this.#fail(stream, 'unplugged');
    let failure;
    for (const { Way } of WAYS.filter(({ Way }) => Way.supported)) {
      const way = this.#make(Way, stream);
      if (!this.#live) this.#speaks = way;
      try {
        await way.open(stream);
        return way;
      } catch (error) {
        failure = error;
        await way.close();
      }
    }
    throw failure;
  }

  /**
   * @param {new (sinks: Sinks) => Way} Way
   * @param {MediaStream} stream
   */
  #make(Way, stream) {
    let begin = NaN;
    const way = new Way({
      packets: (run) => {
        if (this.#speaks !== way) return;
        // What was opened later speaks later.
        if (Number.isNaN(begin)) begin = this.#track.begin(run.time);
        this.#track.send({ ...run, time: begin + run.time });
        if (this.connection.buffered > MOST_BUFFERED) this.#fail(stream, 'too-slow');
      },
      error: (error) => {
        console.warn('The microphone’s sound can be sent no longer.', error);
        this.#fail(stream, 'failed');
      },
    });
    return way;
  }

  /**
   * The stream that is said can be said no longer.
   *
   * @param {MediaStream} stream
   * @param {Failure} why
   */
  #fail(stream, why) {
    if (this.#live?.stream === stream) void this.#end({ kind: 'failed', why });
  }

  /** @param {{ stream: MediaStream, way: Way }} live */
  async #drop({ stream, way }) {
    for (const it of stream.getAudioTracks()) it.onended = null;
    await way.close();
    stopTracks(stream);
  }

  /** @param {State} state what it is then */
  async #end(state) {
    const live = this.#live;
    if (!live) return;
    this.#live = null;
    this.#become({ kind: 'stopping' });
    await this.#drop(live);
    this.#speaks = null;
    this.#track.end();
    this.#become(state);
  }

  /** What the state is can have changed while something was awaited. @param {State['kind']} kind */
  #isNot(kind) {
    return this.#state.kind !== kind;
  }

  /** @param {State} state */
  #become(state) {
    this.#state = state;
    this.emit('state', state);
  }
}

/** Our track on the connection: announced with its first packets, and anew after the connection was lost. */
class Outgoing {
  /** Our number for it while it is announced. @type {number | null} */
  #track = null;
  #muted = false;
  #next = 0;
  /** Where the last packet ended, in capture ticks. */
  #end = 0;

  /**
   * @param {Connection} connection
   * @param {() => number} now in ms
   */
  constructor(connection, now) {
    this.connection = connection;
    this.now = now;
    // Another connection has heard of no track, and counts from 0.
    connection.on('state', ({ kind }) => {
      if (kind !== 'joined') this.#track = null;
    });
  }

  /** The capture time at which a way begins whose first packet is this late. @param {number} time ticks */
  begin(time) {
    const now = Math.round((this.now() * TICKS_PER_SECOND) / 1000);
    return Math.max(now, this.#end) - time;
  }

  /** @param {Run} run its time is capture time */
  send({ format, time, packets }) {
    const end = time + packets.reduce((sum, packet) => sum + duration(packet), 0);
    this.#end = end;
    // What is said while nobody is there to hear it is not said.
    if (this.connection.state.kind !== 'joined') return;
    if (this.#track === null) {
      this.#track = this.connection.publish({ source: 'packets', format });
      this.#next = 0;
      if (this.#muted) this.connection.mute(this.#track, true);
    }
    this.connection.sendPackets({ track: this.#track, discontinuity: false, backlog: false, first: this.#next, time, packets });
    this.#next += packets.length;
  }

  /** @param {boolean} muted */
  mute(muted) {
    this.#muted = muted;
    if (this.#track !== null) this.connection.mute(this.#track, muted);
  }

  end() {
    if (this.#track !== null) this.connection.unpublish(this.#track);
    this.#track = null;
    this.#muted = false;
  }
}

/**
 * @param {MediaStream} stream
 * @param {boolean} enabled
 */
function enable(stream, enabled) {
  for (const it of stream.getAudioTracks()) it.enabled = enabled;
}

/** @param {MediaStream | undefined} stream */
function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
