import assert from 'node:assert/strict';
import { test } from 'node:test';

import { rowsOf, stateOf } from '../../src/client/downloads.js';
import { titleOf } from '../../src/client/title.js';

const TRACK = {
  number: 1, participant: 'a', name: 'Ann', start: 3, duration: 90, bytes: 5, gaps: [],
  parts: [{ number: 1, codec: 'opus', source: 'opus', href: '/1.ogg?part=1', bytes: 500 }],
  kept: 'ogg', files: { ogg: '/1.ogg', wav: '/1.wav', webm: '/1.webm', flac: '/1.flac', waveform: '/1.json' }, sizes: { ogg: 500, wav: null, webm: null, flac: null }, damaged: false,
};
const RECORDING = /** @type {any} */ ({ tracks: [TRACK], duration: 100, files: {
  session: { href: '/session.webm', bytes: 900 },
  tracks: { href: '/tracks.zip', bytes: null },
  mix: { ogg: { href: '/mix.ogg', bytes: 300 }, webm: { href: '/mix.webm', bytes: null }, wav: { href: '/mix.wav', bytes: null }, flac: { href: '/mix.flac', bytes: null } },
} });

test('the files of all are first, then those of each track', () => {
  const rows = rowsOf(RECORDING).map(({ name, facts, files }) => [name, facts, files.map(({ kind, href, bytes }) => [kind, href, bytes])]);
  assert.deepEqual(rows, [
    ['The mix', 'everyone in one sound, 1:40', [['Ogg', '/mix.ogg', 300], ['WebM', '/mix.webm', null], ['FLAC', '/mix.flac', null], ['WAV', '/mix.wav', null]]],
    ['Everyone', 'the mix and each track, 1:40', [['WebM', '/session.webm', 900], ['ZIP', '/tracks.zip', null]]],
    ['Ann', '1:30, from 0:03', [['Ogg', '/1.ogg', 500], ['WAV', '/1.wav', null], ['FLAC', '/1.flac', null], ['WebM', '/1.webm', null]]],
  ]);
});

test('one file is what most people want, and what is as it was recorded says so', () => {
  const files = rowsOf(RECORDING).flatMap((row) => row.files);
  assert.deepEqual(files.filter(({ main }) => main).map(({ href }) => href), ['/mix.ogg']);
  assert.deepEqual(files.filter(({ good }) => good === 'as it was recorded').map(({ href, made }) => [href, made]), [['/1.ogg', false]]);
  for (const { href, good } of files) assert.ok(good, href);
});

test('of a track whose parts are of different kinds there are the parts too', () => {
  const parts = [
    { number: 1, codec: 'opus', source: 'opus', href: '/1.ogg?part=1', bytes: 500 },
    { number: 2, codec: 'pcm', source: 'flac', href: '/1.wav?part=2', bytes: 600 },
  ];
  const track = { ...TRACK, parts, kept: null, sizes: { ogg: null, wav: null, webm: 9, flac: 12 } };
  const files = rowsOf({ ...RECORDING, tracks: [track] })[2]?.files.map(({ kind, href, bytes, made }) => [kind, href, bytes, made]);
  assert.deepEqual(files, [
    ['Ogg, part 1', '/1.ogg?part=1', 500, false], ['WAV, part 2', '/1.wav?part=2', 600, false],
    ['Ogg', '/1.ogg', null, true], ['WAV', '/1.wav', null, true], ['FLAC', '/1.flac', 12, true], ['WebM', '/1.webm', 9, true],
  ]);
});

test('a track that is damaged says so', () => {
  const [, , row] = rowsOf({ ...RECORDING, tracks: [{ ...TRACK, damaged: true }] });
  assert.match(row?.facts ?? '', /some of it cannot be read/);
});

test('a recording without a track has no files', () => {
  assert.deepEqual(rowsOf({ ...RECORDING, tracks: [] }), []);
});

test('what is made from other files comes after the end; what is recorded is there', () => {
  const made = { kind: 'WebM', href: '/', bytes: null, made: true, good: 'to listen to' };
  assert.deepEqual(stateOf(made, false), { kind: 'later' });
  assert.deepEqual(stateOf(made, true), { kind: 'absent' });
  assert.deepEqual(stateOf({ ...made, bytes: 7 }, true), { kind: 'ready', bytes: 7 });
  assert.deepEqual(stateOf({ ...made, made: false, bytes: 7 }, false), { kind: 'ready', bytes: 7 });
});

test('a title has no spaces at its ends, and is none where nothing is left', () => {
  assert.deepEqual(['  A  talk ', '', '   '].map(titleOf), ['A talk', null, null]);
  assert.equal([...(titleOf('😀'.repeat(300)) ?? '')].length, 200);
});
