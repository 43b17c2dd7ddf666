// Who is in the room, as the page shows it: each with a level, what they do, and how loud we want to hear them.

import { barOf } from './level.js';
import { find, make, reconcile, write } from './page.js';
import { Speaking, speakersSentence } from './speaking.js';

/** @typedef {import('./speaking.js').Person} Person */

const LOUDSPEAKER = 'M4 10v4h4l5 4V6L8 10zM16.5 9a4 4 0 0 1 0 6M19 6.5a8 8 0 0 1 0 11';

export class PeoplePart {
  #list = find('people', HTMLElement);
  #speakers = find('speaking', HTMLElement);
  #speaking = new Speaking();
  /** How loud each is wanted, 0 to 2, by ID; and by name, for one who comes back. @type {Map<string, number>} */
  #volumes = new Map();
  /** @type {Person[]} */
  #people = [];

  /** @param {{ setVolume: (participant: string, volume: number) => void }} options where a volume goes */
  constructor({ setVolume }) {
    this.setVolume = setVolume;
  }

  /** @param {Person[]} people */
  show(people) {
    for (const { id, name } of people) {
      const volume = this.#volumes.get(name);
      if (this.#volumes.has(id) || volume === undefined) continue;
      this.#volumes.set(id, volume);
      this.setVolume(id, volume);
    }
    this.#people = people;
    reconcile(this.#list, people, ({ id }) => id, (person) => this.#make(person), (element, person) => this.#update(element, person));
  }

  /** Shows how loud everyone is now. @param {(person: Person) => number} rmsOf */
  showLevels(rmsOf) {
    const now = performance.now();
    for (const person of this.#people) {
      const bar = person.live && !person.muted ? barOf(rmsOf(person)) : 0;
      const shown = this.#speaking.hear(person.id, bar, now);
      const element = [...this.#list.children].find((it) => /** @type {HTMLElement} */ (it).dataset.key === person.id);
      if (!(element instanceof HTMLElement)) continue;
      this.#update(element, person);
      element.style.setProperty('--level', shown.toFixed(2));
    }
    write(this.#speakers, speakersSentence(this.#people.filter((person) => this.#speaking.speaks(person, now))));
  }

  /** What was set during a visit is forgotten with it. */
  forget() {
    this.#volumes.clear();
    this.#speaking = new Speaking();
  }

  /** @param {Person} person */
  #make({ id, name, own }) {
    return make(
      'li',
      { class: 'person' },
      make('span', { class: 'face', 'aria-hidden': 'true' }, [...name][0]?.toUpperCase() ?? ''),
      make('p', { class: 'who' }, make('span', { class: 'name' }, name), ...(own ? [make('span', { class: 'quiet' }, ' (you)')] : [])),
      make('p', { class: 'what quiet' }),
      ...(own ? [] : [this.#volume(id, name)]),
      make('span', { class: 'bar', 'aria-hidden': 'true' }, make('span', {})),
    );
  }

  /**
   * @param {string} id
   * @param {string} name
   */
  #volume(id, name) {
    const volume = this.#volumes.get(id) ?? 1;
    const value = String(Math.round(volume * 100));
    const slider = make('input', { type: 'range', min: '0', max: '200', step: '5', value, 'aria-label': `Volume of ${name}` });
    const shown = make('output', { 'aria-hidden': 'true' });
    const show = () => {
      slider.style.setProperty('--share', String(Number(slider.value) / 200));
      slider.setAttribute('aria-valuetext', `${slider.value} percent`);
      write(shown, `${slider.value} %`);
    };
    show();
    slider.addEventListener('input', () => {
      show();
      const wanted = Number(slider.value) / 100;
      this.#volumes.set(id, wanted).set(name, wanted);
      this.setVolume(id, wanted);
    });
    return make('span', { class: 'volume' }, picture(LOUDSPEAKER), slider, shown);
  }

  /**
   * @param {HTMLElement} element
   * @param {Person} person
   */
  #update(element, person) {
    const word = this.#speaking.word(person, performance.now());
    element.classList.toggle('speaking', word === 'speaking');
    element.classList.toggle('live', person.live && !person.muted);
    write(/** @type {HTMLElement} */ (element.querySelector('.what')), word);
  }
}

/** @param {string} path what is drawn, in a field of 24 by 24 */
function picture(path) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('aria-hidden', 'true');
  const line = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  line.setAttribute('d', path);
  svg.append(line);
  return svg;
}
