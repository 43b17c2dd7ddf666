// The chat and the markers of a recording on its page, in time with the sound: the line that has come last is marked and in view.
//
// What belongs here: elements. What does not: which line that is, see `chat-in-time.js`.

import { lastBy, linesOf } from './chat-in-time.js';
import { clock } from './format.js';
import { wordsOf } from './marker-words.js';
import { make, reconcile } from './page.js';

/** How long the list stays where someone has scrolled it, in ms. */
const THEIRS = 5_000;

export class Transcript {
  /** @type {import('./chat-in-time.js').Line[]} */
  #lines = [];
  #list;
  #none;
  #go;
  /** The last line that has come. */
  #last = -1;
  /** When someone scrolled last, in ms. */
  #scrolled = -Infinity;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.list
   * @param {HTMLElement} parts.none what is shown where there is no line
   * @param {(at: number) => void} go told the time of a line that was chosen, in seconds
   */
  constructor({ list, none }, go) {
    this.#list = list;
    this.#none = none;
    this.#go = go;
    for (const event of ['wheel', 'touchmove', 'keydown', 'pointerdown']) {
      list.addEventListener(event, () => void (this.#scrolled = performance.now()), { passive: true });
    }
  }

  /** @param {import('./chat-in-time.js').Happened} recording */
  show(recording) {
    this.#lines = linesOf(recording);
    const keyed = this.#lines.map((line, index) => ({ line, index }));
    reconcile(this.#list, keyed, ({ line, index }) => `${index} ${line.kind} ${line.at} ${line.kind === 'marker' ? line.text : ''}`, ({ line }) => this.#make(line), () => {});
    this.#list.hidden = this.#lines.length === 0;
    this.#none.hidden = this.#lines.length > 0;
    this.#last = -2;
  }

  /** Marks what has come by a moment. @param {number} at seconds */
  move(at) {
    const last = lastBy(this.#lines, at);
    if (last === this.#last) return;
    this.#last = last;
    [...this.#list.children].forEach((line, index) => {
      line.classList.toggle('to-come', index > last);
      if (index === last) line.setAttribute('aria-current', 'true');
      else line.removeAttribute('aria-current');
    });
    const current = this.#list.children[Math.max(0, last)];
    if (current instanceof HTMLElement && performance.now() - this.#scrolled > THEIRS) this.#bring(current);
  }

  /** Only the list moves, from which lines are placed: `scrollIntoView` would move the page too. @param {HTMLElement} line */
  #bring(line) {
    const top = line.offsetTop;
    const [first, room] = [this.#list.scrollTop, this.#list.clientHeight];
    if (top >= first && top + line.offsetHeight <= first + room * 0.8) return;
    this.#list.scrollTo({ top: top - room * 0.4, behavior: 'smooth' });
  }

  /** @param {import('./chat-in-time.js').Line} line */
  #make({ at, kind, name, text }) {
    const time = make('button', { type: 'button', class: 'plain moment', 'aria-label': `Go to ${clock(at)}` }, clock(at));
    time.addEventListener('click', () => this.#go(at));
    return make('li', {}, time, said({ kind, name, text }));
  }
}

/** @param {Pick<import('./chat-in-time.js').Line, 'kind' | 'name' | 'text'>} line */
function said({ kind, name, text }) {
  switch (kind) {
    case 'chat':
      return make('p', {}, make('strong', {}, name ?? ''), ` ${text}`);
    case 'marker':
      return make('p', { class: 'flagged' }, wordsOf({ name, text }));
    case 'joined':
      return make('p', { class: 'quiet' }, `${name} came`);
    case 'left':
      return make('p', { class: 'quiet' }, `${name} left`);
  }
}
