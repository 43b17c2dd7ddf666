// The real socket.io-client 4 in Node, with each of its transports.

import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { Agent } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import WebSocket from 'ws';

import { RoomClient, roomAddress } from '../../src/client/connection.js';
import { cluster, head } from '../../src/client/webm-mux.js';
import { startHub } from '../browser/hub.js';
import { startProxy } from '../browser/proxy.js';
import { Guest } from './guest.js';
import { Peer, until } from './peer.js';
import { decoded, made, share, tone } from './sound.js';

/** Tones that are no harmonics of each other, in Hz. */
const [ANN, BEN, CEM] = [500, 860, 1370];
/** How much of what is heard must be the tone, of all its power. */
const MOSTLY = 0.9;
const PIECE = 4096;
/** How long a sound is that the room does not take at once, in seconds. */
const LONG = 20;
/** How long a message of sound is, in seconds. */
const MESSAGE = 0.24;
/** How often the hub asks a client whether it is there, and how long that may take to answer, in ms. */
const [INTERVAL, TIMEOUT] = [1_000, 6_000];
const SCRIPT = fileURLToPath(new URL('../node_modules/socket.io-client/dist/socket.io.min.js', import.meta.url));

/** @type {[name: string, transports: string[] | undefined, ends: string][]} */
const TRANSPORTS = [
  ['polling, then an upgrade', undefined, 'websocket'],
  ['WebSocket only', ['websocket'], 'websocket'],
  ['polling only', ['polling'], 'polling'],
];

/** @type {import('../browser/hub.js').Hub} */
let hub;
/** One that soon misses who does not answer. @type {import('../browser/hub.js').Hub} */
let impatient;
/** What Ann says. @type {Buffer} */
let voice;

before(async () => {
  const heartbeat = ['--socketio-ping-interval-ms', String(INTERVAL), '--socketio-ping-timeout-ms', String(TIMEOUT)];
  voice = await made(tone(ANN), 4);
  hub = await startHub({ grace: 1, more: ['--socketio-client', SCRIPT] });
  impatient = await startHub({ more: heartbeat });
});
after(() => Promise.all([hub?.stop(), impatient?.stop()]));

/** @param {Buffer} file */
const pieces = (file) => Array.from({ length: Math.ceil(file.length / PIECE) }, (_, index) => file.subarray(index * PIECE, (index + 1) * PIECE));

/** How much of the sound of some messages, each for itself, is the tone. @param {Uint8Array[]} messages @param {number} hertz */
async function judge(messages, hertz) {
  for (const message of messages) {
    const sound = await decoded(message);
    const heard = share(sound, hertz);
    assert.ok(sound.length >= 5_760 && heard > MOSTLY, `${sound.length} samples, ${heard} of them the tone`);
  }
}

