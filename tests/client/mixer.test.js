import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Mixer } from '../../src/client/mixer.js';
import { random } from './captures.js';

const RATE = 48_000;
const QUANTUM = 128;
const PACKET = 960;

/** A tone that tells its own time: a sample that stands elsewhere than it should is seen. @param {number} hertz @param {number} [loud] */
function tone(hertz, loud = 0.5) {
  return (/** @type {number} */ begin) => Float32Array.from({ length: PACKET }, (_, index) => loud * Math.sin((2 * Math.PI * hertz * (begin + index)) / RATE));
}

/** A mixer, and what is heard of it. */
function listen() {
  const mixer = new Mixer(RATE, 0);
  /** @type {number[]} */
  const left = [];
  /** @type {number[]} */
  const right = [];
  let frame = 0;
  /** Plays until a frame, and gives what was heard. @param {number} end */
  const until = (end) => {
    const from = left.length;
    for (; frame < end; frame += QUANTUM) {
      const outputs = [new Float32Array(QUANTUM), new Float32Array(QUANTUM)];
      mixer.render(outputs, frame);
      left.push(...(outputs[0] ?? []));
      right.push(...(outputs[1] ?? []));
    }
    return left.slice(from);
  };
  return { mixer, left, right, until };
}

/**
 * Plays a track whose packets come in time.
 *
 * @param {ReturnType<typeof listen>} ear
 * @param {number} id
 * @param {(begin: number) => Float32Array} sound
 * @param {number} packets
 * @param {(index: number) => number} [late] ticks
 */
function speak({ mixer, until }, id, sound, packets, late = () => 0) {
  for (let index = 0; index < packets; index += 1) {
    until((index + 1) * PACKET + late(index));
    mixer.take(id, index * PACKET, [sound(index * PACKET)]);
  }
}

/** The largest step from sample to sample. @param {number[]} samples */
function steepest(samples) {
  return samples.reduce((most, sample, index) => Math.max(most, Math.abs(sample - (samples[index - 1] ?? sample))), 0);
}

/** @param {number[]} samples */
function rms(samples) {
  return Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
}

/** How much of a tone there is, as its amplitude. @param {number[]} samples @param {number} hertz */
function amount(samples, hertz) {
  let [real, imaginary] = [0, 0];
  samples.forEach((sample, index) => {
    real += sample * Math.cos((2 * Math.PI * hertz * index) / RATE);
    imaginary += sample * Math.sin((2 * Math.PI * hertz * index) / RATE);
  });
  return (2 * Math.hypot(real, imaginary)) / samples.length;
}

test('what comes in time is heard as it is, sample for sample, within 40 ms', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  speak(ear, 1, tone(440), 100);
  const begin = ear.left.findIndex((sample) => sample !== 0) - 1;
  assert.ok(begin > PACKET && begin < 0.04 * RATE, `${begin}`);
  const expected = Array.from({ length: 90 }, (_, index) => [...tone(440)(index * PACKET)]).flat();
  const offset = (begin + QUANTUM) - 0;
  // After the fade in.
  const heard = ear.left.slice(offset, offset + 80 * PACKET);
  const shift = expected.findIndex((_, at) => heard.slice(0, 200).every((sample, index) => Math.abs(sample - (expected[at + index] ?? NaN)) < 1e-6));
  assert.ok(shift >= 0, 'the samples are those that came');
  heard.forEach((sample, index) => assert.ok(Math.abs(sample - (expected[shift + index] ?? NaN)) < 1e-6));
  assert.deepEqual(ear.left, ear.right, 'mono is heard on both sides');
});

