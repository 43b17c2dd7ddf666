// Plays a room: packets of many tracks, decoded with WebCodecs and scheduled on one AudioContext.
//
// What belongs here: decoders, audio nodes, what is heard and how loud. What does not: sockets, pages; when a message
// is played is decided in `playout.js`.

import { Level } from './level.js';
import { duration, TICKS_PER_SECOND } from './opus.js';
import { Playout } from './playout.js';

/** @typedef {import('./connection.js').Track} Track */
/** @typedef {import('./packets.js').Packets} Packets */

/** Packets that wait in a decoder; past it the decoder is stuck and is made anew. */
const MOST_IN_DECODER = 500;

/** What a listener's AudioContext must be like: at another rate, blocks that are scheduled one by one would click. */
export const CONTEXT = Object.freeze({ sampleRate: TICKS_PER_SECOND, latencyHint: /** @type {const} */ ('interactive') });

export class Listener {
  /** @type {Map<number, Voice>} */
  #voices = new Map();
  #output;

  /** Whether this browser can decode packets. It says no on a page that is not secure. */
  static get supported() {
    return 'AudioDecoder' in globalThis && 'AudioContext' in globalThis;
  }

  /** @param {AudioContext} context as `CONTEXT` asks for */
  constructor(context) {
    this.context = context;
    this.#output = context.createGain();
    this.#output.connect(context.destination);
    /** Everything that is heard. */
    this.level = new Level(this.#output);
  }

  /**
   * The tracks that are live: new ones may sound, others end with what has come of them.
   *
   * @param {ReadonlyMap<number, Track>} tracks
   */
  follow(tracks) {
    for (const [number, voice] of this.#voices) {
      const track = tracks.get(number);
      if (track?.participant === voice.participant && track.format.channels === voice.channels) continue;
      void voice.end();
      this.#voices.delete(number);
    }
    for (const [number, { participant, format }] of tracks) {
      if (this.#voices.has(number)) continue;
      this.#voices.set(number, new Voice(this.context, this.#output, participant, format.channels));
    }
  }

  /** @param {Packets} message of any track; of one that is not live it is not heard */
  take(message) {
    // Packets of the past are for the recording; what is heard goes on.
    if (!message.backlog) this.#voices.get(message.track)?.take(message);
  }

  /**
   * How loud a participant is now: the root mean square of the last moments, 0 to 1.
   *
   * @param {string} participant
   * @returns {number}
   */
  levelOf(participant) {
    let loudest = 0;
    for (const voice of this.#voices.values()) {
      if (voice.participant === participant) loudest = Math.max(loudest, voice.level.rms());
    }
    return loudest;
  }

  /**
   * How loud a track is now: the root mean square of the last moments, 0 to 1.
   *
   * @param {number} track
   * @returns {number}
   */
  levelOfTrack(track) {
    return this.#voices.get(track)?.level.rms() ?? 0;
  }

  /**
   * How loud a participant is played.
   *
   * @param {string} _participant
   * @param {number} _volume 0 is silent, 1 is as it was said, up to 2
   */
  setVolume(_participant, _volume) {}

  /**
   * How loud a track is played, beside its participant's volume.
   *
   * @param {number} _track
   * @param {number} _volume 0 is silent, 1 is as it was said, up to 2
   */
  setTrackVolume(_track, _volume) {}

  /**
   * A replay goes to another place: what waits is dropped, and what lies before that place is not played.
   *
   * @param {number} _ticks session time
   */
  resetTo(_ticks) {}

  /** Stops where it is; what comes meanwhile waits. */
  pause() {}

  /** Goes on. */
  resume() {}

  /** Which moment of the session is heard now, in seconds; `null` before there is one. @returns {number | null} */
  position() {
    return null;
  }

  /** Falls silent at once and for good. */
  close() {
    this.#output.disconnect();
    this.follow(new Map());
  }
}

/** @typedef {{ source: AudioBufferSourceNode, at: number }} Block decoded sound, and when it begins */

/** One track as it is played. */
class Voice {
  #playout = new Playout();
  /** @type {AudioDecoder | null} */
  #decoder = null;
  /** When each packet that is in the decoder sounds. @type {number[]} */
  #places = [];
  /** @type {Set<Block>} */
  #scheduled = new Set();
  #ended = false;
  #gain;

  /**
   * @param {AudioContext} context
   * @param {AudioNode} output
   * @param {string} participant whose track it is
   * @param {number} channels
   */
  constructor(context, output, participant, channels) {
    this.context = context;
    this.participant = participant;
    this.channels = channels;
    this.#gain = context.createGain();
    this.#gain.connect(output);
    this.level = new Level(this.#gain);
  }

  /** @param {Packets} message */
  take({ time, packets }) {
    const durations = packets.map(duration);
    const length = durations.reduce((sum, ticks) => sum + ticks, 0);
    const { at, cut } = this.#playout.place(time, length, this.context.currentTime);
    if (cut) this.#cut(at);
    const decoder = this.#ready();
    let ticks = 0;
    packets.forEach((data, index) => {
      this.#places.push(at + ticks / TICKS_PER_SECOND);
      const timestamp = Math.round(((time + ticks) * 1e6) / TICKS_PER_SECOND);
      // Every Opus packet decodes on its own, after some ms of convergence.
      decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp, data: /** @type {BufferSource} */ (data) }));
      ticks += durations[index] ?? 0;
    });
  }

