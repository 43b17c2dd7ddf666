// Looking closer at a timeline: its buttons, its slider, keys, the wheel, two fingers.
//
// What belongs here: elements and gestures. What does not: which part is shown, see `view.js`; what is drawn there.

import { clock } from './format.js';
import { placeOfKey } from './key-place.js';
import { allow, find, isAllowed, write } from './page.js';

/** How much closer a press of a button is. */
const STEP = 2;
/** How much closer a pixel of the wheel is, as a power of e. */
const WHEEL = 0.004;
/** Pixels of a line of the wheel. */
const LINE = 16;

export class Zoom {
  #view;
  #events;
  #part = {
    lanes: find('lanes', HTMLElement),
    closer: find('closer', HTMLButtonElement),
    further: find('further', HTMLButtonElement),
    all: find('all', HTMLButtonElement),
    pan: find('pan', HTMLInputElement),
    shown: find('shown', HTMLElement),
  };
  /** Fingers on the lanes, and where they are from the left. @type {Map<number, number>} */
  #fingers = new Map();
  /** Whether there were two of them, and one is still there: it points nowhere. */
  #pinched = false;

  /**
   * @param {import('./view.js').View} view
   * @param {object} events
   * @param {() => number} events.position where the playhead is, in seconds
   * @param {() => void} events.change another part is shown
   * @param {() => void} events.pinch a second finger has come: the first one points nowhere
   */
  constructor(view, events) {
    this.#view = view;
    this.#events = events;
    const { lanes, closer, further, all, pan } = this.#part;
    closer.addEventListener('click', () => isAllowed(closer) && this.#zoom(STEP));
    further.addEventListener('click', () => isAllowed(further) && this.#zoom(1 / STEP));
    all.addEventListener('click', () => isAllowed(all) && this.#change(() => view.showAll()));
    pan.addEventListener('input', () => this.#change(() => view.move(Number(pan.value))));
    document.addEventListener('keydown', (event) => this.#key(event));
    lanes.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    lanes.addEventListener('pointerdown', (event) => this.#finger(event), { capture: true });
    lanes.addEventListener('pointermove', (event) => this.#pinch(event), { capture: true });
    for (const end of ['pointerup', 'pointercancel']) {
      lanes.addEventListener(end, (event) => this.#letGo(/** @type {PointerEvent} */ (event)), { capture: true });
    }
    this.show();
  }

  /** Shows which part is shown. */
  show() {
    const { closer, further, all, pan, shown } = this.#part;
    const { from, to, length, duration, whole, closest } = this.#view;
    allow(closer, !closest && duration > 0);
    allow(further, !whole);
    allow(all, !whole);
    // Who moves through it by keys goes on from a place that stays.
    if (whole && document.activeElement === pan) closer.focus();
    pan.hidden = whole;
    pan.max = String(duration - length);
    pan.step = 'any';
    pan.value = String(from);
    pan.style.setProperty('--share', String(whole ? 0 : from / (duration - length)));
    const words = `${clock(from)} to ${clock(to)}`;
    pan.setAttribute('aria-valuetext', words);
    write(shown, whole ? '' : words);
  }

  /** @param {number} times */
  #zoom(times) {
    const at = this.#events.position();
    const { from, to } = this.#view;
    // Around what is heard, where that is in sight.
    this.#change(() => this.#view.zoom(times, at >= from && at <= to ? at : (from + to) / 2));
  }

  /** @param {() => void} change */
  #change(change) {
    change();
    this.show();
    this.#events.change();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (placeOfKey(event) === 'text') return;
    if (event.key === '+' || event.key === '=') this.#zoom(STEP);
    else if (event.key === '-') this.#zoom(1 / STEP);
    else if (event.key === '0') this.#change(() => this.#view.showAll());
    else return;
    event.preventDefault();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const pixels = (/** @type {number} */ delta) => delta * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1);
    const box = this.#box();
    if (!box) return;
    // Two fingers on a touchpad are a wheel with Ctrl to a browser.
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const around = this.#view.at((event.clientX - box.left) / box.width);
      this.#change(() => this.#view.zoom(Math.exp(-pixels(event.deltaY) * WHEEL), around));
      return;
    }
    const sideways = event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX;
    if (sideways === 0 || Math.abs(event.deltaX) < Math.abs(event.deltaY) && !event.shiftKey || this.#view.whole) return;
    event.preventDefault();
    this.#change(() => this.#view.move(this.#view.from + (pixels(sideways) / box.width) * this.#view.length));
  }

  /** @param {PointerEvent} event */
  #finger(event) {
    if (event.pointerType !== 'touch') return;
    // The first of all fingers: of one that is still known the end was not heard.
    if (event.isPrimary) this.#fingers.clear();
    this.#fingers.set(event.pointerId, event.clientX);
    this.#pinched = this.#fingers.size > 1;
    if (!this.#pinched) return;
    event.stopPropagation();
    this.#events.pinch();
  }

  /** @param {PointerEvent} event */
  #letGo(event) {
    // The end of a pinch is no click.
    if (this.#fingers.delete(event.pointerId) && this.#pinched) event.stopPropagation();
  }

  /** @param {PointerEvent} event */
  #pinch(event) {
    const box = this.#box();
    if (!this.#fingers.has(event.pointerId)) return;
    if (this.#pinched) event.stopPropagation();
    const before = [...this.#fingers.values()];
    this.#fingers.set(event.pointerId, event.clientX);
    if (this.#fingers.size !== 2 || !box) return;
    const after = [...this.#fingers.values()];
    const [middle, wide] = spread(before);
    const [newMiddle, newWide] = spread(after);
    this.#change(() => {
      const place = this.#view.at((middle - box.left) / box.width);
      this.#view.zoom(newWide / wide, place);
      // What was between the fingers stays between them.
      this.#view.move(place - ((newMiddle - box.left) / box.width) * this.#view.length);
    });
  }

  /** Where the waveforms are. */
  #box() {
    return this.#part.lanes.querySelector('.wave')?.getBoundingClientRect();
  }
}

/** The middle of two fingers, and how far they are apart. @param {number[]} places @returns {[number, number]} */
function spread([one = 0, other = 0]) {
  return [(one + other) / 2, Math.max(10, Math.abs(one - other))];
}
