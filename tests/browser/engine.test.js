// The engine without its pages, in both browsers and in every way that it has: who says what, and who hears it.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { startChromium, startFirefox } from './browsers.js';
import { hearsNothing, hearsTones } from './ear.js';
import { startHub } from './hub.js';
import { together } from './together.js';

/** @typedef {import('./browsers.js').Page} Page */
/** @typedef {import('./browsers.js').Browser} Browser */

const [LOW, HIGH] = [520, 1480];
/** @type {import('./hub.js').Hub} */
let hub;
/** @type {{ [name: string]: Browser }} */
let browsers = {};

before(async () => {
  [hub, browsers.Chromium, browsers.Firefox] = await together(startHub(), startChromium(), startFirefox());
});
afterEach(async () => void (await Promise.all(Object.values(browsers).map((browser) => browser.closePages()))));
after(async () => {
  await Promise.all(Object.values(browsers).map((browser) => browser.close()));
  await hub?.stop();
});

/** Takes from a page what older browsers have not. */
function age() {
  for (const name of ['AudioEncoder', 'AudioDecoder']) Reflect.deleteProperty(globalThis, name);
}

/**
 * Joins a room from a page that is not the room’s, and listens.
 *
 * @param {Page} page
 * @param {string} address the hub's
 * @param {string} room
 * @param {string} name
 */
async function join(page, address, room, name) {
  await page.open(`${address}/`);
  await page.run(async ([room, name]) => {
    const load = (/** @type {string} */ module) => import(`/client/${module}.js`);
    const [{ RoomClient, roomAddress }, { CONTEXT, Listener }, { Publisher }] = await Promise.all(['connection', 'listener', 'publisher'].map(load));
    const client = new RoomClient({ address: roomAddress(location.origin, room, { name }), reconnect: true, backoff: () => 200 });
    const context = new AudioContext(CONTEXT);
    const listener = new Listener(context);
    client.on('tracks', (/** @type {any} */ tracks) => listener.follow(tracks));
    client.on('packets', (/** @type {any} */ message) => listener.take(message));
    const publisher = new Publisher(client);
    Object.assign(window, { engine: { client, context, listener, publisher, Listener, Publisher } });
    client.connect();
  }, [room, name]);
  await page.until(`${name} has joined`, () => /** @type {any} */ (window).engine.client.state.kind === 'joined');
}

/** Says a tone. @param {Page} page @param {number} pitch Hz */
async function say(page, pitch) {
  await page.run(async (pitch) => {
    const { publisher } = /** @type {any} */ (window).engine;
    const context = new AudioContext();
    const tone = new OscillatorNode(context, { frequency: pitch });
    const stream = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    tone.connect(new GainNode(context, { gain: 0.3 })).connect(stream);
    tone.start();
    if (publisher.state.kind === 'talking') await publisher.replaceStream(stream.stream);
    else await publisher.start(stream.stream);
  }, pitch);
  await page.until('one talks', () => /** @type {any} */ (window).engine.publisher.state.kind === 'talking');
}

/** @param {Page[]} pages */
async function part(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.errors, []);
    await page.close();
  }
}

for (const name of ['Chromium', 'Firefox']) {
  for (const old of [false, true]) {
    const title = old ? `an old ${name}, by MediaRecorder and MSE` : `${name}, by WebCodecs`;
    test(`${title}: two talk at once and each hears the other alone, a late joiner hears both, mute and volumes are heard`, async () => {
      const browser = /** @type {Browser} */ (browsers[name]);
      const open = () => browser.page(old ? { before: age } : {});
      const [ann, ben] = [await open(), await open()];
      const room = `${name}-${old}`;
      await join(ann, hub.address, room, 'Ann');
      await join(ben, hub.address, room, 'Ben');
      const ways = await ann.run(() => {
        const { Listener, Publisher } = /** @type {any} */ (window).engine;
        return [Publisher.ways[0], Listener.ways[0]];
      });
      assert.deepEqual(ways, old ? ['recorder', 'elements'] : ['encoder', 'decoded']);
      await say(ann, LOW);
      await say(ben, HIGH);
      await hearsTones(ann, 'Ann', [HIGH]);
      await hearsTones(ben, 'Ben', [LOW]);
      const cem = await open();
      await join(cem, hub.address, room, 'Cem');
      await hearsTones(cem, 'Cem, who is late,', [LOW, HIGH]);

      await cem.until('the levels are those of the tones', () => {
        const { client, listener } = /** @type {any} */ (window).engine;
        const levels = [...client.participants.keys()].map((id) => listener.levelOf(id));
        return levels.length === 2 && levels.every((level) => Math.abs(level - 0.21) < 0.05);
      });
      await ann.until('her own too', () => Math.abs(/** @type {any} */ (window).engine.publisher.level() - 0.21) < 0.05);

      await cem.run(() => {
        const { client, listener } = /** @type {any} */ (window).engine;
        for (const { id, name } of client.participants.values()) if (name === 'Ben') listener.setVolume(id, 0);
      });
      await hearsTones(cem, 'Cem, who does not want to hear Ben,', [LOW]);
      await ann.run(() => /** @type {any} */ (window).engine.publisher.mute(true));
      await hearsNothing(cem, 'Cem, when Ann is muted,');
      await say(ann, HIGH);
      await ann.run(() => /** @type {any} */ (window).engine.publisher.mute(false));
      await hearsTones(cem, 'Cem, when Ann has taken another microphone,', [HIGH]);
      await ann.run(() => /** @type {any} */ (window).engine.publisher.stop());
      await hearsNothing(cem, 'Cem, when Ann has stopped,');
      await part(ann, ben, cem);
    });
  }
}

