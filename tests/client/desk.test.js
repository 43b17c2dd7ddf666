import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Desk } from '../../src/client/desk.js';

/** Which of three tracks are heard. @param {Desk} desk */
const heard = (desk) => [1, 2, 3].filter((track) => desk.hears(track));

test('all are heard until one is muted, and again after', () => {
  const desk = new Desk();
  assert.deepEqual(heard(desk), [1, 2, 3]);
  desk.toggleMute(2);
  assert.deepEqual([heard(desk), desk.isMuted(2), desk.isMuted(1)], [[1, 3], true, false]);
  desk.toggleMute(2);
  assert.deepEqual(heard(desk), [1, 2, 3]);
});

test('where any is solo, only those are heard', () => {
  const desk = new Desk();
  desk.toggleSolo(1);
  assert.deepEqual([heard(desk), desk.isSolo(1)], [[1], true]);
  desk.toggleSolo(3);
  assert.deepEqual(heard(desk), [1, 3]);
  desk.toggleSolo(1);
  desk.toggleSolo(3);
  assert.deepEqual(heard(desk), [1, 2, 3]);
});

test('one that is muted is not heard, even solo', () => {
  const desk = new Desk();
  desk.toggleMute(1);
  desk.toggleSolo(1);
  assert.deepEqual(heard(desk), []);
});
