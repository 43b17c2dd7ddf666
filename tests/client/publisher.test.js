import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Publisher } from '../../src/client/publisher.js';
import { Timed } from '../../src/client/recorder.js';
import { messages, packets } from './captures.js';

/** What the recorders of these tests record. */
const SPOKEN = messages('firefox-webm-opus');
const FRAMES = 960;
const FORMAT = { codec: 'opus', channels: 1, pre_skip: 312, input_rate: 48_000 };

/** A recorder that gives a capture's messages when the test says. */
class FakeRecorder {
  state = 'inactive';
  /** @type {((event: { data: { arrayBuffer: () => Promise<ArrayBuffer> } }) => void) | null} */
  ondataavailable = null;
  onerror = null;
  /** @type {(() => void)[]} */
  #stopped = [];
  #given = 0;

  /** @param {object} stream @param {{ mimeType: string }} options */
  constructor(stream, { mimeType }) {
    this.stream = stream;
    this.mimeType = mimeType;
    FakeRecorder.last = this;
  }

  static isTypeSupported() {
    return true;
  }

  start() {
    this.state = 'recording';
  }

  /** @param {string} _name @param {() => void} listener */
  addEventListener(_name, listener) {
    this.#stopped.push(listener);
  }

  stop() {
    this.state = 'inactive';
    this.gives(0);
    for (const listener of this.#stopped) listener();
  }

  /** The next message, which takes some turns to be read. @param {number} turns */
  gives(turns) {
    const bytes = SPOKEN[this.#given] ?? new Uint8Array(0);
    this.#given += 1;
    const arrayBuffer = async () => {
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      return /** @type {ArrayBuffer} */ (bytes.slice().buffer);
    };
    this.ondataavailable?.({ data: { arrayBuffer } });
  }

  breaks() {
    this.ondataavailable?.({ data: { arrayBuffer: () => Promise.reject(new Error('gone')) } });
  }
}
/** @type {FakeRecorder} */
FakeRecorder.last = /** @type {any} */ (null);

class FakeContext {
  createAnalyser() {
    return {};
  }

  createMediaStreamSource() {
    return { context: this, connect: () => {} };
  }

  async close() {}
}

beforeEach(() => {
  browser({ isSecureContext: true, navigator: {}, MediaRecorder: FakeRecorder, AudioContext: FakeContext });
});

/** @param {object} globals */
function browser(globals) {
  for (const [name, value] of Object.entries(globals)) Object.defineProperty(globalThis, name, { value, configurable: true });
}

/** A publisher on a connection that writes down what is said on it. */
function publisher() {
  /** @type {any[][]} */
  const said = [];
  /** @type {((state: { kind: string }) => void)[]} */
  const listeners = [];
  const connection = {
    buffered: 0,
    state: { kind: 'joined' },
    on: (/** @type {string} */ _event, /** @type {(state: { kind: string }) => void} */ listener) => (listeners.push(listener), () => {}),
    publish: (/** @type {object} */ source) => (said.push(['publish', source]), 1),
    unpublish: (/** @type {number} */ track) => void said.push(['unpublish', track]),
    mute: (/** @type {number} */ track, /** @type {boolean} */ muted) => void said.push(['mute', track, muted]),
    sendPackets: (/** @type {import('../../src/client/packets.js').Packets} */ message) => void said.push(['packets', message]),
  };
  const becomes = (/** @type {string} */ kind) => {
    connection.state = { kind };
    for (const listener of listeners) listener({ kind });
  };
  let now = 1000;
  const it = new Publisher(connection, { now: () => now });
  const wait = (/** @type {number} */ millis) => void (now += millis);
  return { it, connection, becomes, said, wait };
}

/** @param {any[][]} said */
function sent(said) {
  return said.filter(([what]) => what === 'packets').map(([, message]) => message);
}

function microphone() {
  const track = { enabled: true, getSettings: () => ({}), onended: /** @type {(() => void) | null} */ (null), stopped: false, stop: () => void (track.stopped = true) };
  const stream = /** @type {MediaStream} */ (/** @type {any} */ ({ getTracks: () => [track], getAudioTracks: () => [track] }));
  return { track, stream };
}

/** Lets everything happen that is due. */
async function settle() {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

test('the packets of the recorder go out numbered and timed, in order, however long each piece takes to read', async () => {
  const { it, said } = publisher();
  const { track, stream } = microphone();
  await it.start(stream);
  assert.deepEqual([FakeRecorder.last.mimeType, it.state.kind], ['audio/webm;codecs=opus', 'talking']);
  for (const turns of [0, 50, 0, 0, 30, 0]) FakeRecorder.last.gives(turns);
  await it.stop();
  assert.deepEqual([it.state.kind, track.stopped], ['silent', true]);
  assert.deepEqual([said[0], said.at(-1)], [['publish', { source: 'packets', format: FORMAT }], ['unpublish', 1]]);
  const messages = sent(said);
  assert.deepEqual(
    messages.flatMap(({ packets }) => packets).map(({ length }) => length),
    packets('firefox-webm-opus').slice(0, messages.reduce((sum, it) => sum + it.packets.length, 0)).map(({ size }) => size),
  );
  let [first, time] = [0, messages[0].time];
  for (const message of messages) {
    assert.deepEqual([message.track, message.first, message.time], [1, first, time]);
    first += message.packets.length;
    time += message.packets.length * FRAMES;
  }
  assert.ok(first > 20, `${first} packets`);
});

test('a muted microphone gives silence, and the hub is told', async () => {
  const { it, said } = publisher();
  const { track, stream } = microphone();
  it.mute(true);
  await it.start(stream);
  it.mute(true);
  assert.equal(track.enabled, false);
  for (let piece = 0; piece < 3; piece += 1) FakeRecorder.last.gives(0);
  await settle();
  it.mute(false);
  assert.equal(track.enabled, true);
  assert.deepEqual(said.filter(([what]) => what !== 'packets').slice(1), [['mute', 1, true], ['mute', 1, false]]);
  await it.stop();
});

test('after a lost connection the track is announced anew, muted as it was, and counts from 0', async () => {
  const { it, said, becomes } = publisher();
  await it.start(microphone().stream);
  for (let piece = 0; piece < 4; piece += 1) FakeRecorder.last.gives(0);
  await settle();
  it.mute(true);
  const before = sent(said).at(-1);
  becomes('reconnecting');
  said.length = 0;
  FakeRecorder.last.gives(0);
  await settle();
  assert.deepEqual(said, [], 'nothing is said on no connection');
  becomes('joined');
  FakeRecorder.last.gives(0);
  await settle();
  assert.deepEqual(said.slice(0, 2), [['publish', { source: 'packets', format: FORMAT }], ['mute', 1, true]]);
  const [after] = sent(said);
  assert.equal(after.first, 0);
  assert.ok(after.time > before.time + before.packets.length * FRAMES, 'capture time goes on');
  await it.stop();
});

test('another stream goes on as the same track, later and with the next number', async () => {
  const { it, said, wait } = publisher();
  const [one, other] = [microphone(), microphone()];
  await it.start(one.stream);
  const recorder = FakeRecorder.last;
  for (let piece = 0; piece < 4; piece += 1) recorder.gives(0);
  await settle();
  it.mute(true);
  const before = sent(said).at(-1);
  wait(5000);
  await it.replaceStream(other.stream);
  assert.deepEqual([one.track.stopped, other.track.enabled], [true, false]);
  for (let piece = 0; piece < 4; piece += 1) FakeRecorder.last.gives(0);
  recorder.gives(0);
  await settle();
  const after = sent(said)[sent(said).indexOf(before) + 1];
  assert.equal(after.first, before.first + before.packets.length);
  assert.ok(after.time >= before.time + 2 * 48_000, `${after.time - before.time}`);
  assert.equal(said.filter(([what]) => what === 'publish').length, 1);
  one.track.onended?.();
  assert.equal(it.state.kind, 'talking', 'the first stream’s end is no news any more');
  await it.stop();
  assert.equal(other.track.stopped, true);
});

test('an encoder that has no Opus gives way to the recorder', async () => {
  browser({ AudioWorkletNode: class {}, AudioEncoder: { isConfigSupported: async () => ({ supported: false }) } });
  assert.deepEqual(Publisher.ways, ['encoder', 'recorder']);
  const { it, said } = publisher();
  await it.start(microphone().stream);
  for (let piece = 0; piece < 4; piece += 1) FakeRecorder.last.gives(0);
  await it.stop();
  assert.ok(sent(said).length > 0);
  for (const name of ['AudioWorkletNode', 'AudioEncoder']) Reflect.deleteProperty(globalThis, name);
});

test('a connection that is closed lets the microphone go', async () => {
  const { it, becomes } = publisher();
  const { track, stream } = microphone();
  await it.start(stream);
  becomes('reconnecting');
  await settle();
  assert.equal(track.stopped, false);
  becomes('closed');
  await settle();
  assert.deepEqual([it.state.kind, track.stopped], ['silent', true]);
});

test('why there is no microphone is told apart', async () => {
  for (const [name, why] of [
    ['NotAllowedError', 'denied'],
    ['NotFoundError', 'no-microphone'],
    ['NotReadableError', 'busy'],
    ['TypeError', 'failed'],
  ]) {
    browser({ navigator: { mediaDevices: { getUserMedia: () => Promise.reject(new DOMException('', name)) } } });
    const { it } = publisher();
    await it.start();
    assert.deepEqual(it.state, { kind: 'failed', why });
  }
  const missing = [
    [{ MediaRecorder: { isTypeSupported: () => false } }, 'unsupported'],
    [{ isSecureContext: false }, 'insecure'],
  ];
  for (const [globals, why] of missing) {
    browser(/** @type {object} */ (globals));
    const { it } = publisher();
    await it.start();
    assert.deepEqual(it.state, { kind: 'failed', why });
  }
});

test('after a failure one can try again', async () => {
  const { stream } = microphone();
  let refused = false;
  const getUserMedia = async () => {
    if (refused) return stream;
    refused = true;
    throw new DOMException('', 'NotAllowedError');
  };
  browser({ navigator: { mediaDevices: { getUserMedia } } });
  const { it } = publisher();
  await it.start();
  await it.start();
  assert.equal(it.state.kind, 'talking');
  await it.stop();
});

test('a microphone that is granted after one has gone is let go', async () => {
  const { track, stream } = microphone();
  browser({ navigator: { mediaDevices: { getUserMedia: async () => stream } } });
  const { it, said } = publisher();
  const started = it.start();
  await it.stop();
  await started;
  assert.deepEqual([it.state.kind, track.stopped, said], ['silent', true, []]);
});

test('an unplugged microphone, a network that is too slow and a lost piece end the track and say so', async () => {
  /** @type {[string, (all: ReturnType<typeof publisher> & ReturnType<typeof microphone>) => void][]} */
  const ends = [
    ['unplugged', ({ track }) => track.onended?.()],
    ['too-slow', ({ connection }) => {
      connection.buffered = 2 ** 21;
      FakeRecorder.last.gives(0);
    }],
    ['failed', () => FakeRecorder.last.breaks()],
  ];
  for (const [why, happen] of ends) {
    const mic = microphone();
    const all = publisher();
    await all.it.start(mic.stream);
    for (let piece = 0; piece < 4; piece += 1) FakeRecorder.last.gives(0);
    await settle();
    const failed = new Promise((resolve) => all.it.on('state', (state) => state.kind === 'failed' && resolve(state.why)));
    happen({ ...mic, ...all });
    assert.equal(await failed, why);
    assert.deepEqual(all.said.at(-1), ['unpublish', 1]);
    assert.equal(mic.track.stopped, true);
  }
});

test('wobbling times make no gaps, and a real gap is one', () => {
  for (const [name, gaps] of /** @type {const} */ ([['chromium-webm-opus', 0], ['chromium-webm-opus-100ms', 0], ['chromium-webm-opus-ctxsuspend', 1]])) {
    const timed = new Timed();
    let [end, found] = [NaN, 0];
    for (const message of messages(name)) {
      for (const { time, packets } of timed.take(message)) {
        if (!Number.isNaN(end) && time !== end) found += 1;
        end = time + packets.length * 3 * FRAMES;
      }
    }
    assert.equal(found, gaps, name);
  }
});