test('both browsers hear each other', async () => {
  const [ann, ben] = await Promise.all(Object.values(browsers).map((browser) => browser.page()));
  assert.ok(ann && ben);
  await join(ann, hub.address, 'both', 'Ann');
  await join(ben, hub.address, 'both', 'Ben');
  await say(ann, LOW);
  await say(ben, HIGH);
  await hearsTones(ann, 'Chromium', [HIGH]);
  await hearsTones(ben, 'Firefox', [LOW]);
  await part(ann, ben);
});

test('a hub that was killed and is back is talked on, by itself', async (context) => {
  const first = await startHub();
  context.after(() => first.kill());
  const [ann, ben] = await Promise.all(Object.values(browsers).map((browser) => browser.page()));
  assert.ok(ann && ben);
  await join(ann, first.address, 'back', 'Ann');
  await join(ben, first.address, 'back', 'Ben');
  await say(ann, LOW);
  await hearsTones(ben, 'Ben', [LOW]);
  await first.kill();
  await ben.until('Ben waits', () => /** @type {any} */ (window).engine.client.state.kind === 'reconnecting');
  await hearsNothing(ben, 'Ben');
  const second = await startHub({ port: Number(new URL(first.address).port) });
  context.after(() => second.kill());
  await hearsTones(ben, 'Ben', [LOW]);
  assert.equal(await ann.run(() => /** @type {any} */ (window).engine.publisher.state.kind), 'talking');
  await ann.close();
  await ben.close();
});

test('a context that was suspended hears the room as it is when it runs again', async () => {
  const browser = /** @type {Browser} */ (browsers.Chromium);
  const [ann, ben] = [await browser.page(), await browser.page()];
  await join(ann, hub.address, 'asleep', 'Ann');
  await join(ben, hub.address, 'asleep', 'Ben');
  await say(ann, LOW);
  await hearsTones(ben, 'Ben', [LOW]);
  await ben.run(() => /** @type {any} */ (window).engine.context.suspend());
  // What is said meanwhile would be heard first, were it kept.
  const saysFor = (/** @type {number} */ seconds) => ann.run((ms) => new Promise((resolve) => setTimeout(resolve, ms)), seconds * 1000);
  await saysFor(5);
  await say(ann, HIGH);
  await saysFor(1);
  const woken = await ben.run(async () => {
    const { engine: { context }, heard } = /** @type {any} */ (window);
    heard.length = 0;
    const { currentTime } = context;
    await context.resume();
    return currentTime;
  });
  await hearsTones(ben, 'Ben, who was asleep,', [HIGH]);
  const last = await ben.run((low) => Math.max(0, .../** @type {any} */ (window).heard
    .filter((/** @type {any} */ it) => it.pitches.some((/** @type {number} */ pitch) => Math.abs(pitch - low) < 15))
    .map((/** @type {any} */ it) => it.time)), LOW);
  // Some tenths of a second are in the ear's own window and on their way to it; the mixer could keep 1.4 s.
  assert.ok(last - woken < 0.7, `for ${last - woken} s he heard what was said before`);
  await part(ann, ben);
});

