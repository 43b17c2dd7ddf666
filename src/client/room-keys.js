// Hears the keys of a room: M, B, and Space while it is held. What they mean is decided in `keys.js`.

import { placeAt } from './key-place.js';
import { pressed, released } from './keys.js';
import { find } from './page.js';
import { remember, remembered } from './remembered.js';

/**
 * The switch that turns the keys off, for those whose own keys they would be.
 *
 * @param {(on: boolean) => void} changed called at once too
 * @returns {() => boolean} whether they are on
 */
export function keySwitch(changed) {
  const input = find('keys', HTMLInputElement);
  input.checked = remembered('keys') !== 'off';
  input.addEventListener('change', () => {
    remember('keys', input.checked ? 'on' : 'off');
    changed(input.checked);
  });
  changed(input.checked);
  return () => input.checked;
}

/**
 * @param {object} options
 * @param {HTMLElement[]} options.voice the buttons on which a long Space is held and a short one presses
 * @param {() => boolean} options.on whether the keys are ours now
 * @param {() => void} options.mute
 * @param {() => void} options.mark
 * @param {() => void} options.hold
 * @param {() => void} options.release
 * @param {(button: HTMLElement) => void} options.press a short Space on one of the buttons: what holding it has done counts
 */
export function hearKeys({ voice, on, mute, mark, hold, release, press }) {
  /** @type {{ place: import('./keys.js').Place, since: number, target: HTMLElement } | null} */
  let held = null;

  const letGo = () => {
    if (!held) return;
    held = null;
    release();
  };

  document.addEventListener('keydown', (event) => {
    if (!on()) return letGo();
    const target = /** @type {HTMLElement} */ (event.target);
    const place = voice.includes(target) ? 'voice' : placeAt(target);
    const modified = event.ctrlKey || event.altKey || event.metaKey;
    const action = pressed({ key: event.key, repeat: event.repeat, modified, place }, held !== null);
    if (action === 'ignore') return;
    event.preventDefault();
    if (action === 'mute') mute();
    if (action === 'mark') mark();
    if (action === 'hold') {
      held = { place, since: performance.now(), target };
      hold();
    }
  });

  document.addEventListener('keyup', (event) => {
    if (event.key !== ' ' || !held) return;
    // Without this the button that has the focus would be pressed.
    event.preventDefault();
    const { place, since, target } = held;
    if (released(place, performance.now() - since) === 'release') return letGo();
    held = null;
    press(target);
  });

  // A key that is let go elsewhere is not heard here.
  window.addEventListener('blur', letGo);
  document.addEventListener('visibilitychange', () => document.hidden && letGo());
}
