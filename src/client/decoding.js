// A track's packets to blocks of sound, with WebCodecs.
//
// What belongs here: one decoder, and another where it fails. What does not: threads; where the blocks go and when they sound.

import { duration, TICKS_PER_SECOND } from './opus.js';

/** Packets that wait in a decoder; past it the decoder is stuck and is made anew. */
const MOST_IN_DECODER = 500;

export class Decoding {
  /** @type {AudioDecoder | null} */
  #decoder = null;
  /** When each packet that is in the decoder begins, in ticks. @type {number[]} */
  #times = [];

  /**
   * @param {number} channels
   * @param {(begin: number, planes: Float32Array<ArrayBuffer>[]) => void} output takes each block: when it begins, in
   *   ticks, and the samples of each channel
   */
  constructor(channels, output) {
    this.channels = channels;
    this.output = output;
  }

  /**
   * @param {number} time when the first packet begins, in ticks
   * @param {Uint8Array[]} packets
   */
  decode(time, packets) {
    for (const data of packets) {
      const decoder = this.#ready();
      this.#times.push(time);
      const timestamp = Math.round((time * 1e6) / TICKS_PER_SECOND);
      // Every Opus packet decodes on its own, after some ms of convergence.
      decoder.decode(new EncodedAudioChunk({ type: 'key', timestamp, data: /** @type {BufferSource} */ (data) }));
      time += duration(data);
    }
  }

  /** Gives what is still in the decoder, and lets it go. */
  async end() {
    // Where the decoder has failed there is nothing more to come out of it.
    if (this.#decoder?.state === 'configured') await this.#decoder.flush().catch(() => {});
    this.drop();
  }

  /** Lets the decoder go with all that is in it. */
  drop() {
    if (this.#decoder && this.#decoder.state !== 'closed') this.#decoder.close();
    this.#decoder = null;
    this.#times = [];
  }

  /** The decoder; another one where it has failed or is stuck. */
  #ready() {
    if (this.#decoder?.state === 'configured' && this.#times.length < MOST_IN_DECODER) return this.#decoder;
    this.drop();
    const decoder = new AudioDecoder({
      output: (data) => {
        if (this.#decoder === decoder) this.#give(data);
        data.close();
      },
      error: (error) => console.warn(`A track’s decoder failed and is made anew: ${error.message}`),
    });
    // No `description`: it would hold the track's pre-skip, which is long past for one who joins late.
    decoder.configure({ codec: 'opus', sampleRate: TICKS_PER_SECOND, numberOfChannels: this.channels });
    this.#decoder = decoder;
    return decoder;
  }

  /**
   * One packet gives one block, in order. Its own timestamp cannot place it: Chromium counts on from the first.
   *
   * @param {AudioData} data
   */
  #give(data) {
    const begin = this.#times.shift();
    if (begin === undefined) return;
    const planes = Array.from({ length: data.numberOfChannels }, (_, planeIndex) => {
      const samples = new Float32Array(data.numberOfFrames);
      data.copyTo(samples, { planeIndex, format: 'f32-planar' });
      return samples;
    });
    this.output(begin, planes);
  }
}
