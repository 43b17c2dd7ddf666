// Which part of a recording its timeline shows: all of it, or less, as when one looks closer.
//
// What belongs here: arithmetic. What does not: elements, keys, what is drawn.

/** The least that is shown, in seconds. */
const CLOSEST = 2;
/** Where the playhead stands when the view goes on with it: a share of the view. */
const ENTRY = 0.05;

export class View {
  #duration = 0;
  #from = 0;
  /** How much is shown; `null` is all of it, however long it grows. @type {number | null} */
  #length = null;

  /** Where it begins, in seconds. */
  get from() {
    return this.#from;
  }

  /** How much of the recording it shows, in seconds. */
  get length() {
    return this.#length ?? this.#duration;
  }

  /** Where it ends, in seconds. */
  get to() {
    return this.#from + this.length;
  }

  /** How long the recording is, in seconds. */
  get duration() {
    return this.#duration;
  }

  /** Whether all of the recording is shown. */
  get whole() {
    return this.#length === null;
  }

  /** Whether one can look closer. */
  get closest() {
    return this.length <= CLOSEST;
  }

  /** The recording is so long by now. @param {number} duration seconds */
  grow(duration) {
    this.#duration = duration;
    this.#set(this.#from, this.#length);
  }

  /**
   * Looks so many times closer, or from further away where it is less than 1.
   *
   * @param {number} times
   * @param {number} around the place that stays where it is, in seconds
   */
  zoom(times, around) {
    const place = Math.min(this.to, Math.max(this.from, around));
    const length = Math.max(CLOSEST, this.length / times);
    const share = this.share(place);
    this.#set(place - share * length, length);
  }

  /** Shows all of it. */
  showAll() {
    this.#set(0, null);
  }

  /** Shows another part, as long as this one. @param {number} from seconds */
  move(from) {
    this.#set(from, this.#length);
  }

  /**
   * Goes on with a playhead that leaves it; one that was elsewhere is left alone.
   *
   * @param {number} before where it was, in seconds
   * @param {number} at where it is
   * @returns {boolean} whether it shows another part now
   */
  follow(before, at) {
    const inside = before >= this.from && before <= this.to;
    if (this.whole || !inside || (at >= this.from && at <= this.to)) return false;
    const from = this.from;
    this.move(at - ENTRY * this.length);
    return this.from !== from;
  }

  /** Where a place is in it: 0 where it begins, 1 where it ends. @param {number} at seconds */
  share(at) {
    return this.length > 0 ? (at - this.from) / this.length : 0;
  }

  /** The place at a share of it, in seconds. @param {number} share */
  at(share) {
    return this.from + Math.min(1, Math.max(0, share)) * this.length;
  }

  /**
   * @param {number} from
   * @param {number | null} length
   */
  #set(from, length) {
    this.#length = length !== null && length < this.#duration ? length : null;
    this.#from = Math.max(0, Math.min(from, this.#duration - this.length));
  }
}
