import assert from 'node:assert/strict';
import { test } from 'node:test';

import { marks, namesOf } from '../../src/client/timeline.js';

const upTo = (/** @type {number} */ to) => ({ from: 0, to });

test('marks of time are round, and no more than there is room for', () => {
  assert.deepEqual(marks(upTo(10), 5), [0, 2, 4, 6, 8, 10]);
  assert.deepEqual(marks(upTo(93), 7), [0, 15, 30, 45, 60, 75, 90]);
  assert.deepEqual(marks(upTo(7200), 4), [0, 1800, 3600, 5400, 7200]);
  assert.deepEqual(marks(upTo(86_400), 3), [0, 28_800, 57_600, 86_400]);
  for (const duration of [0.5, 61, 5000, 90_000]) {
    for (const most of [0.4, 3, 9]) assert.ok(marks(upTo(duration), most).length <= most + 2, `${duration} s, ${most}`);
  }
});

test('one who has several tracks is told apart by a number', () => {
  const tracks = [{ number: 1, name: 'Ann' }, { number: 2, name: 'Ben' }, { number: 5, name: 'Ann' }];
  assert.deepEqual([...namesOf(tracks)], [[1, 'Ann 1'], [2, 'Ben'], [5, 'Ann 2']]);
});
