// The waveforms of a recording's tracks, as the hub has them: all of it at a glance, and closer where one looks.
//
// What belongs here: which of them to ask for, and when. What does not: drawing.

import { ApiError } from './api.js';
import { whenMade } from './making.js';
import { peaksOf } from './waveform.js';

/** The hub's finest pixel, in samples; and so many pixels a recording has at most: where it is longer, they are coarser. */
const FINEST = 480;
const MOST_PIXELS = 2 ** 20;
const RATE = 48_000;
/** How long one looks at a part before it is asked for, in ms. */
const REST = 150;

/** @typedef {import('./waveform.js').Peaks} Peaks */

/**
 * How fine a part is to be: as coarse as a column is wide, so that nothing is asked for that is not seen.
 *
 * @param {number} seconds how long the part is
 * @param {number} columns in which it is drawn
 * @param {number} duration of the recording
 * @returns {number} samples per pixel
 */
export function fineness(seconds, columns, duration) {
  const wanted = (seconds * RATE) / Math.max(1, columns);
  let samples = FINEST;
  while ((duration * RATE) / samples > MOST_PIXELS || samples * 2 <= wanted) samples *= 2;
  return samples;
}

export class Waves {
  #events;
  #fetch;
  /** The whole of each track, by its number. @type {Map<number, Peaks>} */
  #whole = new Map();
  /** Who looks closer just now. */
  #looking = new AbortController();

  /**
   * @param {object} events
   * @param {(track: number, peaks: Peaks, close: boolean) => void} events.peaks `close` where they are of the part that one looks at
   * @param {(track: number, text: string) => void} events.note what is said of a track that has none
   * @param {typeof globalThis.fetch} [fetch]
   */
  constructor(events, fetch = (...request) => globalThis.fetch(...request)) {
    this.#events = events;
    this.#fetch = fetch;
  }

  /**
   * Asks for the tracks of a recording that is being made, as far as they are there.
   *
   * @param {readonly import('./api.js').RecordedTrack[]} tracks
   */
  async soFar(tracks) {
    await Promise.all(tracks.map(async ({ number, files }) => {
      const response = await this.#fetch(files.waveform).catch(() => null);
      if (response?.status === 200) this.#take(number, await response.json().catch(() => null));
    }));
  }

  /**
   * Asks for the tracks of a recording that has ended, until they are there.
   *
   * @param {readonly import('./api.js').RecordedTrack[]} tracks
   */
  async all(tracks) {
    for (const { number, files } of tracks) {
      try {
        const progress = (/** @type {number} */ done) => this.#events.note(number, `The waveform is being made, ${Math.round(done * 100)} %`);
        this.#take(number, await (await whenMade(files.waveform, { progress, fetch: this.#fetch })).json());
        this.#events.note(number, '');
      } catch (error) {
        // A lane without its waveform is still a lane.
        this.#events.note(number, 'The waveform cannot be made.');
        // The lanes after it get theirs all the same.
        if (!(error instanceof ApiError)) console.warn('A waveform cannot be read.', error);
      }
    }
  }

  /**
   * Looks at a part of them, after a rest: who goes on before that asks for nothing.
   *
   * @param {readonly import('./api.js').RecordedTrack[]} tracks
   * @param {{ from: number, to: number, length: number, duration: number, whole: boolean }} view
   * @param {number} columns in which it is drawn
   */
  async look(tracks, { from, to, length, duration, whole }, columns) {
    this.#looking.abort();
    this.#looking = new AbortController();
    const { signal } = this.#looking;
    if (whole) return;
    await new Promise((resolve) => setTimeout(resolve, REST));
    const samples = fineness(length, columns, duration);
    // A little more than is seen, for who goes on to either side.
    const [first, last] = [Math.max(0, from - length), Math.min(duration, to + length)];
    for (const { number, files } of tracks) {
      const known = this.#whole.get(number);
      if (signal.aborted || (known && known.seconds * RATE <= samples)) continue;
      const query = new URLSearchParams({ samples_per_pixel: String(samples), from: first.toFixed(3), to: last.toFixed(3) });
      // It may not be made yet. One that cannot be had is still seen from further away.
      const response = await whenMade(`${files.waveform}?${query}`, { signal, fetch: this.#fetch }).catch(() => null);
      const peaks = response && peaksOf(await response.json().catch(() => null));
      if (peaks && !signal.aborted) this.#events.peaks(number, { ...peaks, from: Math.floor(first / peaks.seconds) * peaks.seconds }, true);
    }
  }

  /**
   * @param {number} number
   * @param {unknown} json
   */
  #take(number, json) {
    const peaks = peaksOf(json);
    if (!peaks) return;
    this.#whole.set(number, peaks);
    this.#events.peaks(number, peaks, false);
  }
}
