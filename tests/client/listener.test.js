import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Decoding } from '../../src/client/decoding.js';
import { Listener } from '../../src/client/listener.js';

/** CELT, 20 ms. */
const PACKET = Uint8Array.of(0xf8, 0xff, 0xfe);
const FRAMES = 960;
const FORMAT = { codec: /** @type {const} */ ('opus'), channels: 1 };

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
      const copyTo = (/** @type {Float32Array} */ samples, /** @type {{ planeIndex: number }} */ { planeIndex }) => samples.fill(planeIndex + 1);
      this.callbacks.output({ numberOfFrames: FRAMES, numberOfChannels: 2, sampleRate: 48_000, copyTo, close });
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

/** The Worker's thread, as far as it is spoken to. */
class FakeWorker {
  /** @type {any[]} */
  said = [];
  ended = false;

  constructor() {
    FakeWorker.last = this;
  }

  /** @param {object} said */
  postMessage(said) {
    this.said.push(said);
  }

  terminate() {
    this.ended = true;
  }
}
/** @type {FakeWorker} */
FakeWorker.last = /** @type {any} */ (null);

class FakeNode {
  port = { onmessage: (/** @type {object} */ _event) => {}, postMessage: () => {} };
  /** @type {object | null} */
  target = null;

  constructor() {
    FakeNode.last = this;
  }

  /** @param {object} target */
  connect(target) {
    this.target = target;
  }

  disconnect() {
    this.target = null;
  }
}
/** @type {FakeNode} */
FakeNode.last = /** @type {any} */ (null);

class FakeContext extends EventTarget {
  state = 'running';
  destination = new FakeNode();
  audioWorklet = { addModule: async () => {} };

  createGain() {
    return new FakeNode();
  }

  /** @param {string} state */
  becomes(state) {
    this.state = state;
    this.dispatchEvent(new Event('statechange'));
  }
}

beforeEach(() => {
  FakeDecoder.all = [];
  Object.assign(globalThis, {
    AudioDecoder: FakeDecoder,
    EncodedAudioChunk: class {},
    Worker: FakeWorker,
    AudioWorkletNode: FakeNode,
    MessageChannel: class {
      port1 = {};
      port2 = {};
    },
  });
});

/** A track's decoding, and what came out of it. */
function decode() {
  /** @type {{ begin: number, planes: number[] }[]} */
  const blocks = [];
  const decoding = new Decoding(2, (begin, planes) => blocks.push({ begin, planes: planes.map((samples) => samples[FRAMES - 1] ?? NaN) }));
  return { decoding, blocks, decoder: () => /** @type {FakeDecoder} */ (FakeDecoder.all.at(-1)) };
}

test('each packet gives a block with its own time and the samples of each channel', () => {
  const { decoding, blocks, decoder } = decode();
  decoding.decode(1000, [PACKET, PACKET]);
  decoding.decode(9000, [PACKET]);
  decoder().gives();
  assert.deepEqual(blocks, [1000, 1000 + FRAMES, 9000].map((begin) => ({ begin, planes: [1, 2] })));
  assert.equal(decoder().open, 0, 'every block is closed');
});

test('one who joins late decodes without a description, so that no pre-skip is trimmed', () => {
  const { decoding, decoder } = decode();
  decoding.decode(0, [PACKET]);
  assert.deepEqual(decoder().config, { codec: 'opus', sampleRate: 48_000, numberOfChannels: 2 });
});

test('after a decoder’s failure another one goes on, in time', () => {
  const { decoding, blocks, decoder } = decode();
  decoding.decode(0, [PACKET, PACKET]);
  decoder().fails();
  decoding.decode(2 * FRAMES, [PACKET]);
  assert.equal(FakeDecoder.all.length, 2);
  decoder().gives();
  assert.deepEqual(blocks.map(({ begin }) => begin), [2 * FRAMES]);
});

test('a decoder that gives nothing is replaced, and its blocks count no more', () => {
  const { decoding, blocks } = decode();
  for (let index = 0; index < 501; index += 1) decoding.decode(index * FRAMES, [PACKET]);
  const [stuck, other] = FakeDecoder.all;
  assert.deepEqual([FakeDecoder.all.length, stuck?.state], [2, 'closed']);
  stuck?.gives();
  other?.gives();
  assert.deepEqual(blocks.map(({ begin }) => begin), [500 * FRAMES]);
});

