import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ago, clock, count, size, when } from '../../src/client/format.js';
import { barOf } from '../../src/client/level.js';
import { closedSentence, noticeSentence } from '../../src/client/sentences.js';

test('a length reads as on a clock', () => {
  assert.deepEqual([0, 7.9, 754, 3723, -1].map(clock), ['0:00', '0:07', '12:34', '1:02:03', '0:00']);
});

test('a size has at most three digits', () => {
  assert.deepEqual([0, 950, 1000, 12_340, 999_600, 3.4e6, 2e12].map(size), ['0 B', '950 B', '1.0 kB', '12 kB', '1.0 MB', '3.4 MB', '2.0 TB']);
});

test('near times are said in words', () => {
  const now = new Date(2026, 10, 22, 9, 0);
  const said = (/** @type {Date} */ then) => when(then, now, 'en-GB');
  assert.equal(said(new Date(2026, 10, 22, 0, 1)), 'Today, 00:01');
  assert.equal(said(new Date(2026, 10, 21, 23, 59)), 'Yesterday, 23:59');
  assert.equal(said(new Date(2026, 10, 2, 12, 0)), '2 Nov, 12:00');
  assert.equal(said(new Date(2025, 11, 31, 12, 0)), '31 Dec 2025, 12:00');
});

test('what is less than an hour old is told by its age', () => {
  const now = new Date(2026, 10, 22, 9, 0);
  const said = (/** @type {number} */ seconds) => ago(new Date(now.getTime() - seconds * 1000), now, 'en-GB');
  assert.deepEqual([0, 59, 60, 3599, 3600].map(said), ['Just now', 'Just now', '1 min ago', '59 min ago', 'Today, 08:00']);
  assert.deepEqual([-30, -600].map(said), ['Just now', 'Today, 09:10'], 'clocks differ');
});

test('a count has its word', () => {
  assert.deepEqual([count(1, 'track'), count(0, 'track'), count(2, 'person', 'people')], ['1 track', '0 tracks', '2 people']);
});

test('a bar is empty in silence and full at a loud voice', () => {
  assert.deepEqual([0, 0.001, 0.3163, 1].map(barOf), [0, 0, 1, 1]);
  assert.ok(barOf(0.03) > 0.4 && barOf(0.03) < 0.7);
});

test('the hub’s own reason is said, as a sentence', () => {
  const closed = /** @type {const} */ ({ kind: 'closed', cause: 'hub', code: 1007, reason: 'the stream is no WebM', error: null });
  assert.equal(closedSentence(closed), 'The hub closed the connection: The stream is no WebM.');
  assert.match(closedSentence({ ...closed, reason: '' }), /1007/);
  assert.match(closedSentence({ ...closed, code: 1001, reason: 'the hub stops' }), /Join again/);
  assert.equal(closedSentence({ ...closed, cause: 'left' }), '');
});

test('what was skipped is said in seconds', () => {
  assert.match(noticeSentence({ kind: 'lag', skippedTicks: 240_000, messages: 9 }), /5 seconds/);
  assert.match(noticeSentence({ kind: 'lag', skippedTicks: 100, messages: 1 }), /a second/);
});
