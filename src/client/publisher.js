// Sends the microphone to a room: MediaRecorder's WebM, as it comes, in messages of kind 2.
//
// What belongs here: the microphone, the recorder, the order of its pieces. What does not: sockets, pages; where the
// bytes go is the `Connection` that is passed in, which a `RoomClient` is.

import { Emitter } from './emitter.js';

/** What the recorder is asked for. Both Chromium and Firefox have it; the hub demuxes it. */
const TYPE = 'audio/webm;codecs=opus';
/** How much sound the recorder gives at a time, in ms; a recorder rounds it up to whole packets. */
const TIMESLICE = 100;
/** With more than this waiting in the socket the network is too slow: half a minute or more. In bytes. */
const MOST_BUFFERED = 1024 * 1024;

/**
 * @typedef {object} Connection
 * @property {(source: { source: 'container' }) => number} publish
 * @property {(track: number) => void} unpublish
 * @property {(track: number, muted: boolean) => void} mute
 * @property {(track: number, bytes: Uint8Array) => void} sendContainer
 * @property {number} buffered
 *
 * @typedef {'denied' | 'no-microphone' | 'busy' | 'insecure' | 'unsupported' | 'unplugged' | 'too-slow' | 'failed'} Failure
 *
 * @typedef {{ kind: 'silent' }
 *   | { kind: 'starting' }
 *   | { kind: 'talking', muted: boolean, stream: MediaStream }
 *   | { kind: 'stopping' }
 *   | { kind: 'failed', why: Failure }} State
 */

/** @extends {Emitter<{ state: State, [name: string]: unknown }>} */
export class Publisher extends Emitter {
  /** @type {State} */
  #state = { kind: 'silent' };
  /** @type {{ recorder: MediaRecorder, stream: MediaStream, track: number } | null} */
  #live = null;
  /** Ends when the last piece was sent. @type {Promise<void>} */
  #tail = Promise.resolve();

  /** @param {Connection} connection */
  constructor(connection) {
    super();
    this.connection = connection;
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Asks for the microphone and begins a track. What goes wrong becomes the state `failed`. */
  async start() {
    if (this.#state.kind !== 'silent' && this.#state.kind !== 'failed') return;
    const missing = whatIsMissing();
    if (missing) return this.#become({ kind: 'failed', why: missing });
    this.#become({ kind: 'starting' });
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: true });
    } catch (error) {
      return this.#become({ kind: 'failed', why: failureOf(error) });
    }
    if (this.#isNot('starting')) return stopTracks(stream);
    try {
      this.#record(stream);
    } catch (error) {
      console.warn('The recorder cannot start.', error);
      stopTracks(stream);
      this.#become({ kind: 'failed', why: 'failed' });
    }
  }

  /**
   * Says nothing, or speaks again. The track stays live and is silent.
   *
   * @param {boolean} muted
   */
  mute(muted) {
    if (!this.#live || this.#state.kind !== 'talking') return;
    const { stream, track } = this.#live;
    for (const it of stream.getAudioTracks()) it.enabled = !muted;
    this.connection.mute(track, muted);
    this.#become({ kind: 'talking', muted, stream });
  }

  /** Ends the track when its last piece is sent. */
  async stop() {
    if (this.#live) await this.#end({ kind: 'silent' });
    else if (this.#state.kind === 'starting') this.#become({ kind: 'silent' });
  }

  /** @param {MediaStream} stream */
  #record(stream) {
    const recorder = new MediaRecorder(stream, { mimeType: TYPE });
    const track = this.connection.publish({ source: 'container' });
    this.#live = { recorder, stream, track };
    recorder.ondataavailable = ({ data }) => this.#send(track, data);
    recorder.onerror = () => void this.#end({ kind: 'failed', why: 'failed' });
    for (const it of stream.getAudioTracks()) it.onended = () => void this.#end({ kind: 'failed', why: 'unplugged' });
    recorder.start(TIMESLICE);
    this.#become({ kind: 'talking', muted: false, stream });
  }

  /**
   * Reading a Blob takes a moment, not always the same: each piece waits for the one before it.
   *
   * @param {number} track
   * @param {Blob} piece
   */
  #send(track, piece) {
    this.#tail = this.#tail
      .then(() => piece.arrayBuffer())
      .then((bytes) => {
        if (bytes.byteLength > 0) this.connection.sendContainer(track, new Uint8Array(bytes));
        if (this.connection.buffered > MOST_BUFFERED) void this.#end({ kind: 'failed', why: 'too-slow' });
      })
      .catch((error) => {
        // A piece that is lost breaks the stream: the container has no way to go on.
        console.warn('A piece of the recording cannot be read.', error);
        void this.#end({ kind: 'failed', why: 'failed' });
      });
  }

  /** @param {State} state what it is then */
  async #end(state) {
    if (!this.#live) return;
    const { recorder, stream, track } = this.#live;
    this.#live = null;
    this.#become({ kind: 'stopping' });
    for (const it of stream.getAudioTracks()) it.onended = null;
    recorder.onerror = null;
    if (recorder.state !== 'inactive') {
      // The last piece comes before `stop`.
      const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve, { once: true }));
      recorder.stop();
      await stopped;
    }
    stopTracks(stream);
    await this.#tail;
    this.connection.unpublish(track);
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

/** @returns {Failure | null} */
function whatIsMissing() {
  if (!globalThis.isSecureContext) return 'insecure';
  if (!navigator.mediaDevices || !('MediaRecorder' in globalThis)) return 'unsupported';
  return MediaRecorder.isTypeSupported(TYPE) ? null : 'unsupported';
}

/**
 * What `getUserMedia` says (Media Capture and Streams §10.2).
 *
 * @param {unknown} error
 * @returns {Failure}
 */
function failureOf(error) {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'no-microphone';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}

/** @param {MediaStream} stream */
function stopTracks(stream) {
  for (const track of stream.getTracks()) track.stop();
}
