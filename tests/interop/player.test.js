// The pages of Socket.IO's tutorials, with the client that the hub serves, in real browsers.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startChromium, startFirefox } from '../browser/browsers.js';
import { hearsNothing, hearsOnce } from '../browser/ear.js';
import { startHub } from '../browser/hub.js';
import { together } from '../browser/together.js';
import { Guest } from './guest.js';
import { Peer, until } from './peer.js';
import { decoded, made, share, shareInPieces, tone } from './sound.js';
import { startTutorials } from './tutorials.js';
import { installWitness } from './witness.js';

/** Tones that are no harmonics of each other, in Hz. */
const [ANN, BEN] = [500, 860];
const SECONDS = 9;
const MOSTLY = 0.9;
/** The transports that a page may use, where it is told, and the one that it ends with. @type {[transport: string | undefined, ends: string][]} */
const TRANSPORTS = [[undefined, 'websocket'], ['websocket', 'websocket'], ['polling', 'polling']];
const SCRIPT = fileURLToPath(new URL('../node_modules/socket.io-client/dist/socket.io.min.js', import.meta.url));

describe('the tutorials of Socket.IO', { concurrency: true }, () => {
  for (const [name, start] of /** @type {const} */ ([['Chromium', startChromium], ['Firefox', startFirefox]])) {
    describe(name, { concurrency: 1 }, () => {
      const transports = name === 'Chromium' ? TRANSPORTS : TRANSPORTS.slice(0, 1);
      /** @type {import('../browser/hub.js').Hub} */
      let hub;
      /** @type {import('../browser/browsers.js').Browser} */
      let browser;
      /** @type {import('./tutorials.js').Tutorials} */
      let tutorials;

      before(async () => {
        tutorials = await startTutorials();
        [hub, browser] = await together(startHub({ grace: 1, more: ['--socketio-client', SCRIPT, '--allow-origin', tutorials.origin] }), start());
      });
      afterEach(() => browser?.closePages());
      after(async () => {
        await browser?.close();
        await hub?.stop();
        await tutorials?.close();
      });

      test('the page that plays an audio file plays the last recording, and stops, by any transport', async () => {
        const speaker = await Peer.join(`${hub.address.replace('http', 'ws')}/`);
        speaker.send(await made(tone(ANN), SECONDS));
        const listener = await Peer.join(`${hub.address.replace('http', 'ws')}/?publish=false&as=ogg`);
        await until('it is said', () => listener.binary.length > 10);
        speaker.leave();
        listener.leave();
        const recorded = async () => (await (await fetch(`${hub.address}/api/v1/recordings?room=lobby&state=ended`)).json()).recordings[0];
        await until('it is recorded', recorded);
        const { id } = await recorded();
        await until('its mix is made', async () => (await fetch(`${hub.address}/api/v1/recordings/${id}/mix.ogg`, { method: 'HEAD' })).status === 200);
        await Promise.all(transports.map(async ([transport, ends]) => {
          const page = await browser.page({ before: installWitness });
          await page.open(tutorials.at('player.html', hub.address, transport));
          await hearsOnce(page, `the page by ${ends}`, ANN);
          await uses(page, ends);
          const seconds = await page.run(() => window.seen.scheduled[0]?.sound.duration ?? 0);
          assert.ok(Math.abs(seconds - SECONDS) < 0.5, `${seconds} s`);
          await page.click('#stop');
          await hearsNothing(page, `the page by ${ends}`);
          assert.deepEqual(page.errors, []);
        }));
      });

      for (const [transport, ends] of transports) {
        test(`a page talks and listens by ${transport ?? 'polling and an upgrade'}`, async () => {
          const ben = await Guest.join(hub.address, { room: 'talk', name: 'Ben' });
          const page = await browser.page({ before: installWitness, tone: ANN });
          await page.open(tutorials.at('talker.html', hub.address, transport));
          await until('Ann is there', () => ben.of('joined').length === 1);
          await uses(page, ends);
          await page.click('#start');
          ben.socket.emit('chat', 'I hear you');
          ben.socket.emit('chunk', await made(tone(BEN), 6));
          await page.shows('#chat', /Ben: I hear you/);
          await until('Ann is heard', () => ben.sound('Ann').length > 8 && ben.of('chat').length === 1);
          const sound = await Promise.all(ben.sound('Ann').slice(2, 6).map(decoded));
          assert.ok(sound.some((it) => shareInPieces(it, ANN) > MOSTLY), `${sound.map((it) => share(it, ANN))}`);
          await page.until('Ben is played', () => window.seen.played.length > 8 && window.seen.played.every(({ state }) => state !== 'asked'));
          assert.deepEqual(await page.run(() => window.seen.played.filter(({ state }) => state !== 'ended')), []);
          const bySocket = await page.run(() => window.seen.messages.filter((it) => it instanceof ArrayBuffer).length);
          assert.ok(ends === 'websocket' ? bySocket > 8 : bySocket === 0, `${bySocket} messages of sound came by a WebSocket`);
          assert.deepEqual(page.errors, []);
          await page.close();
          ben.leave();
        });
      }
    });
  }
});

/** Waits until the client of a page uses a transport. @param {import('../browser/browsers.js').Page} page @param {string} transport */
async function uses(page, transport) {
  // No type knows what a page's script declares.
  await page.until(`it uses ${transport}`, (transport) => new Function('return socket.io.engine.transport.name')() === transport, transport);
}
