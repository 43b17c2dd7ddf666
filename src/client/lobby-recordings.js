// The lobby's recordings: a page of the newest, older ones when they are asked for, and what a search finds.

import * as api from './api.js';
import { ago, clock, count } from './format.js';
import { find, make, reconcile, say, write } from './page.js';
import { endWord } from './sentences.js';
import { RecordingsList } from './recordings-list.js';

/** How many are fetched at a time. */
const PAGE = 20;
/** The most that the hub gives at a time. */
const MOST = 200;
/** How long one who types is waited for, in ms. */
const PAUSE = 200;
/** How long an answer may take before it is told that it is awaited, in ms. */
const PATIENCE = 400;
/** How long to wait before what failed is asked again, in ms. */
const AGAIN = 5_000;
/** The most people that are named; the others are counted. */
const MOST_NAMED = 6;
/** What is said while an answer is under way. */
const LOOKING = 'Looking …';

/** @typedef {import('./api.js').Recording} Recording */

export class Recordings {
  #list = new RecordingsList();
  /** What is searched for: the list will show it once it has come. */
  #search = '';
  /** What the list shows; `null` before anything has come. @type {string | null} */
  #shown = null;
  /** Counts what was asked for: an answer that was overtaken by another search is thrown away. */
  #asked = 0;
  /** Whether an answer is under way, and whether it may be out of date when it comes. @type {'no' | 'yes' | 'stale'} */
  #fetching = 'no';
  /** When the newest answer has come, or failed. @type {Promise<void>} */
  #settled = Promise.resolve();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #typing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #refreshing;
  #field = find('search', HTMLInputElement);
  #older = find('older', HTMLButtonElement);

