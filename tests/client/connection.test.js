import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { RoomClient, roomAddress } from '../../src/client/connection.js';
import { encode } from '../../src/client/packets.js';

const ANN = { id: 'a', name: 'Ann' };
const BEN = { id: 'b', name: 'Ben' };
const FORMAT = /** @type {const} */ ({ codec: 'opus', channels: 1, pre_skip: 312, input_rate: 48_000, output_gain: 0 });
const TRACK = { track: 7, participant: 'b', format: FORMAT, muted: false };
const WELCOME = {
  type: 'welcome', participant: ANN, room: 'studio', participants: [BEN], listeners: 2, tracks: [TRACK],
  session: { recording: 'r', elapsed: 4.5 },
};

/** A socket whose other end is the test. */
class FakeSocket {
  /** @type {(string | Uint8Array)[]} */
  sent = [];
  /** @type {number | null} */
  closedWith = null;
  binaryType = 'blob';
  bufferedAmount = 0;
  /** @type {((event: { data: unknown }) => void) | null} */
  onmessage = null;
  /** @type {((event: { code: number, reason: string }) => void) | null} */
  onclose = null;

  /** @param {string} address @param {string} protocol */
  constructor(address, protocol) {
    this.address = address;
    this.protocol = protocol;
    FakeSocket.last = this;
  }

  /** @param {string | Uint8Array} data */
  send(data) {
    this.sent.push(data);
  }

  /** @param {number} code */
  close(code) {
    this.closedWith = code;
  }

  /** @param {object} message */
  says(message) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  /** The JSON that was sent. */
  get said() {
    return this.sent.filter((data) => typeof data === 'string').map((data) => JSON.parse(String(data)));
  }
}
/** @type {FakeSocket} */
FakeSocket.last = /** @type {any} */ (null);

/** A client, the hub's end of its socket, and everything that the client emits. */
function connect() {
  let now = 1000;
  const address = roomAddress('http://hub:1/', 'studio', { name: 'Ann' });
  const client = new RoomClient({ address, WebSocket: /** @type {any} */ (FakeSocket), now: () => now });
  /** @type {[string, any][]} */
  const events = [];
  const names = ['state', 'participants', 'listeners', 'tracks', 'trackEnded', 'packets', 'chat', 'session', 'notice', 'published', 'received', 'durable', 'pong'];
  for (const name of names) client.on(name, (value) => events.push([name, structuredClone(value)]));
  client.connect();
  const tick = (/** @type {number} */ millis) => {
    now += millis;
    for (const timer of timers) timer();
  };
  // Timers of a page can sleep while time goes on.
  const sleep = (/** @type {number} */ millis) => void (now += millis);
  return { client, hub: FakeSocket.last, events, tick, sleep };
}

/** @param {RoomClient} client */
function causeOf({ state }) {
  return state.kind === 'closed' ? state.cause : null;
}

/** The same after the hub's welcome. */
function join() {
  const joined = connect();
  joined.hub.says(WELCOME);
  joined.events.length = 0;
  return joined;
}

test('an address says room, name and whether one speaks', () => {
  assert.equal(roomAddress('https://hub/rooms/x?y', 'studio', { name: 'Ann & Ü', publish: false }), 'wss://hub/rooms/studio/ws?name=Ann+%26+%C3%9C&publish=false');
  assert.equal(roomAddress('http://hub:1', 'a', { name: 'n' }), 'ws://hub:1/rooms/a/ws?name=n');
});

/** The intervals that run; the test says when. @type {Set<() => void>} */
const timers = new Set();
const { setInterval, clearInterval } = globalThis;
beforeEach(() => {
  timers.clear();
  const set = (/** @type {() => void} */ timer) => (timers.add(timer), timer);
  const clear = (/** @type {() => void} */ timer) => void timers.delete(timer);
  Object.assign(globalThis, { setInterval: set, clearInterval: clear });
});
afterEach(() => void Object.assign(globalThis, { setInterval, clearInterval }));

test('a welcome tells who and what is here', () => {
  const { client, hub } = connect();
  assert.deepEqual([hub.protocol, hub.binaryType, client.state.kind], ['roomtone.v1', 'arraybuffer', 'connecting']);
  hub.says(WELCOME);
  assert.deepEqual(client.state, { kind: 'joined', self: ANN, room: 'studio' });
  assert.deepEqual([...client.participants.values()], [BEN]);
  assert.deepEqual([...client.tracks.values()], [TRACK]);
  assert.deepEqual([client.listeners, client.session], [2, { recording: 'r', began: 1000 - 4500 }]);
});

test('who comes and goes, and what they send, is followed', () => {
  const { client, hub, events } = join();
  hub.says({ type: 'joined', participant: { id: 'c', name: 'Cem' } });
  hub.says({ type: 'track', ...TRACK, track: 8, participant: 'c', later: 'word' });
  hub.says({ type: 'muted', track: 8, muted: true });
  assert.deepEqual([...client.participants.keys()], ['b', 'c']);
  assert.deepEqual(client.tracks.get(8), { ...TRACK, track: 8, participant: 'c', muted: true });
  hub.says({ type: 'track_ended', track: 8 });
  hub.says({ type: 'left', participant: 'c' });
  hub.says({ type: 'listeners', count: 0 });
  hub.says({ type: 'session', session: null });
  assert.deepEqual([[...client.participants.keys()], [...client.tracks.keys()]], [['b'], [7]]);
  assert.deepEqual([client.listeners, client.session], [0, null]);
  assert.ok(events.some(([name, value]) => name === 'trackEnded' && value === 8));
});

