// When a connection that is lost is tried again: plain decisions, no sockets and no clocks.

/** The longest wait before the first try, in ms; it doubles with each. */
const FIRST = 1_000;
/** The longest wait before any. */
const LONGEST = 30_000;
/** Our own code for a message of the hub's that cannot be read: a page may not say 1007 (RFC 6455 §7.4.2). */
export const UNREADABLE = 4007;
/** What would only happen again (RFC 6455 §7.4.1): a kind of sound that is not accepted, broken data, too much of it. */
const FINAL = [1003, 1007, 1009, UNREADABLE];
/** What is the hub's own (RFC 6455 §7.4.1): it stops, it failed, it is full. Who was speaking then is told so as an error too. */
const THE_HUBS = [1001, 1011, 1013];

/**
 * How long to wait before a try. Half of it is left to chance, so that a hub that has started again is not met by all
 * its clients at once.
 *
 * @param {number} attempt which try it is, from 1
 * @param {number} chance 0 to 1
 * @returns {number} ms
 */
export function backoff(attempt, chance) {
  const most = Math.min(LONGEST, FIRST * 2 ** (attempt - 1));
  return most * (0.5 + chance / 2);
}

/**
 * Whether a connection that ended this way can be tried again.
 *
 * @param {number} code the close code
 * @param {boolean} refused whether the hub named an error of ours
 * @returns {boolean}
 */
export function mayReturn(code, refused) {
  return THE_HUBS.includes(code) || (!refused && !FINAL.includes(code));
}
