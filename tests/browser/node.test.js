// The connection module in Node, with a WebSocket class that is passed in, on the real hub.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import WebSocket from 'ws';

import { RoomClient, roomAddress } from '../../src/client/connection.js';
import { startHub } from './hub.js';

/** CELT, 20 ms. */
const PACKET = Uint8Array.of(0xf8, 0xff, 0xfe);
const TICKS = 960;
const PATIENCE = 20_000;
/** @type {import('./hub.js').Hub} */
let hub;

before(async () => {
  hub = await startHub();
});
after(() => hub?.stop());

/** @param {string} name @param {string} [address] */
function client(name, address = hub.address) {
  return new RoomClient({ address: roomAddress(address, 'node', { name }), WebSocket: /** @type {any} */ (WebSocket) });
}

/**
 * The first of a client's events that fits; it fails where none comes.
 *
 * @template {keyof import('../../src/client/connection.js').Events} Name
 * @param {RoomClient} from
 * @param {Name} name
 * @param {(value: import('../../src/client/connection.js').Events[Name]) => boolean} [fits]
 * @returns {Promise<import('../../src/client/connection.js').Events[Name]>}
 */
function next(from, name, fits = () => true) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no ${name} came`)), PATIENCE);
    const off = from.on(name, (value) => {
      if (!fits(/** @type {any} */ (value))) return;
      clearTimeout(timer);
      off();
      resolve(/** @type {any} */ (value));
    });
  });
}

/** @param {RoomClient} it */
async function join(it) {
  const joined = next(it, 'state', ({ kind }) => kind === 'joined');
  it.connect();
  await joined;
}

test('packets that one publishes reach the other in order, and become durable', async () => {
  const [ann, ben] = [client('Ann'), client('Ben')];
  await join(ben);
  const came = next(ben, 'participants', (participants) => [...participants.values()].some(({ name }) => name === 'Ann'));
  await join(ann);
  await came;
  /** @type {import('../../src/client/packets.js').Packets[]} */
  const heard = [];
  ben.on('packets', (message) => heard.push(message));
  const durable = next(ann, 'durable', (it) => it.next === 50);
  const all = next(ben, 'packets', () => heard.reduce((sum, { packets }) => sum + packets.length, 0) === 50);
  const published = next(ann, 'published');
  const track = ann.publish({ source: 'packets', format: { codec: 'opus', channels: 1 } });
  for (let first = 0; first < 50; first += 5) {
    const packets = Array(5).fill(PACKET);
    ann.sendPackets({ track, discontinuity: false, backlog: false, first, time: first * TICKS, packets });
  }
  const { number } = await published;
  await Promise.all([all, durable]);
  let [sequence, time] = [heard[0]?.first ?? NaN, heard[0]?.time ?? NaN];
  for (const message of heard) {
    assert.deepEqual([message.track, message.first, message.time], [number, sequence, time]);
    for (const packet of message.packets) assert.deepEqual(packet, PACKET);
    sequence += message.packets.length;
    time += message.packets.length * TICKS;
  }
  const ended = next(ben, 'trackEnded', (it) => it === number);
  ann.unpublish(track);
  await ended;
  const gone = next(ben, 'participants', (participants) => participants.size === 0);
  ann.leave();
  await gone;
  ben.leave();
});

test('a ping is answered', async () => {
  const ann = client('Ann');
  await join(ann);
  const pong = next(ann, 'pong');
  ann.ping();
  assert.ok((await pong).roundTrip < PATIENCE);
  ann.leave();
});

test('what the hub objects to is its error and the end of the connection', async () => {
  const ann = client('Ann');
  await join(ann);
  const closed = next(ann, 'state', ({ kind }) => kind === 'closed');
  const track = ann.publish({ source: 'container' });
  ann.sendContainer(track, new TextEncoder().encode('no container has such a beginning'));
  const state = await closed;
  assert.ok(state.kind === 'closed');
  assert.equal(state.cause, 'hub');
  assert.ok([1003, 1007].includes(state.code), `${state.code}`);
  assert.equal(state.error?.message, state.reason);
});

test('a hub that stops says so to all, who talks and who does not', async (context) => {
  const other = await startHub();
  context.after(() => other.kill());
  const [ann, ben] = [client('Ann', other.address), client('Ben', other.address)];
  await join(ann);
  await join(ben);
  const ends = [ann, ben].map((it) => next(it, 'state', ({ kind }) => kind === 'closed'));
  const heard = next(ben, 'packets');
  const track = ann.publish({ source: 'packets', format: { codec: 'opus', channels: 1 } });
  let first = 0;
  const talking = setInterval(() => {
    ann.sendPackets({ track, discontinuity: false, backlog: false, first, time: first * TICKS, packets: [PACKET] });
    first += 1;
  }, 20);
  context.after(() => clearInterval(talking));
  await heard;
  await other.stop();
  for (const state of await Promise.all(ends)) assert.equal(state.kind === 'closed' && state.code, 1001);
});
