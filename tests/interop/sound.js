// Sound for the tests, made and judged by ffmpeg.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** How long a piece of a sound is that is judged by itself, in samples: 40 ms. */
const PIECE = 1920;

/**
 * @param {string[]} options
 * @param {Uint8Array} [input]
 * @returns {Promise<{ output: Buffer, said: string }>} fails where ffmpeg does
 */
async function ffmpeg(options, input) {
  const run = spawn('ffmpeg', ['-hide_banner', '-v', 'warning', ...options], { stdio: ['pipe', 'pipe', 'pipe'] });
  const ended = once(run, 'close');
  /** @type {Buffer[]} */
  const output = [];
  let said = '';
  run.stdout.on('data', (data) => output.push(data));
  run.stderr.on('data', (data) => (said += data));
  // One that has read enough closes its input.
  run.stdin.on('error', () => {});
  run.stdin.end(input);
  const [status] = await ended;
  if (status !== 0) throw new Error(`ffmpeg ${options.join(' ')}: ${said}`);
  return { output: Buffer.concat(output), said };
}

/** @param {number} hertz @param {number} [level] */
export const tone = (hertz, level = 0.3) => `${level}*sin(2*PI*${hertz}*t)`;

/**
 * A file of a sound.
 *
 * @param {string} sound an expression of ffmpeg's `aevalsrc`, over `t` in seconds
 * @param {number} seconds
 * @param {string[]} [as] how it is encoded, and in what
 */
export async function made(sound, seconds, as = ['-c:a', 'libopus', '-f', 'webm', '-cluster_time_limit', '200']) {
  return (await ffmpeg(['-f', 'lavfi', '-i', `aevalsrc=${sound}:d=${seconds}:s=48000`, ...as, '-'])).output;
}

/**
 * A file's sound: one channel at 48 kHz.
 *
 * @param {Uint8Array} file
 * @returns {Promise<Float32Array>}
 */
export async function decoded(file) {
  const { output } = await ffmpeg(['-i', '-', '-ac', '1', '-ar', '48000', '-f', 'f32le', '-'], file);
  return new Float32Array(output.buffer.slice(output.byteOffset, output.byteOffset + output.length));
}

/**
 * How much of a sound's power is a tone (Goertzel), of 1. Runs in pages too, so it must stand alone.
 *
 * @param {Float32Array} samples at 48 kHz
 * @param {number} hertz
 */
export function share(samples, hertz) {
  const turn = 2 * Math.cos((2 * Math.PI * hertz) / 48_000);
  let [one, two, power] = [0, 0, 0];
  for (const sample of samples) {
    [one, two] = [sample + turn * one - two, one];
    power += sample * sample;
  }
  return power === 0 ? 0 : (2 * (one * one + two * two - turn * one * two)) / (samples.length * power);
}

/**
 * The same of short pieces, in the median: on a busy machine the sound of a page breaks off here and there.
 *
 * @param {Float32Array} samples at 48 kHz
 * @param {number} hertz
 */
export function shareInPieces(samples, hertz) {
  const pieces = Array.from({ length: Math.floor(samples.length / PIECE) }, (_, index) => samples.subarray(index * PIECE, (index + 1) * PIECE));
  const shares = pieces.map((piece) => share(piece, hertz)).sort((one, other) => one - other);
  return shares[Math.floor(shares.length / 2)] ?? 0;
}
