import assert from 'node:assert/strict';
import { test } from 'node:test';

import { join } from '../../src/client/ebml.js';
import { Demuxer, MOST_HELD, WebmError } from '../../src/client/webm-demux.js';
import { cluster, head } from '../../src/client/webm-mux.js';
import { adler32, messages, NAMES, packets, random } from './captures.js';

/** @typedef {import('../../src/client/webm-demux.js').Packet} Packet */

/** Everything that comes out of these pieces. @param {Iterable<Uint8Array>} pieces */
function demux(pieces) {
  const demuxer = new Demuxer();
  return [...pieces].flatMap((piece) => demuxer.push(piece));
}

/** @param {Uint8Array} bytes @param {() => number} length @returns {Generator<Uint8Array>} */
function* cut(bytes, length) {
  for (let at = 0; at < bytes.length; ) {
    const end = at + length();
    yield bytes.subarray(at, end);
    at = end;
  }
}

/** @param {ReturnType<typeof demux>} events @returns {Packet[]} */
function packetsOf(events) {
  return events.filter((event) => event.kind === 'packet');
}

for (const name of NAMES) {
  test(`${name}: the packets are those that ffmpeg finds`, () => {
    const events = demux(messages(name));
    assert.equal(events[0]?.kind, 'head');
    const found = packetsOf(events);
    const expected = packets(name);
    assert.deepEqual(found.map(({ data }) => adler32(data)), expected.map(({ hash }) => hash));
    // ffprobe takes the CodecDelay off, and joins what begins anew after a restart.
    if (name.endsWith('restart')) return;
    const base = (found[0]?.time ?? 0) / 48 - (expected[0]?.millis ?? 0);
    found.forEach(({ time }, index) => {
      const millis = time / 48 - base;
      assert.ok(Math.abs(millis - (expected[index]?.millis ?? NaN)) <= 1, `packet ${index} is at ${millis} ms`);
    });
  });

  test(`${name}: where the stream is cut means nothing`, () => {
    const whole = join(...messages(name));
    const expected = demux([whole]);
    const chance = random(7);
    // One byte at a time takes long for a long stream; its beginning has every kind of element.
    const beginning = whole.subarray(0, 60_000);
    assert.deepEqual(demux(cut(beginning, () => 1)), demux([beginning]));
    for (const length of [() => 2, () => 3, () => 997, () => 4096, () => Math.floor(chance() * 700)]) {
      assert.deepEqual(demux(cut(whole, length)), expected);
    }
    assert.deepEqual(demux(messages(name)), expected);
  });
}

test('a head says what the encoder is, and each stream on one socket has its own', () => {
  const heads = (/** @type {string} */ name) => demux(messages(name)).flatMap((event) => (event.kind === 'head' ? [event.format] : []));
  assert.deepEqual(heads('chromium-webm-opus-mic'), [{ codec: 'opus', channels: 1, pre_skip: 0, input_rate: 48_000 }]);
  assert.deepEqual(heads('firefox-webm-opus'), [{ codec: 'opus', channels: 1, pre_skip: 312, input_rate: 48_000 }]);
  assert.equal(heads('chromium-webm-opus-restart').length, 2);
  assert.equal(heads('firefox-webm-opus-restart').length, 2);
});

test('a real gap is seen in the times', () => {
  const found = packetsOf(demux(messages('chromium-webm-opus-ctxsuspend')));
  const steps = found.slice(1).map((packet, index) => packet.time - (found[index]?.time ?? 0));
  const jumps = steps.filter((step) => step > 48_000);
  assert.equal(jumps.length, 1);
  assert.ok(Math.abs((jumps[0] ?? 0) / 48 - 3047) < 80, `${jumps[0]}`);
});

test('packets share no memory with what was pushed', () => {
  const bytes = join(...messages('firefox-webm-opus'));
  const events = demux([bytes]);
  const [first] = packetsOf(events);
  const before = adler32(first?.data ?? new Uint8Array(0));
  bytes.fill(0);
  assert.equal(adler32(first?.data ?? new Uint8Array(0)), before);
});

test('what cannot be read is refused once and for all, with its place', () => {
  const head = messages('chromium-webm-opus-mic').slice(0, 3);
  const start = join(...head).subarray(0, 146);
  /** @type {[string, Uint8Array | number[], WebmError['code']][]} */
  const broken = [
    ['no WebM', [0x4f, 0x67, 0x67, 0x53, 0, 0], 'malformed'],
    ['no ID', [...start, 0x00], 'malformed'],
    ['a block past any bound', [...start, 0x1f, 0x43, 0xb6, 0x75, 0xff, 0xa3, 0x10, 0xff, 0xff, 0xff, 0x81], 'limit'],
    ['a BlockGroup outside a Cluster', [...start, 0xa0, 0x80], 'malformed'],
  ];
  for (const [what, bytes, code] of broken) {
    const demuxer = new Demuxer();
    const fails = (/** @type {unknown} */ error) => error instanceof WebmError && error.code === code;
    assert.throws(() => {
      demuxer.push(Uint8Array.from(bytes));
      demuxer.push(new Uint8Array(0));
    }, fails, what);
    assert.throws(() => demuxer.push(start), fails, what);
  }
});

test('what is passed over is never held', () => {
  const start = join(...messages('chromium-webm-opus-mic').slice(0, 3)).subarray(0, 146);
  const demuxer = new Demuxer();
  demuxer.push(start);
  // A Void of 100 MB, a piece at a time.
  demuxer.push(Uint8Array.of(0xec, 0x08, 0x05, 0xf5, 0xe1, 0x00, 0x00, 0x00));
  const before = process.memoryUsage().arrayBuffers;
  const piece = new Uint8Array(MOST_HELD);
  for (let round = 0; round < 1000; round += 1) demuxer.push(piece);
  assert.ok(process.memoryUsage().arrayBuffers - before < 64e6);
});

test('what is muxed is demuxed again: the same packets at the same times, without pre-skip', () => {
  const packets = packetsOf(demux(messages('firefox-webm-opus'))).map(({ data }) => data);
  const pieces = [head({ codec: 'opus', channels: 2, pre_skip: 312 })];
  for (let index = 0; index < packets.length; index += 3) pieces.push(cluster(index * 960, packets.slice(index, index + 3)));
  const [first, ...rest] = demux(pieces);
  assert.deepEqual(first, { kind: 'head', format: { codec: 'opus', channels: 2, pre_skip: 0, input_rate: 48_000 } });
  const found = rest.flatMap((event) => (event.kind === 'packet' ? [event] : []));
  assert.deepEqual(found.map(({ data }) => data), packets);
  assert.deepEqual(found.map(({ time }) => time), packets.map((_, index) => index * 960));
});
