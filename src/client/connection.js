// A place in a room, or in the replay of a recording, over `roomtone.v1`: what is said on it, and who and what is there.
//
// What belongs here: the socket and the next one after it is lost, the protocol's messages, the room as they describe it.
// What does not: pages, sound, microphones; when a lost connection is tried again is decided in `reconnect.js`. It runs in
// a page and in Node alike; the WebSocket class, the clock and the timers are passed in.

import { Emitter } from './emitter.js';
import { decode, encode, encodeContainer, PacketsError } from './packets.js';
import { backoff, mayReturn, UNREADABLE } from './reconnect.js';

export { recordingAddress, roomAddress } from './address.js';

/** The subprotocol's name. */
export const PROTOCOL = 'roomtone.v1';

/** How often the hub is asked for a sign of life, in ms. */
const PING_EVERY = 5_000;
/** How long it may take to answer, or to welcome, before the connection counts as lost, in ms. */
const PING_PATIENCE = 15_000;

/**
 * @typedef {object} Participant someone who may speak
 * @property {string} id
 * @property {string} name
 *
 * @typedef {import('./opus.js').Format} Format
 *
 * @typedef {object} Track a live track
 * @property {number} track its number in the room
 * @property {string} participant whose it is
 * @property {Format} format how it is heard: always Opus
 * @property {{ sample: string, rate: number, channels: number }} [pcm] the plain samples that are kept of it, where they are
 * @property {string} [source] what its publisher sends: opus, pcm, flac, aac, vorbis or mp3
 * @property {boolean} muted
 *
 * @typedef {object} Session the recording in progress
 * @property {string} recording its ID
 * @property {number} began when it began, in ms of this client's clock
 *
 * @typedef {{ source: 'container' } | { source: 'packets', format: Format }} Source what a publisher sends
 *
 * @typedef {object} Replay where a replay is, restated whole
 * @property {'playing' | 'paused' | 'ended'} state
 * @property {number} at seconds from the session's start; the packets that follow belong there
 * @property {number} duration seconds
 * @property {Participant[]} participants who is there at that moment
 * @property {Track[]} tracks which are live at that moment
 * @property {number} seek how many seeks the hub has taken
 *
 * @typedef {object} Marker a place in the recording that someone marked
 * @property {string} id
 * @property {number} at seconds from the recording's start
 * @property {string | null} name who set it, where they said so
 * @property {string} text often nothing
 *
 * @typedef {object} Refusal what the hub says that the client did wrong
 * @property {string} code a stable word
 * @property {string} message a sentence
 *
 * @typedef {{ kind: 'idle' }
 *   | { kind: 'connecting' }
 *   | { kind: 'joined', self: Participant, room: string }
 *   | { kind: 'reconnecting', attempt: number, retryAt: number }
 *   | { kind: 'closed', cause: Cause, code: number, reason: string, error: Refusal | null }} State
 *   `attempt` counts the tries from 1; `retryAt` is when it is tried, in ms of this client's clock, and past while it is
 *
 * @typedef {'left' | 'unreachable' | 'lost' | 'hub'} Cause why a connection is closed: we left; it never opened; it
 *   broke; the hub closed it, and `reason` says why
 *
 * @typedef {{ kind: 'lag', skippedTicks: number, messages: number }
 *   | { kind: 'health', recording: boolean, reason: string | null }
 *   | { kind: 'warning', code: string, message: string }
 *   | { kind: 'error', code: string, message: string }} Notice
 *
 * @typedef {object} Events
 * @property {State} state
 * @property {ReadonlyMap<string, Participant>} participants the others who may speak, by ID
 * @property {number} listeners how many only listen
 * @property {ReadonlyMap<number, Track>} tracks the live tracks, by number
 * @property {number} trackEnded the number of a track that has ended
 * @property {import('./packets.js').Packets} packets
 * @property {{ participant: Participant, text: string }} chat
 * @property {Marker} marker one that was set, also by us
 * @property {Session | null} session
 * @property {Replay} replay
 * @property {Notice} notice
 * @property {{ track: number, number: number }} published our own track, and the number that the room gave it
 * @property {{ track: number, next: number }} received the hub has all packets of our own track below `next`
 * @property {{ track: number, next: number }} durable they survive a power cut
 * @property {{ roundTrip: number, sessionTicks: number | null }} pong ms there and back; the session's clock
 */