  /** Plays out what has come: the last words are still waiting when the hub says that the track has ended. */
  async end() {
    // Where the decoder has failed there is nothing more to come out of it.
    if (this.#decoder?.state === 'configured') await this.#decoder.flush().catch(() => {});
    this.#drop();
    this.#ended = true;
    this.#letGo();
  }

  /** An ended voice leaves the output when its last block has sounded. */
  #letGo() {
    if (this.#ended && this.#scheduled.size === 0) this.#gain.disconnect();
  }

  /** The decoder; another one where it has failed or is stuck. */
  #ready() {
    if (this.#decoder?.state === 'configured' && this.#places.length < MOST_IN_DECODER) return this.#decoder;
    this.#drop();
    const decoder = new AudioDecoder({
      output: (data) => {
        this.#schedule(data);
        data.close();
      },
      error: (error) => console.warn(`A track’s decoder failed and is made anew: ${error.message}`),
    });
    // No `description`: it would hold the track's pre-skip, which is long past for one who joins late.
    decoder.configure({ codec: 'opus', sampleRate: TICKS_PER_SECOND, numberOfChannels: this.channels });
    this.#decoder = decoder;
    return decoder;
  }

  #drop() {
    if (this.#decoder && this.#decoder.state !== 'closed') this.#decoder.close();
    this.#decoder = null;
    this.#places = [];
  }

  /**
   * One packet gives one block, in order. Its own timestamp cannot place it: Chromium counts on from the first.
   *
   * @param {AudioData} data
   */
  #schedule(data) {
    const at = this.#places.shift();
    const late = this.context.currentTime - (at ?? 0);
    if (at === undefined || late >= data.numberOfFrames / data.sampleRate) return;
    const buffer = this.context.createBuffer(data.numberOfChannels, data.numberOfFrames, data.sampleRate);
    for (let channel = 0; channel < data.numberOfChannels; channel += 1) {
      data.copyTo(buffer.getChannelData(channel), { planeIndex: channel, format: 'f32-planar' });
    }
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.#gain);
    const entry = { source, at };
    this.#scheduled.add(entry);
    source.onended = () => this.#forget(entry);
    // On whole samples, so that one block begins exactly where the other ends.
    const sample = Math.round(Math.max(at, this.context.currentTime) * this.context.sampleRate) / this.context.sampleRate;
    source.start(sample, Math.max(late, 0));
  }

  /** Takes back what would sound from then on. @param {number} from */
  #cut(from) {
    this.#places = this.#places.map((at) => (at >= from ? -Infinity : at));
    for (const entry of [...this.#scheduled]) {
      if (entry.at < from) {
        entry.source.stop(from);
      } else {
        entry.source.stop();
        this.#forget(entry);
      }
    }
  }

  /** @param {Block} entry */
  #forget(entry) {
    entry.source.disconnect();
    this.#scheduled.delete(entry);
    this.#letGo();
  }
}
