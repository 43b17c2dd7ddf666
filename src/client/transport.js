// The controls of a player on its page: play and pause, the slider, the clock, the keys.
//
// What belongs here: elements and keys. What does not: what is played, see `replay-player.js`.

import { clock } from './format.js';
import { placeOfKey } from './key-place.js';
import { find, write } from './page.js';
import { commandOf } from './replay-keys.js';

/** How far the buttons go, in seconds. */
const LEAP = 10;

/** What the state is in words, where the button alone does not say it. @type {Record<string, string>} */
const WORDS = { connecting: 'Connecting …', reconnecting: 'The connection was lost. Connecting again …', ended: 'The end. Play begins again from the start.' };

export class Transport {
  #player;
  #part = {
    play: find('play', HTMLButtonElement),
    back: find('back', HTMLButtonElement),
    forward: find('forward', HTMLButtonElement),
    seek: find('seek', HTMLInputElement),
    at: find('at', HTMLElement),
    duration: find('duration', HTMLElement),
    status: find('status', HTMLElement),
  };
  /** Where one points while one drags, in seconds. @type {number | null} */
  #pointed = null;

  /** @param {import('./replay-player.js').ReplayPlayer} player */
  constructor(player) {
    this.#player = player;
    const { play, back, forward, seek } = this.#part;
    play.addEventListener('click', () => player.toggle());
    back.addEventListener('click', () => this.#move(-LEAP));
    forward.addEventListener('click', () => this.#move(LEAP));
    seek.addEventListener('input', () => this.point(Number(seek.value), false));
    seek.addEventListener('change', () => this.point(Number(seek.value), true));
    seek.addEventListener('focus', () => this.#describe());
    document.addEventListener('keydown', (event) => this.#key(event));
    player.on('state', () => this.#showState());
    player.on('place', () => this.#describe());
    this.#showState();
    this.#describe();
  }

  /** The place that is shown: where one points, or what is heard. */
  get position() {
    return this.#pointed ?? this.#player.position();
  }

  /**
   * Shows a place while one drags, and goes there when one lets go.
   *
   * @param {number | null} at seconds; none where one points nowhere after all
   * @param {boolean} done
   */
  point(at, done) {
    this.#pointed = done ? null : at;
    if (done && at !== null) this.#player.seek(at);
    this.show();
  }

  /** Shows where it is. */
  show() {
    const { seek, at, duration } = this.#part;
    const [position, length] = [this.position, this.#player.duration];
    if (seek.max !== String(length)) seek.max = String(length);
    seek.value = String(position);
    seek.style.setProperty('--share', String(length > 0 ? position / length : 0));
    write(at, clock(position));
    write(duration, clock(length));
  }

  /** @param {number} by seconds */
  #move(by) {
    this.#player.seek(this.#player.position() + by);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const place = placeOfKey(event);
    const command = commandOf(event.key, place === 'slider' && event.target === this.#part.seek ? 'seek' : place);
    if (!command) return;
    event.preventDefault();
    if (command.do === 'toggle') this.#player.toggle();
    else if (command.do === 'move') this.#move(command.by);
    else this.#player.seek(command.to === 'start' ? 0 : this.#player.duration);
  }

  /** A screen reader is told the place when it is changed or asked for, not all the time. */
  #describe() {
    const { seek } = this.#part;
    seek.setAttribute('aria-valuetext', `${clock(this.position)} of ${clock(this.#player.duration)}`);
    this.show();
  }

  #showState() {
    const { play, status } = this.#part;
    const { kind } = this.#player.state;
    const playing = kind === 'playing' || ((kind === 'connecting' || kind === 'reconnecting') && this.#player.wanted);
    play.classList.toggle('playing', playing);
    play.setAttribute('aria-label', playing ? 'Pause' : 'Play');
    write(status, WORDS[kind] ?? '');
    this.show();
  }
}
