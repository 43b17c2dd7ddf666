// What the keys of a room do: decisions only. `room-keys.js` hears them.

/** A Space that is held for less than this is a press of the button that has the focus, in ms. */
export const TAP = 300;

/**
 * Where a key is pressed; `voice` is on Talk or Mute, where a short Space presses and a long one is held.
 *
 * @typedef {import('./key-place.js').Place | 'voice'} Place
 *
 * @typedef {{ key: string, repeat: boolean, modified: boolean, place: Place }} Press
 *
 * @typedef {'mute' | 'mark' | 'hold' | 'swallow' | 'ignore'} Action mute or unmute; set a marker; talk while it is held; nothing,
 *   and the browser shall do nothing either; nothing of ours
 */

/**
 * @param {Press} press
 * @param {boolean} held whether Space is held already
 * @returns {Action}
 */
export function pressed({ key, repeat, modified, place }, held) {
  if (key === ' ' && held) return 'swallow';
  if (modified || place === 'text') return 'ignore';
  if (key === 'm' || key === 'M') return repeat ? 'swallow' : 'mute';
  if (key === 'b' || key === 'B') return repeat ? 'swallow' : 'mark';
  // A Space that began elsewhere and repeats here is not meant for us.
  if (key === ' ' && (place === 'page' || place === 'voice') && !repeat) return 'hold';
  return 'ignore';
}

/**
 * What the end of a held Space means: silence again, or a press of the button.
 *
 * @param {Place} place where it began
 * @param {number} length ms
 * @returns {'release' | 'press'}
 */
export function released(place, length) {
  return place === 'voice' && length < TAP ? 'press' : 'release';
}
