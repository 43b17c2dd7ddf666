// Who is in a room and who speaks now, told from levels over time. Time is passed in.

import { count } from './format.js';

/** Louder than this is speech: a share of the bar. */
const LOUD = 0.25;
/** How long one counts as speaking after the last loud moment, in ms: the pauses between words. */
const HOLD = 600;
/** How quickly a bar falls, in bars a second: it rises at once, and what is shown is calmer than what is measured. */
const FALL = 2;

/** @typedef {{ id: string, name: string, own: boolean, live: boolean, muted: boolean }} Person */

export class Speaking {
  /** When each was last loud, in ms. @type {Map<string, number>} */
  #loud = new Map();
  /** What each one's bar shows, and since when, in ms. @type {Map<string, { bar: number, at: number }>} */
  #shown = new Map();

  /**
   * @param {string} id
   * @param {number} bar how loud one is, as a share of the bar
   * @param {number} now ms
   * @returns {number} what the bar shows
   */
  hear(id, bar, now) {
    if (bar > LOUD) this.#loud.set(id, now);
    const before = this.#shown.get(id) ?? { bar: 0, at: now };
    const shown = Math.max(bar, before.bar - ((now - before.at) / 1000) * FALL);
    this.#shown.set(id, { bar: shown, at: now });
    return shown;
  }

  /** @param {Pick<Person, 'id' | 'live' | 'muted'>} person @param {number} now ms @returns {boolean} */
  speaks({ id, live, muted }, now) {
    return live && !muted && now - (this.#loud.get(id) ?? -Infinity) < HOLD;
  }

  /** What one does, in a word. @param {Person} person @param {number} now ms */
  word(person, now) {
    if (!person.live) return 'listening';
    if (person.muted) return 'muted';
    return this.speaks(person, now) ? 'speaking' : 'microphone on';
  }
}

/**
 * Everyone who may speak, ourselves first, then by name.
 *
 * @param {import('./connection.js').Participant & { live: boolean, muted: boolean } | null} self null where we only listen
 * @param {Iterable<import('./connection.js').Participant>} participants with or without ourselves
 * @param {Iterable<import('./connection.js').Track>} tracks
 * @returns {Person[]}
 */
export function peopleOf(self, participants, tracks) {
  const live = [...tracks];
  const others = [...participants].filter(({ id }) => id !== self?.id);
  others.sort((one, other) => one.name.localeCompare(other.name) || (one.id < other.id ? -1 : 1));
  return [
    ...(self ? [{ ...self, own: true }] : []),
    ...others.map(({ id, name }) => {
      const theirs = live.filter(({ participant }) => participant === id);
      return { id, name, own: false, live: theirs.length > 0, muted: theirs.length > 0 && theirs.every(({ muted }) => muted) };
    }),
  ];
}

/**
 * Who speaks, as a sentence.
 *
 * @param {Person[]} speakers
 */
export function speakersSentence(speakers) {
  const names = speakers.map(({ name, own }) => (own ? 'you' : name));
  if (names.length === 0) return 'Nobody speaks.';
  return `Speaking now: ${names.join(', ')}.`;
}

/**
 * How many only listen, as a sentence; nothing where nobody does.
 *
 * @param {number} listeners
 * @param {boolean} self whether we are one of them
 */
export function listenersSentence(listeners, self) {
  const others = listeners - (self ? 1 : 0);
  const more = others > 0 ? `${count(others, 'more listens', 'more listen')}.` : '';
  return [self ? 'You listen.' : '', more].filter(Boolean).join(' ');
}

/**
 * Who came and who went, as a sentence for those who cannot see the list; nothing where nobody did.
 *
 * @param {ReadonlyMap<string, import('./connection.js').Participant>} before
 * @param {ReadonlyMap<string, import('./connection.js').Participant>} after
 */
export function comingsSentence(before, after) {
  const missing = (/** @type {typeof before} */ here, /** @type {typeof before} */ there) =>
    [...here.values()].filter(({ id }) => !there.has(id)).map(({ name }) => name);
  const said = (/** @type {string[]} */ names, /** @type {string} */ verb) => {
    if (names.length === 0) return '';
    return names.length > 3 ? `${names.length} people ${verb}.` : `${names.join(', ')} ${verb}.`;
  };
  return [said(missing(after, before), 'came'), said(missing(before, after), 'went')].filter(Boolean).join(' ');
}
