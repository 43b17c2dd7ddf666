// The buttons at the foot of the room's page: talk, mute, settings, leave. They keep their places when their words change.

import { find, write } from './page.js';

export class DockPart {
  #part = find('dock', HTMLElement);
  #talk = find('talk', HTMLButtonElement);
  #mute = find('mute', HTMLButtonElement);
  #joinIn = find('join-in', HTMLButtonElement);
  #settings = find('settings-button', HTMLButtonElement);
  #tip = find('tip', HTMLElement);
  #listens = find('listens', HTMLElement);

  /**
   * @param {object} options
   * @param {() => void} options.talk
   * @param {() => void} options.mute
   * @param {() => void} options.joinIn
   * @param {() => void} options.settings
   * @param {() => void} options.leave
   */
  constructor({ talk, mute, joinIn, settings, leave }) {
    this.#talk.addEventListener('click', talk);
    this.#mute.addEventListener('click', mute);
    this.#joinIn.addEventListener('click', joinIn);
    this.#settings.addEventListener('click', settings);
    find('leave', HTMLButtonElement).addEventListener('click', leave);
  }

  /** The buttons on which Space is held to talk. @returns {HTMLElement[]} */
  get voiceButtons() {
    return [this.#talk, this.#mute];
  }

  /** @param {HTMLElement} button */
  isTalk(button) {
    return button === this.#talk;
  }

  /** @param {'talk' | 'listen' | 'nothing'} way what one is here for */
  show(way) {
    this.#part.hidden = way === 'nothing';
    for (const it of [this.#talk, this.#mute, this.#settings, this.#tip]) it.hidden = way === 'listen';
    for (const it of [this.#joinIn, this.#listens]) it.hidden = way !== 'listen';
    this.voice({ kind: 'silent' });
  }

  focus() {
    (this.#talk.hidden ? this.#joinIn : this.#talk).focus();
  }

  /** @param {boolean} on whether Space is held to talk */
  tip(on) {
    this.#tip.classList.toggle('gone', !on);
  }

  /** @param {import('./publisher.js').State} state */
  voice(state) {
    const talking = state.kind === 'talking';
    write(/** @type {HTMLElement} */ (this.#talk.querySelector('span')), wordOf(state));
    if (talking) this.#talk.setAttribute('aria-label', 'Stop talking');
    else this.#talk.removeAttribute('aria-label');
    // Never disabled while the browser asks: who thinks better of it presses again, and the focus stays.
    this.#talk.setAttribute('aria-disabled', String(state.kind === 'stopping'));
    this.#talk.classList.toggle('main', !talking);
    this.#mute.disabled = !talking;
    this.#mute.setAttribute('aria-pressed', String(talking && state.muted));
    this.#part.classList.toggle('talks', talking && !state.muted);
  }
}

/** @param {import('./publisher.js').State} state */
function wordOf({ kind }) {
  if (kind === 'talking' || kind === 'stopping') return 'Stop';
  return kind === 'starting' ? 'Asking …' : 'Talk';
}
