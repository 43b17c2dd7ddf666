// How far behind its packets' arrival a track is played, and how the ear gets there: plain decisions.
//
// What belongs here: numbers. What does not: sound, clocks, nodes. Media times are ticks of the session, `now` is ticks of
// the listener's clock, passed in. The difference of the two at which a moment sounds is the offset; a packet that comes
// when its moment has passed is late.
//
// The live offset is as small as the network allows: the fastest transit of the last seconds, and the spread of the others
// over it, which grows with the first late packet and shrinks slowly. Both clocks drift apart; the fastest transit drifts
// with them, and the ear follows by playing a little faster or slower. A replay's offset is chosen once, and moves only
// when it has to.

const SECOND = 48_000;
const MILLI = 48;

/** What a packet must come before its moment: the mixer looks ahead by two quanta of 128 samples, to fade. */
const MARGIN = 10 * MILLI;
/** The longest spread that is waited for. What comes later is skipped, so that one hears the room as it is. */
export const LONGEST = 400 * MILLI;
/** What a stall past that adds to the spread: the next may be shorter. */
const STALLED = 40 * MILLI;
/** In this time the spread shrinks by a half. */
const HALF_LIFE = 6 * SECOND;
/** By this the spread grows past that of a late packet. */
const MORE = 1.25;
/** Packets that are late for so long in a row come by a slower way now. */
const PERSISTENT = SECOND / 4;
/** The fastest transit is that of one to two of these. */
const WINDOW = 5 * SECOND;
/** What a replay waits for at its start, and when it was caught without sound. */
const START = 150 * MILLI;
const REFILL = 400 * MILLI;

/** The lowest of the values of the last one to two windows. */
class Lowest {
  #before = Infinity;
  #now = Infinity;
  /** When the window began. */
  #since = -Infinity;

  get value() {
    return Math.min(this.#before, this.#now);
  }

  /** @param {number} value @param {number} now */
  take(value, now) {
    if (now - this.#since > WINDOW) {
      this.#before = now - this.#since > 2 * WINDOW ? Infinity : this.#now;
      this.#now = Infinity;
      this.#since = now;
    }
    this.#now = Math.min(this.#now, value);
  }

  /** Forgets all but this. @param {number} value @param {number} now */
  restart(value, now) {
    this.#before = Infinity;
    this.#now = value;
    this.#since = now;
  }
}

/**
 * @typedef {object} Delay
 * @property {(begin: number, now: number) => void} arrive sound that begins at this session time has come
 * @property {number} offset between the clocks, at which it should sound; infinite before anything came
 * @property {number} fastest how much faster or slower the ear may play to get there, as a share
 * @property {boolean} waits whether the ear may stop to get there
 * @property {number} from what lies before this session time is not heard
 */

/** The delay of one live track. @implements {Delay} */
export class LiveDelay {
  #lowest = new Lowest();
  #spread = 0;
  #heard = 0;
  /** Since when all packets have been late, and the fastest of them. @type {{ since: number, lowest: number } | null} */
  #late = null;
  fastest = 0.01;
  waits = false;
  from = 0;

  get offset() {
    return this.#lowest.value + this.#spread + MARGIN;
  }

  /** @param {number} begin @param {number} now */
  arrive(begin, now) {
    const transit = now - begin;
    this.#spread *= 2 ** ((this.#heard - now) / HALF_LIFE);
    this.#heard = now;
    this.#lowest.take(transit, now);
    const spread = transit - this.#lowest.value;
    if (spread <= LONGEST) {
      // One that is late is seldom the worst to come.
      const late = spread > this.#spread + MARGIN;
      this.#spread = Math.max(this.#spread, late ? Math.min(MORE * spread, LONGEST) : spread);
      this.#late = null;
      return;
    }
    if (!this.#late) {
      this.#spread = Math.min(this.#spread + STALLED, LONGEST);
      this.#late = { since: now, lowest: transit };
    }
    this.#late.lowest = Math.min(this.#late.lowest, transit);
    if (now - this.#late.since > PERSISTENT) {
      this.#lowest.restart(this.#late.lowest, now);
      this.#late = null;
    }
  }
}

/** The delay of a replay, one for all its tracks, so that they stay together. @implements {Delay} */
export class ReplayDelay {
  #lowest = new Lowest();
  #offset;
  /** How long before its moment sound comes at the earliest, once that is known; kept as the clocks drift. @type {number | null} */
  #lead = null;
  #began;
  fastest = 0.001;
  waits = true;

  /**
   * @param {number} from the session time at which it begins
   * @param {number} now
   */
  constructor(from, now) {
    this.from = from;
    this.#began = now;
    this.#offset = now - from + START;
  }

  get offset() {
    return this.#offset;
  }

  /** @param {number} begin @param {number} now */
  arrive(begin, now) {
    // What lies before the place is there for the decoder alone.
    if (begin < this.from) return;
    const transit = now - begin;
    this.#lowest.take(transit, now);
    if (transit + MARGIN > this.#offset) {
      this.#offset = transit + REFILL;
      this.#lead = null;
      this.#began = now;
    } else if (this.#lead !== null) {
      this.#offset = this.#lowest.value + this.#lead;
    } else if (now - this.#began > WINDOW) {
      this.#lead = this.#offset - this.#lowest.value;
    }
  }
}

/** Nearer than this to its place, the ear is there; in ticks. */
const THERE = MILLI / 2;
/** Further than this from its place, it goes there. */
const AWAY = 5 * MILLI;
/** Further than this, it jumps. */
export const FAR = 200 * MILLI;
/** How soon it would be there, where it may go as fast as it likes: the little that clocks drift is followed unheard. */
const SOON = 5 * SECOND;

/** How the ear gets to its place while it hears something. Where it hears nothing, it is there at once. */
export class Steering {
  #correcting = false;

  /**
   * @param {number} error how far the ear is behind its place, in ticks
   * @param {Delay} delay
   * @returns {{ kind: 'jump' } | { kind: 'play', speed: number }}
   */
  steer(error, { fastest, waits }) {
    if (error > FAR || (waits && error < -FAR)) {
      this.#correcting = false;
      return { kind: 'jump' };
    }
    const distance = Math.abs(error);
    if (distance < THERE) this.#correcting = false;
    else if (distance > AWAY) this.#correcting = true;
    if (!this.#correcting) return { kind: 'play', speed: 1 };
    const most = Math.min(fastest, distance / SOON);
    return { kind: 'play', speed: 1 + Math.sign(error) * most };
  }
}
