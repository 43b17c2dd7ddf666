// The timeline of a recording on its page: a lane for each track with its waveform, mute and solo, a playhead through
// all of them, and marks of time below.
//
// What belongs here: elements, drawing when it is needed, where one points. What does not: fetching, sound; what is muted
// is decided by the `Desk` that is passed in.

import { clock, count } from './format.js';
import { make, reconcile, write } from './page.js';
import { View } from './view.js';
import { draw, laneOf, loudest } from './waveform.js';

/** @typedef {import('./api.js').RecordedTrack} RecordedTrack */

/** Lengths between two marks of time, in seconds; beyond them whole hours. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800];
/** So wide is a mark with the room around it, in CSS pixels. */
const MARK = 76;

/**
 * The marks of time that fit.
 *
 * @param {import('./waveform.js').Span} span of the session
 * @param {number} most how many have room
 * @returns {number[]} seconds, from the session's start
 */
export function marks({ from, to }, most) {
  const least = (to - from) / Math.max(1, most);
  const step = STEPS.find((it) => it >= least) ?? Math.ceil(least / 3600) * 3600;
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.max(0, Math.floor(to / step) - first + 1) }, (_, index) => (first + index) * step);
}

/**
 * Names of tracks as people tell them apart: one who has several gets a number behind the name.
 *
 * @param {readonly { number: number, name: string }[]} tracks
 * @returns {Map<number, string>} by the track's number
 */
export function namesOf(tracks) {
  const names = new Map();
  for (const { number, name } of tracks) {
    const same = tracks.filter((it) => it.name === name);
    const place = same.findIndex((it) => it.number === number) + 1;
    names.set(number, same.length > 1 ? `${name} ${place}` : name);
  }
  return names;
}

export class Timeline {
  /** @type {RecordedTrack[]} */
  #tracks = [];
  /** @type {Map<number, string>} */
  #names = new Map();
  /** @type {Map<number, import('./waveform.js').Peaks>} */
  #peaks = new Map();
  /** The part that one looks at closer. @type {Map<number, import('./waveform.js').Peaks>} */
  #close = new Map();
  #at = 0;
  #lanes;
  #ruler;
  #pointed;
  #desk;
  #events;

