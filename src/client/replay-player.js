// Plays a recording: one connection to its replay, one listener, one place on the session's clock.
//
// What belongs here: what is wanted (play, pause, a place) against what the hub says it does, and the place that is heard.
// What does not: sound, sockets, pages; the connection is a `RoomClient` and the ear a `Listener`, both passed in.
//
// The hub restates who and what there is in a `replay` notice after each seek; until the notice of the newest seek has
// come, packets belong to an older place and are dropped.

import { Emitter } from './emitter.js';
import { TICKS_PER_SECOND } from './opus.js';
import { Seeks } from './seeks.js';

/** So near to each other two places are one, in seconds. */
const NEAR = 0.05;
/** How long after the hub's end notice the last sound may still be waiting when nothing more is heard, in seconds. */
const PATIENCE = 1.5;
/** How often is looked whether the end has been heard, in ms. */
const LOOK_EVERY = 50;

/**
 * @typedef {import('./connection.js').RoomClient} RoomClient
 * @typedef {import('./connection.js').Track} Track
 *
 * @typedef {object} Ear what is heard; a `Listener` is one
 * @property {(tracks: ReadonlyMap<number, Track>) => void} follow
 * @property {(message: import('./packets.js').Packets) => void} take
 * @property {(ticks: number) => void} resetTo drops what waits, and plays nothing before that time of the session
 * @property {() => void} pause
 * @property {() => void} resume
 * @property {() => number | null} position seconds of the session that are heard now; `null` from `resetTo` until it is known
 *
 * @typedef {{ kind: 'idle' }
 *   | { kind: 'connecting' }
 *   | { kind: 'playing' }
 *   | { kind: 'paused' }
 *   | { kind: 'ended' }
 *   | { kind: 'reconnecting', attempt: number, retryAt: number }
 *   | { kind: 'closed', how: Extract<import('./connection.js').State, { kind: 'closed' }> }} State
 *
 * @typedef {object} Events
 * @property {State} state
 * @property {number} place where it goes on after a seek, in seconds
 * @property {number} duration seconds; a recording that is still being made grows
 * @property {ReadonlyMap<number, Track>} tracks those that are live at this place
 * @property {import('./connection.js').Notice} notice
 */

/** None. @type {Ear} */
const DEAF = { follow() {}, take() {}, resetTo() {}, pause() {}, resume() {}, position: () => null };

/** @extends {Emitter<Events & { [name: string]: unknown }>} */
export class ReplayPlayer extends Emitter {
  #open;
  #ear;
  #now;
  /** @type {RoomClient | null} */
  #client = null;
  /** What the hub said last; `null` until it has, on each connection. @type {import('./connection.js').Replay | null} */
  #hub = null;
  /** @type {State} */
  #state = { kind: 'idle' };
  /** Whether it is to play. */
  #wanted = false;
  /** The place that was heard or asked for last, in seconds, and when, in ms. */
  #place = { at: 0, since: 0 };
  #duration = 0;
  /** The seeks of this connection. @type {Seeks | null} */
  #seeks = null;
  /** Looks for the end of the sound after the hub's end notice. @type {ReturnType<typeof setTimeout> | undefined} */
  #endTimer;
  /** Whether the end has been heard. */
  #over = false;

  /**
   * @param {object} options
   * @param {(place: () => number) => RoomClient} options.open makes a connection, not connected yet; where it begins, in
   *   seconds, it asks at each try
   * @param {Ear | null} options.ear none where the browser has no way to play; then it only knows its place
   * @param {number} [options.at] where it begins, in seconds
   * @param {number} [options.duration] as far as it is known, in seconds
   * @param {() => number} [options.now] a monotonic clock, in ms
   */
  constructor({ open, ear, at = 0, duration = 0, now = () => performance.now() }) {
    super();
    this.#open = open;
    this.#ear = ear ?? DEAF;
    this.#now = now;
    this.#duration = duration;
    this.#stay(this.#within(at));
  }

  /** @returns {State} */
  get state() {
    return this.#state;
  }

  /** Whether it is to play, as soon as it can. */
  get wanted() {
    return this.#wanted;
  }

  /** How long the recording is, in seconds. */
  get duration() {
    return this.#duration;
  }

  /** The tracks that are live at this place, by number. @returns {ReadonlyMap<number, Track>} */
  get tracks() {
    return this.#client?.tracks ?? new Map();
  }

