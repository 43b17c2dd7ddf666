// The page of a recording in Chromium and Firefox: what is heard at a place, told by a sweep's pitch.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { assertAccessible } from './axe.js';
import { startChromium, startFirefox } from './browsers.js';
import { hears, hearsNothing } from './ear.js';
import { startHub } from './hub.js';
import { pitchAt, record, SWEEP, tone } from './recorded.js';

/** The second speaker's tone, in Hz: above all that the sweep reaches. */
const TONE = 3_000;
/** How far what is heard may be from the place that is shown, in Hz: 0.6 s of the sweep. */
const NEAR = 60;

/** @type {import('./hub.js').Hub} */
let hub;
/** @type {import('./recorded.js').RecordingInFull} */
let recording;

before(async () => {
  hub = await startHub({ grace: 1 });
  recording = await record(
    hub,
    'sweep',
    { name: 'Ann', sound: SWEEP, seconds: 14, lines: [[3, 'three'], [9, 'nine']] },
    { name: 'Ben', sound: tone(TONE), seconds: 13, after: 0.5 },
  );
});
after(() => hub?.stop());

/** @typedef {import('./browsers.js').Page} Page */

for (const [name, start] of /** @type {const} */ ([['Chromium', startChromium], ['Firefox', startFirefox]])) {
  describe(name, () => {
    /** @type {import('./browsers.js').Browser} */
    let browser;
    before(async () => {
      browser = await start();
    });
    afterEach(() => browser?.closePages());
    after(() => browser?.close());

    /** A page of the recording. @param {string} [fragment] */
    async function open(fragment = '', options = {}) {
      const page = await browser.page(options);
      await page.open(`${hub.address}/recordings/${recording.id}${fragment}`);
      await page.shows('#lanes', /Ann[^]*Ben/);
      return page;
    }

    test('it plays at once, says who speaks, and what is heard is the place that is shown', async () => {
      const page = await open();
      await hears(page, name);
      await soundsLikeItsPlace(page, 0);
      await page.until('Ann and Ben speak', () => document.querySelectorAll('.lane.speaking').length === 2);
      await soundsLikeItsPlace(page, 2);
      await assertAccessible(page, `a recording in ${name}`);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('a click on a waveform goes to its place, and so do the slider’s keys', async () => {
      const page = await open();
      await hears(page, name);
      await point(page, 0.6);
      await soundsLikeItsPlace(page, 0.6 * recording.duration - 0.1);
      await page.run(() => document.getElementById('seek')?.focus());
      await page.press('Home');
      await page.until('it is at the start', () => Number(/** @type {any} */ (document.getElementById('seek')).value) < 3);
      await soundsLikeItsPlace(page, 0);
      await page.press('ArrowRight');
      await soundsLikeItsPlace(page, 5);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('a pause is silent and keeps the place; play goes on there', async () => {
      const page = await open('#t=4');
      await hears(page, name);
      await page.click('#play');
      const at = await place(page);
      await hearsNothing(page, name);
      assert.equal(await place(page), at);
      await point(page, 0.5);
      await hearsNothing(page, name);
      await page.click('#play');
      await soundsLikeItsPlace(page, 0.5 * recording.duration - 0.1);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('a track that is muted is not heard, and one that is solo is heard alone', async () => {
      const page = await open();
      await hearsOf(page, 'both', { sweep: true, tone: true });
      await page.click('[aria-label="Mute Ann"]');
      await hearsOf(page, 'Ben alone', { sweep: false, tone: true });
      await page.click('[aria-label="Mute Ann"]');
      await page.click('[aria-label="Solo Ann"]');
      await hearsOf(page, 'Ann alone', { sweep: true, tone: false });
      await point(page, 0.2);
      await page.until('it is there', () => Number(/** @type {any} */ (document.getElementById('seek')).value) < 5);
      await hearsOf(page, 'Ann alone after a seek', { sweep: true, tone: false });
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('a link to a moment begins there, and another fragment goes there', async () => {
      const page = await open('#t=0:08');
      await soundsLikeItsPlace(page, 8);
      await page.run(() => void (location.hash = '#t=2'));
      await page.until('it is there', () => Number(/** @type {any} */ (document.getElementById('seek')).value) < 6);
      await soundsLikeItsPlace(page, 2);
      await assertAccessible(page, `a recording in ${name}`);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('chat is in time with the sound, and leads to its moments', async () => {
      const page = await open('#t=2');
      await page.shows('#chat [aria-current]', /three/);
      assert.ok(Math.abs(await place(page) - 3) < 1, 'it comes when it was written');
      await page.click('#chat [aria-label="Go to 0:08"], #chat [aria-label="Go to 0:09"]');
      await page.shows('#chat [aria-current]', /nine/);
      await soundsLikeItsPlace(page, 8.5);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('the end is told, and play begins again', async () => {
      const page = await open(`#t=${Math.floor(recording.duration) - 2}`);
      await page.shows('#status', /the end/);
      await hearsNothing(page, name);
      await page.click('#play');
      await soundsLikeItsPlace(page, 0);
      assert.ok(await place(page) < 8, 'it begins again at the start');
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('a browser without WebCodecs plays, seeks and pauses too', async () => {
      const page = await open('', { before: () => void Reflect.deleteProperty(globalThis, 'AudioDecoder') });
      await soundsLikeItsPlace(page, 0);
      await point(page, 0.6);
      await soundsLikeItsPlace(page, 0.6 * recording.duration - 0.1);
      await page.click('#play');
      await hearsNothing(page, name);
      await page.click('#play');
      await soundsLikeItsPlace(page, 0.6 * recording.duration - 0.1);
      assert.deepEqual(page.errors, []);
      await page.close();
    });

    test('a connection that is lost is told, and comes back at its place', async () => {
      const page = await open('#t=5', { before: keepSockets });
      await soundsLikeItsPlace(page, 5);
      await page.run(() => /** @type {any} */ (window).sockets.at(-1).close());
      await page.shows('#status', /connection was lost/);
      const at = await place(page);
      await page.until('it plays again', () => document.getElementById('status')?.textContent === '');
      await soundsLikeItsPlace(page, at);
      await page.close();
    });
  });
}

/** Runs in the page, before its own code: the sockets that it opens can be got at. */
function keepSockets() {
  /** @type {WebSocket[]} */
  const sockets = [];
  Object.assign(window, {
    sockets,
    WebSocket: class extends WebSocket {
      /** @param {string} address @param {string} protocol */
      constructor(address, protocol) {
        super(address, protocol);
        sockets.push(this);
      }
    },
  });
}

/** The place that is shown, in seconds. @param {Page} page */
async function place(page) {
  return page.run(() => Number(/** @type {HTMLInputElement} */ (document.getElementById('seek')).value));
}

/** Clicks on the first waveform. @param {Page} page @param {number} share of its width */
async function point(page, share) {
  const { x, y } = await page.run((share) => {
    const { left, top, width, height } = /** @type {Element} */ (document.querySelector('.wave')).getBoundingClientRect();
    return { x: left + share * width, y: top + height / 2 };
  }, share);
  await page.driver.mouse.click(x, y);
}

/**
 * Waits until the sweep's pitch is that of the place that is shown, which is at or after a moment.
 *
 * @param {Page} page
 * @param {number} least seconds
 */
async function soundsLikeItsPlace(page, least) {
  const begin = recording.tracks.find((track) => track.name === 'Ann')?.start ?? 0;
  const since = await page.run(() => performance.now());
  await page.until(`the pitch is that of its place, ${least} s or later`, ({ since, least, begin, low, near }) => {
    const at = Number(/** @type {any} */ (document.getElementById('seek')).value);
    /** @type {{ at: number, pitches: number[] }[]} */
    const heard = /** @type {any} */ (window).heard;
    const last = heard.at(-1);
    if (!last || last.at < since || at < least) return false;
    return last.pitches.some((hertz) => Math.abs(hertz - (low + 100 * (at - begin))) < near);
  }, { since, least, begin, low: pitchAt(0), near: NEAR });
}

/**
 * Waits until for a while these and only these are heard.
 *
 * @param {Page} page
 * @param {string} who
 * @param {{ sweep: boolean, tone: boolean }} what
 */
async function hearsOf(page, who, what) {
  await page.until(`${who} is heard`, ({ sweep, tone, high }) => {
    /** @type {{ at: number, pitches: number[] }[]} */
    const heard = /** @type {any} */ (window).heard;
    const last = heard.filter(({ at }) => at > performance.now() - 800);
    const is = (/** @type {(hertz: number) => boolean} */ fits) => last.map(({ pitches }) => pitches.some(fits));
    const low = is((hertz) => hertz < high / 2);
    const up = is((hertz) => Math.abs(hertz - high) < 20);
    return last.length > 3 && low.every((it) => it === sweep) && up.every((it) => it === tone);
  }, { ...what, high: TONE });
}
