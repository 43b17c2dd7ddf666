import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SEEK_EVERY, Seeks } from '../../src/client/seeks.js';
import { fakeClocks } from './clock.js';

const clock = fakeClocks();

function seeks() {
  const { now, pass } = clock();
  /** @type {number[]} */
  const sent = [];
  const it = new Seeks((at) => sent.push(at), now);
  return { it, sent, pass };
}

test('the first of many is sent at once, then the last', () => {
  const { it, sent, pass } = seeks();
  for (let at = 1; at <= 9; at += 1) it.ask(at);
  assert.deepEqual(sent, [1]);
  pass(SEEK_EVERY);
  assert.deepEqual(sent, [1, 9]);
  pass(10 * SEEK_EVERY);
  assert.deepEqual(sent, [1, 9]);
});

test('a held key sends a few in a second, not each', () => {
  const { it, sent, pass } = seeks();
  for (let at = 0; at < 30; at += 1) {
    it.ask(at);
    pass(33);
  }
  pass(SEEK_EVERY);
  assert.ok(sent.length >= 4 && sent.length <= 7, `${sent.length} were sent`);
  assert.equal(sent.at(-1), 29);
});

test('what comes is old until the hub has taken the last', () => {
  const { it, pass } = seeks();
  assert.equal(it.pending, false);
  it.ask(5);
  it.ask(6);
  assert.equal(it.pending, true);
  assert.equal(it.taken(1), true);
  assert.equal(it.pending, true, 'one waits to be sent');
  pass(SEEK_EVERY);
  assert.equal(it.taken(1), false, 'the same is told again');
  assert.equal(it.pending, true);
  it.taken(2);
  assert.equal(it.pending, false);
});

test('one that is closed sends no more', () => {
  const { it, sent, pass } = seeks();
  it.ask(1);
  it.ask(2);
  it.close();
  pass(SEEK_EVERY);
  assert.deepEqual(sent, [1]);
});
