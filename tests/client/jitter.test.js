import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FAR, LiveDelay, LONGEST, ReplayDelay, Steering } from '../../src/client/jitter.js';
import { random } from './captures.js';

const MILLI = 48;
const SECOND = 48_000;
/** 20 ms. */
const PACKET = 960;
const QUANTUM = 128;

/**
 * A track whose packets come after these transits, heard by an ear that is steered: what of it was late, how far behind
 * real time it was heard, how fast it was played.
 *
 * @param {object} trace
 * @param {import('../../src/client/jitter.js').Delay} trace.delay
 * @param {(index: number) => number} trace.transit ticks from a packet's end to its arrival
 * @param {number} trace.packets how many
 * @param {number} [trace.ppm] how much faster the listener's clock runs
 */
function hear({ delay, transit, packets, ppm = 0 }) {
  const arrivals = Array.from({ length: packets }, (_, index) => ({
    begin: index * PACKET,
    at: ((index + 1) * PACKET + transit(index)) * (1 + ppm / 1e6),
  }));
  // TCP keeps the order: what follows a late packet waits for it.
  for (let index = 1; index < packets; index += 1) {
    const [before, it] = [arrivals[index - 1], arrivals[index]];
    if (before && it) it.at = Math.max(it.at, before.at);
  }
  const steering = new Steering();
  /** @type {number[]} */
  const late = [];
  /** @type {{ at: number, behind: number, error: number }[]} */
  const ears = [];
  let place = NaN;
  let [jumps, fastest, starved, next] = [0, 0, 0, 0];
  let sounded = false;
  const end = (arrivals.at(-1)?.at ?? 0) - SECOND;
  for (let now = 0; now < end; now += QUANTUM) {
    for (let it; (it = arrivals[next]) && it.at <= now; next += 1) {
      delay.arrive(it.begin, now);
      // When it should have sounded, it was not there.
      if (now - delay.offset > it.begin) late.push(next);
    }
    const should = now - delay.offset;
    if (!Number.isFinite(should)) continue;
    const sounds = place + 2 * QUANTUM < next * PACKET;
    if (sounded && !sounds) starved += 1;
    sounded = sounds;
    const steered = Number.isNaN(place) || !sounds ? { kind: /** @type {const} */ ('jump') } : steering.steer(should - place, delay);
    if (steered.kind === 'jump') {
      if (sounds && Math.abs(should - place) > FAR) jumps += 1;
      place = should;
    } else {
      fastest = Math.max(fastest, Math.abs(steered.speed - 1));
      place += QUANTUM * steered.speed;
      ears.push({ at: now, behind: now - place, error: should - place });
    }
    if (steered.kind === 'jump') place += QUANTUM;
  }
  return { late, ears, jumps, fastest, starved, offset: delay.offset };
}

/** @param {number} seed @param {number} most ticks */
function jitter(seed, most) {
  const chance = random(seed);
  // Mostly little, sometimes much.
  return () => most * chance() ** 4;
}

test('on a good network the wait is short: a packet and a few ms', () => {
  const { late, starved, offset, fastest } = hear({ delay: new LiveDelay(), transit: () => 5 * MILLI, packets: 500 });
  assert.deepEqual([late, starved, fastest], [[], 0, 0]);
  assert.ok(offset >= (20 + 5) * MILLI && offset < (20 + 5 + 15) * MILLI, `${offset / MILLI} ms`);
});

test('jitter is waited for once it was seen: in a minute the sound breaks off a few times at its beginning', () => {
  for (const seed of [1, 2, 3, 4]) {
    const { late, starved, offset } = hear({ delay: new LiveDelay(), transit: jitter(seed, 80 * MILLI), packets: 3000 });
    assert.deepEqual(late, [], 'what is late is waited for, not skipped');
    assert.ok(starved <= 10, `${starved}`);
    assert.ok(offset < (20 + 80 + 20) * MILLI, `${offset / MILLI} ms`);
  }
});