test('two tracks are heard together, each at its volume', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  ear.mixer.add(2, 1);
  const both = (/** @type {number} */ from, /** @type {number} */ to) => {
    for (let index = from; index < to; index += 1) {
      ear.until((index + 1) * PACKET);
      ear.mixer.take(1, index * PACKET, [tone(500)(index * PACKET)]);
      ear.mixer.take(2, index * PACKET, [tone(1500)(index * PACKET)]);
    }
    return ear.left.slice(-RATE / 2);
  };
  const even = both(0, 50);
  assert.ok(Math.abs(amount(even, 500) - 0.5) < 0.01 && Math.abs(amount(even, 1500) - 0.5) < 0.01);
  ear.mixer.setVolume(1, 0);
  ear.mixer.setVolume(2, 2);
  const uneven = both(50, 100);
  assert.ok(amount(uneven, 500) < 0.01, `${amount(uneven, 500)}`);
  assert.ok(Math.abs(amount(uneven, 1500) - 1) < 0.02, `${amount(uneven, 1500)}`);
  const levels = ear.mixer.report().map(({ level }) => level);
  for (const level of levels) assert.ok(Math.abs(level - 0.5 / Math.SQRT2) < 0.02, 'a level is that of what was said');
});

test('stereo stays on its sides', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  for (let index = 0; index < 50; index += 1) {
    ear.until((index + 1) * PACKET);
    ear.mixer.take(1, index * PACKET, [tone(500)(index * PACKET), tone(1500)(index * PACKET)]);
  }
  assert.ok(amount(ear.left.slice(-RATE / 2), 1500) < 0.01 && amount(ear.right.slice(-RATE / 2), 500) < 0.01);
});

test('what breaks off and comes again fades, and nothing clicks', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  const chance = random(3);
  // Every third second something is late by up to a second, in bursts of one thread.
  let [delay, last] = [0, 0];
  speak(ear, 1, tone(440), 1000, (index) => {
    if (index % 150 === 100) delay = chance() * RATE;
    delay = Math.max(0, delay - PACKET / 2);
    last = Math.max(last, (index + 1) * PACKET + delay);
    return last - (index + 1) * PACKET;
  });
  // The tone's own steepest step is 0.029; a fade over 128 samples adds 0.004.
  assert.ok(steepest(ear.left) < 0.04, `${steepest(ear.left)}`);
  const starved = ear.mixer.report()[0]?.starved ?? 0;
  assert.ok(starved > 2 && starved < 40, `${starved}`);
});

test('what plays a little faster or slower has no seam either', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  const chance = random(4);
  speak(ear, 1, tone(440), 1500, (index) => (index % 100 === 0 ? Math.floor(chance() * 3000) : 0));
  assert.ok(steepest(ear.left) < 0.04, `${steepest(ear.left)}`);
  const heard = ear.left.slice(RATE);
  assert.ok(rms(heard) > 0.33, `${rms(heard)}`);
});

test('a gap is silent and as long as it was', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  speak(ear, 1, tone(440), 50);
  for (let index = 100; index < 150; index += 1) {
    ear.until((index + 1) * PACKET);
    ear.mixer.take(1, index * PACKET, [tone(440)(index * PACKET)]);
  }
  let [longest, run] = [0, 0];
  for (const sample of ear.left.slice(RATE / 10)) {
    run = sample === 0 ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  assert.ok(Math.abs(longest - 50 * PACKET) < 4 * QUANTUM, `${longest}`);
  assert.ok(steepest(ear.left) < 0.04);
});

test('small steps of the session’s clock are not heard', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  for (let index = 0; index < 200; index += 1) {
    ear.until((index + 1) * PACKET);
    ear.mixer.take(1, index * PACKET + 3 * index, [tone(440)(index * PACKET)]);
  }
  assert.ok(steepest(ear.left) < 0.04);
  assert.equal(ear.mixer.report()[0]?.starved, 0);
});

test('a track that has ended is heard to its end, and is gone', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  speak(ear, 1, tone(440), 20);
  ear.mixer.end(1);
  const rest = ear.until(RATE);
  assert.ok(rms(rest.slice(0, PACKET)) > 0.3);
  assert.deepEqual([ear.mixer.report(), rest.at(-1)], [[], 0]);
});