test('what is still in a decoder comes out when its track ends', async () => {
  const { decoding, blocks, decoder } = decode();
  decoding.decode(0, [PACKET, PACKET]);
  await decoding.end();
  assert.deepEqual([blocks.length, decoder().state], [2, 'closed']);
});

/** A listener to tracks of two people. */
async function listen() {
  const context = new FakeContext();
  const listener = new Listener(/** @type {any} */ (context));
  await new Promise((resolve) => setImmediate(resolve));
  const track = (/** @type {number} */ number, /** @type {string} */ participant) => ({ track: number, participant, format: FORMAT, muted: false });
  const message = (/** @type {number} */ number, more = {}) => ({ track: number, discontinuity: false, backlog: false, first: 0, time: 7, packets: [PACKET], ...more });
  const said = () => FakeWorker.last.said.splice(0).filter(({ kind }) => kind !== 'mixer');
  return { context, listener, track, message, said };
}

test('a listener follows tracks, each under an ID of its own', async () => {
  const { listener, track, message, said } = await listen();
  assert.deepEqual(said(), [{ kind: 'run', running: true }]);
  listener.follow(new Map([[1, track(1, 'a')], [2, track(2, 'b')]]));
  listener.take(message(2));
  listener.take(message(3));
  listener.take(message(1, { backlog: true }));
  assert.deepEqual(said(), [
    { kind: 'add', id: 1, channels: 1, volume: 1 },
    { kind: 'add', id: 2, channels: 1, volume: 1 },
    { kind: 'packets', id: 2, time: 7, packets: [PACKET] },
  ]);
  listener.follow(new Map([[1, { ...track(1, 'a'), muted: true }]]));
  // The number is given to somebody else.
  listener.follow(new Map([[1, track(1, 'c')]]));
  assert.deepEqual(said().map(({ kind, id }) => [kind, id]), [['end', 2], ['end', 1], ['add', 3]]);
});

test('volumes of people and of tracks multiply, within bounds, and last', async () => {
  const { listener, track, said } = await listen();
  listener.setVolume('a', 1.5);
  listener.follow(new Map([[1, track(1, 'a')], [2, track(2, 'a')]]));
  listener.setTrackVolume(2, 0);
  listener.setVolume('a', 7);
  listener.setTrackVolume(1, 2);
  const volumes = said().filter(({ volume }) => volume !== undefined);
  const last = (/** @type {number} */ id) => volumes.filter((it) => it.id === id).at(-1)?.volume;
  assert.deepEqual([volumes[0]?.volume, last(1), last(2)], [1.5, 2, 0]);
  listener.follow(new Map());
  said();
  listener.follow(new Map([[2, track(2, 'a')]]));
  assert.equal(said()[0]?.volume, 0);
});

test('levels and the position are those of the last report', async () => {
  const { listener, track } = await listen();
  listener.follow(new Map([[4, track(4, 'a')], [5, track(5, 'a')]]));
  assert.deepEqual([listener.levelOf('a'), listener.position()], [0, null]);
  const sounds = [{ id: 1, level: 0.1, waits: 0, starved: 0 }, { id: 2, level: 0.4, waits: 0, starved: 0 }];
  const report = { sounds, position: 72_000, turn: 0 };
  FakeNode.last.port.onmessage({ data: report });
  assert.deepEqual([listener.levelOf('a'), listener.levelOfTrack(4), listener.levelOf('b'), listener.position()], [0.4, 0.1, 0, 1.5]);
  listener.resetTo(0);
  FakeNode.last.port.onmessage({ data: report });
  assert.equal(listener.position(), null, 'where it was before is not where it is');
  FakeNode.last.port.onmessage({ data: { ...report, position: 0, turn: 1 } });
  assert.equal(listener.position(), 0);
});

test('a context that is suspended is not spoken to, and a listener that is closed is silent', async () => {
  const { context, listener, said } = await listen();
  context.becomes('suspended');
  context.becomes('running');
  assert.deepEqual(said().map(({ running }) => running), [true, false, true]);
  listener.close();
  assert.deepEqual([FakeNode.last.target, FakeWorker.last.ended], [null, true]);
  context.becomes('suspended');
  assert.deepEqual(said(), []);
});
