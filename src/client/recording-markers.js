// The markers of a recording on its page: pins above the lanes, and a list in which they are set, written on and taken away.
//
// What belongs here: elements, and asking the hub. What does not: where it plays, which is passed in.

import * as api from './api.js';
import { clock } from './format.js';
import { placeOfKey } from './key-place.js';
import { wordsOf } from './marker-words.js';
import { allow, find, isAllowed, make, reconcile, say, write } from './page.js';

/** @typedef {import('./connection.js').Marker} Marker */

/** How long a sentence stays that needs nothing done, in ms. */
const READ = 5_000;

export class Markers {
  #part = {
    pins: find('pins', HTMLElement),
    list: find('markers', HTMLElement),
    none: find('no-markers', HTMLElement),
    form: find('mark', HTMLFormElement),
    go: find('mark-go', HTMLButtonElement),
    text: find('mark-text', HTMLInputElement),
    at: find('mark-at', HTMLElement),
    said: find('mark-said', HTMLElement),
    trouble: find('mark-trouble', HTMLElement),
  };
  #id;
  #view;
  #events;
  /** @type {Marker[]} */
  #markers = [];

  /**
   * @param {string} id the recording's
   * @param {import('./view.js').View} view which part of it the timeline shows
   * @param {object} events
   * @param {() => number} events.position where it plays, in seconds
   * @param {(at: number) => void} events.go
   * @param {() => Promise<void>} events.changed called when the hub has taken a change: what is shown is to be asked for again
   */
  constructor(id, view, events) {
    this.#id = id;
    this.#view = view;
    this.#events = events;
    this.#part.form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { text, go } = this.#part;
      const written = text.value.trim();
      void this.#once(go, async () => {
        // What is written meanwhile is for the next one.
        if ((await this.#set(written)) && text.value.trim() === written) text.value = '';
      });
    });
    document.addEventListener('keydown', (event) => {
      if (event.repeat || event.key.toLowerCase() !== 'b' || placeOfKey(event) === 'text') return;
      event.preventDefault();
      void this.#set('');
    });
  }

  /** @param {Marker[]} markers */
  show(markers) {
    this.#markers = markers;
    const { pins, list, none } = this.#part;
    pins.hidden = markers.length === 0;
    none.hidden = markers.length > 0;
    list.hidden = markers.length === 0;
    reconcile(list, markers, keyOf, (marker) => this.#row(marker), () => {});
    this.look();
  }

  /** Shows the pins of the part that the timeline shows by now. */
  look() {
    const { from, to, length } = this.#view;
    reconcile(this.#part.pins, this.#markers, keyOf, (marker) => this.#pin(marker), (pin, { at }) => {
      pin.hidden = at < from || at > to;
      pin.style.setProperty('--share', String(length > 0 ? this.#view.share(at) : 0));
    });
  }

  /** Shows where a marker would be set. @param {number} at seconds */
  move(at) {
    write(this.#part.at, clock(at));
  }

  /** For a finger or a mouse; the list has the same for everyone. @param {Marker} marker */
  #pin(marker) {
    const pin = make('span', { class: 'pin', title: `${clock(marker.at)} ${wordsOf(marker)}` });
    pin.addEventListener('click', () => this.#events.go(marker.at));
    return pin;
  }

  /** @param {Marker} marker */
  #row(marker) {
    const words = wordsOf(marker);
    const row = make('li', {});
    const go = make('button', { type: 'button', class: 'plain moment', 'aria-label': `Go to ${clock(marker.at)}, ${words}` }, clock(marker.at));
    go.addEventListener('click', () => this.#events.go(marker.at));
    const change = make('button', { type: 'button', class: 'plain', 'aria-label': `Change the marker at ${clock(marker.at)}, ${words}` }, 'Change');
    change.addEventListener('click', () => this.#edit(row, marker));
    const remove = make('button', { type: 'button', class: 'plain', 'aria-label': `Remove the marker at ${clock(marker.at)}, ${words}` }, 'Remove');
    remove.addEventListener('click', () => void this.#once(remove, () => this.#remove(marker)));
    row.append(go, make('p', {}, words), make('span', { class: 'doing' }, change, remove));
    return row;
  }

  /**
   * @param {HTMLElement} row
   * @param {Marker} marker
   */
  #edit(row, marker) {
    const input = make('input', { maxlength: '200', autocomplete: 'off', 'aria-label': `What the marker at ${clock(marker.at)} is` });
    input.value = marker.text;
    const cancel = make('button', { type: 'button' }, 'Cancel');
    const save = make('button', { class: 'main' }, 'Save');
    const form = make('form', { class: 'line', novalidate: '' }, input, save, cancel);
    const before = [...row.childNodes];
    const close = () => {
      row.replaceChildren(...before);
      const change = row.querySelector('.doing button');
      if (change instanceof HTMLElement) change.focus();
    };
    cancel.addEventListener('click', close);
    form.addEventListener('keydown', (event) => event.key === 'Escape' && close());
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text === marker.text) return close();
      const focus = () => this.#rowOf(marker.id)?.querySelector('.doing button');
      void this.#once(save, () => this.#ask(() => api.remark(this.#id, marker.id, text), 'Saved.', focus));
    });
    row.replaceChildren(form);
    input.select();
    input.focus();
  }

  /** @param {string} text */
  async #set(text) {
    const at = this.#events.position();
    return this.#ask(() => api.mark(this.#id, { at, text }), `Marked ${clock(at)}.`);
  }

  /** @param {Marker} marker */
  async #remove(marker) {
    // Markers that are shown again are others of the same IDs.
    const index = this.#markers.findIndex(({ id }) => id === marker.id);
    const next = () => (this.#part.list.children[index] ?? this.#part.list.lastElementChild)?.querySelector('button') ?? this.#part.text;
    await this.#ask(() => api.unmark(this.#id, marker.id), `The marker at ${clock(marker.at)} is gone.`, next);
  }

  /**
   * Does nothing a second time while it is being done.
   *
   * @param {HTMLButtonElement} button what begins it
   * @param {() => Promise<unknown>} work
   */
  async #once(button, work) {
    if (!isAllowed(button)) return;
    allow(button, false);
    try {
      await work();
    } finally {
      allow(button, true);
    }
  }

  /**
   * @param {() => Promise<unknown>} change
   * @param {string} done what is said then
   * @param {() => Element | null | undefined} [focus] where one is then
   * @returns {Promise<boolean>} whether it was done
   */
  async #ask(change, done, focus) {
    const { said, trouble } = this.#part;
    say(trouble, '');
    /** @param {unknown} error @param {string} [before] */
    const tell = (error, before = '') => {
      if (!(error instanceof api.ApiError)) throw error;
      say(trouble, before + error.message);
    };
    try {
      await change();
    } catch (error) {
      tell(error);
      return false;
    }
    write(said, done);
    setTimeout(() => write(said, ''), READ);
    // It is done, whether or not this page comes to show it.
    await this.#events.changed().catch((error) => tell(error, 'What is shown here is older: load this page again. '));
    const place = focus?.();
    if (place instanceof HTMLElement) place.focus();
    return true;
  }

  /** @param {string} id the marker's */
  #rowOf(id) {
    return [...this.#part.list.children].find((row) => /** @type {HTMLElement} */ (row).dataset.key?.startsWith(id));
  }
}

/** A marker that was changed is another element. @param {Marker} marker */
function keyOf({ id, at, text }) {
  return `${id} ${at} ${text}`;
}
