// What a listener hears where there is no WebCodecs: an audio element for each track, fed by Media Source Extensions.
//
// What belongs here: the elements, which are in no page, and what they are fed. What does not: the bytes (`webm-mux.js`);
// tracks and participants (`listener.js`). A SourceBuffer is in sequence mode: a gap never stalls it, and a short one is
// filled with silence, so that tracks stay together.

import { Level } from './level.js';
import { duration, SILENCE, TICKS_PER_SECOND } from './opus.js';
import { cluster, head } from './webm-mux.js';

/** @typedef {import('./listener.js').Way} Way */
/** @typedef {import('./opus.js').Format} Format */
/** @typedef {import('./packets.js').Packets} Packets */

const TYPE = 'audio/webm;codecs=opus';
/** A Cluster has at least so much sound, in ticks: browsers start late on shorter ones. */
const SHORTEST = 1920;
/** A step in media time up to this is drift of the session's clock; in ticks. */
const STEP = 960;
/** The longest gap that is filled, in ticks. */
const FILLED = 10 * TICKS_PER_SECOND;
/** Further behind the end than this, a live track plays faster; than the second, it jumps; in seconds. */
const BEHIND = 0.4;
const FAR_BEHIND = 1.2;
/** Where it jumps to, before the end, in seconds. */
const NEAR = 0.15;
/** How much of what was heard is kept, in seconds. */
const KEPT = 10;
/** Clusters that wait for a SourceBuffer; past it the oldest are dropped. */
const MOST_WAITING = 500;

/** @implements {Way} */
export class Elements {
  /** @type {Map<number, Voice>} */
  #voices = new Map();
  /** Those that play out what has come. @type {Voice[]} */
  #ending = [];
  /** Where a replay began; none while the room is live. @type {number | null} */
  #from = null;
  #paused = false;
  #run = () => this.#voices.forEach((voice) => voice.run(this.#runs));

  static get supported() {
    return 'MediaSource' in globalThis && 'AudioContext' in globalThis && MediaSource.isTypeSupported(TYPE);
  }

  /**
   * @param {AudioContext} context
   * @param {AudioNode} output
   */
  constructor(context, output) {
    this.context = context;
    this.output = output;
    context.addEventListener('statechange', this.#run);
  }

  get #runs() {
    return !this.#paused && this.context.state === 'running';
  }

