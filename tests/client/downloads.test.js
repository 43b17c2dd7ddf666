import assert from 'node:assert/strict';
import { test } from 'node:test';

import { rowsOf, stateOf } from '../../src/client/downloads.js';
import { titleOf } from '../../src/client/title.js';

const TRACK = {
  number: 1, participant: 'a', name: 'Ann', start: 3, duration: 90, bytes: 5, gaps: [],
  parts: [{ number: 1, codec: 'opus', source: 'opus', href: '/1.ogg?part=1', bytes: 500 }],
  files: { ogg: '/1.ogg', webm: '/1.webm', waveform: '/1.json' }, sizes: { ogg: 500, webm: null }, damaged: false,
};
const RECORDING = /** @type {any} */ ({ tracks: [TRACK], duration: 100, files: { session: { href: '/session.webm', bytes: 900 } } });

test('the files of all are first, then those of each track', () => {
  const rows = rowsOf(RECORDING).map(({ name, facts, files }) => [name, facts, files.map(({ kind, href, bytes }) => [kind, href, bytes])]);
  assert.deepEqual(rows, [
    ['Everyone', 'all tracks in one file, 1:40', [['WebM', '/session.webm', 900]]],
    ['Ann', '1:30, from 0:03', [['Ogg', '/1.ogg', 500], ['WebM', '/1.webm', null]]],
  ]);
});

test('what is kept of a track is one file, or its parts where they are of different kinds', () => {
  const kept = (/** @type {object} */ track) => rowsOf({ ...RECORDING, tracks: [{ ...TRACK, ...track }] })[1]?.files.map(({ kind, href, bytes }) => [kind, href, bytes]);
  const made = { webm: '/1.webm', waveform: '/1.json' };
  assert.deepEqual(kept({ files: { wav: '/1.wav', ...made }, sizes: { wav: 700, webm: null } }), [['WAV', '/1.wav', 700], ['WebM', '/1.webm', null]]);
  const parts = [
    { number: 1, codec: 'opus', source: 'opus', href: '/1.ogg?part=1', bytes: 500 },
    { number: 2, codec: 'pcm', source: 'flac', href: '/1.wav?part=2', bytes: 600 },
  ];
  assert.deepEqual(kept({ parts, files: made, sizes: { webm: 9 } }), [
    ['Ogg, part 1', '/1.ogg?part=1', 500], ['WAV, part 2', '/1.wav?part=2', 600], ['WebM', '/1.webm', 9],
  ]);
});

test('a track that is damaged says so', () => {
  const [, row] = rowsOf({ ...RECORDING, tracks: [{ ...TRACK, damaged: true }] });
  assert.match(row?.facts ?? '', /some of it cannot be read/);
});

test('a recording without a track has no files', () => {
  assert.deepEqual(rowsOf({ ...RECORDING, tracks: [] }), []);
});

test('what is made from other files comes after the end; what is recorded is there', () => {
  const made = { kind: 'WebM', href: '/', bytes: null, made: true };
  assert.deepEqual(stateOf(made, false), { kind: 'later' });
  assert.deepEqual(stateOf(made, true), { kind: 'absent' });
  assert.deepEqual(stateOf({ ...made, bytes: 7 }, true), { kind: 'ready', bytes: 7 });
  assert.deepEqual(stateOf({ ...made, made: false, bytes: 7 }, false), { kind: 'ready', bytes: 7 });
});

test('a title has no spaces at its ends, and is none where nothing is left', () => {
  assert.deepEqual(['  A  talk ', '', '   '].map(titleOf), ['A talk', null, null]);
  assert.equal([...(titleOf('😀'.repeat(300)) ?? '')].length, 200);
});
