import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Emitter } from '../../src/client/emitter.js';
import { ReplayPlayer } from '../../src/client/replay-player.js';
import { fakeClocks } from './clock.js';

const TRACK = { track: 1, participant: 'a', format: { codec: /** @type {const} */ ('opus'), channels: 1 }, muted: false };
const LENGTH = 100;
const clock = fakeClocks();

/**
 * A connection whose other end is the test.
 *
 * @extends {Emitter<{ [name: string]: unknown }>}
 */
class FakeClient extends Emitter {
  /** @type {any} */
  state = { kind: 'idle' };
  /** @type {any[]} */
  said = [];
  tracks = new Map();

  connect() {
    this.becomes({ kind: 'connecting' });
  }

  leave() {
    this.becomes({ kind: 'closed', cause: 'left', code: 1000, reason: '', error: null });
  }

  seek(/** @type {number} */ at) {
    this.said.push(['seek', at]);
  }

  pause() {
    this.said.push('pause');
  }

  play() {
    this.said.push('play');
  }

  becomes(/** @type {any} */ state) {
    this.state = state;
    this.emit('state', state);
  }

  /** As the hub restates a replay, with one track. @param {string} state @param {number} at @param {number} seek */
  restates(state, at, seek = 0) {
    this.tracks = new Map([[1, TRACK]]);
    this.emit('replay', { state, at, duration: LENGTH, participants: [], tracks: [TRACK], seek });
    this.emit('tracks', this.tracks);
  }
}

/** An ear that hears what the test says. */
class FakeEar {
  /** @type {any[]} */
  done = [];
  /** @type {any[]} */
  taken = [];
  /** @type {number | null} */
  heard = null;

  follow() {}
  take(/** @type {any} */ message) {
    this.taken.push(message);
  }
  resetTo(/** @type {number} */ ticks) {
    this.done.push(['reset', ticks / 48_000]);
  }
  pause() {
    this.done.push('pause');
  }
  resume() {
    this.done.push('resume');
  }
  position() {
    return this.heard;
  }
}

/** A player, its ear, and its newest connection. */
function replay(options = {}) {
  const ear = new FakeEar();
  /** @type {FakeClient[]} */
  const clients = [];
  /** @type {() => number} */
  let from = () => NaN;
  const open = (/** @type {() => number} */ place) => {
    from = place;
    clients.push(new FakeClient());
    return /** @type {any} */ (clients.at(-1));
  };
  const player = new ReplayPlayer({ open, ear, duration: LENGTH, now: clock().now, ...options });
  /** @type {string[]} */
  const states = [];
  player.on('state', ({ kind }) => states.push(kind));
  return { player, ear, states, clients, hub: () => clients.at(-1) ?? assert.fail('no connection'), from: () => from() };
}

/** One that plays from the start, with nothing heard yet. */
function playing() {
  const it = replay();
  it.player.play();
  it.hub().becomes({ kind: 'joined', self: { id: 'me', name: 'me' }, room: 'r' });
  it.hub().restates('playing', 0);
  it.ear.done.length = 0;
  return it;
}

test('nothing is opened before it is to play, and then at its place', () => {
  const { player, clients, from, hub, states } = replay({ at: 20 });
  player.seek(30);
  assert.deepEqual([clients.length, player.position()], [0, 30]);
  player.play();
  assert.deepEqual([clients.length, from()], [1, 30]);
  hub().becomes({ kind: 'joined' });
  hub().restates('playing', 30);
  assert.deepEqual([states, player.position(), hub().said], [['connecting', 'playing'], 30, []]);
});

test('a place outside the recording becomes its nearest end', () => {
  assert.deepEqual([-5, 500, NaN].map((at) => replay({ at }).player.position()), [0, LENGTH, 0]);
});

test('its place is what is heard; where no track is live, time goes on by itself', () => {
  const { player, ear, hub } = playing();
  clock().pass(300);
  assert.equal(player.position(), 0, 'nothing is heard yet');
  ear.heard = 0.1;
  assert.equal(player.position(), 0.1);
  ear.heard = null;
  hub().tracks = new Map();
  clock().pass(500);
  assert.ok(Math.abs(player.position() - 0.6) < 1e-9);
});

test('a pause is silent at once and keeps the place; play goes on there', () => {
  const { player, ear, hub, states } = playing();
  ear.heard = 5;
  player.pause();
  assert.deepEqual([ear.done, hub().said, states.at(-1)], [['pause'], ['pause'], 'paused']);
  ear.heard = 7;
  clock().pass(1000);
  assert.equal(player.position(), 5);
  hub().restates('paused', 6);
  assert.equal(player.position(), 5, 'the hub is ahead of the ear');
  player.play();
  assert.deepEqual([ear.done, hub().said, states.at(-1)], [['pause', 'resume'], ['pause', 'play'], 'playing']);
});

test('pause and play in quick succession end as was last wanted', () => {
  const { player, hub } = playing();
  player.pause();
  player.play();
  hub().restates('paused', 1);
  assert.equal(hub().said.at(-1), 'play');
});

