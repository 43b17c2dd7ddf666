import assert from 'node:assert/strict';
import { test } from 'node:test';

import { columns, laneOf, loudest, peaksOf } from '../../src/client/waveform.js';

const JSON_2 = { version: 2, channels: 1, sample_rate: 48_000, samples_per_pixel: 480, bits: 8, length: 2, data: [-128, 64, 0, 127] };

test('audiowaveform’s JSON becomes peaks from −1 to 1', () => {
  const peaks = peaksOf(JSON_2);
  assert.equal(peaks?.seconds, 0.01);
  assert.deepEqual([...(peaks?.data ?? [])], [-1, 0.5, 0, 127 / 128]);
  assert.deepEqual([...(peaksOf({ ...JSON_2, bits: 16, data: [-32_768, 16_384] })?.data ?? [])], [-1, 0.5]);
});

test('what is none of it gives no peaks', () => {
  const wrong = [null, 7, [], {}, { ...JSON_2, version: 1 }, { ...JSON_2, channels: 2 }, { ...JSON_2, samples_per_pixel: 0 }, { ...JSON_2, data: 'abc' }];
  for (const it of wrong) assert.equal(peaksOf(it), null, JSON.stringify(it));
});

/** Peaks of 1 s each: as loud below as above. @param {...number} values */
const peaks = (...values) => ({ seconds: 1, from: 0, data: Float32Array.from(values.flatMap((value) => [-value, value])) });
const upTo = (/** @type {number} */ to) => ({ from: 0, to });
const highs = (/** @type {Float32Array} */ found) => [...found].filter((_, index) => index % 2 === 1);

test('no short sound is lost where a column covers many peaks', () => {
  assert.deepEqual(highs(columns(peaks(0, 0, 0.5, 0, 0, 0.25, 0, 0), upTo(8), 2)), [0.5, 0.25]);
  assert.deepEqual([...columns(peaks(0.5, 0.25), upTo(2), 1)], [-0.5, 0.5]);
});

test('a peak spreads over all its columns where there are more of them', () => {
  assert.deepEqual(highs(columns(peaks(0.5, 0.25), upTo(2), 6)), [0.5, 0.5, 0.5, 0.25, 0.25, 0.25]);
});

test('what lies beyond the peaks is silent', () => {
  assert.deepEqual(highs(columns(peaks(0.5), upTo(4), 4)), [0.5, 0, 0, 0]);
});

test('a part shows its own peaks, wherever those that are known begin', () => {
  const known = { ...peaks(0.1, 0.2, 0.3, 0.4), from: 10 };
  const seen = (/** @type {number} */ from, /** @type {number} */ to, /** @type {number} */ count) => highs(columns(known, { from, to }, count)).map((high) => high.toFixed(1)).join(' ');
  assert.equal(seen(11, 13, 2), '0.2 0.3');
  assert.equal(seen(8, 12, 4), '0.0 0.0 0.1 0.2');
  assert.equal(seen(10.5, 12.5, 4), '0.1 0.2 0.2 0.3');
  assert.equal(seen(13, 15, 2), '0.4 0.0');
});

test('the loudest of all tracks fills a lane, and a whisper does not', () => {
  assert.equal(loudest([peaks(0.25), peaks(0.5)]), 0.5);
  assert.ok(loudest([peaks(0.001)]) > 0.05);
  assert.ok(loudest([]) > 0);
});

test('a lane has sound but for its gaps', () => {
  const gaps = [{ at: 30, duration: 5 }, { at: 12, duration: 3 }];
  assert.deepEqual(laneOf({ start: 10, duration: 40, gaps }), {
    sound: [{ from: 10, to: 12 }, { from: 15, to: 30 }, { from: 35, to: 50 }],
    gaps: [{ from: 12, to: 15 }, { from: 30, to: 35 }],
  });
});

test('gaps at the ends, over each other and outside are cut', () => {
  const gaps = [{ at: 0, duration: 12 }, { at: 11, duration: 3 }, { at: 19, duration: 9 }, { at: 50, duration: 1 }];
  assert.deepEqual(laneOf({ start: 10, duration: 10, gaps }).sound, [{ from: 14, to: 19 }]);
});
