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
  /** `at` is the page's clock in ms, `time` the sound's own in s, which stands still where the machine is too slow. @type {{ at: number, time: number, rms: number, pitches: number[] }[]} */
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
        const samples = new Float32Array(analyser.fftSize);
        const spectrum = new Float32Array(analyser.frequencyBinCount);
        analyser.smoothingTimeConstant = 0;
        setInterval(() => {
          analyser.getFloatTimeDomainData(samples);
          const rms = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
          analyser.getFloatFrequencyData(spectrum);
          /** @type {number[]} */
          const pitches = [];
          spectrum.forEach((level, bin) => {
            const around = spectrum.subarray(Math.max(bin - 8, 0), bin + 9);
            if (level > -50 && level === Math.max(...around)) pitches.push((bin * this.context.sampleRate) / analyser.fftSize);
          });
          heard.push({ at: performance.now(), time: this.context.currentTime, rms, pitches });
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

/**
 * Waits until the page has sounded of these pitches, and of no other, for a while. On a machine that is busy with something
 * else a sound can break off, which sounds of everything: a quarter of the while is left for that.
 *
 * @param {import('./browsers.js').Page} page
 * @param {string} who
 * @param {number[]} pitches Hz
 */
export async function hearsTones(page, who, pitches) {
  await page.until(`${who} hears ${pitches.join(' and ')} Hz for ${LONG} ms, and nothing else`, ({ long, pitches }) => {
    /** @type {{ at: number, rms: number, pitches: number[] }[]} */
    const heard = /** @type {any} */ (window).heard;
    // What is silent is the output of a microphone.
    const last = heard.filter(({ at, pitches }) => at > performance.now() - long && pitches.length > 0);
    const near = (/** @type {number} */ one, /** @type {number} */ other) => Math.abs(one - other) < 15;
    const right = last.filter((it) => it.pitches.length === pitches.length && pitches.every((pitch) => it.pitches.some((other) => near(pitch, other))));
    return right.length > long / 400 && right.length >= 0.75 * last.length;
  }, { long: LONG, pitches });
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

/** Waits until the page sounds all of these tones at once, if only for a moment. @param {import('./browsers.js').Page} page @param {string} who @param {number[]} tones Hz */
export async function hearsOnce(page, who, ...tones) {
  const since = await page.run(() => performance.now());
  await page.until(`${who} hears ${tones} Hz`, ({ since, tones, near }) =>
    /** @type {any} */ (window).heard.some((/** @type {{ at: number, pitches: number[] }} */ it) =>
      it.at > since && tones.every((tone) => it.pitches.some((other) => Math.abs(other - tone) < near))), { since, tones, near: NEAR });
}

/** Whether the page has sounded this tone, ever. @param {import('./browsers.js').Page} page @param {number} tone */
export async function hasHeardTone(page, tone) {
  return page.run(({ tone, near }) => /** @type {any} */ (window).heard.some((/** @type {{ pitches: number[] }} */ it) =>
    it.pitches.some((other) => Math.abs(other - tone) < near)), { tone, near: NEAR });
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
