// The AudioWorklet of a publisher: hands on what comes in, 20 ms at a time, with the context's own count of frames.

/** What TypeScript does not know of an AudioWorkletGlobalScope. @type {any} */
const scope = globalThis;

/**
 * @typedef {object} Captured
 * @property {number} frame the context's count at the first of them
 * @property {Float32Array<ArrayBuffer>[]} planes one for each channel
 */

class CaptureProcessor extends scope.AudioWorkletProcessor {
  /** @type {Float32Array<ArrayBuffer>[]} */
  #planes = [];
  #filled = 0;
  #frame = 0;

  /** @param {{ processorOptions: { frames: number, channels: number } }} options */
  constructor({ processorOptions: { frames, channels } }) {
    super();
    this.frames = frames;
    this.channels = channels;
  }

  /** @param {Float32Array[][]} inputs */
  process([input]) {
    // A source that gives nothing, as one that is being replaced, is silent.
    const length = input?.[0]?.length ?? 128;
    for (let taken = 0; taken < length; ) {
      if (this.#filled === 0) {
        this.#frame = scope.currentFrame + taken;
        this.#planes = Array.from({ length: this.channels }, () => new Float32Array(this.frames));
      }
      const count = Math.min(length - taken, this.frames - this.#filled);
      this.#planes.forEach((plane, channel) => {
        const samples = input?.[channel] ?? input?.[0];
        if (samples) plane.set(samples.subarray(taken, taken + count), this.#filled);
      });
      taken += count;
      this.#filled += count;
      if (this.#filled === this.frames) this.#give();
    }
    return true;
  }

  #give() {
    /** @type {Captured} */
    const captured = { frame: this.#frame, planes: this.#planes };
    this.port.postMessage(captured, this.#planes.map(({ buffer }) => buffer));
    this.#filled = 0;
  }
}

scope.registerProcessor('roomtone-capture', CaptureProcessor);
