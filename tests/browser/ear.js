// An ear in a page: measures, with an AnalyserNode, everything that the page sends to its loudspeaker. The page's own code
// knows nothing of it.


/** Louder than this is heard; speech and the fake microphones are far above it. */
export const HEARD = 0.01;
/** Softer than this is silence: comfort noise, the tail of a sound. */
const SILENT = 0.001;
/** So long must it be silent, in ms: longer than the pause between two beeps of Chromium's fake microphone. */
const LONG = 2_000;

/** Runs in the page, before its own code, so it must stand alone. */
export function installEar() {
  const connect = /** @type {(this: AudioNode, target: AudioNode, ...rest: number[]) => AudioNode} */ (AudioNode.prototype.connect);
  /** @type {{ at: number, rms: number, tones: number[] }[]} */
  const heard = [];
  /** @type {any} */ (window).heard = heard;
  AudioNode.prototype.connect = /** @type {any} */ (
    /** @this {AudioNode} @param {AudioNode} target @param {number[]} rest */
    function (target, ...rest) {
      if (target === this.context.destination) {
        // About 170 ms at 48 kHz, measured every 100 ms: no moment goes unheard.
        const analyser = this.context.createAnalyser();
        analyser.fftSize = 8192;
        connect.call(this, analyser);
        analyser.smoothingTimeConstant = 0;
        const samples = new Float32Array(analyser.fftSize);
        const spectrum = new Float32Array(analyser.frequencyBinCount);
        setInterval(() => {
          analyser.getFloatTimeDomainData(samples);
          const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
          // The tones, in Hz: what stands out of its surroundings, is not much softer than the loudest, and is no whisper.
          analyser.getFloatFrequencyData(spectrum);
          const loudest = spectrum.reduce((most, it) => Math.max(most, it), -Infinity);
          /** @type {number[]} */
          const tones = [];
          spectrum.forEach((it, bin) => {
            const peak = it > (spectrum[bin - 1] ?? 0) && it >= (spectrum[bin + 1] ?? 0);
            if (peak && it > -60 && it > loudest - 20) tones.push((bin * analyser.context.sampleRate) / analyser.fftSize);
          });
          heard.push({ at: performance.now(), rms, tones });
        }, 100);
      }
      return connect.call(this, target, ...rest);
    }
  );
}

/** Waits until the page sounds, from now on. @param {import('./browsers.js').Page} page @param {string} who */
export async function hears(page, who) {
  const since = await page.run(() => performance.now());
  await page.until(`${who} hears something`, ({ since, least }) =>
    /** @type {any} */ (window).heard.some((/** @type {any} */ it) => it.at > since && it.rms > least), { since, least: HEARD });
}

/** Waits until the page has been silent for a while. @param {import('./browsers.js').Page} page @param {string} who */
export async function hearsNothing(page, who) {
  await page.until(`${who} hears nothing for ${LONG} ms`, ({ long, most }) => {
    /** @type {{ at: number, rms: number }[]} */
    const heard = /** @type {any} */ (window).heard;
    const last = heard.filter(({ at }) => at > performance.now() - long);
    return last.length > long / 400 && last.every(({ rms }) => rms < most);
  }, { long: LONG, most: SILENT });
}

/** How near to a tone what is heard must be, in Hz: two bins of the ear. */
const NEAR = 12;

/** Waits until the page sounds all of these tones at once, from now on. @param {import('./browsers.js').Page} page @param {string} who @param {number[]} tones Hz */
export async function hearsTones(page, who, ...tones) {
  const since = await page.run(() => performance.now());
  await page.until(`${who} hears ${tones} Hz`, ({ since, tones, near }) =>
    /** @type {any} */ (window).heard.some((/** @type {{ at: number, tones: number[] }} */ it) =>
      it.at > since && tones.every((tone) => it.tones.some((other) => Math.abs(other - tone) < near))), { since, tones, near: NEAR });
}

/** The tones that the page has sounded since it was opened, in Hz. @param {import('./browsers.js').Page} page @param {number} tone */
export async function hasHeardTone(page, tone) {
  return page.run(({ tone, near }) => /** @type {any} */ (window).heard.some((/** @type {{ tones: number[] }} */ it) =>
    it.tones.some((other) => Math.abs(other - tone) < near)), { tone, near: NEAR });
}

/** Runs in the page, before its own code: every microphone is this tone. @param {number} tone Hz */
export function installMouth(tone) {
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, { frequency: tone });
    const out = context.createMediaStreamDestination();
    oscillator.connect(new GainNode(context, { gain: 0.3 })).connect(out);
    oscillator.start();
    await context.resume();
    return out.stream;
  };
}
