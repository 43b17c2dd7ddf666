// The connection to `/api/v1/events`: what goes on in all rooms and recordings, for as long as the page lasts.
//
// What belongs here: the socket, its messages, coming back when it is lost. What does not: pages, lists. It runs in a page
// and in Node alike; the WebSocket class, the clock and chance are passed in.

import { Emitter } from './emitter.js';
import { backoff } from './reconnect.js';

/** The hub says something at least every 20 s or so. So long may it say nothing before the connection counts as lost, in ms. */
const PATIENCE = 45_000;
/** How often that is looked at: timers sleep with the machine, and wake with it. */
const LOOK_EVERY = 5_000;

/**
 * @typedef {{ kind: 'idle' }
 *   | { kind: 'connecting', attempt: number }
 *   | { kind: 'open' }
 *   | { kind: 'waiting', attempt: number, retryAt: number }} State `attempt` is 0 for the first try, and counts those that
 *   failed since the connection was last open; `retryAt` is in ms of this client's clock
 *
 * @typedef {object} Events
 * @property {State} state
 * @property {import('./api.js').LiveRoom[]} rooms all of them: what was told before counts no more, and lists of recordings
 *   may have changed unseen
 * @property {import('./api.js').LiveRoom} room a room is live, or something in it has changed
 * @property {string} roomGone a room's name: nobody is in it any more
 * @property {import('./api.js').Recording} recording it is new, or something of it has changed
 * @property {string} recordingDeleted its ID
 */

/** @extends {Emitter<Events & { [name: string]: unknown }>} */
export class LobbyEvents extends Emitter {
  /** @type {State} */
  #state = { kind: 'idle' };
  /** @type {WebSocket | null} */
  #socket = null;
  /** When the hub was last heard. */
  #heard = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #look;

  /**
   * @param {object} options
   * @param {string} options.address as `eventsAddress` gives it
   * @param {typeof globalThis.WebSocket} [options.WebSocket] for where there is none, as in Node 20
   * @param {() => number} [options.now] a monotonic clock, in ms
   * @param {() => number} [options.chance] 0 to 1
   */
  constructor({ address, WebSocket = globalThis.WebSocket, now = () => performance.now(), chance = Math.random }) {
    super();
    this.address = address;
    this.WebSocket = WebSocket;
    this.now = now;
    this.chance = chance;
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Connects, and comes back each time the connection is lost, until `stop`. */
  start() {
    if (this.#state.kind !== 'idle') return;
    this.#look = setInterval(() => this.#lookAfter(), LOOK_EVERY);
    this.#connect(0);
  }

  /** Leaves for good. */
  stop() {
    clearInterval(this.#look);
    this.#drop();
    this.#go({ kind: 'idle' });
  }

  /** Tries at once, where it waits to. */
  retry() {
    if (this.#state.kind === 'waiting') this.#connect(this.#state.attempt);
  }

  /** @param {number} attempt */
  #connect(attempt) {
    this.#drop();
    const socket = new this.WebSocket(this.address);
    this.#socket = socket;
    this.#heard = this.now();
    socket.onmessage = ({ data }) => {
      if (socket === this.#socket) this.#take(data);
    };
    socket.onclose = () => {
      if (socket === this.#socket) this.#lost();
    };
    this.#go({ kind: 'connecting', attempt });
  }

  /** Forgets the socket, and whatever it may still say. */
  #drop() {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #lost() {
    this.#drop();
    const attempt = this.#state.kind === 'connecting' ? this.#state.attempt + 1 : 1;
    const wait = backoff(attempt, this.chance());
    this.#retry = setTimeout(() => this.#connect(attempt), wait);
    this.#go({ kind: 'waiting', attempt, retryAt: this.now() + wait });
  }

  #lookAfter() {
    if (this.#socket && this.now() - this.#heard > PATIENCE) this.#lost();
  }

  /** @param {unknown} data */
  #take(data) {
    this.#heard = this.now();
    const event = read(data);
    switch (event?.type) {
      case 'state':
        this.#go({ kind: 'open' });
        return this.emit('rooms', event.rooms);
      case 'room':
        return this.emit('room', event.room);
      case 'room_gone':
        return this.emit('roomGone', event.name);
      case 'recording':
        return this.emit('recording', event.recording);
      case 'recording_deleted':
        return this.emit('recordingDeleted', event.id);
    }
  }

  /** @param {State} state */
  #go(state) {
    this.#state = state;
    this.emit('state', state);
  }
}

/** What the hub said; nothing where it is none of what it says. @param {unknown} data @returns {any} */
function read(data) {
  try {
    return typeof data === 'string' ? JSON.parse(data) : null;
  } catch {
    return null;
  }
}
