// Mixes the sound of many tracks, each out of a small buffer, into what is heard: decoded blocks in, quanta out.
//
// What belongs here: samples, fades, levels. What does not: decoders, threads, nodes; where the ear should be is decided in
// `jitter.js`. A quantum is 128 frames, as an AudioWorklet has it. It allocates nothing while it plays.

import { LiveDelay, ReplayDelay, Steering } from './jitter.js';
import { TICKS_PER_SECOND } from './opus.js';

/** @typedef {import('./jitter.js').Delay} Delay */

/** Samples of each channel that a live track can hold: 1.4 s. Powers of two. */
const ROOM_LIVE = 2 ** 16;
/** And that one of a replay can: 5.4 s, more than a hub sends ahead. */
const ROOM_REPLAY = 2 ** 18;
/** A step in media time up to this is drift of the session's clock and not heard; in ticks. */
const STEP = 960;
/** What lies around a place in the sound and is needed to read between two samples. */
const AROUND = 3;
/** Softer than this is silence, which may be shortened and stretched without being heard. */
const QUIET = 0.003;
/** By more than this, in ticks. */
const WORTH = 240;

/**
 * @typedef {object} Fare how a track fares
 * @property {number} id
 * @property {number} level the root mean square of the last moments, before volume
 * @property {number} waits how much of it has come and is not heard yet, in ticks
 * @property {number} starved how often it fell silent for want of sound
 */

/** One track: what waits of it, and where in it the ear is. */
class Sound {
  /** @type {Float32Array[]} */
  #planes = [];
  #room = 0;
  /** What there is, in order, on the track's own count of samples; read up to `begin`. @type {{ begin: number, end: number }[]} */
  #spans = [];
  /** Where on the count the ear is: between two samples, where it plays faster or slower. */
  #place = 0;
  /** Where the last block ended: on the count, and in session time. @type {{ count: number, session: number } | null} */
  #end = null;
  #steering = new Steering();
  #gain = 0;
  #volume = 1;
  #squares = 0;
  #frames = 0;
  /** How often it fell silent for want of sound while live. */
  starved = 0;
  ended = false;
  volume = 1;

  /** @param {Delay} delay */
  constructor(delay) {
    this.delay = delay;
  }

