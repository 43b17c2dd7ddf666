// The chat of the room's page: lines with their times, as text and never as markup, and a hint at those not seen yet.

import { timeOfDay } from './format.js';
import { find, make, say } from './page.js';
import { Unread, unreadSentence } from './unread.js';

/** Lines that are kept on the page. */
const MOST_LINES = 500;
/** So near to its end the chat counts as read to its end, in px. */
const NEAR = 8;

export class ChatPart {
  #place = find('chat', HTMLElement);
  #lines = find('lines', HTMLElement);
  #form = find('say', HTMLFormElement);
  #text = find('text', HTMLInputElement);
  #hint = find('unread', HTMLButtonElement);
  #unread = new Unread();

  /**
   * @param {object} options
   * @param {(text: string) => string | null} options.say says a line to everyone and answers as whom; null where it cannot
   * @param {() => void} options.changed how many lines are unseen has changed
   */
  constructor({ say: send, changed }) {
    this.changed = changed;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      const text = this.#text.value.trim();
      const name = text && send(text);
      if (!name) return;
      // The hub tells the others; ours it does not send back.
      this.#append(name, text, true);
      this.#text.value = '';
    });
    this.#hint.addEventListener('click', () => {
      this.#toEnd();
      find('chat-part', HTMLElement).scrollIntoView({ block: 'nearest' });
      this.#text.focus();
    });
    this.#place.addEventListener('scroll', () => this.#look({ atEnd: this.#atEnd }));
    document.addEventListener('visibilitychange', () => this.#look({ visible: !document.hidden }));
    const sight = new IntersectionObserver((entries) => this.#look({ onScreen: entries.at(-1)?.isIntersecting ?? false }));
    sight.observe(this.#form);
  }

  /** How many lines one has not seen. */
  get unread() {
    return this.#unread.count;
  }

  /** Another's line. @param {string} name @param {string} text */
  line(name, text) {
    this.#append(name, text, false);
  }

  clear() {
    this.#lines.replaceChildren();
    this.#unread.clear();
    this.#show();
  }

  get #atEnd() {
    return this.#place.scrollTop + this.#place.clientHeight >= this.#place.scrollHeight - NEAR;
  }

  /**
   * @param {string} name
   * @param {string} text
   * @param {boolean} own
   */
  #append(name, text, own) {
    const atEnd = this.#atEnd;
    const now = new Date();
    const time = make('time', { datetime: now.toISOString() }, timeOfDay(now));
    const line = make('li', {}, make('p', {}, make('strong', {}, name), ' ', time), make('p', {}, text));
    this.#lines.append(line);
    while (this.#lines.childElementCount > MOST_LINES) this.#lines.firstElementChild?.remove();
    if (own || atEnd) this.#toEnd();
    if (!own) this.#unread.line();
    this.#show();
  }

  #toEnd() {
    this.#place.scrollTop = this.#place.scrollHeight;
  }

  /** @param {Parameters<Unread['look']>[0]} change */
  #look(change) {
    this.#unread.look(change);
    this.#show();
  }

  #show() {
    say(this.#hint, unreadSentence(this.#unread.count));
    this.changed();
  }
}