test('after a time of trouble the wait shrinks, slowly', () => {
  const delay = new LiveDelay();
  const wobble = jitter(5, 100 * MILLI);
  hear({ delay, transit: wobble, packets: 500 });
  const troubled = delay.offset;
  const calm = new LiveDelay();
  const { ears } = hear({ delay: calm, transit: (index) => (index < 500 ? wobble() : 0), packets: 6000 });
  const behind = (/** @type {number} */ second) => ears.find(({ at }) => at >= second * SECOND)?.behind ?? NaN;
  assert.ok(behind(15) > 0.4 * troubled, `${behind(15) / MILLI} ms after 5 s`);
  assert.ok(calm.offset < 0.5 * troubled, `${calm.offset / MILLI} ms after two minutes`);
});

test('a stall is skipped, what follows it is heard soon, and the wait stays within its bound', () => {
  const stalls = new Set([200, 700, 701, 1500]);
  const transit = (/** @type {number} */ index) => (stalls.has(index) ? 2 * SECOND : 3 * MILLI);
  const delay = new LiveDelay();
  const { late, offset, ears } = hear({ delay, transit, packets: 3000 });
  assert.ok(late.length >= 3 * 70 && late.length <= 3 * 101, `${late.length} packets are skipped`);
  assert.ok(offset <= LONGEST + 50 * MILLI, `${offset / MILLI} ms`);
  assert.ok((ears.at(-1)?.behind ?? NaN) <= LONGEST, `${(ears.at(-1)?.behind ?? NaN) / MILLI} ms`);
});

test('a way that is slower from now on is learnt within a second', () => {
  const { late } = hear({ delay: new LiveDelay(), transit: (index) => (index < 300 ? 0 : SECOND), packets: 2000 });
  assert.ok(late.length <= 50, `${late.length} packets are late`);
});

test('a way that is faster from now on is followed at once', () => {
  const { late, ears, jumps } = hear({ delay: new LiveDelay(), transit: (index) => (index < 300 ? SECOND : 0), packets: 2000 });
  assert.equal(late.length, 0);
  assert.equal(jumps, 1);
  assert.ok((ears.at(-1)?.behind ?? NaN) < 60 * MILLI);
});

test('messages of several packets are waited for as a whole', () => {
  // Twelve packets at a time, as a recorder sends them: the first comes when the last is there.
  const transit = (/** @type {number} */ index) => (11 - (index % 12)) * PACKET;
  const { late, offset } = hear({ delay: new LiveDelay(), transit, packets: 1200 });
  assert.ok(late.length === 0, `${late}`);
  assert.ok(offset >= 240 * MILLI && offset < 260 * MILLI, `${offset / MILLI} ms`);
});

for (const ppm of [-300, -50, 50, 300]) {
  test(`clocks that drift apart by ${ppm} ppm are followed for an hour without a late packet, a jump or a change that is heard`, () => {
    const { late, starved, jumps, fastest, ears } = hear({ delay: new LiveDelay(), transit: jitter(6, 10 * MILLI), packets: 180_000, ppm });
    assert.deepEqual([late.length, jumps], [0, 0]);
    assert.ok(starved <= 3, `it breaks off ${starved} times`);
    assert.ok(fastest < 0.00501, `${fastest}`);
    const worst = ears.reduce((most, { error }) => Math.max(most, Math.abs(error)), 0);
    assert.ok(worst < 25 * MILLI, `${worst / MILLI} ms from its place`);
  });

  test(`a replay is followed at ${ppm} ppm for an hour`, () => {
    // The hub is a second ahead.
    const transit = (/** @type {number} */ index) => Math.max(-index * PACKET, -SECOND);
    const { late, starved, jumps, fastest } = hear({ delay: new ReplayDelay(0, 0), transit, packets: 180_000, ppm });
    assert.deepEqual([late.length, starved, jumps], [0, 0, 0]);
    assert.ok(fastest < 0.00101);
  });
}

test('a replay that stalls is heard from where it stopped, and nothing of it is lost', () => {
  const transit = (/** @type {number} */ index) => Math.max(-index * PACKET, -SECOND) + (index >= 500 && index < 650 ? (650 - index) * PACKET : 0);
  const delay = new ReplayDelay(0, 0);
  const { late, starved } = hear({ delay, transit, packets: 2000 });
  assert.deepEqual([late, starved], [[], 1]);
});

test('what lies before a replay’s place decides nothing', () => {
  const delay = new ReplayDelay(10 * SECOND, 0);
  const { offset } = delay;
  delay.arrive(10 * SECOND - 4800, 3 * SECOND);
  assert.equal(delay.offset, offset);
});
