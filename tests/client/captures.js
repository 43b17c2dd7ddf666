// The captures of real browsers, as the tests need them.

import { readFileSync } from 'node:fs';

/** Streams of one Opus track, or of Opus beside video. */
export const NAMES = [
  'chromium-webm-opus',
  'chromium-webm-opus-100ms',
  'chromium-webm-opus-ctxsuspend',
  'chromium-webm-opus-mic',
  'chromium-webm-opus-restart',
  'chromium-webm-vp8-opus',
  'firefox-webm-opus',
  'firefox-webm-opus-ctx44100',
  'firefox-webm-opus-restart',
];

/** @param {string} name @param {string} file */
function read(name, file) {
  return readFileSync(new URL(`../captures/${name}/${file}`, import.meta.url));
}

/** The WebSocket messages, in order. @param {string} name @returns {Uint8Array[]} */
export function messages(name) {
  const bytes = read(name, 'chunks.bin');
  const messages = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    messages.push(new Uint8Array(bytes.subarray(at + 4, at + 4 + length)));
    at += 4 + length;
  }
  return messages;
}

/** What ffmpeg finds in the stream. @param {string} name @returns {{ millis: number, size: number, hash: string }[]} */
export function packets(name) {
  const lines = read(name, 'packets.csv').toString().trim().split('\n');
  return lines.map((line) => {
    const [millis, size, hash] = line.split(',');
    return { millis: Number(millis), size: Number(size), hash: hash?.replace('adler32:', '') ?? '' };
  });
}

/** Adler-32 in hexadecimal digits (RFC 1950 §9), as ffprobe says it. @param {Uint8Array} data */
export function adler32(data) {
  let [low, high] = [1, 0];
  for (const byte of data) {
    low = (low + byte) % 65_521;
    high = (high + low) % 65_521;
  }
  return ((high * 65_536 + low) >>> 0).toString(16).padStart(8, '0');
}

/** A seeded generator of numbers from 0 to 1 (mulberry32). @param {number} seed */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