  constructor() {
    this.#older.addEventListener('click', () => void this.#showOlder());
    find('search-form', HTMLFormElement).addEventListener('submit', (event) => {
      event.preventDefault();
      this.#type();
    });
    this.#field.addEventListener('input', () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#type(), PAUSE);
    });
    find('show-all', HTMLButtonElement).addEventListener('click', () => {
      this.#field.value = '';
      this.#field.focus();
      this.#type();
    });
    addEventListener('popstate', () => this.#arrive());
    setInterval(() => this.#show(), 20_000);
    this.#arrive();
  }

  /** Fetches again all that is shown: changes may have gone unseen. What is under way is shown first. */
  refresh() {
    clearTimeout(this.#refreshing);
    if (this.#fetching === 'no') this.#fetch(this.#list.items.length);
    else this.#fetching = 'stale';
  }

  /** It is new, or something of it has changed. @param {Recording} recording */
  changed(recording) {
    const shown = this.#list.changed(recording);
    // Whether a search finds it only the hub knows.
    if (!shown && this.#search) this.#refreshIn(PAUSE);
    this.#show();
  }

  /** It is gone. @param {string} id */
  deleted(id) {
    this.#list.deleted(id);
    this.#show();
  }

  /** Shows what the page's address says, which is how one comes here, and back. */
  #arrive() {
    clearTimeout(this.#typing);
    this.#search = new URLSearchParams(location.search).get('search')?.trim() ?? '';
    this.#field.value = this.#search;
    this.#fetch(0);
  }

  /** Searches for what was typed. The address says so, too; while one types it is one step back. */
  #type() {
    clearTimeout(this.#typing);
    const search = this.#field.value.trim();
    if (search === this.#search) return;
    const address = new URL(location.href);
    if (search) address.searchParams.set('search', search);
    else address.searchParams.delete('search');
    if (this.#search && search) history.replaceState(null, '', address);
    else history.pushState(null, '', address);
    this.#search = search;
    this.#fetch(0);
  }

  /** @param {number} millis */
  #refreshIn(millis) {
    clearTimeout(this.#refreshing);
    this.#refreshing = setTimeout(() => this.refresh(), millis);
  }

  /** Fetches as many as are shown, and a page at least. @param {number} shown */
  #fetch(shown) {
    this.#settled = this.#load(shown);
  }

  /** @param {number} shown */
  async #load(shown) {
    const [asked, search] = [++this.#asked, this.#search];
    clearTimeout(this.#refreshing);
    this.#fetching = 'yes';
    const mark = this.#list.mark();
    const busy = setTimeout(() => this.#busy(true), PATIENCE);
    try {
      /** @type {Recording[]} */
      const recordings = [];
      /** @type {string | null} */
      let next = null;
      do {
        const limit = Math.min(MOST, Math.max(PAGE, shown - recordings.length));
        const page = await api.recordings({ search, cursor: next, limit });
        if (asked !== this.#asked) return;
        recordings.push(...page.recordings);
        next = page.next;
      } while (next && recordings.length < shown);
      this.#list.replace(mark, { recordings, next, searched: search !== '' });
      this.#shown = search;
      say(find('recordings-trouble', HTMLElement), '');
      this.#show();
      this.#tell();
    } catch (error) {
      if (asked === this.#asked) this.#failed(error);
    } finally {
      this.#list.forget(mark);
      clearTimeout(busy);
      if (asked === this.#asked) this.#fetched();
    }
  }

  async #showOlder() {
    if (!this.#list.next || this.#older.ariaDisabled === 'true') return;
    // Not `disabled`, which would take the focus away.
    this.#older.ariaDisabled = 'true';
    write(this.#older, LOOKING);
    try {
      do await this.#settled;
      while (!(await this.#appendOlder()));
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#older.ariaDisabled = null;
      write(this.#older, 'Show older ones');
    }
  }

  /** Appends the next page; not where all is fetched again meanwhile, behind which that page comes. @returns {Promise<boolean>} */
  async #appendOlder() {
    const [asked, { next }] = [this.#asked, this.#list];
    // In another search they are asked for anew.
    if (!next || this.#shown !== this.#search) return true;
    const mark = this.#list.mark();
    const first = this.#list.items.length;
    try {
      const page = await api.recordings({ search: this.#search, cursor: next, limit: PAGE });
      if (asked !== this.#asked) return false;
      this.#list.append(mark, page);
    } catch (error) {
      if (asked !== this.#asked) return false;
      throw error;
    } finally {
      this.#list.forget(mark);
    }
    const focused = document.activeElement === this.#older;
    this.#show();
    if (focused && this.#older.hidden) link(first)?.focus();
    return true;
  }

  /** The newest answer has come, or will not. */
  #fetched() {
    this.#busy(false);
    const stale = this.#fetching === 'stale';
    this.#fetching = 'no';
    if (stale) this.refresh();
  }

  /** Says what is wrong, and tries again. @param {unknown} error */
  #failed(error) {
    if (!(error instanceof api.ApiError)) throw error;
    say(find('no-recordings', HTMLElement), '');
    say(find('recordings-trouble', HTMLElement), `The recordings cannot be shown. ${error.message}`);
    // A search that cannot be will not be later.
    if (error.status !== 400) this.#refreshIn(AGAIN);
  }

  /** Says that an answer takes its time. @param {boolean} busy */
  #busy(busy) {
    find('recordings', HTMLElement).ariaBusy = busy ? 'true' : null;
    const found = find('found', HTMLElement);
    if (busy) write(found, LOOKING);
    else if (found.textContent === LOOKING) write(found, '');
  }

  #show() {
    const { items, next } = this.#list;
    if (this.#shown === null) return;
    reconcile(find('recordings', HTMLElement), items, ({ id }) => id, makeRecording, updateRecording);
    this.#older.hidden = next === null;
    const none = this.#shown ? `Nothing was found for “${this.#shown}”.` : 'Nothing was recorded yet. What is said in a room is recorded by itself.';
    say(find('no-recordings', HTMLElement), items.length > 0 ? '' : none);
    find('show-all', HTMLButtonElement).hidden = !this.#shown;
  }

  /** Says what was found. */
  #tell() {
    const { items, next } = this.#list;
    const many = items.length === 0 ? 'Nothing' : count(items.length, 'recording');
    write(find('found', HTMLElement), this.#shown ? `${next === null ? many : `More than ${many}`} found` : '');
  }
}

/** The link of the recording in this place. @param {number} place @returns {HTMLElement | null | undefined} */
function link(place) {
  return find('recordings', HTMLElement).children[place]?.querySelector('a');
}

/** @param {Recording} recording */
function makeRecording({ id }) {
  const name = make('h3', {}, make('a', { href: `/recordings/${id}`, class: 'name cover' }));
  const facts = ['place', 'length', 'people'].map((name) => make('span', { class: name }));
  return make(
    'li',
    { class: 'card' },
    make('div', { class: 'head' }, name, make('span', { class: 'sign' })),
    make('p', { class: 'facts' }, make('time', {}), ...facts),
  );
}

/**
 * @param {HTMLElement} element
 * @param {Recording} recording
 */
function updateRecording(element, { title, room, started, state, end_reason, duration, people }) {
  const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
  const live = state !== 'ended';
  write(part('a'), title ?? room);
  const sign = part('.sign');
  sign.classList.toggle('ended', !live);
  say(sign, live ? 'Recording' : endWord(end_reason));
  const then = new Date(started);
  const time = /** @type {HTMLTimeElement} */ (part('time'));
  time.dateTime = started;
  time.title = then.toLocaleString();
  write(time, ago(then, new Date()));
  say(part('.place'), title === null ? '' : `in ${room}`);
  // How long one is that is still being made the live room says.
  say(part('.length'), live ? '' : clock(duration));
  const others = people.length - MOST_NAMED;
  say(part('.people'), `${people.slice(0, MOST_NAMED).join(', ')}${others > 0 ? ` and ${others} more` : ''}`);
}