test('after a seek what still comes of the old place is not heard', () => {
  const { player, ear, hub } = playing();
  player.seek(40);
  assert.deepEqual([ear.done, hub().said, player.position()], [[['reset', 40]], [['seek', 40]], 40]);
  hub().emit('packets', 'old');
  hub().restates('playing', 40, 1);
  hub().emit('packets', 'new');
  assert.deepEqual(ear.taken, ['new']);
});

test('of many seeks only the last counts', () => {
  const { player, ear, hub } = playing();
  for (let at = 10; at <= 20; at += 1) player.seek(at);
  assert.deepEqual([hub().said, player.position()], [[['seek', 10]], 20]);
  hub().restates('playing', 10, 1);
  hub().emit('packets', 'of the first');
  assert.equal(player.position(), 20);
  clock().pass(1000);
  hub().restates('playing', 20, 2);
  hub().emit('packets', 'of the last');
  assert.deepEqual([hub().said, ear.taken], [[['seek', 10], ['seek', 20]], ['of the last']]);
});

test('a seek while paused stays paused, and plays from there', () => {
  const { player, ear, hub } = playing();
  player.pause();
  hub().restates('paused', 1);
  player.seek(50);
  hub().restates('paused', 50, 1);
  assert.deepEqual([player.state.kind, player.position(), ear.done.at(-1)], ['paused', 50, 'pause']);
  player.play();
  assert.equal(hub().said.at(-1), 'play');
});

test('the end is when it has been heard, not when the hub has sent it; play begins again', () => {
  const { player, ear, hub, states } = playing();
  ear.heard = 99;
  player.position();
  hub().restates('ended', LENGTH);
  clock().pass(500);
  assert.equal(states.at(-1), 'playing');
  ear.heard = 99.97;
  clock().pass(100);
  assert.deepEqual([states.at(-1), player.position()], ['ended', LENGTH]);
  player.play();
  assert.deepEqual([hub().said, player.position()], [[['seek', 0]], 0]);
  hub().restates('playing', 0, 1);
  assert.equal(states.at(-1), 'playing');
});

test('an end that is never heard is one after a while', () => {
  const { ear, hub, states } = playing();
  ear.heard = 99;
  hub().restates('ended', LENGTH);
  clock().pass(110_000);
  assert.equal(states.at(-1), 'ended');
});

test('a pause before the end has been heard is none at the hub, which would begin again', () => {
  const { player, ear, hub, states } = playing();
  ear.heard = 99.5;
  player.position();
  hub().restates('ended', LENGTH);
  player.pause();
  clock().pass(5000);
  assert.deepEqual([states.at(-1), hub().said], ['paused', []]);
  player.play();
  ear.heard = 100;
  clock().pass(100);
  assert.deepEqual([states.at(-1), hub().said], ['ended', []]);
});

test('a seek away from the end goes on, by the hub’s play where it has stopped', () => {
  const { player, ear, hub, states } = playing();
  ear.heard = LENGTH;
  hub().restates('ended', LENGTH);
  clock().pass(100);
  assert.equal(states.at(-1), 'ended');
  player.seek(10);
  hub().restates('paused', 10, 1);
  assert.deepEqual([states.at(-1), hub().said], ['playing', [['seek', 10], 'play']]);
});

test('a connection that was lost goes on at its place, and paused where it was', () => {
  const { player, ear, hub, from, states } = playing();
  ear.heard = 33;
  player.position();
  hub().becomes({ kind: 'reconnecting', attempt: 1, retryAt: clock().now() + 500 });
  ear.heard = null;
  assert.deepEqual([states.at(-1), ear.done.at(-1), from()], ['reconnecting', 'pause', 33]);
  player.pause();
  hub().becomes({ kind: 'joined' });
  assert.equal(states.at(-1), 'connecting');
  hub().restates('playing', 33);
  assert.deepEqual([states.at(-1), hub().said, player.position()], ['paused', ['pause'], 33]);
});

test('a connection that begins elsewhere is sent to its place', () => {
  const { player, hub } = replay();
  player.play();
  player.seek(60);
  hub().becomes({ kind: 'joined' });
  hub().restates('playing', 0);
  assert.deepEqual([hub().said, player.position()], [[['seek', 60]], 60]);
});

test('one that is closed opens another connection when it is to play', () => {
  const { player, hub, clients, states, from, ear } = playing();
  ear.heard = 12;
  player.position();
  hub().becomes({ kind: 'closed', cause: 'hub', code: 1001, reason: '', error: null });
  assert.equal(states.at(-1), 'closed');
  player.play();
  assert.deepEqual([clients.length, from(), states.at(-1)], [2, 12, 'connecting']);
});

test('a recording that is still being made grows', () => {
  const { player, hub } = playing();
  /** @type {number[]} */
  const lengths = [];
  player.on('duration', (seconds) => lengths.push(seconds));
  player.grow(120);
  player.grow(110);
  hub().restates('playing', 5, 0);
  assert.deepEqual([lengths, player.duration], [[120], 120]);
});
