import assert from 'node:assert/strict';
import { test } from 'node:test';

import { View } from '../../src/client/view.js';
import { fineness, Waves } from '../../src/client/waves.js';

/** @param {number} duration */
function viewOf(duration) {
  const view = new View();
  view.grow(duration);
  return view;
}

/** @param {View} view */
const shown = ({ from, to }) => [from, to];

test('all is shown at first, however long it grows', () => {
  const view = viewOf(10);
  assert.deepEqual([...shown(view), view.whole], [0, 10, true]);
  view.grow(30);
  assert.deepEqual(shown(view), [0, 30]);
});

test('one looks closer around a place, which stays where it is', () => {
  const view = viewOf(100);
  view.zoom(2, 40);
  assert.deepEqual([...shown(view), view.whole], [20, 70, false]);
  assert.equal(view.share(40), 0.4);
  assert.equal(view.at(0.4), 40);
  // What is shown stays, though the recording grows.
  view.grow(200);
  assert.deepEqual(shown(view), [20, 70]);
});

test('nothing is shown that is not in the recording, and never too little or more than all', () => {
  const view = viewOf(100);
  view.zoom(2, 0);
  assert.deepEqual(shown(view), [0, 50]);
  view.move(80);
  assert.deepEqual(shown(view), [50, 100]);
  view.move(-5);
  assert.deepEqual(shown(view), [0, 50]);
  view.zoom(1000, 10);
  assert.equal(view.length, 2);
  assert.ok(view.closest);
  view.zoom(0.001, 10);
  assert.deepEqual([...shown(view), view.whole], [0, 100, true]);
  view.zoom(10, -50);
  assert.deepEqual(shown(view), [0, 10]);
  const short = viewOf(1);
  short.zoom(4, 0.5);
  assert.deepEqual([...shown(short), short.whole], [0, 1, true]);
});

test('the view goes on with a playhead that leaves it, and stays where one looks elsewhere', () => {
  const view = viewOf(100);
  view.zoom(10, 5);
  assert.deepEqual(shown(view), [4.5, 14.5]);
  assert.equal(view.follow(5, 6), false);
  assert.equal(view.follow(14.4, 14.6), true);
  assert.ok(view.from > 14 && view.from < 14.6, `${view.from}`);
  view.move(50);
  assert.equal(view.follow(12, 12.1), false);
  assert.equal(view.from, 50);
  view.showAll();
  assert.equal(view.follow(99, 120), false);
});

test('a part is asked for as fine as it is seen, and never finer than there is', () => {
  assert.equal(fineness(10, 1000, 600), 480);
  assert.equal(fineness(600, 1000, 600), 480 << 5);
  assert.equal(fineness(60, 1000, 3600), 480 * 4);
  assert.equal(fineness(5, 2000, 24 * 3600), 7680);
});

test('who looks at a part gets it with what is beside it, and who goes on before a rest asks for nothing', async () => {
  /** @type {string[]} */
  const asked = [];
  const fetch = /** @type {typeof globalThis.fetch} */ (async (address) => {
    asked.push(String(address));
    return Response.json({ version: 2, channels: 1, sample_rate: 48_000, samples_per_pixel: 480, bits: 8, data: [0, 64] });
  });
  /** @type {[number, number, boolean][]} */
  const got = [];
  const waves = new Waves({ peaks: (track, peaks, close) => got.push([track, peaks.from, close]), note: () => {} }, fetch);
  const track = /** @type {any} */ ({ number: 3, files: { waveform: '/3.json' } });
  const view = viewOf(1000);
  await waves.look([track], view, 1000);
  assert.deepEqual(asked, [], 'all of it is known');
  view.zoom(100, 500);
  const gone = waves.look([track], view, 1000);
  view.move(600.004);
  await Promise.all([gone, waves.look([track], view, 1000)]);
  assert.deepEqual(asked, ['/3.json?samples_per_pixel=480&from=590.004&to=620.004']);
  assert.deepEqual(got, [[3, 590, true]]);
});

const PEAKS = { version: 2, channels: 1, sample_rate: 48_000, samples_per_pixel: 480, bits: 8, data: [0, 64] };
const TRACKS = /** @type {any} */ ([{ number: 1, files: { waveform: '/1.json' } }, { number: 2, files: { waveform: '/2.json' } }]);

test('who looks closer before a waveform is made gets it when it is', async () => {
  const answers = [Response.json({ progress: 0.5 }, { status: 202, headers: { 'retry-after': '0' } }), Response.json(PEAKS)];
  const fetch = /** @type {typeof globalThis.fetch} */ (async () => answers.shift() ?? assert.fail('asked once too often'));
  /** @type {number[]} */
  const got = [];
  const waves = new Waves({ peaks: (track) => got.push(track), note: () => {} }, fetch);
  const view = viewOf(1000);
  view.zoom(100, 500);
  await waves.look(TRACKS.slice(0, 1), view, 1000);
  assert.deepEqual(got, [1]);
});

test('a waveform that cannot be read is told, and the next track has its own', async (context) => {
  context.mock.method(console, 'warn', () => {});
  const fetch = /** @type {typeof globalThis.fetch} */ (async (address) => (address === '/1.json' ? new Response('{"vers') : Response.json(PEAKS)));
  /** @type {number[]} */
  const got = [];
  /** @type {Map<number, string>} */
  const notes = new Map();
  const waves = new Waves({ peaks: (track) => got.push(track), note: (track, text) => notes.set(track, text) }, fetch);
  await waves.all(TRACKS);
  assert.deepEqual(got, [2]);
  assert.deepEqual([...notes], [[1, 'The waveform cannot be made.'], [2, '']]);
});
