// Before the room: who one is, whether one comes to talk or only to listen, and who is there already.

import { ApiError, liveRooms } from './api.js';
import { participantNameProblem } from './names.js';
import { find, write } from './page.js';
import { remember, remembered } from './remembered.js';
import { presenceSentence } from './sentences.js';

/** How often it is asked who is there, in ms. */
const EVERY = 5_000;
/** What one is called who only listens and gives no name. */
const NAMELESS = 'Guest';

/** @typedef {{ name: string, publish: boolean }} Who */

export class EntrancePart {
  #part = find('entrance', HTMLElement);
  #name = find('name', HTMLInputElement);
  #problem = find('name-problem', HTMLElement);
  #join = find('join-button', HTMLButtonElement);
  #listen = find('listen-button', HTMLButtonElement);
  #now = find('now', HTMLElement);
  #hint = this.#problem.textContent ?? '';
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {object} options
   * @param {string} options.room
   * @param {(who: Who) => void} options.enter
   */
  constructor({ room, enter }) {
    this.room = room;
    this.enter = enter;
    this.#name.value = remembered('name') ?? '';
    find('join', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#go(true);
    });
    this.#listen.addEventListener('click', () => this.#go(false));
    this.#name.addEventListener('input', () => this.#showProblem(''));
  }

  /** Shows the entrance, as far as one is not in the room. @param {boolean} shown */
  show(shown) {
    this.#part.hidden = !shown;
    clearInterval(this.#timer);
    if (!shown) return;
    void this.#look();
    this.#timer = setInterval(() => document.hidden || void this.#look(), EVERY);
  }

  /** @param {'name' | 'join'} what */
  focus(what) {
    (what === 'name' ? this.#name : this.#join).focus();
  }

  /** @param {boolean} busy whether one is about to be in the room */
  busy(busy) {
    this.#join.disabled = busy;
    this.#listen.disabled = busy;
    write(this.#join, busy ? 'Joining …' : 'Join');
  }

  /** @param {boolean} publish */
  #go(publish) {
    const name = this.#name.value.trim();
    // Who only listens is not in the list of people, and may stay without a name.
    const wrong = !publish && name === '' ? null : participantNameProblem(name);
    this.#showProblem(wrong ?? '');
    if (wrong) return this.#name.focus();
    if (name !== '') remember('name', name);
    this.enter({ name: name || NAMELESS, publish });
  }

  /** @param {string} problem nothing gives way to the hint */
  #showProblem(problem) {
    this.#name.setAttribute('aria-invalid', String(problem !== ''));
    write(this.#problem, problem || this.#hint);
  }

  async #look() {
    try {
      const room = (await liveRooms()).find(({ name }) => name === this.room);
      write(this.#now, presenceSentence(room ?? null));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      write(this.#now, error.message);
    }
  }
}