  /** Session time minus count. */
  get #skew() {
    return this.#end ? this.#end.session - this.#end.count : 0;
  }

  /** Which session time the ear is at. */
  get session() {
    return this.#place + this.#skew;
  }

  /** How much has come and is not heard yet, in ticks. */
  get waits() {
    return Math.max((this.#spans.at(-1)?.end ?? -Infinity) - this.#place, 0);
  }

  /** Whether all that came has been heard, and no more comes. */
  get done() {
    return this.ended && this.#spans.length === 0;
  }

  /** The root mean square since this was last asked, before volume. */
  takeLevel() {
    const level = this.#frames > 0 ? Math.sqrt(this.#squares / this.#frames) : 0;
    this.#squares = 0;
    this.#frames = 0;
    return level;
  }

  /**
   * Takes a decoded block.
   *
   * @param {number} begin session time
   * @param {Float32Array[]} planes one for each channel
   */
  take(begin, planes) {
    const length = planes[0]?.length ?? 0;
    const before = Math.min(Math.max(this.delay.from - begin, 0), length);
    const end = this.#end ?? { count: begin + before, session: begin + before };
    const gap = begin + before - end.session;
    // A replay that tells again what it told already is not heard twice.
    if (before === length || (this.delay.waits && gap + length - before <= 0)) return;
    if (!this.#end) this.#place = end.count;
    const from = end.count + (gap > STEP ? gap : 0);
    const to = from + length - before;
    this.#end = { count: to, session: begin + length };
    this.#room = this.delay.waits ? ROOM_REPLAY : ROOM_LIVE;
    if (to - this.#place > this.#room && this.#spans.length > 0) return;
    while (this.#planes.length < planes.length) this.#planes.push(new Float32Array(this.#room));
    planes.forEach((samples, channel) => {
      const plane = this.#planes[channel];
      const first = samples.subarray(before, before + this.#room - (from % this.#room));
      plane?.set(first, from % this.#room);
      plane?.set(samples.subarray(before + first.length), 0);
    });
    const last = this.#spans.at(-1);
    if (last?.end === from) last.end = to;
    else this.#spans.push({ begin: from, end: to });
  }

  /** Drops what waits. @param {Delay} delay of what comes from now on */
  restart(delay) {
    if (delay.waits !== this.delay.waits) this.#planes = [];
    this.delay = delay;
    this.#spans = [];
    this.#end = null;
    this.#gain = 0;
  }

  /**
   * Adds the next quantum to what is heard.
   *
   * @param {Float32Array[]} outputs
   * @param {number} now the listener's clock, in ticks
   * @param {number} ticks how long a frame of the output is
   */
  render(outputs, now, ticks) {
    const frames = outputs[0]?.length ?? 0;
    const should = now - this.delay.offset - this.#skew;
    if (!Number.isFinite(should)) return;
    const sounds = this.#gain > 0;
    if (!sounds) this.#place = Math.round(should);
    const steered = sounds ? this.#steering.steer(should - this.#place, this.delay) : null;
    const advance = this.#advance(frames * ticks, steered?.kind === 'play' ? steered.speed : 1);
    const span = this.#span();
    if (!span || span.begin > this.#place || span.end - this.#place < advance + AROUND) {
      // It was faded out in the quantum before.
      this.#gain = 0;
      this.#place += advance;
      return;
    }
    const last = span.end - this.#place < 2 * advance + AROUND;
    if (sounds && last && !this.ended && this.#spans.length === 1) this.starved += 1;
    const fade = last || steered?.kind === 'jump' ? 0 : 1;
    const peak = this.#mix(outputs, advance / frames, fade);
    this.#place += advance;
    // Played once is played: who goes back hears silence.
    span.begin = this.#place;
    const next = should + frames * ticks;
    const unheard = sounds && peak < QUIET && Math.abs(next - this.#place) > WORTH;
    if (steered?.kind === 'jump' || unheard) this.#place = Math.round(next);
  }

  /**
   * How far the ear goes in a quantum; onto a whole sample where it goes at the usual speed.
   *
   * @param {number} usual
   * @param {number} speed
   */
  #advance(usual, speed) {
    if (speed !== 1 || !Number.isInteger(usual)) return usual * speed;
    return Math.round(this.#place + usual) - this.#place;
  }

  /** What there is at the ear's place or after it. */
  #span() {
    while (this.#spans[0] && this.#spans[0].end <= this.#place + AROUND) this.#spans.shift();
    return this.#spans[0];
  }

  /**
   * @param {Float32Array[]} outputs
   * @param {number} step from frame to frame
   * @param {number} fade the gain at its end
   * @returns {number} the loudest sample
   */
  #mix(outputs, step, fade) {
    const frames = outputs[0]?.length ?? 0;
    const begin = Math.floor(this.#place);
    const part = this.#place - begin;
    const whole = step === 1 && part === 0;
    const mask = this.#room - 1;
    // Places can be past what bits can mask.
    const base = ((begin % this.#room) + this.#room) % this.#room;
    let peak = 0;
    for (let channel = 0; channel < outputs.length; channel += 1) {
      const output = /** @type {Float32Array} */ (outputs[channel]);
      const plane = /** @type {Float32Array} */ (this.#planes[Math.min(channel, this.#planes.length - 1)]);
      for (let frame = 0; frame < frames; frame += 1) {
        const share = (frame + 1) / frames;
        const gain = this.#gain + (fade - this.#gain) * share;
        const volume = this.#volume + (this.volume - this.#volume) * share;
        const at = part + frame * step;
        const index = Math.floor(at);
        const read = whole ? plane[(base + frame) & mask] : between(plane, mask, base + index, at - index);
        const sample = gain * /** @type {number} */ (read);
        output[frame] = /** @type {number} */ (output[frame]) + volume * sample;
        this.#squares += sample * sample;
        const size = Math.abs(sample);
        if (size > peak) peak = size;
      }
      this.#frames += frames;
    }
    this.#gain = fade;
    this.#volume = this.volume;
    return peak;
  }
}

/**
 * Reads between two samples, by the cubic through the four around it (Catmull and Rom).
 *
 * @param {Float32Array} plane
 * @param {number} mask
 * @param {number} index of the sample before
 * @param {number} part of the way to the one after
 */
function between(plane, mask, index, part) {
  const a = /** @type {number} */ (plane[(index - 1) & mask]);
  const b = /** @type {number} */ (plane[index & mask]);
  const c = /** @type {number} */ (plane[(index + 1) & mask]);
  const d = /** @type {number} */ (plane[(index + 2) & mask]);
  return b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)));
}

export class Mixer {
  /** @type {Map<number, Sound>} */
  #sounds = new Map();
  /** The delay of all tracks of a replay; a live track has its own. @type {ReplayDelay | null} */
  #replay = null;
  #paused = false;
  #gain = 1;
  /** How long a replay was paused in all, in ticks of the listener's clock. */
  #stood = 0;
  /** Where the next quantum begins, in ticks of the listener's clock without those. */
  #now;

  /**
   * @param {number} rate frames a second of what is heard
   * @param {number} frame the listener's clock
   */
  constructor(rate, frame) {
    /** How long a frame is, in ticks. */
    this.ticks = TICKS_PER_SECOND / rate;
    this.#now = frame * this.ticks;
  }

  /** A track begins. @param {number} id @param {number} volume */
  add(id, volume) {
    const sound = new Sound(this.#replay ?? new LiveDelay());
    sound.volume = volume;
    this.#sounds.set(id, sound);
  }

  /** Nothing more comes of a track. @param {number} id */
  end(id) {
    const sound = this.#sounds.get(id);
    if (sound) sound.ended = true;
  }

  /** @param {number} id @param {number} volume */
  setVolume(id, volume) {
    const sound = this.#sounds.get(id);
    if (sound) sound.volume = volume;
  }

  /**
   * Takes a decoded block of a track.
   *
   * @param {number} id
   * @param {number} begin session time
   * @param {Float32Array[]} planes
   */
  take(id, begin, planes) {
    const sound = this.#sounds.get(id);
    if (!sound) return;
    sound.delay.arrive(begin, this.#now);
    sound.take(begin, planes);
  }

  /**
   * Drops what waits, and begins anew.
   *
   * @param {number | null} from the session time at which a replay goes on; none where the room is live
   */
  restart(from) {
    this.#replay = from === null ? null : new ReplayDelay(from, this.#now);
    for (const [id, sound] of this.#sounds) {
      if (sound.ended) this.#sounds.delete(id);
      else sound.restart(this.#replay ?? new LiveDelay());
    }
  }

  /** Stands still, or goes on: a replay where it was, a room where it is by then. @param {boolean} paused */
  pause(paused) {
    this.#paused = paused;
  }

  /**
   * Renders the next quantum.
   *
   * @param {Float32Array[]} outputs one for each channel, of zeros
   * @param {number} frame the listener's clock
   */
  render(outputs, frame) {
    const frames = outputs[0]?.length ?? 0;
    const clock = frame * this.ticks;
    if (this.#paused && this.#replay && this.#gain === 0) {
      this.#stood = clock + frames * this.ticks - this.#now;
      return;
    }
    this.#now = clock - this.#stood;
    for (const [id, sound] of this.#sounds) {
      sound.render(outputs, this.#now, this.ticks);
      if (sound.done) this.#sounds.delete(id);
    }
    this.#now += frames * this.ticks;
    const gain = this.#paused ? 0 : 1;
    if (gain === 1 && this.#gain === 1) return;
    for (const output of outputs) {
      for (let index = 0; index < frames; index += 1) {
        const share = (index + 1) / frames;
        output[index] = /** @type {number} */ (output[index]) * (this.#gain + (gain - this.#gain) * share);
      }
    }
    this.#gain = gain;
  }

  /** Which session time is heard, in ticks; of a room, that of its latest track. @returns {number | null} */
  get position() {
    if (this.#replay) return Math.max(this.#now - this.#replay.offset, this.#replay.from);
    const places = [...this.#sounds.values()].map(({ session }) => session).filter((it) => it > 0);
    return places.length > 0 ? Math.max(...places) : null;
  }

  /** How loud each track was since this was last asked, and how it fares. @returns {Fare[]} */
  report() {
    return [...this.#sounds].map(([id, sound]) => ({ id, level: sound.takeLevel(), waits: sound.waits, starved: sound.starved }));
  }
}
