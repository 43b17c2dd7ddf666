// What is wrong, of several things at once: which one is told.

/**
 * From the gravest to the least: the connection; that nothing is recorded; that nothing is heard; the microphone; what the
 * hub notes; what this browser cannot do.
 */
export const KINDS = Object.freeze(/** @type {const} */ (['connection', 'health', 'sound', 'microphone', 'notice', 'browser']));

/**
 * @typedef {(typeof KINDS)[number]} Kind
 *
 * @typedef {object} Trouble
 * @property {string} text what happened, and what to do
 * @property {{ word: string, run: () => void }} [action] what can be done at once
 */

/**
 * @param {ReadonlyMap<Kind, Trouble>} troubles
 * @returns {Kind | null} the one to tell
 */
export function gravest(troubles) {
  return KINDS.find((kind) => troubles.has(kind)) ?? null;
}
