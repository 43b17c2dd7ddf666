// The title of a recording on its page, changed in its place: Enter saves, Escape gives up.

import { ApiError } from './api.js';
import { find, say, write } from './page.js';

/** The longest title that the hub takes, in characters. */
const LONGEST = 200;

/**
 * What a title becomes when it is saved: without spaces at its ends, and none where nothing is left.
 *
 * @param {string} text
 * @returns {string | null}
 */
export function titleOf(text) {
  const trimmed = text.replace(/\s+/g, ' ').trim();
  return trimmed === '' ? null : [...trimmed].slice(0, LONGEST).join('');
}

export class Title {
  #parts = {
    heading: find('title', HTMLElement),
    change: find('rename', HTMLButtonElement),
    form: find('title-form', HTMLFormElement),
    input: find('new-title', HTMLInputElement),
    cancel: find('keep-title', HTMLButtonElement),
    problem: find('title-problem', HTMLElement),
  };
  #save;
  /** @type {string | null} */
  #title = null;
  #otherwise = '';

  /** @param {(title: string | null) => Promise<void>} save */
  constructor(save) {
    this.#save = save;
    const { change, cancel, form } = this.#parts;
    change.addEventListener('click', () => this.#edit(this.#title ?? ''));
    cancel.addEventListener('click', () => this.#close());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#submit();
    });
    form.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#close();
    });
  }

  /**
   * @param {string | null} title
   * @param {string} otherwise what stands there where there is none: the room
   */
  show(title, otherwise) {
    this.#title = title;
    this.#otherwise = otherwise;
    write(this.#parts.heading, title ?? otherwise);
    document.title = `${title ?? otherwise} – roomtone`;
    this.#parts.change.hidden = !this.#parts.form.hidden;
  }

  /** @param {string} text */
  #edit(text) {
    const { heading, change, form, input } = this.#parts;
    input.value = text;
    input.placeholder = this.#otherwise;
    // A page keeps its heading, for those who do not see it.
    heading.classList.add('spoken');
    change.hidden = true;
    form.hidden = false;
    input.select();
    input.focus();
  }

  #close() {
    const { heading, form, change, problem } = this.#parts;
    form.hidden = true;
    heading.classList.remove('spoken');
    change.hidden = false;
    say(problem, '');
    change.focus();
  }

  /** Shown at once; where it is not saved after all, one is back at what one wrote. */
  async #submit() {
    const [before, written] = [this.#title, this.#parts.input.value];
    const title = titleOf(written);
    this.#close();
    if (title === before) return;
    this.show(title, this.#otherwise);
    try {
      await this.#save(title);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.show(before, this.#otherwise);
      this.#edit(written);
      say(this.#parts.problem, `The title was not saved. ${error.message}`);
    }
  }
}
