import assert from 'node:assert/strict';
import { test } from 'node:test';

/** CELT, 20 ms. */
const PACKET = Uint8Array.of(0xf8, 0xff, 0xfe);

Object.assign(globalThis, {
  EncodedAudioChunk: class {},
  // It gives each block at once.
  AudioDecoder: class {
    state = 'configured';

    /** @param {{ output: (data: object) => void }} callbacks */
    constructor({ output }) {
      this.output = output;
    }

    configure() {}

    decode() {
      this.output({ numberOfFrames: 960, numberOfChannels: 1, copyTo: () => {}, close: () => {} });
    }

    async flush() {}

    close() {
      this.state = 'closed';
    }
  },
});
await import('../../src/client/decoder-worker.js');

/** @type {any[]} */
const heard = [];
const say = (/** @type {object} */ data) => /** @type {any} */ (globalThis).onmessage({ data });
/** What the mixer was told since, shortened. */
const told = () => heard.splice(0).map(({ kind, id, begin, from }) => [kind, id ?? from, ...(kind === 'sound' ? [begin] : [])]);
const packets = (/** @type {number} */ time) => say({ kind: 'packets', id: 1, time, packets: [PACKET] });

test('a room that the mixer cannot play is left out, and is heard from now on when it can', async () => {
  say({ kind: 'mixer', port: { postMessage: (/** @type {object} */ message) => heard.push(message) } });
  say({ kind: 'add', id: 1, channels: 1, volume: 1 });
  packets(0);
  say({ kind: 'run', running: true });
  packets(960);
  say({ kind: 'run', running: false });
  packets(1920);
  say({ kind: 'run', running: true });
  packets(2880);
  assert.deepEqual(told(), [['add', 1], ['restart', null], ['sound', 1, 960], ['restart', null], ['sound', 1, 2880]]);
});

test('a replay waits for the mixer, within a bound, and what waited is forgotten where it goes elsewhere', async () => {
  say({ kind: 'restart', from: 0, turn: 1 });
  say({ kind: 'run', running: false });
  packets(0);
  packets(960);
  say({ kind: 'run', running: true });
  assert.deepEqual(told(), [['restart', 0], ['sound', 1, 0], ['sound', 1, 960]]);
  say({ kind: 'run', running: false });
  packets(1920);
  say({ kind: 'restart', from: 48_000, turn: 2 });
  for (let index = 0; index < 2000; index += 1) packets(48_000 + index * 960);
  say({ kind: 'run', running: true });
  const all = told();
  assert.deepEqual(all.slice(0, 2), [['restart', 48_000], ['sound', 1, 48_000]]);
  assert.equal(all.length, 1001);
});

test('a track ends after its last block', async () => {
  packets(0);
  say({ kind: 'end', id: 1 });
  packets(960);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(told(), [['sound', 1, 0], ['end', 1]]);
});
