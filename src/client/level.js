// How loud something is, at this moment.

/** About 40 ms at 48 kHz. */
const SAMPLES = 2048;

export class Level {
  #samples = new Float32Array(SAMPLES);

  /** @param {AudioNode} node what is measured; it sounds as before */
  constructor(node) {
    this.analyser = node.context.createAnalyser();
    this.analyser.fftSize = SAMPLES;
    node.connect(this.analyser);
  }

  /** The root mean square of the last moments, 0 to 1. */
  rms() {
    this.analyser.getFloatTimeDomainData(this.#samples);
    return Math.sqrt(this.#samples.reduce((sum, sample) => sum + sample * sample, 0) / SAMPLES);
  }
}

/**
 * A level as a share of a bar: −60 dB and below is nothing, −10 dB is all of it.
 *
 * @param {number} rms
 * @returns {number} 0 to 1
 */
export function barOf(rms) {
  const decibels = 20 * Math.log10(Math.max(rms, 1e-6));
  return Math.min(1, Math.max(0, (decibels + 60) / 50));
}
