// One connection to a room over `roomtone.v1`: what is said on it, and who and what is in the room.
//
// What belongs here: the socket, the protocol's messages, the room as they describe it. What does not: pages, sound,
// microphones. It runs in a page and in Node alike; the WebSocket class and the clock are passed in.

import { Emitter } from './emitter.js';
import { decode, encode, encodeContainer, PacketsError } from './packets.js';

/** The subprotocol's name. */
export const PROTOCOL = 'roomtone.v1';

/** How often the hub is asked for a sign of life, in ms. */
const PING_EVERY = 5_000;
/** How long it may take to answer before the connection counts as lost, in ms. */
const PING_PATIENCE = 15_000;

/**
 * @typedef {object} Participant someone who may speak
 * @property {string} id
 * @property {string} name
 *
 * @typedef {object} Format how a track's packets are encoded
 * @property {'opus'} codec
 * @property {number} channels 1 or 2
 * @property {number} [pre_skip] ticks to throw away at the start of the track
 * @property {number} [input_rate] Hz before encoding; 0 is unknown
 *
 * @typedef {object} Track a live track
 * @property {number} track its number in the room
 * @property {string} participant whose it is
 * @property {Format} format
 * @property {boolean} muted
 *
 * @typedef {object} Session the recording in progress
 * @property {string} recording its ID
 * @property {number} began when it began, in ms of this client's clock
 *
 * @typedef {{ source: 'container' } | { source: 'packets', format: Format }} Source what a publisher sends
 *
 * @typedef {object} Refusal what the hub says that the client did wrong
 * @property {string} code a stable word
 * @property {string} message a sentence
 *
 * @typedef {{ kind: 'idle' }
 *   | { kind: 'connecting' }
 *   | { kind: 'joined', self: Participant, room: string }
 *   | { kind: 'closed', cause: Cause, code: number, reason: string, error: Refusal | null }} State
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
 * @property {Session | null} session
 * @property {Notice} notice
 * @property {{ track: number, number: number }} published our own track, and the number that the room gave it
 * @property {{ track: number, next: number }} received the hub has all packets of our own track below `next`
 * @property {{ track: number, next: number }} durable they survive a power cut
 * @property {{ roundTrip: number, sessionTicks: number | null }} pong ms there and back; the session's clock
 */

/**
 * The address of a room's socket.
 *
 * @param {string} base the page's or the hub's address, http or https
 * @param {string} room
 * @param {{ name: string, publish?: boolean }} who `publish: false` is one who only listens
 * @returns {string}
 */
export function roomAddress(base, room, { name, publish = true }) {
  const address = new URL(`/rooms/${encodeURIComponent(room)}/ws`, base);
  address.protocol = address.protocol.replace('http', 'ws');
  address.searchParams.set('name', name);
  if (!publish) address.searchParams.set('publish', 'false');
  return address.href;
}

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
  /** When the oldest unanswered ping was sent, in ms. @type {number | null} */
  #asked = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {object} options
   * @param {string} options.address as `roomAddress` gives it
   * @param {typeof globalThis.WebSocket} [options.WebSocket] for where there is none, as in Node 20
   * @param {() => number} [options.now] a monotonic clock, in ms
   */
  constructor({ address, WebSocket = globalThis.WebSocket, now = () => performance.now() }) {
    super();
    this.address = address;
    this.WebSocket = WebSocket;
    this.now = now;
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

  /** Opens the connection. A client connects once; for another try make another client. */
  connect() {
    if (this.#state.kind !== 'idle') throw new Error('a RoomClient connects once');
    this.#become({ kind: 'connecting' });
    const socket = new this.WebSocket(this.address, PROTOCOL);
    socket.binaryType = 'arraybuffer';
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#ended(code, reason);
    this.#socket = socket;
  }

  /** Closes the connection; the state says so at once. */
  leave() {
    this.#close('left', 1000, '');
  }

  /**
   * Announces a track, before its first bytes.
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
      // 4000 to 4999 are an application's own codes (RFC 6455 §7.4.2); a page may not say 1007.
      this.#close('lost', 4007, `The hub sent a message that cannot be read: ${error.message}`);
    }
  }

  /** @param {any} message one of the hub's; types that are not known are ignored */
  #hear(message) {
    switch (message?.type) {
      case 'welcome':
        this.#participants = new Map(message.participants.map((/** @type {Participant} */ it) => [it.id, it]));
        this.#tracks = new Map(message.tracks.map((/** @type {Track} */ it) => [it.track, trackOf(it)]));
        this.#listeners = message.listeners;
        this.#session = this.#sessionOf(message.session);
        this.#timer = setInterval(() => this.#watch(), PING_EVERY);
        this.#become({ kind: 'joined', self: message.participant, room: message.room });
        this.emit('participants', this.#participants);
        this.emit('listeners', this.#listeners);
        this.emit('tracks', this.#tracks);
        this.emit('session', this.#session);
        break;
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

  /** A connection can break without a word; the socket alone would not tell for minutes. */
  #watch() {
    if (this.#asked !== null && this.now() - this.#asked > PING_PATIENCE) {
      this.#close('lost', 4008, 'The hub does not answer.');
    } else {
      this.ping();
    }
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #ended(code, reason) {
    const opened = this.#state.kind === 'joined';
    const said = reason !== '' || this.#error !== null || (code !== 1006 && code !== 1005);
    const cause = said ? 'hub' : opened ? 'lost' : 'unreachable';
    this.#become({ kind: 'closed', cause, code, reason: reason || (this.#error?.message ?? ''), error: this.#error });
  }

  /**
   * Closes from our side.
   *
   * @param {Cause} cause
   * @param {number} code
   * @param {string} reason
   */
  #close(cause, code, reason) {
    if (this.#state.kind === 'closed') return;
    const socket = this.#socket;
    if (socket) {
      socket.onmessage = null;
      socket.onclose = null;
      socket.close(code);
    }
    this.#become({ kind: 'closed', cause, code, reason, error: null });
  }

  /** @param {State} state */
  #become(state) {
    this.#state = state;
    if (state.kind === 'closed') clearInterval(this.#timer);
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
