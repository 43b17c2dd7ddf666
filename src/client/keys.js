// What the keys of a room do: decisions only. `room-keys.js` hears them.

/** A Space that is held for less than this is a press of the button that has the focus, in ms. */
export const TAP = 300;

/**
 * Where a key is pressed.
 *
 * - `text`: where letters are written or choose something; no key is ours there.
 * - `voice`: on Talk or Mute, where a short Space presses and a long one is held.
 * - `control`: on any other control, where Space is its own.
 * - `page`: anywhere else.
 *
 * @typedef {'text' | 'voice' | 'control' | 'page'} Place
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
  if (key === ' ' && place !== 'control' && !repeat) return 'hold';
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

/**
 * @param {{ tag: string, type: string, editable: boolean, voice: boolean, focusable: boolean }} element what has the focus
 * @returns {Place}
 */
export function placeOf({ tag, type, editable, voice, focusable }) {
  if (voice) return 'voice';
  if (editable || tag === 'TEXTAREA' || tag === 'SELECT') return 'text';
  if (tag === 'INPUT') return ['checkbox', 'range', 'radio', 'button', 'submit'].includes(type) ? 'control' : 'text';
  return ['BUTTON', 'A', 'SUMMARY', 'AUDIO', 'VIDEO'].includes(tag) || focusable ? 'control' : 'page';
}
