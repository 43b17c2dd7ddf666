import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LONGEST, Playout, TARGET } from '../../src/client/playout.js';

/** 120 ms, as a recorder with 60 ms packets sends them. */
const LENGTH = 5760;
const SECONDS = LENGTH / 48_000;

/**
 * Plays messages that arrive at these times, each going on where the one before it ends.
 *
 * @param {Playout} playout
 * @param {number[]} arrivals in seconds
 * @param {number} [ticks] media time of the first
 */
function play(playout, arrivals, ticks = 0) {
  return arrivals.map((now, index) => ({ now, ...playout.place(ticks + index * LENGTH, LENGTH, now) }));
}

/** @param {number} actual @param {number} expected */
function near(actual, expected) {
  assert.ok(Math.abs(actual - expected) < 1e-9, `${actual} is not ${expected}`);
}

test('the first message waits, the others follow without a seam, whatever the network does within the wait', () => {
  const wobble = [0, 0.1, 0.02, 0.14, 0.07, 0];
  const places = play(new Playout(), wobble.map((late, index) => 5 + index * SECONDS + late), 1e6);
  near(places[0]?.at ?? 0, 5 + TARGET);
  places.forEach(({ at, cut }, index) => {
    near(at, 5 + TARGET + index * SECONDS);
    assert.equal(cut, false);
  });
});

test('a buffer that ran dry is filled again', () => {
  const playout = new Playout();
  play(playout, [0]);
  const { at, cut } = playout.place(LENGTH, LENGTH, 1);
  near(at, 1 + TARGET);
  assert.equal(cut, false);
});

test('a burst after a stall is skipped to its end, and is not heard late', () => {
  const playout = new Playout();
  const places = play(playout, [0, ...new Array(20).fill(3)]);
  assert.ok(places.some(({ cut }) => cut));
  const last = places.at(-1);
  assert.ok(last && last.at + SECONDS - 3 <= LONGEST + SECONDS, `${last?.at}`);
  const next = playout.place(21 * LENGTH, LENGTH, 3 + SECONDS);
  near(next.at, (last?.at ?? 0) + SECONDS);
});

test('a long message is no long buffer', () => {
  const playout = new Playout();
  for (let second = 0; second < 5; second += 1) {
    const { at, cut } = playout.place(second * 48_000, 48_000, second);
    near(at, second + TARGET);
    assert.equal(cut, false);
  }
});

test('a clock that is too fast or too slow is caught, and the wait stays within its bounds for an hour', () => {
  for (const ppm of [-300, 300]) {
    const playout = new Playout();
    let anchors = 0;
    for (let index = 0, end = 0; index < 30_000; index += 1) {
      const now = index * SECONDS * (1 + ppm / 1e6);
      const { at } = playout.place(index * LENGTH, LENGTH, now);
      if (Math.abs(at - end) > 1e-6) anchors += 1;
      assert.ok(at >= now && at <= now + LONGEST, `${at - now}`);
      end = at + SECONDS;
    }
    assert.ok(anchors > 1 && anchors < 12, `${anchors}`);
  }
});

test('a pause is as long as it was', () => {
  const playout = new Playout();
  play(playout, [0]);
  const { at, cut } = playout.place(LENGTH + 96_000, LENGTH, SECONDS + 2);
  near(at, TARGET + SECONDS + 2);
  assert.equal(cut, false);
});

test('a pause that was told late does not talk over what is heard already', () => {
  const playout = new Playout();
  play(playout, [0]);
  // The first message after the pause still counts on; the next one has the corrected time.
  const first = playout.place(LENGTH, LENGTH, 4);
  near(first.at, 4 + TARGET);
  const second = playout.place(2 * LENGTH + 4 * 48_000, LENGTH, 4 + SECONDS);
  assert.ok(second.at >= first.at + SECONDS);
  assert.ok(second.at <= 4 + SECONDS + TARGET + 1e-9);
});

test('time that runs back does not talk over what is heard already', () => {
  const playout = new Playout();
  const [first] = play(playout, [0], 1e6);
  const { at } = playout.place(0, LENGTH, 0.05);
  assert.ok(first && at >= first.at + SECONDS);
});

test('steps of the session’s clock for drift leave no seam', () => {
  const playout = new Playout();
  const [first] = play(playout, [0]);
  const { at } = playout.place(LENGTH + 3, LENGTH, SECONDS);
  near(at, (first?.at ?? 0) + SECONDS);
});
