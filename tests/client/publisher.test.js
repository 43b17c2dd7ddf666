import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Publisher } from '../../src/client/publisher.js';

/** @typedef {{ type: 'publish' | 'unpublish' | 'mute' | 'bytes', value: unknown }} Said */

/** A recorder that records what the test says. */
class FakeRecorder {
  state = 'inactive';
  /** @type {((event: { data: { arrayBuffer: () => Promise<ArrayBuffer> } }) => void) | null} */
  ondataavailable = null;
  onerror = null;
  /** @type {(() => void)[]} */
  #stopped = [];

  /** @param {object} stream @param {{ mimeType: string }} options */
  constructor(stream, { mimeType }) {
    this.stream = stream;
    this.mimeType = mimeType;
    FakeRecorder.last = this;
  }

  static isTypeSupported() {
    return true;
  }

  /** @param {number} timeslice */
  start(timeslice) {
    this.timeslice = timeslice;
    this.state = 'recording';
  }

  /** @param {string} _name @param {() => void} listener */
  addEventListener(_name, listener) {
    this.#stopped.push(listener);
  }

  stop() {
    this.state = 'inactive';
    this.gives('last', 0);
    for (const listener of this.#stopped) listener();
  }

  /** A piece that takes some turns to be read. @param {string} text @param {number} turns */
  gives(text, turns) {
    const arrayBuffer = async () => {
      for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
      return /** @type {ArrayBuffer} */ (new TextEncoder().encode(text).buffer);
    };
    this.ondataavailable?.({ data: { arrayBuffer } });
  }
}
/** @type {FakeRecorder} */
FakeRecorder.last = /** @type {any} */ (null);

/** @param {() => Promise<any>} getUserMedia @param {object} [globals] */
function publisher(getUserMedia, globals = {}) {
  const all = { isSecureContext: true, navigator: { mediaDevices: { getUserMedia } }, MediaRecorder: FakeRecorder, ...globals };
  for (const [name, value] of Object.entries(all)) Object.defineProperty(globalThis, name, { value, configurable: true });
  /** @type {[string, ...unknown[]][]} */
  const said = [];
  const connection = {
    buffered: 0,
    publish: (/** @type {object} */ source) => (said.push(['publish', source]), 1),
    unpublish: (/** @type {number} */ track) => void said.push(['unpublish', track]),
    mute: (/** @type {number} */ track, /** @type {boolean} */ muted) => void said.push(['mute', track, muted]),
    sendContainer: (/** @type {number} */ track, /** @type {Uint8Array} */ bytes) =>
      void said.push(['bytes', track, new TextDecoder().decode(bytes)]),
  };
  return { publisher: new Publisher(connection), connection, said };
}

function microphone() {
  const track = { enabled: true, onended: /** @type {(() => void) | null} */ (null), stopped: false, stop: () => void (track.stopped = true) };
  const stream = { getTracks: () => [track], getAudioTracks: () => [track] };
  return { track, getUserMedia: async () => stream };
}

test('pieces go out in the order of the recorder, however long each takes to read', async () => {
  const { track, getUserMedia } = microphone();
  const { publisher: it, said } = publisher(getUserMedia);
  await it.start();
  const recorder = FakeRecorder.last;
  assert.deepEqual([recorder.mimeType, recorder.timeslice, it.state.kind], ['audio/webm;codecs=opus', 100, 'talking']);
  recorder.gives('one', 50);
  recorder.gives('', 0);
  recorder.gives('two', 0);
  recorder.gives('three', 10);
  await it.stop();
  assert.deepEqual(said, [
    ['publish', { source: 'container' }],
    ['bytes', 1, 'one'],
    ['bytes', 1, 'two'],
    ['bytes', 1, 'three'],
    ['bytes', 1, 'last'],
    ['unpublish', 1],
  ]);
  assert.deepEqual([it.state.kind, track.stopped], ['silent', true]);
});

test('a muted microphone gives silence, and the hub is told', async () => {
  const { track, getUserMedia } = microphone();
  const { publisher: it, said } = publisher(getUserMedia);
  it.mute(true);
  await it.start();
  it.mute(true);
  assert.equal(track.enabled, false);
  it.mute(false);
  assert.equal(track.enabled, true);
  assert.deepEqual(said.slice(1), [['mute', 1, true], ['mute', 1, false]]);
});

test('why there is no microphone is told apart', async () => {
  for (const [name, why] of [
    ['NotAllowedError', 'denied'],
    ['NotFoundError', 'no-microphone'],
    ['NotReadableError', 'busy'],
    ['TypeError', 'failed'],
  ]) {
    const { publisher: it } = publisher(() => Promise.reject(new DOMException('', name)));
    await it.start();
    assert.deepEqual(it.state, { kind: 'failed', why });
  }
  const missing = [
    [{ isSecureContext: false }, 'insecure'],
    [{ navigator: {} }, 'unsupported'],
    [{ MediaRecorder: { isTypeSupported: () => false } }, 'unsupported'],
  ];
  for (const [globals, why] of missing) {
    const { publisher: it } = publisher(microphone().getUserMedia, /** @type {object} */ (globals));
    await it.start();
    assert.deepEqual(it.state, { kind: 'failed', why });
  }
});

test('after a failure one can try again', async () => {
  const { getUserMedia } = microphone();
  let refused = false;
  const { publisher: it } = publisher(async () => {
    if (refused) return getUserMedia();
    refused = true;
    throw new DOMException('', 'NotAllowedError');
  });
  await it.start();
  await it.start();
  assert.equal(it.state.kind, 'talking');
});

test('a microphone that is granted after one has gone is let go', async () => {
  const { track, getUserMedia } = microphone();
  const { publisher: it, said } = publisher(getUserMedia);
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
      FakeRecorder.last.gives('piece', 0);
    }],
    ['failed', () => FakeRecorder.last.ondataavailable?.({ data: { arrayBuffer: () => Promise.reject(new Error('gone')) } })],
  ];
  for (const [why, happen] of ends) {
    const mic = microphone();
    const all = publisher(mic.getUserMedia);
    await all.publisher.start();
    const failed = new Promise((resolve) => all.publisher.on('state', (state) => state.kind === 'failed' && resolve(state.why)));
    happen({ ...mic, ...all });
    assert.equal(await failed, why);
    assert.deepEqual(all.said.at(-1), ['unpublish', 1]);
    assert.equal(mic.track.stopped, true);
  }
});
