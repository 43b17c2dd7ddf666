import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Encoder } from '../../src/client/encoder.js';
import { writeHead } from '../../src/client/opus.js';

/** CELT, 20 ms. */
const PACKET = Uint8Array.of(0xf8, 0xff, 0xfe);

/** An encoder that gives a packet for each block at once. */
class FakeEncoder {
  state = 'unconfigured';
  encodeQueueSize = 0;
  #given = 0;

  /** @param {{ output: (packet: object, metadata: object) => void }} callbacks */
  constructor(callbacks) {
    this.callbacks = callbacks;
    FakeEncoder.last = this;
  }

  static async isConfigSupported() {
    return { supported: true };
  }

  /** @param {object} config */
  configure(config) {
    this.config = config;
    this.state = 'configured';
  }

  /** @param {{ timestamp: number }} data */
  encode({ timestamp }) {
    const description = writeHead({ codec: 'opus', channels: 1, pre_skip: 312 });
    const metadata = this.#given === 0 ? { decoderConfig: { description } } : {};
    this.#given += 1;
    // Firefox counts its delay off, from the second on.
    const wobble = this.#given > 1 ? 6500 : 0;
    const packet = { timestamp: timestamp - wobble, byteLength: PACKET.length, copyTo: (/** @type {Uint8Array} */ to) => to.set(PACKET) };
    this.callbacks.output(packet, metadata);
  }

  async flush() {}

  close() {
    this.state = 'closed';
  }
}
/** @type {FakeEncoder} */
FakeEncoder.last = /** @type {any} */ (null);

class FakeNode {
  port = { onmessage: /** @type {((event: object) => void) | null} */ (null) };

  constructor() {
    FakeNode.last = this;
  }

  /** @param {object} target */
  connect(target) {
    return target;
  }
}
/** @type {FakeNode} */
FakeNode.last = /** @type {any} */ (null);

beforeEach(() => {
  Object.assign(globalThis, {
    AudioEncoder: FakeEncoder,
    AudioWorkletNode: FakeNode,
    AudioData: class {
      /** @param {{ timestamp: number }} init */
      constructor({ timestamp }) {
        this.timestamp = timestamp;
      }

      close() {}
    },
    AudioContext: class {
      destination = {};
      audioWorklet = { addModule: async () => {} };
      sampleRate = 44_100;
      createMediaStreamSource() {
        return new FakeNode();
      }

      async resume() {}
      async close() {}
    },
  });
});

/** An encoder of a mono stream at 44.1 kHz, and what it made. */
async function encode() {
  /** @type {import('../../src/client/publisher.js').Run[]} */
  const runs = [];
  const encoder = new Encoder({ packets: (run) => runs.push(run), error: (error) => assert.fail(String(error)) });
  const track = { getSettings: () => ({ channelCount: 1, sampleRate: 44_100 }) };
  await encoder.open(/** @type {any} */ ({ getAudioTracks: () => [track] }));
  const captures = (/** @type {number} */ frame, loud = 0) =>
    FakeNode.last.port.onmessage?.({ data: { frame, planes: [new Float32Array(882).fill(loud)] } });
  return { encoder, runs, captures };
}

test('packets go on by their own durations, whatever the encoder’s times say, from the first on at 0', async () => {
  const { runs, captures } = await encode();
  for (let index = 0; index < 100; index += 1) captures(5000 + index * 882);
  assert.deepEqual(runs.map(({ time }) => time), runs.map((_, index) => index * 960));
  assert.deepEqual(runs[0]?.format, { codec: 'opus', channels: 1, pre_skip: 312, input_rate: 44_100 });
  assert.deepEqual(runs[0]?.packets, [PACKET]);
});

test('what the microphone or the encoder left out is a gap', async () => {
  const { runs, captures } = await encode();
  captures(0);
  captures(882);
  captures(882 * 52);
  FakeEncoder.last.encodeQueueSize = 100;
  captures(882 * 53);
  FakeEncoder.last.encodeQueueSize = 0;
  const [, , third] = runs;
  assert.equal(runs.length, 3);
  assert.ok(Math.abs((third?.time ?? NaN) - 52 * 960) <= 312, `${third?.time}`);
});

test('the level is that of the last block', async () => {
  const { encoder, captures } = await encode();
  assert.equal(encoder.level(), 0);
  captures(0, 0.5);
  assert.equal(encoder.level(), 0.5);
});
