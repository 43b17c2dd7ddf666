// The lobby's live rooms: who is in them, who talks, how long they are being recorded.

import { clock, count } from './format.js';
import { find, make, reconcile, say, write } from './page.js';

/** The most people that are named in a room; the others are counted. */
const MOST_NAMED = 12;
/** How far the hub's clock and ours may drift apart before a length jumps, in ms. */
const DRIFT = 1_500;
/** So long are rooms gathered that come and go, to be told in one sentence, in ms. */
const TOLD_AFTER = 1_000;

/**
 * @typedef {import('./api.js').LiveRoom} LiveRoom
 * @typedef {LiveRoom & { began: number | null }} Shown `began` is when its recording did, in ms of this page's clock
 */

export class LiveRooms {
  /** In the order in which they came, so that none moves another away from under a finger. @type {Map<string, Shown>} */
  #rooms = new Map();
  #known = false;
  /** What a screen reader is told: live or not, by room. @type {Map<string, boolean>} */
  #news = new Map();
  #list = find('rooms', HTMLElement);

  constructor() {
    setInterval(() => this.#tick(), 1_000);
  }

  /** The rooms' names. @returns {string[]} */
  get names() {
    return [...this.#rooms.keys()];
  }

  /** These are all there are. @param {LiveRoom[]} rooms */
  all(rooms) {
    const names = new Set(rooms.map(({ name }) => name));
    for (const name of this.#rooms.keys()) if (!names.has(name)) this.#remove(name);
    for (const room of rooms) this.#put(room);
    this.#known = true;
    this.#show();
  }

  /** This one is live, or has changed. @param {LiveRoom} room */
  is(room) {
    this.#put(room);
    this.#show();
  }

  /** Nobody is in this one any more. @param {string} name */
  gone(name) {
    this.#remove(name);
    this.#show();
  }

  /** @param {LiveRoom} room */
  #put(room) {
    const old = this.#rooms.get(room.name);
    if (!old) this.#tell(room.name, true);
    let began = room.session && performance.now() - room.session.elapsed * 1000;
    const same = room.session && old?.session?.recording === room.session.recording;
    if (same && began !== null && old.began !== null && Math.abs(old.began - began) < DRIFT) began = old.began;
    this.#rooms.set(room.name, { ...room, began });
  }

  /** @param {string} name */
  #remove(name) {
    if (this.#rooms.delete(name)) this.#tell(name, false);
  }

  #show() {
    const rooms = [...this.#rooms.values()];
    say(find('no-rooms', HTMLElement), rooms.length === 0 ? 'No room is live. Open one, and it appears here.' : '');
    reconcile(this.#list, rooms, ({ name }) => name, makeRoom, updateRoom);
    this.#tick();
  }

  /** Lengths go on by themselves. */
  #tick() {
    for (const element of /** @type {Iterable<HTMLElement>} */ (this.#list.children)) {
      const began = this.#rooms.get(element.dataset.key ?? '')?.began ?? null;
      write(part(element, '.length'), began === null ? '' : clock((performance.now() - began) / 1000));
    }
  }

  /** Says which rooms came and went, once things have settled; who talks would be too much. @param {string} name @param {boolean} live */
  #tell(name, live) {
    if (!this.#known) return;
    if (this.#news.size === 0) {
      setTimeout(() => {
        const told = [...this.#news].map(([name, live]) => `${name} is ${live ? 'live' : 'empty'} now.`);
        this.#news.clear();
        const news = find('news', HTMLElement);
        write(news, told.join(' '));
        // The same may happen again, and is news then.
        setTimeout(() => this.#news.size > 0 || write(news, ''), 10 * TOLD_AFTER);
      }, TOLD_AFTER);
    }
    this.#news.set(name, live);
  }
}

/** @param {Shown} room */
function makeRoom({ name }) {
  const link = make('a', { href: `/rooms/${name}`, class: 'name cover' }, name);
  const sign = make('span', { class: 'sign' }, make('span', {}, 'Recording'), make('span', { class: 'length' }));
  const people = make('ul', { class: 'tags', 'aria-label': 'Who is there' });
  return make('li', { class: 'card' }, make('div', { class: 'head' }, make('h3', {}, link), sign), people, make('p', { class: 'facts' }));
}

/**
 * @param {HTMLElement} element
 * @param {Shown} room
 */
function updateRoom(element, { participants, listeners, tracks, session }) {
  part(element, '.sign').hidden = session === null;
  const talking = new Set(tracks.filter(({ muted }) => !muted).map(({ participant }) => participant));
  const people = [...participants].sort((one, other) => one.name.localeCompare(other.name) || (one.id < other.id ? -1 : 1));
  const list = part(element, '.tags');
  reconcile(list, people.slice(0, MOST_NAMED), ({ id }) => id, makePerson, (tag, { id }) => {
    tag.classList.toggle('live', talking.has(id));
    write(part(tag, '.spoken'), talking.has(id) ? ', talking' : '');
  });
  list.hidden = people.length === 0;
  const others = people.length - MOST_NAMED;
  const facts = [others > 0 ? `and ${others} more` : '', listeners > 0 ? count(listeners, 'listener') : ''].filter(Boolean);
  say(part(element, '.facts'), facts.join(' · '));
}

/** @param {import('./api.js').Participant} person */
function makePerson({ name }) {
  return make('li', { class: 'tag' }, make('span', {}, name), make('span', { class: 'spoken' }));
}

/** @param {HTMLElement} element @param {string} selector */
function part(element, selector) {
  return /** @type {HTMLElement} */ (element.querySelector(selector));
}
