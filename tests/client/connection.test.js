import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';

import { recordingAddress, RoomClient, roomAddress } from '../../src/client/connection.js';
import { encode } from '../../src/client/packets.js';
import { backoff, mayReturn } from '../../src/client/reconnect.js';

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

  /** How many were opened. */
  static opened = 0;

  /** @param {string} address @param {string} protocol */
  constructor(address, protocol) {
    this.address = address;
    this.protocol = protocol;
    FakeSocket.last = this;
    FakeSocket.opened += 1;
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

/**
 * A client, the hub's end of its socket, and everything that the client emits.
 *
 * @param {Partial<ConstructorParameters<typeof RoomClient>[0]>} [options]
 */
function connect(options = {}) {
  let now = 1000;
  const address = roomAddress('http://hub:1/', 'studio', { name: 'Ann' });
  const client = new RoomClient({ address, WebSocket: /** @type {any} */ (FakeSocket), now: () => now, ...options });
  /** @type {[string, any][]} */
  const events = [];
  const names = ['state', 'participants', 'listeners', 'tracks', 'trackEnded', 'packets', 'chat', 'marker', 'session', 'replay', 'notice', 'published', 'received', 'durable', 'pong'];
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

/** The same after the hub's welcome. @param {Parameters<typeof connect>[0]} [options] */
function join(options) {
  const joined = connect(options);
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

test('a replay’s address says from where', () => {
  assert.equal(recordingAddress('https://hub/recordings/x', 'a-b'), 'wss://hub/recordings/a-b/ws');
  assert.equal(recordingAddress('http://hub:1', 'a-b', { from: -12.5 }), 'ws://hub:1/recordings/a-b/ws?from=-12.5');
});

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
  hub.says({ type: 'marker', id: 'm', at: 1.5, name: null, text: 'News', later: 'word' });
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
    ['marker', { id: 'm', at: 1.5, name: null, text: 'News' }],
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
  client.mark('News');
  client.ping();
  assert.deepEqual(hub.said, [
    { type: 'publish', track: 1, source: 'container' },
    { type: 'publish', track: 2, source: 'packets', format: { codec: 'opus', channels: 2 } },
    { type: 'mute', track: 1, muted: true },
    { type: 'unpublish', track: 1 },
    { type: 'chat', text: 'hello' },
    { type: 'marker', text: 'News' },
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
    { welcome: false, code: 1011, reason: 'the room does not answer', cause: 'hub' },
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

test('a replay’s notice restates who and what is there, and its commands go out', () => {
  const { client, hub, events } = join();
  const cem = { id: 'c', name: 'Cem' };
  const notice = { state: 'playing', at: 12.5, duration: 60, participants: [cem], tracks: [{ ...TRACK, track: 9, participant: 'c' }], seek: 2 };
  hub.says({ type: 'replay', ...notice });
  assert.deepEqual(events[0], ['replay', notice]);
  assert.deepEqual([[...client.participants.keys()], [...client.tracks.keys()]], [['c'], [9]]);
  client.seek(1.5);
  client.pause();
  client.play();
  assert.deepEqual(hub.said, [{ type: 'seek', at: 1.5 }, { type: 'pause' }, { type: 'play' }]);
});

/** Timeouts that the test ends, and a network that it brings back. */
function patience() {
  /** @type {{ wait: number, run: () => void }[]} */
  const waiting = [];
  const network = new EventTarget();
  const timers = {
    setInterval: (/** @type {any} */ ...all) => globalThis.setInterval(.../** @type {[() => void]} */ (all)),
    clearInterval: (/** @type {any} */ timer) => globalThis.clearInterval(timer),
    setTimeout: (/** @type {() => void} */ run, /** @type {number} */ wait) => (waiting.push({ wait, run }), waiting.at(-1)),
    clearTimeout: (/** @type {any} */ timer) => void (waiting.includes(timer) && waiting.splice(waiting.indexOf(timer), 1)),
  };
  const options = { reconnect: true, backoff: (/** @type {number} */ attempt) => attempt * 100, timers: /** @type {any} */ (timers), network };
  return { options, waiting, network };
}

test('a lost connection is tried again, later each time, until it is welcomed and told everything anew', () => {
  const { options, waiting } = patience();
  const { client, hub, events } = join(options);
  client.publish({ source: 'container' });
  const opened = FakeSocket.opened;
  hub.onclose?.({ code: 1006, reason: '' });
  assert.deepEqual(client.state, { kind: 'reconnecting', attempt: 1, retryAt: 1100 });
  for (const attempt of [2, 3]) {
    waiting.shift()?.run();
    assert.equal(FakeSocket.opened, opened + attempt - 1);
    FakeSocket.last.onclose?.({ code: 1006, reason: '' });
    assert.deepEqual(client.state, { kind: 'reconnecting', attempt, retryAt: 1000 + attempt * 100 });
  }
  waiting.shift()?.run();
  client.chat('said to nobody');
  assert.deepEqual(FakeSocket.last.sent, []);
  events.length = 0;
  FakeSocket.last.says({ ...WELCOME, participant: { id: 'a2', name: 'Ann' }, participants: [], tracks: [], session: null });
  assert.deepEqual(events.map(([name]) => name), ['state', 'participants', 'listeners', 'tracks', 'session']);
  assert.deepEqual([client.participants.size, client.tracks.size, waiting.length], [0, 0, 0]);
  assert.equal(client.publish({ source: 'container' }), 1, 'nothing is announced on the new connection');
});

test('the wait begins again at its shortest once a connection has held', () => {
  const { options, waiting } = patience();
  const { client, hub, tick } = join(options);
  const attempts = [];
  let socket = hub;
  for (const held of [false, false, true]) {
    if (held) tick(5000);
    socket.onclose?.({ code: 1001, reason: '' });
    attempts.push(client.state.kind === 'reconnecting' && client.state.attempt);
    waiting.shift()?.run();
    socket = FakeSocket.last;
    socket.says(WELCOME);
  }
  assert.deepEqual(attempts, [1, 2, 1]);
});

test('a network that is back is tried at once', () => {
  const { options, waiting, network } = patience();
  const { client, hub } = join(options);
  network.dispatchEvent(new Event('online'));
  const opened = FakeSocket.opened;
  hub.onclose?.({ code: 1006, reason: '' });
  network.dispatchEvent(new Event('online'));
  network.dispatchEvent(new Event('online'));
  assert.deepEqual([FakeSocket.opened, waiting.length], [opened + 1, 0]);
  FakeSocket.last.says(WELCOME);
  assert.equal(client.state.kind, 'joined');
});

test('a hub that takes the connection and says nothing is tried again', () => {
  const { options } = patience();
  const { client, hub, tick } = join(options);
  hub.onclose?.({ code: 1006, reason: '' });
  client.retry();
  const silent = FakeSocket.last;
  for (let round = 0; round < 5; round += 1) tick(5000);
  assert.deepEqual([silent.closedWith, client.state.kind], [4008, 'reconnecting']);
});

test('who leaves while it is tried again has left, and what would be refused again is not tried', () => {
  const { options, waiting } = patience();
  const { client, hub } = join(options);
  hub.onclose?.({ code: 1006, reason: '' });
  client.leave();
  assert.deepEqual([causeOf(client), waiting.length], ['left', 0]);

  const refused = join(options);
  refused.hub.says({ type: 'error', code: 'not_allowed', message: 'who only listens cannot publish' });
  refused.hub.onclose?.({ code: 1008, reason: 'who only listens cannot publish' });
  assert.equal(causeOf(refused.client), 'hub');

  const first = connect(options);
  first.hub.onclose?.({ code: 1006, reason: '' });
  assert.equal(causeOf(first.client), 'unreachable', 'who never was in is told so');
});

test('each try asks for the address anew', () => {
  const { options, waiting } = patience();
  let from = 0;
  const { hub } = join({ ...options, address: () => recordingAddress('http://hub', 'x', { from }) });
  from = 7;
  hub.onclose?.({ code: 1006, reason: '' });
  waiting.shift()?.run();
  assert.equal(FakeSocket.last.address, 'ws://hub/recordings/x/ws?from=7');
});

test('waits double up to a bound, and chance takes off up to a half', () => {
  assert.deepEqual([1, 2, 3, 6, 60].map((attempt) => backoff(attempt, 1)), [1000, 2000, 4000, 30_000, 30_000]);
  assert.equal(backoff(3, 0), 2000);
  assert.deepEqual([1001, 1006, 1008, 1011, 1013].map((code) => mayReturn(code, false)), Array(5).fill(true));
  assert.deepEqual([1003, 1007, 1009].map((code) => mayReturn(code, false)), Array(3).fill(false));
  // Who speaks while the hub stops is told so as an error too, now and then.
  assert.deepEqual([1001, 1011, 1013].map((code) => mayReturn(code, true)), Array(3).fill(true));
  assert.equal(mayReturn(1008, true), false);
});
