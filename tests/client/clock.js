// Time that passes only when a test says so.
//
// `node:test` has such a clock too, but how it is told what to replace differs between Node 18 and 20.

import { afterEach, beforeEach } from 'node:test';

const { setTimeout, clearTimeout, setInterval, clearInterval } = globalThis;

/** Rings at a moment, in ms; where it rings again, every so many. @typedef {{ at: number, every: number | null, ring: () => void }} Timer */

export class FakeClock {
  #now = 0;
  #last = 0;
  /** By their IDs. @type {Map<number, Timer>} */
  #timers = new Map();

  /** In ms. */
  now = () => this.#now;

  /** Lets time pass, and each timer ring at its moment. @param {number} ms */
  pass = (ms) => {
    const end = this.#now + ms;
    for (let first = this.#first(); first && first[1].at <= end; first = this.#first()) {
      const [id, { at, every, ring }] = first;
      this.#now = at;
      if (every === null) this.#timers.delete(id);
      else this.#timers.set(id, { at: at + every, every, ring });
      ring();
    }
    this.#now = end;
  };

  /** Puts this clock in the place of the real timers. */
  install() {
    const begin = (/** @type {() => void} */ ring, /** @type {number} */ wait, /** @type {number | null} */ every) => {
      this.#last += 1;
      this.#timers.set(this.#last, { at: this.#now + wait, every, ring });
      return this.#last;
    };
    const clear = (/** @type {number} */ id) => void this.#timers.delete(id);
    Object.assign(globalThis, {
      setTimeout: (/** @type {() => void} */ ring, wait = 0) => begin(ring, wait, null),
      setInterval: (/** @type {() => void} */ ring, wait = 1) => begin(ring, wait, wait),
      clearTimeout: clear,
      clearInterval: clear,
    });
  }

  /** The timer that rings first; of two at one moment the older. */
  #first() {
    return [...this.#timers].sort(([one, { at }], [other, { at: then }]) => at - then || one - other)[0];
  }
}

/**
 * A clock of its own for each test of a file, in the place of the real timers.
 *
 * @returns {() => FakeClock} that of the test that runs
 */
export function fakeClocks() {
  let clock = new FakeClock();
  beforeEach(() => {
    clock = new FakeClock();
    clock.install();
  });
  afterEach(() => void Object.assign(globalThis, { setTimeout, clearTimeout, setInterval, clearInterval }));
  return () => clock;
}
