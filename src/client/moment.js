// A moment of a recording, as the fragment of an address: `#t=93`, `#t=93.5`, `#t=1:33`, `#t=1:02:03`.
//
// It is the temporal dimension of Media Fragments URI 1.0 §4.2.1, with only a beginning; `1:33`, which people write, is read
// too.

const SECONDS = /^\d+(\.\d+)?$/;
const CLOCK = /^(?:(\d+):)?([0-5]?\d):([0-5]\d(?:\.\d+)?)$/;

/**
 * The moment that a fragment names.
 *
 * @param {string} fragment as `location.hash` has it, with or without its `#`
 * @returns {number | null} seconds from the session's start; `null` where it names none
 */
export function momentOf(fragment) {
  const text = new URLSearchParams(fragment.replace(/^#/, '')).get('t');
  if (text === null) return null;
  // An end after a comma is allowed by the specification, and not followed.
  const [begin = ''] = text.replace(/^npt:/, '').split(',');
  if (SECONDS.test(begin)) return Number(begin);
  const parts = CLOCK.exec(begin);
  if (!parts) return null;
  const [, hours = '0', minutes = '0', seconds = '0'] = parts;
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
}

/**
 * The address that leads to a moment, in whole seconds.
 *
 * @param {string} page the page's address, with or without a fragment
 * @param {number} seconds
 * @returns {string}
 */
export function linkTo(page, seconds) {
  const address = new URL(page);
  address.hash = `t=${Math.max(0, Math.floor(seconds))}`;
  return address.href;
}