test('packets, chat, acknowledgements and notices are handed on', () => {
  const { hub, events } = join();
  const packets = { track: 7, discontinuity: false, backlog: false, first: 0, time: 960, packets: [Uint8Array.of(1)] };
  hub.onmessage?.({ data: encode(packets).buffer });
  hub.says({ type: 'chat', participant: BEN, text: 'hello' });
  hub.says({ type: 'published', track: 1, number: 9 });
  hub.says({ type: 'received', track: 1, next: 5 });
  hub.says({ type: 'durable', track: 1, next: 4 });
  hub.says({ type: 'lag', skipped_ticks: 480, messages: 2 });
  hub.says({ type: 'health', recording: true });
  hub.says({ type: 'warning', code: 'video', message: 'Video is left out.' });
  hub.says({ type: 'pong', time: 990, session_ticks: 48 });
  assert.deepEqual(events, [
    ['packets', packets],
    ['chat', { participant: BEN, text: 'hello' }],
    ['published', { track: 1, number: 9 }],
    ['received', { track: 1, next: 5 }],
    ['durable', { track: 1, next: 4 }],
    ['notice', { kind: 'lag', skippedTicks: 480, messages: 2 }],
    ['notice', { kind: 'health', recording: true, reason: null }],
    ['notice', { kind: 'warning', code: 'video', message: 'Video is left out.' }],
    ['pong', { roundTrip: 10, sessionTicks: 48 }],
  ]);
});

test('words of a later version are ignored', () => {
  const { client, hub, events } = join();
  hub.says({ type: 'fireworks' });
  hub.says([]);
  assert.deepEqual([events, client.state.kind], [[], 'joined']);
});

test('what is said goes out as the protocol has it, and nothing before the welcome', () => {
  const { client, hub } = connect();
  client.chat('too early');
  hub.says(WELCOME);
  const track = client.publish({ source: 'container' });
  const other = client.publish({ source: 'packets', format: { codec: 'opus', channels: 2 } });
  client.mute(track, true);
  client.sendContainer(track, Uint8Array.of(0x1a));
  client.unpublish(track);
  client.unpublish(track);
  client.chat('hello');
  client.ping();
  assert.deepEqual(hub.said, [
    { type: 'publish', track: 1, source: 'container' },
    { type: 'publish', track: 2, source: 'packets', format: { codec: 'opus', channels: 2 } },
    { type: 'mute', track: 1, muted: true },
    { type: 'unpublish', track: 1 },
    { type: 'chat', text: 'hello' },
    { type: 'ping', time: 1000 },
  ]);
  assert.deepEqual([...(hub.sent[3] ?? [])], [2, 0, 0, 1, ...new Array(16).fill(0), 0x1a]);
  assert.deepEqual([other, client.publish({ source: 'container' })], [2, 1]);
});

test('why a connection ended is told apart', () => {
  const ends = [
    { welcome: false, code: 1006, reason: '', cause: 'unreachable' },
    { welcome: true, code: 1006, reason: '', cause: 'lost' },
    { welcome: true, code: 1001, reason: '', cause: 'hub' },
    { welcome: true, code: 1008, reason: 'the listener is 30 s behind', cause: 'hub' },
    { welcome: false, code: 1013, reason: 'too many', cause: 'hub' },
  ];
  for (const { welcome, code, reason, cause } of ends) {
    const { client, hub } = connect();
    if (welcome) hub.says(WELCOME);
    hub.onclose?.({ code, reason });
    assert.deepEqual(client.state, { kind: 'closed', cause, code, reason, error: null });
  }
});

test('the error that the hub names before it closes is part of the end', () => {
  const { client, hub } = join();
  hub.says({ type: 'error', code: 'bad_stream', message: 'the stream is no WebM' });
  hub.onclose?.({ code: 1007, reason: '' });
  const error = { code: 'bad_stream', message: 'the stream is no WebM' };
  assert.deepEqual(client.state, { kind: 'closed', cause: 'hub', code: 1007, reason: error.message, error });
});

test('leaving closes the socket, and its end is not news', () => {
  const { client, hub, events } = join();
  client.leave();
  assert.equal(hub.closedWith, 1000);
  assert.equal(hub.onclose, null);
  client.leave();
  assert.deepEqual(events.map(([name]) => name), ['state']);
  assert.equal(causeOf(client), 'left');
});

test('a message that cannot be read ends the connection', () => {
  for (const data of ['{', new ArrayBuffer(3)]) {
    const { client, hub } = join();
    hub.onmessage?.({ data });
    assert.equal(hub.closedWith, 4007);
    assert.equal(causeOf(client), 'lost');
  }
});

test('a hub that falls silent counts as lost, one that answers does not', () => {
  const { client, hub, tick } = join();
  for (let round = 0; round < 20; round += 1) {
    tick(5000);
    hub.says({ type: 'pong', time: 0 });
  }
  assert.equal(client.state.kind, 'joined');
  for (let round = 0; round < 5; round += 1) tick(5000);
  assert.equal(causeOf(client), 'lost');
  assert.equal(timers.size, 0, 'nobody asks any more');
  assert.equal(hub.closedWith, 4008);
});

test('a page that slept for minutes is not lost when it wakes', () => {
  const { client, hub, tick, sleep } = join();
  for (let round = 0; round < 3; round += 1) {
    sleep(300_000);
    tick(5000);
    assert.equal(client.state.kind, 'joined');
    hub.says({ type: 'pong', time: 0 });
  }
});
