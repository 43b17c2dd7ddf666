import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Listener } from '../../src/client/listener.js';
import { TARGET } from '../../src/client/playout.js';

/** CELT, 20 ms. */
const PACKET = Uint8Array.of(0xf8, 0xff, 0xfe);
const FRAMES = 960;

class FakeNode {
  /** @type {FakeNode[]} */
  targets = [];

  /** @param {FakeContext} context */
  constructor(context) {
    this.context = context;
  }

  /** @param {FakeNode} target */
  connect(target) {
    this.targets.push(target);
  }

  disconnect() {
    this.targets = [];
  }
}

class FakeSource extends FakeNode {
  at = NaN;
  stopped = false;
  onended = () => {};

  /** @param {number} at */
  start(at) {
    this.at = at;
  }

  stop() {
    this.stopped = true;
  }
}

class FakeContext {
  currentTime = 10;
  sampleRate = 48_000;
  destination = new FakeNode(this);
  /** @type {FakeSource[]} */
  sources = [];

  /** The first is the output, then one for each voice. @type {FakeNode[]} */
  gains = [];

  createGain() {
    const gain = new FakeNode(this);
    this.gains.push(gain);
    return gain;
  }

  createAnalyser() {
    return new FakeNode(this);
  }

  createBuffer() {
    return { getChannelData: () => new Float32Array(FRAMES) };
  }

  createBufferSource() {
    const source = new FakeSource(this);
    this.sources.push(source);
    return source;
  }
}

/** A decoder that gives its blocks when the test says so. */
class FakeDecoder {
  /** @type {FakeDecoder[]} */
  static all = [];
  state = 'unconfigured';
  waiting = 0;
  open = 0;

  /** @param {{ output: (data: object) => void, error: (error: Error) => void }} callbacks */
  constructor(callbacks) {
    this.callbacks = callbacks;
    FakeDecoder.all.push(this);
  }

  /** @param {object} config */
  configure(config) {
    this.config = config;
    this.state = 'configured';
  }

  decode() {
    this.waiting += 1;
  }

  close() {
    this.state = 'closed';
  }

  gives() {
    for (; this.waiting > 0; this.waiting -= 1) {
      this.open += 1;
      const close = () => void (this.open -= 1);
      this.callbacks.output({ numberOfFrames: FRAMES, numberOfChannels: 1, sampleRate: 48_000, copyTo: () => {}, close });
    }
  }

  async flush() {
    this.gives();
  }

  fails() {
    this.state = 'closed';
    this.callbacks.error(new Error('a bad packet'));
  }
}

beforeEach(() => {
  FakeDecoder.all = [];
  Object.assign(globalThis, { AudioDecoder: FakeDecoder, EncodedAudioChunk: class {} });
});

/** A listener to one track, number 7. */
function listen() {
  const context = new FakeContext();
  const listener = new Listener(/** @type {any} */ (context));
  const track = { track: 7, participant: 'b', format: { codec: /** @type {const} */ ('opus'), channels: 1 }, muted: false };
  listener.follow(new Map([[7, track]]));
  let first = 0;
  const take = (/** @type {number} */ packets, more = {}) => {
    const message = { track: 7, discontinuity: false, backlog: false, first, time: first * FRAMES, packets: Array(packets).fill(PACKET) };
    first += packets;
    listener.take({ ...message, ...more });
  };
  return { context, listener, track, take, decoder: () => /** @type {FakeDecoder} */ (FakeDecoder.all.at(-1)) };
}

/** @param {FakeContext} context */
function starts({ sources }) {
  return sources.map(({ at }) => Math.round(at * 1000));
}

test('each packet sounds where the one before it ends, after the first wait', () => {
  const { context, take, decoder } = listen();
  take(2);
  decoder().gives();
  context.currentTime += 0.1;
  take(1);
  decoder().gives();
  const begin = 10_000 + TARGET * 1000;
  assert.deepEqual(starts(context), [begin, begin + 20, begin + 40]);
  assert.equal(decoder().open, 0, 'every block is closed');
});

test('one who joins late decodes without a description, so that no pre-skip is trimmed', () => {
  const { take, decoder } = listen();
  take(1);
  assert.deepEqual(decoder().config, { codec: 'opus', sampleRate: 48_000, numberOfChannels: 1 });
});

test('after a decoder’s failure another one goes on, in time', () => {
  const { context, take, decoder } = listen();
  take(2);
  decoder().fails();
  take(1);
  assert.equal(FakeDecoder.all.length, 2);
  decoder().gives();
  assert.deepEqual(starts(context), [10_000 + TARGET * 1000 + 40]);
});

test('a track that has ended plays out what came of it, and nothing after', async () => {
  const { context, listener, take, decoder } = listen();
  const outputs = context.gains.length;
  take(2);
  decoder().gives();
  take(1);
  listener.follow(new Map());
  take(1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(context.sources.map(({ stopped }) => stopped), [false, false, false]);
  assert.equal(decoder().state, 'closed');
  const voice = context.gains[outputs - 1];
  assert.notEqual(voice?.targets.length, 0, 'it still sounds');
  for (const source of context.sources) source.onended();
  assert.equal(voice?.targets.length, 0, 'it is let go');
});

test('a listener that is closed is silent at once', () => {
  const { context, listener, take, decoder } = listen();
  take(2);
  decoder().gives();
  listener.close();
  assert.deepEqual(context.gains[0]?.targets, []);
});

test('sound that is skipped is taken back, in the decoder and on the clock', () => {
  const { context, take, decoder } = listen();
  take(50); // A second at once: the next message is past the longest wait.
  decoder().gives();
  take(1);
  decoder().gives();
  const cut = 10_000 + TARGET * 1000;
  const kept = context.sources.filter(({ stopped }) => !stopped);
  assert.deepEqual(kept.map(({ at }) => Math.round(at * 1000)), [cut]);
});

test('packets of the past are not heard', () => {
  const { take } = listen();
  take(3, { backlog: true });
  assert.equal(FakeDecoder.all.length, 0);
});
