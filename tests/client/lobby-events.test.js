import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { eventsAddress } from '../../src/client/address.js';
import { LobbyEvents } from '../../src/client/lobby-events.js';
import { fakeClocks } from './clock.js';

const ROOM = { name: 'studio', participants: [{ id: 'a', name: 'Ann' }], listeners: 0, tracks: [], session: null };

/** A socket whose other end is the test. */
class FakeSocket {
  /** @type {FakeSocket[]} */
  static all = [];
  closed = false;
  /** @type {((event: { data: unknown }) => void) | null} */
  onmessage = null;
  /** @type {(() => void) | null} */
  onclose = null;

  /** @param {string} address */
  constructor(address) {
    this.address = address;
    FakeSocket.all.push(this);
  }

  close() {
    this.closed = true;
  }

  /** @param {unknown} message */
  says(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

const clock = fakeClocks();
beforeEach(() => void (FakeSocket.all = []));

/** One who watches, and all that it emits. */
function watch() {
  const address = eventsAddress('https://hub:1/rooms/x?y');
  const events = new LobbyEvents({ address, WebSocket: /** @type {any} */ (FakeSocket), now: clock().now, chance: () => 1 });
  /** @type {[string, unknown][]} */
  const told = [];
  for (const name of ['rooms', 'room', 'roomGone', 'recording', 'recordingDeleted']) events.on(name, (value) => told.push([name, value]));
  events.start();
  return { events, told };
}

/** The newest socket. */
function socket() {
  const last = FakeSocket.all.at(-1);
  assert.ok(last);
  return last;
}

test('what the hub says is told, and what is not understood is passed over', () => {
  const { events, told } = watch();
  assert.equal(socket().address, 'wss://hub:1/api/v1/events');
  assert.deepEqual(events.state, { kind: 'connecting', attempt: 0 });
  socket().says({ type: 'state', rooms: [ROOM] });
  assert.deepEqual(events.state, { kind: 'open' });
  for (const message of [
    { type: 'room', room: ROOM }, { type: 'alive' }, { type: 'unheard of', rooms: [] }, 7, null,
    { type: 'room_gone', name: 'studio' }, { type: 'recording', recording: { id: 'r' } }, { type: 'recording_deleted', id: 'r' },
  ]) socket().says(message);
  socket().onmessage?.({ data: '{' });
  socket().onmessage?.({ data: new ArrayBuffer(1) });
  assert.deepEqual(told, [
    ['rooms', [ROOM]], ['room', ROOM], ['roomGone', 'studio'], ['recording', { id: 'r' }], ['recordingDeleted', 'r'],
  ]);
});

test('a lost connection comes back by itself, later each time, and at once when it was open', () => {
  const { events } = watch();
  socket().onclose?.();
  assert.deepEqual(events.state, { kind: 'waiting', attempt: 1, retryAt: 1000 });
  clock().pass(999);
  assert.equal(FakeSocket.all.length, 1);
  clock().pass(1);
  assert.deepEqual([FakeSocket.all.length, events.state], [2, { kind: 'connecting', attempt: 1 }]);
  socket().onclose?.();
  assert.deepEqual(events.state, { kind: 'waiting', attempt: 2, retryAt: 1000 + 2000 });
  clock().pass(2000);
  socket().says({ type: 'state', rooms: [] });
  socket().onclose?.();
  assert.deepEqual(events.state, { kind: 'waiting', attempt: 1, retryAt: 3000 + 1000 });
});

test('whoever waits can try at once', () => {
  const { events } = watch();
  events.retry();
  assert.equal(FakeSocket.all.length, 1, 'it is trying already');
  socket().onclose?.();
  events.retry();
  assert.equal(FakeSocket.all.length, 2);
  clock().pass(60_000 - 15_000);
  assert.equal(FakeSocket.all.length, 2, 'the try that was waited for is not made too');
});

test('a connection that has died silently is noticed', () => {
  const { events, told } = watch();
  socket().says({ type: 'state', rooms: [] });
  for (let time = 0; time < 10; time += 1) {
    clock().pass(20_000);
    socket().says({ type: 'alive' });
  }
  assert.equal(FakeSocket.all.length, 1);
  const dead = socket();
  clock().pass(50_000);
  assert.ok(dead.closed);
  assert.notEqual(events.state.kind, 'open');
  clock().pass(1_000);
  assert.equal(FakeSocket.all.length, 2);
  told.length = 0;
  dead.says({ type: 'state', rooms: [ROOM] });
  dead.onclose?.();
  assert.deepEqual(told, [], 'what is forgotten says nothing any more');
  assert.equal(events.state.kind, 'connecting');
});

test('who stops leaves for good', () => {
  const { events } = watch();
  const last = socket();
  events.stop();
  last.onclose?.();
  clock().pass(120_000);
  assert.deepEqual([last.closed, FakeSocket.all.length, events.state.kind], [true, 1, 'idle']);
});
