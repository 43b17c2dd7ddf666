// Plays a room or a replay: packets of many tracks to what is heard of them.
//
// What belongs here: which tracks there are, whose they are, how loud each is played. What does not: sockets, pages; how
// packets become sound is one of the ways, `decoded.js` or `elements.js`.

import { Decoded } from './decoded.js';
import { Elements } from './elements.js';
import { TICKS_PER_SECOND } from './opus.js';

/**
 * @typedef {import('./connection.js').Track} Track
 * @typedef {import('./packets.js').Packets} Packets
 *
 * @typedef {object} Way packets become sound; a track's `id` is its own and never another's
 * @property {(id: number, format: import('./opus.js').Format, volume: number) => void} add
 * @property {(id: number) => void} end plays out what has come
 * @property {(id: number, message: Packets) => void} take
 * @property {(id: number, volume: number) => void} setVolume
 * @property {(from: number) => void} restart
 * @property {(paused: boolean) => void} pause
 * @property {(id: number) => number} level
 * @property {() => number | null} position seconds
 * @property {() => void} close
 */

/** What a listener's AudioContext should be like. */
export const CONTEXT = Object.freeze({ sampleRate: TICKS_PER_SECOND, latencyHint: /** @type {const} */ ('interactive') });

/** The loudest that a participant or a track may be played. */
const LOUDEST = 2;
/** The ways, the best first. */
const WAYS = [
  { name: /** @type {const} */ ('decoded'), Way: Decoded },
  { name: /** @type {const} */ ('elements'), Way: Elements },
];

/** @typedef {{ id: number, participant: string, format: import('./opus.js').Format }} Voice */

export class Listener {
  /** The tracks that are followed, by number. @type {Map<number, Voice>} */
  #voices = new Map();
  #ids = 0;
  /** By participant. @type {Map<string, number>} */
  #volumes = new Map();
  /** By track. @type {Map<number, number>} */
  #trackVolumes = new Map();
  #output;
  /** @type {Way} */
  #way;

  /** The ways in which this browser can play packets, the best first. @returns {('decoded' | 'elements')[]} */
  static get ways() {
    return WAYS.filter(({ Way }) => Way.supported).map(({ name }) => name);
  }

  /** Whether this browser can play packets. */
  static get supported() {
    return Listener.ways.length > 0;
  }

  /**
   * While the context is suspended a room is not heard, and from when it runs on it is heard as it is then. A replay waits
   * for some seconds only, so a page that cannot run its context pauses it.
   *
   * @param {AudioContext} context as `CONTEXT` asks for
   */
  constructor(context) {
    this.context = context;
    this.#output = context.createGain();
    this.#output.connect(context.destination);
    const Way = WAYS.find(({ Way }) => Way.supported)?.Way;
    if (!Way) throw new Error('this browser cannot play packets');
    this.#way = new Way(context, this.#output);
  }

  /**
   * The tracks that are live: new ones may sound, others end with what has come of them.
   *
   * @param {ReadonlyMap<number, Track>} tracks
   */
  follow(tracks) {
    for (const [number, { id, participant, format }] of this.#voices) {
      const track = tracks.get(number);
      if (track?.participant === participant && track.format.channels === format.channels) continue;
      this.#way.end(id);
      this.#voices.delete(number);
    }
    for (const [number, { participant, format }] of tracks) {
      if (this.#voices.has(number)) continue;
      this.#ids += 1;
      this.#voices.set(number, { id: this.#ids, participant, format });
      this.#way.add(this.#ids, format, this.#volumeOf(number, participant));
    }
  }

  /** @param {Packets} message of any track; of one that is not live it is not heard */
  take(message) {
    // Packets of the past are for the recording; what is heard goes on.
    const voice = message.backlog ? undefined : this.#voices.get(message.track);
    if (voice) this.#way.take(voice.id, message);
  }

  /**
   * How loud a participant is now, before volume: the root mean square of the last moments, 0 to 1.
   *
   * @param {string} participant
   * @returns {number}
   */
  levelOf(participant) {
    const voices = [...this.#voices.values()].filter((voice) => voice.participant === participant);
    return Math.max(0, ...voices.map(({ id }) => this.#way.level(id)));
  }

  /**
   * How loud a track is now, before volume: the root mean square of the last moments, 0 to 1.
   *
   * @param {number} track
   * @returns {number}
   */
  levelOfTrack(track) {
    const voice = this.#voices.get(track);
    return voice ? this.#way.level(voice.id) : 0;
  }

  /**
   * How loud a participant is played, now and later.
   *
   * @param {string} participant
   * @param {number} volume 0 is silent, 1 is as it was said, up to 2
   */
  setVolume(participant, volume) {
    this.#volumes.set(participant, within(volume));
    this.#tellVolumes();
  }

  /**
   * How loud a track is played, times its participant's volume; now, and whenever there is one of this number.
   *
   * @param {number} track
   * @param {number} volume 0 is silent, 1 is as it was said, up to 2
   */
  setTrackVolume(track, volume) {
    this.#trackVolumes.set(track, within(volume));
    this.#tellVolumes();
  }

  /**
   * A replay begins, or goes to another place: what waits is dropped, and what lies before that place is not heard.
   *
   * @param {number} ticks session time
   */
  resetTo(ticks) {
    this.#way.restart(ticks);
  }

  /** Falls silent; a replay stands still. */
  pause() {
    this.#way.pause(true);
  }

  /** Sounds again: a replay from where it was, a room as it is now. */
  resume() {
    this.#way.pause(false);
  }

  /** Which moment of the session is heard now, in seconds; `null` before there is one. @returns {number | null} */
  position() {
    return this.#way.position();
  }

  /** Falls silent at once and for good. */
  close() {
    this.#output.disconnect();
    this.#way.close();
    this.#voices.clear();
  }

  /** @param {number} track @param {string} participant */
  #volumeOf(track, participant) {
    return Math.min((this.#volumes.get(participant) ?? 1) * (this.#trackVolumes.get(track) ?? 1), LOUDEST);
  }

  #tellVolumes() {
    for (const [track, { id, participant }] of this.#voices) this.#way.setVolume(id, this.#volumeOf(track, participant));
  }
}

/** @param {number} volume */
function within(volume) {
  return Math.min(Math.max(volume, 0), LOUDEST);
}
