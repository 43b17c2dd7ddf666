import assert from 'node:assert/strict';
import { test } from 'node:test';

import { commandOf } from '../../src/client/replay-keys.js';

test('space and K play and pause, J, L and the arrows move, wherever the focus is', () => {
  for (const place of /** @type {const} */ (['page', 'seek'])) {
    assert.deepEqual(commandOf(' ', place), { do: 'toggle' });
    assert.deepEqual(['k', 'K'].map((key) => commandOf(key, place)), [{ do: 'toggle' }, { do: 'toggle' }]);
    const moves = ['j', 'l', 'ArrowLeft', 'ArrowRight'].map((key) => commandOf(key, place));
    assert.deepEqual(moves, [-10, 10, -5, 5].map((by) => ({ do: 'move', by })));
  }
});

test('a button that has the focus keeps its space', () => {
  assert.equal(commandOf(' ', 'control'), null);
  assert.deepEqual(commandOf('k', 'control'), { do: 'toggle' });
});

test('who writes is left alone', () => {
  for (const key of [' ', 'k', 'j', 'l', 'ArrowLeft', 'Home', 'PageUp']) assert.equal(commandOf(key, 'text'), null, key);
});

test('another slider keeps its arrows, and has no other keys', () => {
  for (const key of ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'Home', 'PageUp']) assert.equal(commandOf(key, 'slider'), null, key);
  assert.deepEqual([' ', 'k'].map((key) => commandOf(key, 'slider')), [{ do: 'toggle' }, { do: 'toggle' }]);
  assert.deepEqual(commandOf('j', 'slider'), { do: 'move', by: -10 });
});

test('the slider of the recording has all keys of a slider, and leaves them to the page elsewhere', () => {
  const keys = ['ArrowUp', 'ArrowDown', 'PageUp', 'PageDown', 'Home', 'End'];
  const on = [{ do: 'move', by: 5 }, { do: 'move', by: -5 }, { do: 'move', by: 30 }, { do: 'move', by: -30 }, { do: 'go', to: 'start' }, { do: 'go', to: 'end' }];
  assert.deepEqual(keys.map((key) => commandOf(key, 'seek')), on);
  for (const key of keys) assert.equal(commandOf(key, 'page'), null, key);
});

test('other keys are not ours', () => {
  for (const key of ['a', 'Enter', 'Tab', 'Escape', 'F5']) assert.equal(commandOf(key, 'seek'), null, key);
});