  /** The place that is heard, or asked for, in seconds from the session's start. */
  position() {
    if (this.#state.kind !== 'playing' || this.#seeking) return this.#place.at;
    const { at, since } = this.#place;
    // Where nothing is there to be heard, in a gap of all tracks, time goes on by itself.
    const unheard = this.tracks.size === 0 ? at + (this.#now() - since) / 1000 : at;
    this.#stay(this.#within(this.#ear.position() ?? unheard));
    return this.#place.at;
  }

  /** Plays on; from the start where it has ended. The first call, of a page in a click, opens the connection. */
  play() {
    if (this.#state.kind === 'ended') this.seek(0);
    this.#wanted = true;
    if (!this.#client || this.#client.state.kind === 'closed') return this.#connect();
    this.#ear.resume();
    this.#reconcile();
    this.#tell();
  }

  /** Is silent at once, and stays at its place. */
  pause() {
    if (!this.#client || !this.#wanted) return;
    this.#stay(this.position());
    this.#wanted = false;
    this.#ear.pause();
    this.#reconcile();
    this.#tell();
  }

  /** Plays what is paused, pauses what plays. */
  toggle() {
    if (this.#wanted && this.#state.kind !== 'ended' && this.#state.kind !== 'closed') this.pause();
    else this.play();
  }

  /**
   * Goes to a place, paused or playing as it is; one that has ended plays again. Of many in a row only some are sent, and
   * always the last.
   *
   * @param {number} at seconds, kept within the recording
   */
  seek(at) {
    this.#stay(this.#within(at));
    this.#over = false;
    clearTimeout(this.#endTimer);
    if (this.#seeks) {
      this.#ear.resetTo(ticks(this.#place.at));
      this.#seeks.ask(this.#place.at);
    }
    this.#tell();
    this.emit('place', this.#place.at);
  }

  /** Says how long the recording is by now, in seconds: one that is being made grows. @param {number} seconds */
  grow(seconds) {
    if (seconds <= this.#duration) return;
    this.#duration = seconds;
    this.emit('duration', seconds);
  }

  /** Ends for good. */
  close() {
    this.#forget();
    this.#client?.leave();
  }

  #connect() {
    this.#ear.resume();
    const client = this.#open(() => this.#place.at);
    this.#client = client;
    this.#forget();
    client.on('state', (state) => {
      if (state.kind === 'reconnecting' || state.kind === 'closed') {
        // It connects again by itself, and begins where it was; until then it is silent.
        this.#stay(this.position());
        this.#forget();
        this.#ear.pause();
      }
      this.#tell();
    });
    // It restates the tracks after each notice.
    client.on('replay', (notice) => this.#hear(notice));
    client.on('tracks', (tracks) => {
      if (this.#seeking) return;
      this.#ear.follow(tracks);
      this.emit('tracks', tracks);
    });
    client.on('packets', (message) => {
      if (!this.#seeking) this.#ear.take(message);
    });
    client.on('notice', (notice) => this.emit('notice', notice));
    client.connect();
  }

  /** @param {import('./connection.js').Replay} notice */
  #hear(notice) {
    const fresh = this.#hub === null;
    this.#hub = notice;
    this.#seeks ??= new Seeks((at) => this.#client?.seek(at), this.#now);
    const moved = this.#seeks.taken(notice.seek) || fresh;
    this.grow(notice.duration);
    const place = this.#place.at;
    // It was moved while it connected, or it is a connection again that began elsewhere.
    if (fresh && Math.abs(notice.at - place) > NEAR && place < notice.duration) return this.seek(place);
    if (this.#seeking) return;
    if (moved) {
      this.#stay(notice.at);
      this.#ear.resetTo(ticks(notice.at));
      if (this.#wanted) this.#ear.resume();
      else this.#ear.pause();
      this.emit('place', notice.at);
    }
    clearTimeout(this.#endTimer);
    if (notice.state === 'ended') this.#awaitEnd(notice.at);
    else this.#reconcile();
    this.#tell();
  }

  /** Makes the hub do what is wanted. Where it has sent all that there is, only the ear waits. */
  #reconcile() {
    if (!this.#hub || this.#seeking || !this.#client) return;
    if (this.#wanted && this.#hub.state === 'paused') this.#client.play();
    if (!this.#wanted && this.#hub.state === 'playing') this.#client.pause();
  }

  /** Whether what comes belongs to an older place. */
  get #seeking() {
    return this.#seeks?.pending ?? true;
  }

  /**
   * The hub has sent all; the end is reached when it has been heard.
   *
   * @param {number} end seconds
   * @param {number} [last] when is waited no longer for what is not heard, in ms
   */
  #awaitEnd(end, last = this.#now() + (end - this.#place.at + PATIENCE) * 1000) {
    const heard = this.position() >= end - NEAR || (this.#wanted && this.#now() >= last);
    if (heard) {
      this.#over = true;
      this.#stay(end);
      this.#tell();
      return;
    }
    const later = this.#wanted ? last : last + LOOK_EVERY;
    this.#endTimer = setTimeout(() => this.#awaitEnd(end, later), LOOK_EVERY);
  }

  /** Forgets what is known of a connection. */
  #forget() {
    clearTimeout(this.#endTimer);
    this.#seeks?.close();
    this.#seeks = null;
    this.#hub = null;
    this.#over = false;
  }

  /** @param {number} at seconds */
  #stay(at) {
    this.#place = { at, since: this.#now() };
  }

  /** @param {number} at seconds */
  #within(at) {
    const least = Math.max(0, Number.isFinite(at) ? at : 0);
    return this.#duration > 0 ? Math.min(least, this.#duration) : least;
  }

  #tell() {
    const next = this.#decide();
    const same = next.kind === this.#state.kind && next.kind !== 'reconnecting';
    this.#state = next;
    if (!same) this.emit('state', next);
  }

  /** @returns {State} */
  #decide() {
    const state = this.#client?.state;
    if (!state || state.kind === 'idle') return { kind: 'idle' };
    if (state.kind === 'closed') return { kind: 'closed', how: state };
    if (state.kind === 'reconnecting') return state;
    if (state.kind === 'connecting' || this.#hub === null) return { kind: 'connecting' };
    if (this.#over) return { kind: 'ended' };
    return { kind: this.#wanted ? 'playing' : 'paused' };
  }
}

/** @param {number} seconds */
function ticks(seconds) {
  return Math.round(seconds * TICKS_PER_SECOND);
}