  /** Which part of the session is shown. */
  view = new View();

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.lanes
   * @param {HTMLElement} parts.ruler
   * @param {HTMLElement} parts.pointed says where the mouse is
   * @param {import('./desk.js').Desk} parts.desk
   * @param {object} events
   * @param {(at: number | null, done: boolean) => void} events.point one points at a moment, in seconds, or at none after
   *   all; `done` when one lets go
   * @param {() => void} events.desk something was muted, or made solo, or not any more
   */
  constructor({ lanes, ruler, pointed, desk }, events) {
    this.#lanes = lanes;
    this.#ruler = ruler;
    this.#pointed = pointed;
    this.#desk = desk;
    this.#events = events;
    new ResizeObserver(() => this.#redraw()).observe(lanes);
    // The colours of a canvas do not follow by themselves, nor its pixels where a window moves to another screen.
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#redraw());
    this.#followScreen();
  }

  /**
   * @param {RecordedTrack[]} tracks
   * @param {number} duration seconds
   */
  show(tracks, duration) {
    this.#tracks = tracks;
    this.#names = namesOf(tracks);
    this.view.grow(duration);
    reconcile(this.#lanes, tracks, ({ number }) => String(number), (track) => this.#make(track), (lane, track) => this.#update(lane, track));
    this.#redraw();
  }

  /**
   * @param {number} number the track's
   * @param {import('./waveform.js').Peaks} peaks
   * @param {boolean} close whether they are of the part that one looks at, and not of the whole
   */
  setPeaks(number, peaks, close) {
    (close ? this.#close : this.#peaks).set(number, peaks);
    this.#redraw();
  }

  /** Shows the part that `view` says by now. */
  look() {
    this.#redraw();
    this.move(this.#at);
  }

  /** In how many columns a waveform is drawn. */
  get columns() {
    return (this.#lanes.querySelector('.wave')?.clientWidth ?? 0) * (globalThis.devicePixelRatio || 1);
  }

  /**
   * What is said on a lane instead of a waveform, for as long as there is none.
   *
   * @param {number} number the track's
   * @param {string} text
   */
  note(number, text) {
    const note = this.#lane(number)?.querySelector('.note');
    if (note instanceof HTMLElement) write(note, text);
  }

  /** Moves the playhead. @param {number} at seconds */
  move(at) {
    this.#at = at;
    this.#lanes.style.setProperty('--at', String(this.view.share(at)));
  }

  /** Shows who speaks now. @param {(track: number) => boolean} speaks */
  speak(speaks) {
    for (const { number } of this.#tracks) this.#lane(number)?.classList.toggle('speaking', speaks(number));
  }

  /** @param {number} number the track's */
  #lane(number) {
    return this.#lanes.querySelector(`[data-key="${number}"]`);
  }

  /** @param {RecordedTrack} track */
  #make({ number }) {
    const mute = make('button', { type: 'button', class: 'mute', 'aria-pressed': 'false' }, 'Mute');
    const solo = make('button', { type: 'button', class: 'solo', 'aria-pressed': 'false' }, 'Solo');
    const press = (/** @type {() => void} */ toggle) => () => {
      toggle();
      for (const track of this.#tracks) {
        const lane = this.#lane(track.number);
        if (lane instanceof HTMLElement) this.#press(lane, track.number);
      }
      this.#events.desk();
    };
    mute.addEventListener('click', press(() => this.#desk.toggleMute(number)));
    solo.addEventListener('click', press(() => this.#desk.toggleSolo(number)));
    const wave = make('div', { class: 'wave' }, make('canvas', { class: 'to-come' }), make('canvas', { class: 'past' }), make('p', { class: 'note quiet' }));
    this.#follow(wave);
    return make(
      'li',
      { class: 'lane' },
      make('p', { class: 'who' }, make('span', { class: 'name' }), make('span', { class: 'spoken' })),
      make('div', { class: 'desk' }, mute, solo),
      wave,
    );
  }

  /**
   * @param {HTMLElement} lane
   * @param {RecordedTrack} track
   */
  #update(lane, { number, start, duration, gaps }) {
    const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (lane.querySelector(selector));
    // One who has got a second track by now has a number behind the name.
    const name = this.#names.get(number) ?? '';
    write(part('.name'), name);
    part('.name').title = name;
    part('.mute').setAttribute('aria-label', `Mute ${name}`);
    part('.solo').setAttribute('aria-label', `Solo ${name}`);
    const holes = gaps.length > 0 ? `, with ${count(gaps.length, 'gap')}` : '';
    write(part('.who .spoken'), `, from ${clock(start)} to ${clock(start + duration)}${holes}`);
    this.#press(lane, number);
  }

  /**
   * @param {HTMLElement} lane
   * @param {number} number
   */
  #press(lane, number) {
    lane.querySelector('.mute')?.setAttribute('aria-pressed', String(this.#desk.isMuted(number)));
    lane.querySelector('.solo')?.setAttribute('aria-pressed', String(this.#desk.isSolo(number)));
    lane.classList.toggle('unheard', !this.#desk.hears(number));
  }

  /** Follows a finger or a mouse on a waveform. @param {HTMLElement} wave */
  #follow(wave) {
    const placeOf = (/** @type {PointerEvent} */ event) => {
      const { left, width } = wave.getBoundingClientRect();
      return width > 0 ? this.view.at((event.clientX - left) / width) : 0;
    };
    wave.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      wave.setPointerCapture(event.pointerId);
      this.#events.point(placeOf(event), false);
    });
    wave.addEventListener('pointermove', (event) => {
      if (event.pointerType === 'mouse') this.#point(placeOf(event));
      if (wave.hasPointerCapture(event.pointerId)) this.#events.point(placeOf(event), false);
    });
    wave.addEventListener('pointerup', (event) => {
      if (wave.hasPointerCapture(event.pointerId)) this.#events.point(placeOf(event), true);
    });
    // A finger that scrolls the page after all goes nowhere.
    wave.addEventListener('pointercancel', () => this.#events.point(null, true));
    wave.addEventListener('pointerleave', () => void (this.#pointed.hidden = true));
  }

  /** Says which moment a click would go to. @param {number} at seconds */
  #point(at) {
    write(this.#pointed, clock(at));
    this.#pointed.style.setProperty('--share', String(this.view.share(at)));
    this.#pointed.hidden = false;
  }

  #followScreen() {
    const change = () => {
      this.#redraw();
      this.#followScreen();
    };
    matchMedia(`(resolution: ${devicePixelRatio}dppx)`).addEventListener('change', change, { once: true });
  }

  #redraw() {
    const full = loudest(this.#peaks.values());
    const span = { from: this.view.from, to: this.view.to };
    for (const track of this.#tracks) {
      const what = { peaks: this.#peaksFor(track.number), lane: laneOf(track), span, full };
      for (const canvas of this.#lane(track.number)?.querySelectorAll('canvas') ?? []) draw(canvas, what);
    }
    this.#showMarks();
  }

  /** The finest that there are of what is shown. @param {number} number the track's */
  #peaksFor(number) {
    const close = this.#close.get(number);
    const { from, to, whole } = this.view;
    const shows = close && !whole && close.from <= from && close.from + (close.data.length / 2 + 1) * close.seconds >= to;
    return (shows ? close : this.#peaks.get(number)) ?? null;
  }

  #showMarks() {
    const room = this.#ruler.clientWidth;
    const all = this.view.length > 0 ? marks(this.view, room / MARK) : [];
    reconcile(this.#ruler, all, String, (at) => make('span', {}, clock(at)), (mark, at) => {
      const share = this.view.share(at);
      mark.style.setProperty('--share', String(share));
      // The last one may not stick out.
      mark.hidden = share * room > room - MARK / 2;
    });
  }
}
