// What the keys of a player do, as a plain decision.

/** How far the arrows, J and L, and the page keys go, in seconds. */
const STEP = 5;
const LEAP = 10;
const PAGE = 30;

/**
 * @typedef {{ do: 'toggle' } | { do: 'move', by: number } | { do: 'go', to: 'start' | 'end' }} Command
 *
 * @typedef {'page' | 'slider' | 'button' | 'writing'} Place where the focus is
 */

/**
 * What a key does.
 *
 * @param {string} key as `KeyboardEvent.key` has it
 * @param {Place} place
 * @returns {Command | null} nothing of ours
 */
export function commandOf(key, place) {
  if (place === 'writing') return null;
  switch (key.toLowerCase()) {
    case ' ':
      // A button that has the focus is pressed by it.
      return place === 'button' ? null : { do: 'toggle' };
    case 'k':
      return { do: 'toggle' };
    case 'j':
      return { do: 'move', by: -LEAP };
    case 'l':
      return { do: 'move', by: LEAP };
    case 'arrowleft':
      return { do: 'move', by: -STEP };
    case 'arrowright':
      return { do: 'move', by: STEP };
  }
  // The others scroll a page; on the slider they are the slider's.
  if (place !== 'slider') return null;
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
