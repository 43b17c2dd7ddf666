// What the keys of a player do, as a plain decision.

/** How far the arrows, J and L, and the page keys go, in seconds. */
const STEP = 5;
const LEAP = 10;
const PAGE = 30;

/**
 * Where a key is pressed; `seek` is on the slider that goes through the recording.
 *
 * @typedef {import('./key-place.js').Place | 'seek'} Place
 *
 * @typedef {{ do: 'toggle' } | { do: 'move', by: number } | { do: 'go', to: 'start' | 'end' }} Command
 */

/**
 * What a key does.
 *
 * @param {string} key as `KeyboardEvent.key` has it
 * @param {Place} place
 * @returns {Command | null} nothing of ours
 */
export function commandOf(key, place) {
  if (place === 'text') return null;
  switch (key.toLowerCase()) {
    case ' ':
      // A button that has the focus is pressed by it.
      return place === 'control' ? null : { do: 'toggle' };
    case 'k':
      return { do: 'toggle' };
    case 'j':
      return { do: 'move', by: -LEAP };
    case 'l':
      return { do: 'move', by: LEAP };
    case 'arrowleft':
      return place === 'slider' ? null : { do: 'move', by: -STEP };
    case 'arrowright':
      return place === 'slider' ? null : { do: 'move', by: STEP };
  }
  // The others scroll a page, or move the slider that has the focus.
  if (place !== 'seek') return null;
  switch (key) {
    case 'ArrowDown':
      return { do: 'move', by: -STEP };
    case 'ArrowUp':
      return { do: 'move', by: STEP };
    case 'PageDown':
      return { do: 'move', by: -PAGE };
    case 'PageUp':
      return { do: 'move', by: PAGE };
    case 'Home':
      return { do: 'go', to: 'start' };
    case 'End':
      return { do: 'go', to: 'end' };
    default:
      return null;
  }
}
