// The line of the room's page that says what is wrong and what to do. It lies at the foot of the window, so that nothing
// moves away from under a finger when it comes.

import { find, say, write } from './page.js';
import { gravest } from './trouble.js';

/** @typedef {import('./trouble.js').Kind} Kind */

export class TroublePart {
  #part = find('trouble', HTMLElement);
  #text = find('trouble-text', HTMLElement);
  #when = find('trouble-when', HTMLElement);
  #action = find('trouble-action', HTMLButtonElement);
  #hide = find('trouble-hide', HTMLButtonElement);
  /** @type {Map<Kind, import('./trouble.js').Trouble>} */
  #troubles = new Map();
  /** What takes away what passes by itself. @type {Map<Kind, ReturnType<typeof setTimeout>>} */
  #passing = new Map();

  constructor() {
    this.#action.addEventListener('click', () => this.#shown?.action?.run());
    this.#hide.addEventListener('click', () => {
      const kind = gravest(this.#troubles);
      if (kind) this.say(kind, '');
    });
  }

  /**
   * @param {Kind} kind
   * @param {string} text nothing where all is well again
   * @param {import('./trouble.js').Trouble['action']} [action]
   */
  say(kind, text, action) {
    if (text === '') this.#troubles.delete(kind);
    else this.#troubles.set(kind, { text, ...(action ? { action } : {}) });
    this.#show();
  }

  /** Something that passes by itself. @param {Kind} kind @param {string} text @param {number} ms how long it stays */
  mention(kind, text, ms) {
    this.say(kind, text);
    clearTimeout(this.#passing.get(kind));
    this.#passing.set(kind, setTimeout(() => this.#troubles.get(kind)?.text === text && this.say(kind, ''), ms));
  }

  /** How long something still takes, beside the sentence: it changes each second, so it is not read out. @param {string} text */
  when(text) {
    write(this.#when, text);
  }

  get #shown() {
    const kind = gravest(this.#troubles);
    return kind ? this.#troubles.get(kind) : undefined;
  }

  #show() {
    const shown = this.#shown;
    const kind = gravest(this.#troubles);
    write(this.#text, shown?.text ?? '');
    say(this.#action, shown?.action?.word ?? '');
    this.#hide.hidden = kind === 'connection';
    if (kind !== 'connection') this.when('');
    this.#part.hidden = shown === undefined;
  }
}
