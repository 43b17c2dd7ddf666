// Where a replay is: what the ear tells, and what is known where it tells nothing.
//
// What belongs here: a place and its time, as plain decisions. What does not: sound, the hub's notices.

/** So near to each other two places are one, in seconds. */
export const NEAR = 0.05;
/** So long after a seek the ear may still tell of the place before it, in ms; and it cannot have got further than this, in seconds. */
const SETTLING = 300;
const FURTHEST = 1;

export class Place {
  #now;
  /** When it was there, in ms. */
  #since;
  /** Where the last seek led, and when the ear will surely tell of it, in ms. */
  #landed = { at: 0, settled: -Infinity };

  /**
   * @param {number} at seconds from the session's start
   * @param {() => number} now a monotonic clock, in ms
   */
  constructor(at, now) {
    /** The place that was heard or asked for last, in seconds from the session's start. */
    this.at = at;
    this.#now = now;
    this.#since = now();
  }

  /** It is there, whatever the ear tells. @param {number} at seconds */
  stay(at) {
    this.at = at;
    this.#since = this.#now();
  }

  /** It goes on from there; for a moment the ear may still tell of another place. @param {number} at seconds */
  land(at) {
    this.stay(at);
    this.#landed = { at, settled: this.#since + SETTLING };
  }

  /**
   * Where it has come to by now.
   *
   * @param {number | null} told by the ear, in seconds
   * @param {boolean} alone whether time goes on by itself where the ear tells nothing, as in a gap of all tracks
   * @returns {number} seconds
   */
  hear(told, alone) {
    const now = this.#now();
    const { at, settled } = this.#landed;
    const stale = told !== null && now < settled && (told < at - NEAR || told > at + FURTHEST);
    const unheard = alone ? this.at + (now - this.#since) / 1000 : this.at;
    this.stay(told === null || stale ? unheard : told);
    return this.at;
  }
}
