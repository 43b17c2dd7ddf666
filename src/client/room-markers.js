// The markers of the room's page: sets one in what is being recorded, and shows those that were set during this visit.

import { clock } from './format.js';
import { wordsOf } from './marker-words.js';
import { find, make, say } from './page.js';

/** Markers that are kept on the page. */
const MOST = 200;

export class MarkersPart {
  #part = find('markers', HTMLElement);
  #form = find('mark', HTMLFormElement);
  #text = find('mark-text', HTMLInputElement);
  #list = find('marked', HTMLElement);
  #not = find('not-marked', HTMLElement);
  #mark;
  /** The recording whose markers are shown. @type {string | null} */
  #recording = null;

  /** @param {(text: string) => boolean} mark sets one now, where it can; answers whether it could */
  constructor(mark) {
    this.#mark = mark;
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (this.set(this.#text.value.trim())) this.#text.value = '';
    });
  }

  /** Sets one now, or says that it is not set. @param {string} text @returns {boolean} whether it is set */
  set(text) {
    const done = this.#mark(text);
    say(this.#not, done ? '' : 'Not marked: the connection is lost. Mark it when it is back.');
    return done;
  }

  /** @param {import('./connection.js').Session | null} session */
  follow(session) {
    if (session && session.recording !== this.#recording) {
      this.#recording = session.recording;
      this.#list.replaceChildren();
    }
    say(this.#not, '');
    this.#form.hidden = session === null;
    this.#part.hidden = session === null && this.#list.childElementCount === 0;
  }

  /** One was set. @param {import('./connection.js').Marker} marker */
  add(marker) {
    const link = make('a', { href: `/recordings/${this.#recording ?? ''}#t=${Math.floor(marker.at)}`, target: '_blank' }, clock(marker.at));
    link.append(make('span', { class: 'spoken' }, ', listen in a new tab'));
    this.#list.prepend(make('li', {}, link, ' ', make('span', {}, wordsOf(marker))));
    while (this.#list.childElementCount > MOST) this.#list.lastElementChild?.remove();
    this.#part.hidden = false;
  }

  /** A new visit knows nothing of the one before. */
  forget() {
    this.#recording = null;
    this.#list.replaceChildren();
    this.follow(null);
  }
}