/** Encodes a minute in the page: a second of each pitch, 500 Hz and 100 Hz more each second. */
async function prepareReplay() {
  const it = /** @type {any} */ (window);
  const [{ CONTEXT, Listener }] = await Promise.all(['listener'].map((module) => import(`/client/${module}.js`)));
  /** @type {Uint8Array[]} */
  const packets = [];
  const encoder = new it.Encode({
    output: (/** @type {EncodedAudioChunk} */ packet) => {
      const data = new Uint8Array(packet.byteLength);
      packet.copyTo(data);
      packets.push(data);
    },
    error: console.error,
  });
  encoder.configure({ codec: 'opus', sampleRate: 48_000, numberOfChannels: 1, bitrate: 64_000, opus: { frameDuration: 20_000 } });
  for (let index = 0; index < 3000; index += 1) {
    const pitch = 500 + 100 * Math.floor(index / 50);
    const data = Float32Array.from({ length: 960 }, (_, at) => 0.3 * Math.sin((2 * Math.PI * pitch * (index * 960 + at)) / 48_000));
    encoder.encode(new AudioData({ format: 'f32-planar', sampleRate: 48_000, numberOfChannels: 1, numberOfFrames: 960, timestamp: index * 20_000, data }));
  }
  await encoder.flush();

  const context = new AudioContext(CONTEXT);
  const listener = new Listener(context);
  listener.follow(new Map([[1, { track: 1, participant: 'a', format: { codec: 'opus', channels: 1 }, muted: false }]]));
  // A hub that is a second ahead of real time.
  let [next, began, at, playing] = [0, 0, 0, false];
  const send = () => {
    const due = playing ? Math.min(packets.length, Math.floor(at * 50 + (performance.now() - began) / 20 + 50)) : next;
    for (; next < due; next += 1) {
      const message = { track: 1, discontinuity: false, backlog: false, first: next, time: next * 960, packets: packets.slice(next, next + 1) };
      listener.take(message);
    }
  };
  setInterval(send, 20);
  it.replay = {
    listener,
    seek: (/** @type {number} */ to) => {
      listener.resetTo(to * 48_000);
      [next, began, at, playing] = [Math.max(Math.floor(to * 50) - 5, 0), performance.now(), to, true];
      it.heard.length = 0;
      send();
    },
    pause: () => {
      listener.pause();
      at += (performance.now() - began) / 1000;
      playing = false;
    },
    play: () => {
      began = performance.now();
      playing = true;
      listener.resume();
    },
  };
}

for (const name of ['Chromium', 'Firefox']) {
  for (const old of [false, true]) {
    test(`a replay in ${old ? 'an old ' : ''}${name} is heard from its place, says where it is, stands still, and goes elsewhere`, async () => {
      const browser = /** @type {Browser} */ (browsers[name]);
      const keep = () => Object.assign(window, { Encode: globalThis.AudioEncoder });
      const own = old ? `(${keep})(); (${age})()` : `(${keep})()`;
      const page = await browser.page({ before: /** @type {any} */ (new Function(own)) });
      await page.open(`${hub.address}/`);
      await page.run(prepareReplay);
      const position = () => page.run(() => /** @type {any} */ (window).replay.listener.position());
      /** What is heard is the place that it says. @param {number} least seconds */
      const soundsLikeItsPlace = (least) => page.until(`what is heard is its place, ${least} s or later`, (least) => {
        const { heard, replay } = /** @type {any} */ (window);
        const at = replay.listener.position();
        const { pitches } = heard.at(-1) ?? { pitches: [] };
        // In the middle of the second that sounds it is half of one away from either end.
        return at >= least && pitches.length === 1 && Math.abs((pitches[0] - 500) / 100 + 0.5 - at) < 1;
      }, least);
      const hears = async (/** @type {number} */ second) => {
        const pitch = 500 + 100 * second;
        await page.until(`${second} s is heard`, (pitch) => /** @type {any} */ (window).heard.some((/** @type {any} */ it) => it.pitches.length === 1 && Math.abs(it.pitches[0] - pitch) < 15), pitch);
      };
      await page.run(() => /** @type {any} */ (window).replay.seek(11));
      await hears(11);
      // One that breaks off on a slow machine sounds of everything; a second of the recording sounds of one pitch.
      const before = await page.run(() => /** @type {any} */ (window).heard.filter((/** @type {any} */ it) => it.pitches.length === 1 && it.pitches[0] < 1560));
      assert.deepEqual(before, [], 'before its place it is silent');
      await soundsLikeItsPlace(11);

      await page.run(() => /** @type {any} */ (window).replay.pause());
      await hearsNothing(page, 'one who has paused');
      const paused = await position();
      await page.run(() => new Promise((resolve) => setTimeout(resolve, 500)));
      assert.equal(await position(), paused);
      await page.run(() => /** @type {any} */ (window).replay.play());
      await page.until('it goes on', (paused) => /** @type {any} */ (window).replay.listener.position() > paused + 0.2, paused);

      await page.run(() => /** @type {any} */ (window).replay.seek(40.25));
      await hears(40);
      await hears(41);
      await soundsLikeItsPlace(40.2);
      await page.run(() => /** @type {any} */ (window).replay.seek(3));
      await hears(3);
      assert.deepEqual(page.errors, []);
      await page.close();
    });
  }
}
