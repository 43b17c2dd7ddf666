// When each message of a track is played: a small jitter buffer, as a plain decision.
//
// What belongs here: numbers. What does not: sound, clocks, nodes. Times are seconds of the listener's clock, passed in;
// media times are ticks of the session.
//
// The first message waits for `TARGET`, so that a later one may be late by that much; each message is then played where
// the one before it ends. Nothing else follows the two clocks, which drift apart by up to some 100 ppm: the buffer runs
// dry or grows, slowly, and then the anchor is set anew.

import { TICKS_PER_SECOND } from './opus.js';

/** How long the first message waits, in seconds: what a MediaRecorder's cadence and a good network wobble by. */
export const TARGET = 0.15;
/** More than this waiting before a message is too long; in seconds. */
export const LONGEST = 0.5;
/** Less than this waiting before a message is dry: the decoder needs a moment; in seconds. */
const SHORTEST = 0.005;
/** A step in media time up to this is drift of the session's clock and not heard; in ticks. */
const STEP = 960;

/**
 * @typedef {object} Place
 * @property {number} at when the message's first packet sounds
 * @property {boolean} cut whether what is scheduled from then on must be taken back: sound is skipped
 */

export class Playout {
  /** Where the last message ends: in the listener's time and in media time. @type {{ at: number, ticks: number } | null} */
  #end = null;

  /**
   * Places a message.
   *
   * @param {number} time when it begins, in session ticks
   * @param {number} length how long it sounds, in ticks
   * @param {number} now
   * @returns {Place}
   */
  place(time, length, now) {
    const place = this.#decide(time, now);
    this.#end = { at: place.at + length / TICKS_PER_SECOND, ticks: time + length };
    return place;
  }

  /**
   * @param {number} time
   * @param {number} now
   * @returns {Place}
   */
  #decide(time, now) {
    if (!this.#end) return { at: now + TARGET, cut: false };
    const { at: end, ticks } = this.#end;
    const gap = time - ticks;
    if (Math.abs(gap) <= STEP) {
      if (end < now + SHORTEST) return { at: now + TARGET, cut: false };
      if (end > now + LONGEST) return { at: now + TARGET, cut: true };
      return { at: end, cut: false };
    }
    // A gap, or a correction of the time: in its place if that is within the buffer, else soon, but never over other sound.
    const at = end + gap / TICKS_PER_SECOND;
    if (gap > 0 && at >= now + SHORTEST && at <= now + LONGEST) return { at, cut: false };
    if (end > now + LONGEST) return { at: now + TARGET, cut: true };
    return { at: Math.max(end, now + TARGET), cut: false };
  }
}
