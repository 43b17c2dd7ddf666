// Seeks on one connection: of many in a row only some are sent, and always the last.
//
// What belongs here: which seek is sent when, and whether what comes belongs to the newest. What does not: sockets, sound.

/** While seeks come one after another, as by a held key, one is sent each so often, in ms. */
export const SEEK_EVERY = 200;

export class Seeks {
  /** How many were sent, and how many the hub has taken. */
  #sent = 0;
  #taken = 0;
  /** When the last was sent, in ms. */
  #at = -Infinity;
  /** The place that waits to be sent, in seconds. @type {number | null} */
  #next = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #send;
  #now;

  /**
   * @param {(at: number) => void} send
   * @param {() => number} now a monotonic clock, in ms
   */
  constructor(send, now) {
    this.#send = send;
    this.#now = now;
  }

  /** Whether what the hub sends belongs to an older place. */
  get pending() {
    return this.#next !== null || this.#taken < this.#sent;
  }

  /** @param {number} at seconds */
  ask(at) {
    this.#next = at;
    this.#flush();
  }

  /**
   * How many seeks the hub has taken by now.
   *
   * @param {number} count
   * @returns {boolean} whether it has taken another
   */
  taken(count) {
    const more = count !== this.#taken;
    this.#taken = count;
    return more;
  }

  /** Sends no more. */
  close() {
    clearTimeout(this.#timer);
    this.#next = null;
  }

  #flush() {
    clearTimeout(this.#timer);
    if (this.#next === null) return;
    const wait = this.#at + SEEK_EVERY - this.#now();
    if (wait > 0) {
      this.#timer = setTimeout(() => this.#flush(), wait);
      return;
    }
    const at = this.#next;
    this.#next = null;
    this.#sent += 1;
    this.#at = this.#now();
    this.#send(at);
  }
}