test('a live room that is paused is silent, and is heard from now when it goes on', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  speak(ear, 1, tone(440), 50);
  ear.mixer.pause(true);
  for (let index = 50; index < 100; index += 1) {
    ear.until((index + 1) * PACKET);
    ear.mixer.take(1, index * PACKET, [tone(440)(index * PACKET)]);
  }
  assert.equal(rms(ear.left.slice(-RATE / 2)), 0);
  ear.mixer.pause(false);
  ear.until(101 * PACKET);
  assert.ok((ear.mixer.position ?? 0) > 98 * PACKET, `${ear.mixer.position}`);
  assert.ok(steepest(ear.left) < 0.04);
});

/** A replay tells a part, ahead of its time. @param {ReturnType<typeof listen>} ear @param {number} from ticks @param {number} to */
function tell({ mixer }, from, to, sound = tone(440)) {
  for (let begin = from; begin < to; begin += PACKET) mixer.take(1, begin, [sound(begin)]);
}

test('a replay is heard from its place on, and says where it is', () => {
  const ear = listen();
  ear.until(RATE);
  ear.mixer.add(1, 1);
  const at = 10 * RATE;
  ear.mixer.restart(at);
  // What lies before the place is for the decoder.
  tell(ear, at - 5 * PACKET, at, tone(1500));
  tell(ear, at, at + RATE);
  const heard = ear.until(1.9 * RATE);
  const begin = heard.findIndex((sample) => sample !== 0);
  assert.ok(begin > 0.1 * RATE && begin < 0.2 * RATE, `${begin}`);
  assert.ok(amount(heard.slice(begin, begin + 4800), 1500) < 0.02, 'and not from before it');
  const place = ear.mixer.position ?? NaN;
  assert.ok(Math.abs(place - (at + 0.9 * RATE - begin)) < 3 * QUANTUM, `${place - at}`);
});

test('a replay that is paused stands still, and goes on where it was', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  ear.mixer.restart(0);
  tell(ear, 0, 2 * RATE);
  ear.until(RATE);
  ear.mixer.pause(true);
  ear.until(1.1 * RATE);
  const place = ear.mixer.position;
  const silent = ear.until(10 * RATE);
  assert.deepEqual([rms(silent), ear.mixer.position], [0, place]);
  ear.mixer.pause(false);
  const rest = ear.until(12 * RATE);
  const sounded = rest.filter((sample) => sample !== 0).length;
  assert.ok(Math.abs(sounded - (2 * RATE - (place ?? NaN))) < 0.05 * RATE, `${sounded}`);
  assert.ok(steepest(ear.left) < 0.04);
});

test('a replay that goes elsewhere forgets what waited, and what it tells twice is heard once', () => {
  const ear = listen();
  ear.mixer.add(1, 1);
  ear.mixer.restart(0);
  tell(ear, 0, RATE);
  ear.until(0.5 * RATE);
  ear.mixer.restart(60 * RATE);
  tell(ear, 60 * RATE, 60.5 * RATE);
  tell(ear, 60.25 * RATE - (60.25 * RATE) % PACKET, 61 * RATE);
  const heard = ear.until(2.5 * RATE);
  const sounded = heard.filter((sample) => sample !== 0).length;
  assert.ok(Math.abs(sounded - RATE) < 3 * PACKET, `${sounded}`);
});

test('an output of another rate hears the same tone', () => {
  const mixer = new Mixer(44_100, 0);
  mixer.add(1, 1);
  /** @type {number[]} */
  const left = [];
  let frame = 0;
  for (let index = 0; index < 100; index += 1) {
    for (; (frame * 48_000) / 44_100 < (index + 1) * PACKET; frame += QUANTUM) {
      const output = new Float32Array(QUANTUM);
      mixer.render([output], frame);
      left.push(...output);
    }
    mixer.take(1, index * PACKET, [tone(480)(index * PACKET)]);
  }
  // 480 Hz, as it would be said at 48 kHz.
  const heard = left.slice(-44_100 / 2);
  assert.ok(Math.abs(amount(heard, (480 * 48_000) / 44_100) - 0.5) < 0.02, `${amount(heard, 522)}`);
});
