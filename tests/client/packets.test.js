import assert from 'node:assert/strict';
import { test } from 'node:test';

import { duration } from '../../src/client/opus.js';
import { decode, encode, encodeContainer, HEADER, PacketsError } from '../../src/client/packets.js';

/** @returns {import('../../src/client/packets.js').Packets} */
function example() {
  const packets = [Uint8Array.of(0xf8, 0xff, 0xfe), new Uint8Array(0), new Uint8Array(1275).fill(7)];
  return { track: 513, discontinuity: true, backlog: false, first: 2 ** 40 + 3, time: Number.MAX_SAFE_INTEGER, packets };
}

/** @param {() => unknown} action @param {string} code @param {number} offset */
function throwsAt(action, code, offset) {
  assert.throws(action, (error) => error instanceof PacketsError && error.code === code && error.offset === offset);
}

test('what is written is read', () => {
  const message = example();
  assert.deepEqual(decode(encode(message).buffer), message);
  const other = { ...message, discontinuity: false, backlog: true };
  assert.deepEqual(decode(encode(other).buffer), other);
});

test('the header is laid out as the protocol says', () => {
  const bytes = encode({ ...example(), track: 0x0102, backlog: true, first: 0x0304, time: 2 ** 32 + 5, packets: [Uint8Array.of(9)] });
  assert.deepEqual([...bytes], [1, 3, 1, 2, 0, 0, 0, 0, 0, 0, 3, 4, 0, 0, 0, 1, 0, 0, 0, 5, 0, 1, 9]);
  assert.deepEqual([...encodeContainer(0x0102, Uint8Array.of(0x1a, 0x45))], [2, 0, 1, 2, ...new Array(16).fill(0), 0x1a, 0x45]);
});

test('a message that is cut anywhere is refused, or holds the packets before the cut', () => {
  const { buffer } = encode(example());
  for (let length = 0; length < buffer.byteLength; length += 1) {
    try {
      assert.ok(decode(buffer.slice(0, length)).packets.length < 3);
      assert.ok([HEADER + 5, HEADER + 7].includes(length), `cut at ${length}`);
    } catch (error) {
      assert.ok(error instanceof PacketsError, `cut at ${length}: ${error}`);
    }
  }
});

test('a broken message says what and where', () => {
  const bytes = encode(example());
  throwsAt(() => decode(new ArrayBuffer(19)), 'header', 0);
  throwsAt(() => decode(bytes.slice(0, HEADER).buffer), 'empty', HEADER);
  throwsAt(() => decode(bytes.slice(0, HEADER + 6).buffer), 'packet', HEADER + 5);
  throwsAt(() => decode(encodeContainer(1, bytes).buffer), 'kind', 0);
  bytes[12] = 1;
  throwsAt(() => decode(bytes.buffer), 'number', 12);
});

test('what does not fit is not written', () => {
  throwsAt(() => encode({ ...example(), track: 65_536 }), 'number', 2);
  throwsAt(() => encode({ ...example(), first: 2 ** 53 }), 'number', 4);
  throwsAt(() => encode({ ...example(), time: -1 }), 'number', 12);
  throwsAt(() => encode({ ...example(), time: 0.5 }), 'number', 12);
  throwsAt(() => encode({ ...example(), packets: [] }), 'empty', HEADER);
  throwsAt(() => encode({ ...example(), packets: [new Uint8Array(65_536)] }), 'packet', HEADER);
});

test('the TOC tells how long a packet sounds', () => {
  const millis = (/** @type {number[]} */ ...bytes) => duration(Uint8Array.from(bytes)) / 48;
  assert.equal(millis(0xf8, 0xff, 0xfe), 20); // CELT, full band, one frame of 20 ms
  assert.equal(millis(0x7b, 3, 0, 0, 0), 60); // hybrid, three frames of 20 ms
  assert.equal(millis(0x18, 1), 60); // SILK, one frame of 60 ms
  assert.equal(millis(0x19, 1, 1), 120); // two of them
  assert.equal(millis(0xe0), 2.5);
  assert.equal(millis(), 0);
});
