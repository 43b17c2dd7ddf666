// The snippets of the tutorials, unmodified, in real browsers: at a room's address, and at the bare host.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { startChromium, startFirefox } from '../browser/browsers.js';
import { startHub } from '../browser/hub.js';
import { together } from '../browser/together.js';
import { Peer, until } from './peer.js';
import { decoded, made, share, shareInPieces, tone } from './sound.js';
import { startTutorials } from './tutorials.js';
import { installWitness } from './witness.js';

/** Tones that are no harmonics of each other, in Hz. */
const [ANN, BEN] = [500, 860];
/** How much of what is heard must be the tone, of all its power. */
const MOSTLY = 0.9;
/** How many messages are enough to be judged by. */
const ENOUGH = 8;
/** How long a piece of a sound is that is judged by itself, in samples: both tones come round in it. */
const PIECE = 2400;

/** @typedef {import('../browser/browsers.js').Page} Page */

const BROWSERS = /** @type {const} */ ([['Chromium', startChromium], ['Firefox', startFirefox]]);

describe('clients that nobody changed', { concurrency: true }, () => {
  for (const [name, start] of BROWSERS) {
    describe(name, { concurrency: 1 }, () => {
      /** @type {import('../browser/hub.js').Hub} */
      let hub;
      /** @type {import('../browser/browsers.js').Browser} */
      let browser;
      /** @type {import('./tutorials.js').Tutorials} */
      let tutorials;

      before(async () => {
        [hub, browser, tutorials] = await together(startHub(), start(), startTutorials());
      });
      afterEach(() => browser?.closePages());
      after(async () => {
        await browser?.close();
        await tutorials?.close();
        await hub?.stop();
      });

      /** Opens a tutorial's page. @param {string} page @param {string} address @param {{ tone?: number, query?: string }} [options] */
      const open = async (page, address, { tone, query } = {}) => {
        const it = await browser.page({ before: installWitness, ear: false, ...(tone ? { tone } : {}) });
        await it.open(tutorials.at(page, address, query));
        await it.until(`${page} is connected`, () => window.seen.sockets[0]?.readyState === WebSocket.OPEN);
        return it;
      };

      /**
       * A test at a room's address and at the bare host: side by side, or apart where it asks much of a browser.
       *
       * @param {string} title
       * @param {string} room
       * @param {(address: string) => Promise<void>} action
       * @param {{ apart?: boolean }} [options]
       */
      const everywhere = (title, room, action, { apart = false } = {}) => test(title, async () => {
        const host = hub.address.replace('http', 'ws');
        const places = [`${host}/rooms/${room}/ws`, `${host}/`];
        if (apart) for (const place of places) await action(place);
        else await Promise.all(places.map(action));
      });

      everywhere('text and binary are told apart by their type, and arrive byte for byte', 'messages', async (address) => {
        const peer = await Peer.join(address);
        const page = await open('messages', address);
        await until('a text and a kilobyte come', () => peer.text.length === 1 && peer.binary.length === 1);
        const sent = Buffer.alloc(1024);
        sent[0] = 65;
        assert.deepEqual([peer.text[0], peer.binary[0]], ['Hello, everybody!', sent]);
        const answer = Buffer.from(Array.from({ length: 1024 }, (_, index) => (65 + index * 7) % 256));
        peer.send('Hello, Ann!');
        peer.send(answer);
        await page.shows('body', /text: Hello, Ann!\s+1024 bytes, the first is 65\s*$/);
        const came = await page.run(() => {
          const { messages } = window.seen;
          return messages.map((it) => (it instanceof ArrayBuffer ? [...new Uint8Array(it)] : it));
        });
        assert.deepEqual(came, ['Hello, Ann!', [...answer]], 'and nothing of its own');
        peer.leave();
        await page.close();
      });

      everywhere('a Blob comes and goes byte for byte', 'blobs', async (address) => {
        const peer = await Peer.join(address);
        const page = await open('blobs', address);
        await until('a kilobyte comes', () => peer.binary.length === 1);
        assert.deepEqual(peer.binary[0], Buffer.alloc(1024, 66));
        const answer = Buffer.from(Array.from({ length: 1024 }, (_, index) => (65 + index * 7) % 256));
        peer.send(answer);
        peer.send('Hello, Ben!');
        await page.shows('body', /1024 bytes, the first is 65/);
        await page.shows('body', /text: Hello, Ben!/);
        const came = await page.run(async () => {
          const { messages } = window.seen;
          return Promise.all(messages.map(async (it) => (it instanceof Blob ? [...new Uint8Array(await it.arrayBuffer())] : it)));
        });
        assert.deepEqual(came, [[...answer], 'Hello, Ben!']);
        peer.leave();
        await page.close();
      });

      for (const [page, what] of [['recorder', 'Blobs straight from MediaRecorder'], ['samples', 'the buffers of Float32Arrays']]) {
        everywhere(`${what} are heard as the sound that they are`, page ?? '', async (address) => {
          const peer = await Peer.join(`${address}?publish=false&as=ogg`);
          const speaking = await open(page ?? '', address, { tone: ANN });
          await speaking.click('#start');
          await until('enough is heard', () => peer.binary.length >= ENOUGH);
          const sound = await decoded(Buffer.concat(peer.binary));
          // The tone begins somewhere in the first half second.
          const heard = shareInPieces(sound.subarray(24_000), ANN);
          assert.ok(heard > MOSTLY, `${heard} of it is the tone`);
          assert.deepEqual(speaking.errors, []);
          peer.leave();
          await speaking.close();
        });
      }

      everywhere('an AudioStreamer plays every message, whenever its listener came', 'streamer', async (address) => {
        const [ann, ben] = await Promise.all([open('streamer', address, { tone: ANN }), open('streamer', address, { tone: BEN })]);
        await Promise.all([ann.click('#start'), ben.click('#start')]);
        await ann.until('it hears', () => window.seen.messages.length > 2);
        const late = await open('streamer', address);
        for (const [page, ...tones] of /** @type {const} */ ([[ann, BEN], [ben, ANN], [late, ANN, BEN]])) await playsAll(page, tones);
        await Promise.all([ann, ben, late].map((page) => page.close()));
      }, { apart: true });

      everywhere('what a late listener collects decodes whole', 'collector', async (address) => {
        const file = await made(tone(ANN), 40);
        const ways = name === 'Chromium' ? ['as=ogg', 'as=webm&preroll=0'] : ['as=ogg'];
        const early = await Peer.join(`${address}?publish=false`);
        const speaker = await Peer.join(`${address}?name=Ann`);
        speaker.send(file);
        await until('it is heard', () => early.binary.length > 1);
        for (const [query, page] of await Promise.all(ways.map(async (query) => /** @type {const} */ ([query, await open('collector', address, { query })])))) {
          await page.until('enough is collected', (least) => window.seen.messages.length >= least, ENOUGH);
          const there = await page.run(() => window.seen.messages.length);
          await page.click('#start');
          await page.until('it plays', () => window.seen.scheduled.length > 0);
          const { seconds, least, most, heard } = await page.run(async ({ source, hertz, there }) => {
            const share = /** @type {typeof import('./sound.js').share} */ (new Function(`return ${source}`)());
            const sound = window.seen.scheduled[0]?.sound;
            const decoder = new OfflineAudioContext(1, 1, 48_000);
            const messages = await Promise.all(window.seen.messages.map((message) => decoder.decodeAudioData(/** @type {ArrayBuffer} */ (message).slice(0))));
            const length = (/** @type {AudioBuffer[]} */ sounds) => sounds.reduce((sum, { duration }) => sum + duration, 0);
            const samples = sound?.getChannelData(0).subarray(4_800) ?? new Float32Array();
            const heard = share(samples, (hertz * 48_000) / (sound?.sampleRate ?? 1));
            return { seconds: sound?.duration ?? 0, least: length(messages.slice(0, there)), most: length(messages), heard };
          }, { source: String(share), hertz: ANN, there });
          // Some may have come just before the button was pressed, and since.
          assert.ok(seconds >= least - 0.01 && seconds <= most + 0.01, `${query}: ${seconds} s of messages of ${least} to ${most} s`);
          assert.ok(heard > MOSTLY, `${query}: ${heard} of it is the tone`);
          assert.deepEqual(page.errors, []);
        }
        early.leave();
        speaker.leave();
      });
    });
  }
});