describe('the real client', { concurrency: true }, () => {
  for (const [what, transports, ends] of TRANSPORTS) {
    const options = transports ? { transports } : {};
    const room = `room-${what.replaceAll(/\W+/g, '-')}`;

    test(`${what}: what one says the others in the room get`, async () => {
      const ben = await Guest.join(hub.address, { room, name: 'Ben' }, options);
      const elsewhere = await Guest.join(hub.address, { room: `${room}-2`, name: 'Eve' }, options);
      const ann = await Guest.join(hub.address, { room, name: 'Ann' }, options);
      await until('both use the transport that they should', () => ann.transport === ends && ben.transport === ends);
      await until('Ann is there', () => ben.of('joined').length === 1);
      const [[from]] = /** @type {[[import('./guest.js').From]]} */ (ben.of('joined'));
      assert.equal(from.name, 'Ann');

      assert.deepEqual(await ann.socket.emitWithAck('chat', 'hello'), { ok: true });
      // The client drops what is volatile while it cannot write at once.
      await until('something volatile comes', () => {
        ann.socket.volatile.emit('chat', 'perhaps');
        return ben.of('chat').length > 1;
      });
      assert.deepEqual(ben.of('chat').slice(0, 2), [['hello', from], ['perhaps', from]]);

      // Deep in objects, and no sound: it comes as it is.
      const bytes = Buffer.alloc(1024);
      bytes[0] = 65;
      assert.deepEqual(await ann.socket.emitWithAck('chunk', { deep: [{ bytes }] }), { ok: true });
      await until('the kilobyte comes', () => ben.of('chunk').length === 1);
      assert.deepEqual(ben.of('chunk'), [[bytes, from]]);

      for (const piece of pieces(voice)) ann.socket.emit('chunk', piece);
      await until('it is heard', () => ben.sound().length > 12);
      const [, first, ...rest] = ben.sound();
      assert.ok(first);
      await judge([first, ...rest.slice(-2)], ANN);
      assert.deepEqual([ann.of('chunk'), elsewhere.of('chunk'), elsewhere.of('chat')], [[], [], []], 'nothing of one\'s own, nor of another room');

      ann.leave();
      await until('she is gone', () => ben.of('left').length === 1);
      assert.deepEqual(ben.of('left'), [[from]]);
      for (const guest of [ann, ben, elsewhere]) guest.leave();
    });

    test(`${what}: a recording greets who comes, once there is one`, async () => {
      const greeted = `${room}-greets`;
      const early = await Guest.join(hub.address, { room: greeted }, options);
      const unknown = await early.socket.emitWithAck('play', { recording: '01890000-0000-7000-8000-000000000000', from: 0 });
      assert.equal(unknown.ok, false, JSON.stringify(unknown));
      const speaker = await Peer.join(`${hub.address.replace('http', 'ws')}/rooms/${greeted}/ws`);
      speaker.send(voice);
      await until('it is heard', () => early.sound().length > 10);
      speaker.leave();
      const recording = await ended(greeted);
      await until('its mix is made', async () => (await fetch(`${hub.address}/api/v1/recordings/${recording}/mix.ogg`, { method: 'HEAD' })).status === 200);
      const late = await Guest.join(hub.address, { room: greeted }, options);
      await until('it is greeted', () => late.of('audio file').length === 1);
      const [[file]] = /** @type {[[import('./guest.js').AudioFile]]} */ (late.of('audio file'));
      assert.deepEqual([file.audio, file.recording], [true, recording]);
      const sound = await decoded(file.audioBuffer);
      assert.ok(Math.abs(sound.length / 48_000 - file.seconds) < 0.1 && share(sound, ANN) > MOSTLY, `${sound.length} samples, ${file.seconds} s`);
      /** @type {import('./guest.js').Answer} */
      const answer = await late.socket.emitWithAck('play', { recording, from: 2 });
      await until('it is played', () => late.of('audio file').length === 2);
      const [, [rest]] = /** @type {[unknown, [import('./guest.js').AudioFile]]} */ (late.of('audio file'));
      assert.ok(answer.ok && answer.recording === recording && Math.abs(rest.seconds - (file.seconds - 2)) < 0.1, `${JSON.stringify(answer)} ${rest.seconds}`);
      assert.ok(share(await decoded(rest.audioBuffer), ANN) > MOSTLY);
      for (const guest of [early, late]) guest.leave();
    });

    test(`${what}: who may not come in is told why`, async () => {
      const nowhere = new Guest(`${hub.address}/nowhere`, { room }, options);
      const nameless = new Guest(hub.address, { room, name: '\n' }, options);
      await until('both are told', () => nowhere.refused.length > 0 && nameless.refused.length > 0);
      assert.equal(nowhere.refused[0], 'Invalid namespace');
      assert.match(nameless.refused[0] ?? '', /name/);
      for (const guest of [nowhere, nameless]) guest.leave();
    });

    test(`${what}: what is too large is told, and ends it`, async () => {
      const guest = await Guest.join(hub.address, { room: `${room}-large` }, options);
      await until('it uses the transport that it should', () => guest.transport === ends);
      guest.socket.emit('chunk', Buffer.alloc(3 << 20));
      await until('it is disconnected', () => guest.ends.length > 0);
      const [[error]] = /** @type {[[{ code: string, message: string }]]} */ (guest.of('error'));
      assert.ok(guest.ends[0] === 'io server disconnect' && error.message.length > 0, `${guest.ends} ${JSON.stringify(error)}`);
      guest.leave();
    });

    test(`${what}: a client that is cut off comes back by itself`, async () => {
      const wire = await startProxy(impatient.address);
      const other = await Guest.join(impatient.address, { room: `${room}-cut` });
      const guest = await Guest.join(wire.address, { room: `${room}-cut`, name: 'Ann' }, options);
      await until('it uses the transport that it should', () => guest.transport === ends);
      wire.cut();
      await until('it is disconnected', () => guest.ends.length === 1);
      wire.mend();
      await until('it is back', () => guest.socket.connected);
      await until('the others see both', () => other.of('joined').length >= 2 && other.of('left').length >= 1);
      await until('it is listened to', () => guest.socket.timeout(5_000).emitWithAck('chat', 'here again').then(({ ok }) => ok, () => false));
      for (const it of [guest, other]) it.leave();
      await wire.close();
    });

    test(`${what}: a client is back in its room, and hears, when the hub has been stopped or killed and started again`, async (context) => {
      const again = `${room}-again`;
      const folder = await mkdtemp(join(tmpdir(), 'roomtone-'));
      let hub = await startHub({ folder });
      const { address } = hub;
      const guest = await Guest.join(address, { room: again, name: 'Ann' }, options);
      context.after(async () => {
        guest.leave();
        await hub.kill();
        await rm(folder, { recursive: true });
      });
      for (const end of /** @type {const} */ (['stop', 'kill'])) {
        await until('it uses the transport that it should', () => guest.transport === ends);
        await hub[end]();
        await until('it is disconnected', () => !guest.socket.connected);
        hub = await startHub({ folder, port: Number(new URL(address).port) });
        await until('it is back', () => guest.socket.connected);
        const heard = guest.sound().length;
        const speaker = await Peer.join(`${address.replace('http', 'ws')}/rooms/${again}/ws?name=Ben`);
        speaker.send(voice);
        await until('it hears', () => guest.sound().length > heard + 3);
        await judge(guest.sound().slice(heard + 1, heard + 3), ANN);
        guest.socket.emit('chat', 'here again');
        await until('it is heard', () => speaker.text.includes('here again'));
        speaker.leave();
      }
    });

    test(`${what}: both sides notice one that has died silently`, async () => {
      const wire = await startProxy(impatient.address);
      const other = await Guest.join(impatient.address, { room: `${room}-dead` });
      const guest = await Guest.join(wire.address, { room: `${room}-dead`, name: 'Ann' }, options);
      await until('it uses the transport that it should', () => guest.transport === ends);
      let pings = 0;
      guest.socket.io.on('ping', () => (pings += 1));
      await until('the hub asks, and goes on asking', () => pings >= 2);
      wire.stall();
      await until('both notice', () => guest.ends.length > 0 && other.of('left').length > 0);
      // Over long-polling it may see first that the hub has given up.
      assert.match(guest.ends[0] ?? '', ends === 'polling' ? /ping timeout|transport/ : /ping timeout/);
      for (const it of [guest, other]) it.leave();
      await wire.close();
    });
  }

  test('who says a long sound at once when it comes in moves to a WebSocket all the same, and all of it is heard', async () => {
    const room = 'at-once';
    const file = await made(tone(ANN), LONG);
    const ben = await Peer.join(`${hub.address.replace('http', 'ws')}/rooms/${room}/ws?publish=false&as=ogg`);
    // While the room takes the sound, which lasts nearly as long as it sounds, its request is not answered.
    const underWay = until('it is heard', () => ben.binary.length > 0);
    const ann = new Guest(hub.address, { room, name: 'Ann' }, { transportOptions: { websocket: { agent: opening(underWay) } } });
    ann.socket.on('connect', () => ann.socket.emit('chunk', file));
    await underWay;
    await until('it uses a WebSocket', () => ann.transport === 'websocket');
    ann.socket.emit('chat', 'that was all');
    await until('the room has taken all', () => ben.text.includes('that was all'));
    assert.deepEqual(ann.ends, []);
    ann.leave();
    await until('the end is heard', () => ben.binary.length >= Math.floor(LONG / MESSAGE));
    const sound = await decoded(Buffer.concat(ben.binary));
    assert.ok(sound.length >= (LONG - MESSAGE) * 48_000 && share(sound, ANN) > MOSTLY, `${sound.length} samples, ${share(sound, ANN)} of them the tone`);
    ben.leave();
  });

  test('clients of Socket.IO, of the plain protocol and of roomtone.v1 hear each other in one room', async () => {
    const room = 'together';
    const ann = await Guest.join(hub.address, { room, name: 'Ann' });
    const ben = await Peer.join(`${hub.address.replace('http', 'ws')}/rooms/${room}/ws?name=Ben&mix=no`);
    const cem = new RoomClient({ address: roomAddress(hub.address, room, { name: 'Cem' }), WebSocket: /** @type {any} */ (WebSocket) });
    /** Packets by track. @type {Map<number, Uint8Array[]>} */
    const packets = new Map();
    cem.on('packets', (message) => packets.set(message.track, [...(packets.get(message.track) ?? []), ...message.packets]));
    cem.connect();
    await until('Cem is there', () => ann.of('joined').length >= 2);
    const files = await Promise.all([ANN, BEN, CEM].map((hertz) => made(tone(hertz), 6)));
    ann.socket.emit('chunk', files[0]);
    ben.send(/** @type {Buffer} */ (files[1]));
    cem.sendContainer(cem.publish({ source: 'container' }), /** @type {Buffer} */ (files[2]));

    await until('Ann hears both', () => ann.sound('Ben').length > 8 && ann.sound('Cem').length > 8);
    await judge(ann.sound('Ben').slice(6, 8), BEN);
    await judge(ann.sound('Cem').slice(6, 8), CEM);
    // Of each up to twenty come at once.
    await until('Ben hears both', () => ben.binary.length > 42);
    const heard = await Promise.all(ben.binary.filter((_, index) => index > 2 && index % 4 === 0).map(async (message) => {
      const sound = await decoded(message);
      return [ANN, CEM].findIndex((hertz) => share(sound, hertz) > MOSTLY);
    }));
    assert.ok(heard.includes(0) && heard.includes(1), `${heard}`);
    await until('Cem hears both', () => packets.size === 2 && [...packets.values()].every((it) => it.length > 100));
    const tones = await Promise.all([...packets.values()].map(async (it) => {
      const sound = (await decoded(Buffer.concat([head({ codec: 'opus', channels: 1, input_rate: 48_000 }), cluster(0, it.slice(0, 100))]))).subarray(4_800);
      return [ANN, BEN].findIndex((hertz) => share(sound, hertz) > MOSTLY);
    }));
    assert.deepEqual(tones.sort(), [0, 1]);
    ann.leave();
    ben.leave();
    cem.leave();
  });
});

/** A network on which nothing opens before something has come about. @param {Promise<void>} something */
function opening(something) {
  /** @param {import('node:net').TcpNetConnectOpts} options @param {(error: null, socket: import('node:net').Socket) => void} opened */
  const createConnection = (options, opened) => void something.then(() => opened(null, connect(options)), () => {});
  return Object.assign(new Agent(), { createConnection });
}

/** The recording of a room, once it has ended. @param {string} room @returns {Promise<string>} */
async function ended(room) {
  let recording = '';
  await until(`the session of ${room} ends`, async () => {
    const { recordings } = await (await fetch(`${hub.address}/api/v1/recordings?room=${room}&state=ended`)).json();
    recording = recordings[0]?.id ?? '';
    return recording;
  });
  return recording;
}

test('the hub serves the client that a setting names', async () => {
  const answer = await fetch(`${hub.address}/socket.io/socket.io.js`);
  assert.match(answer.headers.get('content-type') ?? '', /javascript/);
  assert.equal(await answer.text(), await readFile(SCRIPT, 'utf8'));
});