/** @extends {Emitter<Events & { [name: string]: unknown }>} */
export class RoomClient extends Emitter {
  /** @type {State} */
  #state = { kind: 'idle' };
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {Map<string, Participant>} */
  #participants = new Map();
  /** @type {Map<number, Track>} */
  #tracks = new Map();
  #listeners = 0;
  /** @type {Session | null} */
  #session = null;
  /** @type {Refusal | null} */
  #error = null;
  /** Our own tracks, by our own numbers. @type {Set<number>} */
  #published = new Set();
  /** When the oldest question that is not answered was asked, in ms: a ping, or to be let in. @type {number | null} */
  #asked = null;
  /** Runs while there is a socket. @type {ReturnType<typeof setInterval> | undefined} */
  #watching;
  /** Tries since a connection last held for a while. */
  #attempts = 0;
  /** Runs until the next try. @type {ReturnType<typeof setTimeout> | undefined} */
  #waiting;
  #online = () => this.retry();

  /**
   * @param {object} options
   * @param {string | (() => string)} options.address as `roomAddress` or `recordingAddress` gives it; a function is asked
   *   at each try, so that a replay can go on where it was
   * @param {boolean} [options.reconnect] whether a connection that was lost after the welcome is tried again
   * @param {(attempt: number) => number} [options.backoff] how long before a try, in ms
   * @param {typeof globalThis.WebSocket} [options.WebSocket] for where there is none, as in Node 20
   * @param {() => number} [options.now] a monotonic clock, in ms
   * @param {Pick<typeof globalThis, 'setTimeout' | 'clearTimeout' | 'setInterval' | 'clearInterval'>} [options.timers]
   * @param {Pick<EventTarget, 'addEventListener' | 'removeEventListener'> | null} [options.network] tells by `online` that
   *   it is worth a try now
   */
  constructor({
    address,
    reconnect = false,
    backoff: wait = (attempt) => backoff(attempt, Math.random()),
    WebSocket = globalThis.WebSocket,
    now = () => performance.now(),
    timers = globalThis,
    network = 'addEventListener' in globalThis ? globalThis : null,
  }) {
    super();
    this.address = address;
    this.reconnect = reconnect;
    this.backoff = wait;
    this.WebSocket = WebSocket;
    this.now = now;
    this.timers = timers;
    this.network = network;
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** The others who may speak, by ID. @returns {ReadonlyMap<string, Participant>} */
  get participants() {
    return this.#participants;
  }

  /** The live tracks, by number. @returns {ReadonlyMap<number, Track>} */
  get tracks() {
    return this.#tracks;
  }

  /** How many only listen. */
  get listeners() {
    return this.#listeners;
  }

  /** The recording in progress. */
  get session() {
    return this.#session;
  }

  /** Bytes that wait to be sent. */
  get buffered() {
    return this.#socket?.bufferedAmount ?? 0;
  }

  /** Opens the connection. A client connects once; when it is closed make another. */
  connect() {
    if (this.#state.kind !== 'idle') throw new Error('a RoomClient connects once');
    if (this.reconnect) this.network?.addEventListener('online', this.#online);
    this.#become({ kind: 'connecting' });
    this.#open();
  }

  /** Where a lost connection waits to be tried again, tries it now. */
  retry() {
    if (this.#state.kind === 'reconnecting' && !this.#socket) this.#open();
  }

  /** Closes the connection for good; the state says so at once. */
  leave() {
    if (this.#state.kind === 'closed') return;
    this.#letGo(1000);
    this.#become({ kind: 'closed', cause: 'left', code: 1000, reason: '', error: null });
  }

  /**
   * Announces a track, before its first bytes. A connection that was lost and is joined again has none announced.
   *
   * @param {Source} source
   * @returns {number} our own number for it
   */
  publish(source) {
    let track = 1;
    while (this.#published.has(track)) track += 1;
    this.#published.add(track);
    this.#say({ type: 'publish', track, ...source });
    return track;
  }

  /** Ends a track of ours. @param {number} track */
  unpublish(track) {
    if (this.#published.delete(track)) this.#say({ type: 'unpublish', track });
  }

  /**
   * Says that a track of ours is muted, or not; it stays live.
   *
   * @param {number} track
   * @param {boolean} muted
   */
  mute(track, muted) {
    this.#say({ type: 'mute', track, muted });
  }

  /** Says a line to everyone in the room. @param {string} text */
  chat(text) {
    this.#say({ type: 'chat', text });
  }

  /** Sets a marker in what is being recorded, now. @param {string} text what is to stand on it, if anything */
  mark(text) {
    this.#say({ type: 'marker', text });
  }

  /** Asks a replay to go on at another place; of several asked for at once the hub goes to the last. @param {number} at seconds */
  seek(at) {
    this.#say({ type: 'seek', at });
  }

  /** Asks a replay to stop where it is. */
  pause() {
    this.#say({ type: 'pause' });
  }

  /** Asks a replay to go on; at its end, to begin again. */
  play() {
    this.#say({ type: 'play' });
  }

  /** Asks for a `pong`. */
  ping() {
    this.#asked ??= this.now();
    this.#say({ type: 'ping', time: Math.round(this.now()) });
  }

  /** Sends packets of a track that was published as such. @param {import('./packets.js').Packets} message */
  sendPackets(message) {
    this.#send(encode(message));
  }

  /**
   * Sends the next bytes of a track that was published as a container.
   *
   * @param {number} track
   * @param {Uint8Array} bytes
   */
  sendContainer(track, bytes) {
    this.#send(encodeContainer(track, bytes));
  }

  /** @param {object} message */
  #say(message) {
    this.#send(JSON.stringify(message));
  }

  /** What is said on a connection that is not open is lost, and the state has told. @param {string | Uint8Array<ArrayBuffer>} data */
  #send(data) {
    if (this.#state.kind === 'joined') this.#socket?.send(data);
  }

  /** @param {unknown} data */
  #receive(data) {
    this.#asked = null;
    try {
      if (data instanceof ArrayBuffer) this.emit('packets', decode(data));
      else this.#hear(JSON.parse(String(data)));
    } catch (error) {
      if (!(error instanceof PacketsError || error instanceof SyntaxError)) throw error;
      this.#lose(UNREADABLE, `The hub sent a message that cannot be read: ${error.message}`);
    }
  }

  /** @param {any} message one of the hub's; types that are not known are ignored */
  #hear(message) {
    switch (message?.type) {
      case 'welcome':
        this.#restate(message);
        this.#listeners = message.listeners;
        this.#session = this.#sessionOf(message.session);
        this.#become({ kind: 'joined', self: message.participant, room: message.room });
        this.emit('participants', this.#participants);
        this.emit('listeners', this.#listeners);
        this.emit('tracks', this.#tracks);
        this.emit('session', this.#session);
        break;
      case 'replay': {
        this.#restate(message);
        const { state, at, duration, seek } = message;
        const [participants, tracks] = [[...this.#participants.values()], [...this.#tracks.values()]];
        this.emit('replay', { state, at, duration, participants, tracks, seek });
        this.emit('participants', this.#participants);
        this.emit('tracks', this.#tracks);
        break;
      }
      case 'joined':
        this.#participants.set(message.participant.id, message.participant);
        this.emit('participants', this.#participants);
        break;
      case 'left':
        this.#participants.delete(message.participant);
        this.emit('participants', this.#participants);
        break;
      case 'listeners':
        this.#listeners = message.count;
        this.emit('listeners', message.count);
        break;
      case 'track':
        this.#tracks.set(message.track, trackOf(message));
        this.emit('tracks', this.#tracks);
        break;
      case 'track_ended':
        this.#tracks.delete(message.track);
        this.emit('trackEnded', message.track);
        this.emit('tracks', this.#tracks);
        break;
      case 'muted': {
        const track = this.#tracks.get(message.track);
        if (track) this.#tracks.set(message.track, { ...track, muted: message.muted });
        this.emit('tracks', this.#tracks);
        break;
      }
      case 'session':
        this.#session = this.#sessionOf(message.session);
        this.emit('session', this.#session);
        break;
      case 'chat':
        this.emit('chat', { participant: message.participant, text: message.text });
        break;
      case 'marker': {
        const { id, at, name, text } = message;
        this.emit('marker', { id, at, name, text });
        break;
      }
      case 'published':
        this.emit('published', { track: message.track, number: message.number });
        break;
      case 'received':
      case 'durable':
        this.emit(message.type, { track: message.track, next: message.next });
        break;
      case 'lag':
        this.emit('notice', { kind: 'lag', skippedTicks: message.skipped_ticks, messages: message.messages });
        break;
      case 'health':
        this.emit('notice', { kind: 'health', recording: message.recording, reason: message.reason ?? null });
        break;
      case 'warning':
        this.emit('notice', { kind: 'warning', code: message.code, message: message.message });
        break;
      case 'error':
        this.#error = { code: message.code, message: message.message };
        this.emit('notice', { kind: 'error', ...this.#error });
        break;
      case 'pong':
        this.emit('pong', { roundTrip: this.now() - message.time, sessionTicks: message.session_ticks ?? null });
        break;
    }
  }

  /**
   * @param {{ recording: string, elapsed: number } | null | undefined} session
   * @returns {Session | null}
   */
  #sessionOf(session) {
    return session ? { recording: session.recording, began: this.now() - session.elapsed * 1000 } : null;
  }

  /**
   * Who and what is there, from a message that restates it.
   *
   * @param {{ participants: Participant[], tracks: Track[] }} message
   */
  #restate({ participants, tracks }) {
    this.#participants = new Map(participants.map((it) => [it.id, it]));
    this.#tracks = new Map(tracks.map((it) => [it.track, trackOf(it)]));
  }

  #open() {
    this.timers.clearTimeout(this.#waiting);
    const address = typeof this.address === 'string' ? this.address : this.address();
    const socket = new this.WebSocket(address, PROTOCOL);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#ended(code, reason);
    this.#socket = socket;
    this.#asked = this.now();
    this.#watching = this.timers.setInterval(() => this.#watch(), PING_EVERY);
  }

  /** A connection can break without a word; the socket alone would not tell for minutes. */
  #watch() {
    if (this.#asked !== null && this.now() - this.#asked > PING_PATIENCE) {
      this.#lose(4008, 'The hub does not answer.');
    } else if (this.#state.kind === 'joined') {
      this.#attempts = 0;
      this.ping();
    }
  }

  /**
   * We give the connection up.
   *
   * @param {number} code
   * @param {string} reason
   */
  #lose(code, reason) {
    this.#letGo(code);
    this.#ended(code, reason, 'lost');
  }

  /**
   * The connection has ended, and not because we left: it is tried again, or that was it.
   *
   * @param {number} code
   * @param {string} reason
   * @param {Cause} [cause] where it is known already
   */
  #ended(code, reason, cause) {
    const welcomed = this.#state.kind !== 'connecting';
    const error = this.#error;
    this.#letGo();
    if (this.reconnect && welcomed && mayReturn(code, error !== null)) {
      this.#attempts += 1;
      const wait = this.backoff(this.#attempts);
      this.#waiting = this.timers.setTimeout(() => this.#open(), wait);
      return this.#become({ kind: 'reconnecting', attempt: this.#attempts, retryAt: this.now() + wait });
    }
    const said = reason !== '' || error !== null || (code !== 1006 && code !== 1005);
    cause ??= said ? 'hub' : welcomed ? 'lost' : 'unreachable';
    this.#become({ kind: 'closed', cause, code, reason: reason || (error?.message ?? ''), error });
  }

  /** Lets the socket go, closed with a code where it is still open, and all that belonged to it. @param {number} [code] */
  #letGo(code) {
    this.timers.clearInterval(this.#watching);
    this.timers.clearTimeout(this.#waiting);
    this.#published.clear();
    this.#error = null;
    this.#asked = null;
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onmessage = null;
    socket.onclose = null;
    if (code !== undefined) socket.close(code);
  }

  /** @param {State} state */
  #become(state) {
    this.#state = state;
    if (state.kind === 'closed') this.network?.removeEventListener('online', this.#online);
    this.emit('state', state);
  }
}

/**
 * A track as a message carries it, without the message's other fields.
 *
 * @param {Track} message
 * @returns {Track}
 */
function trackOf({ track, participant, format, muted }) {
  return { track, participant, format, muted };
}
