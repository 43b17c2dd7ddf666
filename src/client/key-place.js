// Where a key is pressed, which decides whether it is ours: one rule for the keys of all pages.
//
// What belongs here: telling places. What does not: what a key does there, see `keys.js`, `replay-keys.js`, `zoom.js` and
// `recording-markers.js`.

/**
 * Where a key is pressed.
 *
 * - `text`: where letters are written or choose something; no key is ours there.
 * - `slider`: where the arrows are its own; letters and Space do nothing there by themselves.
 * - `control`: on any other control, where Space is its own.
 * - `page`: anywhere else.
 *
 * @typedef {'text' | 'slider' | 'control' | 'page'} Place
 */

/** Inputs in which nothing is written. */
const PRESSED = ['checkbox', 'radio', 'button', 'submit'];

/**
 * @param {{ tag: string, type: string, editable: boolean }} element what has the focus
 * @returns {Place}
 */
export function placeOf({ tag, type, editable }) {
  if (editable || tag === 'TEXTAREA' || tag === 'SELECT') return 'text';
  if (tag === 'INPUT' && type === 'range') return 'slider';
  if (tag === 'INPUT') return PRESSED.includes(type) ? 'control' : 'text';
  // What has the focus only to be scrolled is the page.
  return ['BUTTON', 'A', 'SUMMARY', 'AUDIO', 'VIDEO'].includes(tag) ? 'control' : 'page';
}

/** @param {EventTarget | null} target @returns {Place} */
export function placeAt(target) {
  if (!(target instanceof HTMLElement)) return 'page';
  return placeOf({ tag: target.tagName, type: target.getAttribute('type') ?? '', editable: target.isContentEditable });
}

/**
 * Where a key is pressed that may be ours.
 *
 * @param {KeyboardEvent} event
 * @returns {Place} `text` too where it is the browser's, somebody has taken it, or a question is open
 */
export function placeOfKey(event) {
  const taken = event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey;
  return taken || document.querySelector('dialog[open]') ? 'text' : placeAt(event.target);
}