  /** @param {number} id @param {Format} format @param {number} volume */
  add(id, format, volume) {
    const voice = new Voice(this.context, this.output, format, this.#from);
    voice.setVolume(volume);
    voice.run(this.#runs);
    this.#voices.set(id, voice);
  }

  /** @param {number} id */
  end(id) {
    const voice = this.#voices.get(id);
    this.#voices.delete(id);
    if (!voice) return;
    voice.end();
    this.#ending = [...this.#ending.filter(({ closed }) => !closed), voice];
  }

  /** @param {number} id @param {Packets} message */
  take(id, { time, packets }) {
    this.#voices.get(id)?.take(time, packets);
  }

  /** @param {number} id @param {number} volume */
  setVolume(id, volume) {
    this.#voices.get(id)?.setVolume(volume);
  }

  /** @param {number} from */
  restart(from) {
    this.#from = from;
    for (const voice of this.#ending.splice(0)) voice.close();
    for (const voice of this.#voices.values()) voice.restart(from);
    this.#run();
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.#paused = paused;
    this.#run();
  }

  /** @param {number} id */
  level(id) {
    return this.#voices.get(id)?.level.rms() ?? 0;
  }

  position() {
    const places = [...this.#voices.values()].flatMap((voice) => voice.position() ?? []);
    return places.length > 0 ? Math.max(...places) : null;
  }

  close() {
    this.context.removeEventListener('statechange', this.#run);
    for (const voice of [...this.#ending.splice(0), ...this.#voices.values()]) voice.close();
    this.#voices.clear();
  }
}

/** One track. */
class Voice {
  #audio = new Audio();
  /** @type {SourceBuffer | null} */
  #buffer = null;
  /** What waits for the SourceBuffer. @type {Uint8Array<ArrayBuffer>[]} */
  #waiting = [];
  /** What is too short for a Cluster yet. @type {Uint8Array[]} */
  #packets = [];
  /** Where the next packet begins: in session time, and in the element's. @type {{ session: number, media: number } | null} */
  #next = null;
  /** What one is ahead of the other, from which place of the element's on. @type {{ media: number, ahead: number }[]} */
  #places = [];
  #runs = false;
  #ended = false;
  closed = false;
  #gain;

  /**
   * @param {AudioContext} context
   * @param {AudioNode} output
   * @param {Format} format
   * @param {number | null} from
   */
  constructor(context, output, format, from) {
    this.format = format;
    this.from = from;
    const source = context.createMediaElementSource(this.#audio);
    this.#gain = context.createGain();
    source.connect(this.#gain).connect(output);
    this.level = new Level(source);
    this.#audio.addEventListener('ended', () => this.close());
    this.#open();
  }

  #open() {
    const media = new MediaSource();
    URL.revokeObjectURL(this.#audio.src);
    this.#audio.src = URL.createObjectURL(media);
    this.#buffer = null;
    this.#waiting = [head(this.format)];
    this.#packets = [];
    this.#next = null;
    this.#places = [];
    const opened = () => {
      // It can have been made anew meanwhile.
      if (media.readyState !== 'open') return;
      const buffer = media.addSourceBuffer(TYPE);
      buffer.mode = 'sequence';
      buffer.addEventListener('updateend', () => this.#feed());
      this.#buffer = buffer;
      this.media = media;
      this.#feed();
    };
    media.addEventListener('sourceopen', opened, { once: true });
  }

  /** @param {boolean} runs */
  run(runs) {
    // A room is heard as it is by then.
    if (runs && !this.#runs && this.from === null) this.#catchUp(NEAR);
    this.#runs = runs;
    if (runs) void this.#audio.play().catch(() => {});
    else this.#audio.pause();
  }

  /** @param {number} from */
  restart(from) {
    this.from = from;
    this.#open();
  }

  /** @param {number} volume */
  setVolume(volume) {
    this.#gain.gain.value = volume;
  }

  /**
   * @param {number} time session time
   * @param {Uint8Array[]} packets
   */
  take(time, packets) {
    for (const packet of packets) {
      this.#append(time, packet);
      time += duration(packet);
    }
    this.#feed();
  }

  /** Plays out what has come. */
  end() {
    this.#ended = true;
    this.#flush();
    this.#feed();
    // Where it never played there is nothing to play out.
    if (this.#audio.paused) this.close();
  }

  position() {
    const { currentTime } = this.#audio;
    const place = this.#places.filter(({ media }) => media <= currentTime * TICKS_PER_SECOND).at(-1);
    return place ? currentTime + place.ahead / TICKS_PER_SECOND : null;
  }

  close() {
    this.closed = true;
    this.#audio.pause();
    URL.revokeObjectURL(this.#audio.src);
    this.#audio.removeAttribute('src');
    this.#gain.disconnect();
  }

  /** @param {number} time @param {Uint8Array} packet */
  #append(time, packet) {
    if (this.from !== null && time < this.from) return;
    this.#next ??= { session: this.from ?? time, media: 0 };
    let gap = time - this.#next.session;
    for (; gap > STEP && gap <= FILLED; gap -= duration(SILENCE)) this.#put(SILENCE);
    const ahead = time - this.#next.media;
    if (Math.abs(ahead - (this.#places.at(-1)?.ahead ?? Infinity)) > STEP) this.#places.push({ media: this.#next.media, ahead });
    this.#next.session = time;
    this.#put(packet);
  }

  /** @param {Uint8Array} packet */
  #put(packet) {
    if (!this.#next) return;
    const ticks = duration(packet);
    this.#next.session += ticks;
    this.#next.media += ticks;
    this.#packets.push(packet);
    if (this.#packets.reduce((sum, it) => sum + duration(it), 0) >= SHORTEST) this.#flush();
  }

  #flush() {
    if (!this.#next || this.#packets.length === 0) return;
    const length = this.#packets.reduce((sum, packet) => sum + duration(packet), 0);
    this.#waiting.push(cluster(this.#next.media - length, this.#packets));
    this.#packets = [];
    // The head stays.
    if (this.#waiting.length > MOST_WAITING) this.#waiting.splice(1, 1);
  }

  /** One thing at a time: a SourceBuffer takes nothing while it is busy. */
  #feed() {
    const buffer = this.#buffer;
    if (!buffer || buffer.updating || this.media?.readyState !== 'open') return;
    const played = this.#audio.currentTime - KEPT;
    try {
      const bytes = this.#waiting.shift();
      if (bytes) buffer.appendBuffer(bytes);
      else if (this.#ended) this.media.endOfStream();
      else if (buffer.buffered.length > 0 && buffer.buffered.start(0) < played - KEPT) buffer.remove(0, played);
      else if (this.from === null) this.#catchUp();
    } catch (error) {
      console.warn('A track’s element failed and is made anew.', error);
      this.#open();
    }
  }

  /** Stays with the room: a little faster where it is behind, at once where it is far behind. @param {number} [far] */
  #catchUp(far = FAR_BEHIND) {
    const { buffered } = this.#audio;
    if (buffered.length === 0) return;
    const end = buffered.end(buffered.length - 1);
    const behind = end - this.#audio.currentTime;
    if (behind > far) this.#audio.currentTime = end - NEAR;
    this.#audio.playbackRate = behind > BEHIND && behind <= far ? 1.05 : 1;
  }
}