/**
 * Every message that a page has got by some moment plays, to its end, and sounds of these tones.
 *
 * @param {Page} page
 * @param {number[]} tones Hz
 */
async function playsAll(page, tones) {
  await page.until('enough has been played', (least) => window.seen.played.filter(({ state }) => state !== 'asked').length >= least, ENOUGH);
  // More come all the time. Each of these has begun or begins at once, and lasts for a moment.
  const count = await page.run(() => window.seen.messages.length);
  await page.until(`all of ${count} messages have been played`, (count) => {
    const played = window.seen.played.slice(0, count);
    return played.length === count && played.every(({ state }) => state !== 'asked');
  }, count);
  const judged = await page.run(async ({ source, tones, piece, count }) => {
    const share = /** @type {typeof import('./sound.js').share} */ (new Function(`return ${source}`)());
    const decoder = new OfflineAudioContext(1, 1, 48_000);
    const { played, messages } = window.seen;
    return Promise.all(played.slice(0, count).map(async ({ state, duration }, index) => {
      const sound = await decoder.decodeAudioData(await /** @type {Blob} */ (messages[index]).arrayBuffer());
      const samples = sound.getChannelData(0);
      const pieces = Array.from({ length: Math.floor(samples.length / piece) }, (_, index) => samples.subarray(index * piece, (index + 1) * piece));
      return { state, duration, seconds: sound.duration, heard: pieces.map((piece) => tones.map((hertz) => share(piece, hertz))) };
    }));
  }, { source: String(share), tones, piece: PIECE, count });
  for (const it of judged) assert.ok(it.state === 'ended' && Math.abs(it.duration - it.seconds) < 0.05, JSON.stringify(it));
  // On a busy machine a page's microphone breaks off here and there, and is silent for a while: most of the pieces that have sound
  // count.
  const pieces = judged.flatMap(({ heard }) => heard);
  const sounding = pieces.map((heard) => heard.reduce((sum, one) => sum + one)).filter((share) => share > 0.01);
  const most = sounding.sort((one, other) => one - other)[Math.floor(sounding.length / 2)] ?? 0;
  assert.ok(sounding.length > pieces.length / 4 && most > MOSTLY, `${most} of ${sounding.length} pieces: ${JSON.stringify(judged)}`);
  for (const index of tones.keys()) assert.ok(pieces.some((heard) => (heard[index] ?? 0) > 0.2), JSON.stringify(judged));
  assert.deepEqual(page.errors, []);
}
