import assert from 'node:assert/strict';
import { test } from 'node:test';

import { lastBy, linesOf } from '../../src/client/chat-in-time.js';

const said = (/** @type {number} */ at, /** @type {string} */ text) => ({ at, name: 'Ann', text });

test('lines are in time, with who came and went between them', () => {
  const lines = linesOf({
    chat: [said(9, 'second'), said(3, 'first')],
    attendance: [{ name: 'Ann', joined: 0, left: null }, { name: 'Ben', joined: 5, left: 20 }],
    duration: 60,
  });
  assert.deepEqual(lines.map(({ at, kind, name, text }) => [at, kind, name, text]), [
    [3, 'chat', 'Ann', 'first'],
    [5, 'joined', 'Ben', ''],
    [9, 'chat', 'Ann', 'second'],
    [20, 'left', 'Ben', ''],
  ]);
});

test('who was there from the start and stayed to the end is no news', () => {
  const attendance = [{ name: 'Ann', joined: 0.4, left: 60 }, { name: 'Ben', joined: 0, left: null }, { name: 'Cem', joined: 0, left: 59.5 }];
  assert.deepEqual(linesOf({ chat: [], attendance, duration: 60 }), []);
});

test('of one moment, who comes is before what they write, and who goes is after', () => {
  const lines = linesOf({ chat: [said(5, 'hello')], attendance: [{ name: 'Ann', joined: 5, left: 5 }], duration: 60 });
  assert.deepEqual(lines.map(({ kind }) => kind), ['joined', 'chat', 'left']);
});

test('a marker stands before what is written at its moment, whether anybody said who set it', () => {
  const markers = [{ at: 9, name: null, text: 'News' }, { at: 3, name: 'Ben', text: '' }];
  const lines = linesOf({ chat: [said(3, 'hello')], markers, duration: 60 });
  assert.deepEqual(lines.map(({ at, kind, name }) => [at, kind, name]), [[3, 'marker', 'Ben'], [3, 'chat', 'Ann'], [9, 'marker', null]]);
});

test('a recording without attendance has its chat alone', () => {
  assert.equal(linesOf({ chat: [said(1, 'a')], duration: 2 }).length, 1);
});

test('the last line by a moment is found, at it and between and before all', () => {
  const lines = [1, 2, 2, 5].map((at) => ({ at }));
  assert.deepEqual([0, 0.99, 1, 1.5, 2, 4.9, 5, 99].map((at) => lastBy(lines, at)), [-1, -1, 0, 0, 2, 2, 3, 3]);
  assert.equal(lastBy([], 5), -1);
});
