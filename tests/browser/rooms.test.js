// People in a room, in Chromium and in Firefox: who talks is heard by everyone else, and is on disk.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { promisify } from 'node:util';

import { startChromium, startFirefox } from './browsers.js';
import { hasHeardTone, hears, hearsNothing, hearsOnce } from './ear.js';
import { startHub } from './hub.js';
import { gather, part, sees, seesNoMore, talk } from './room.js';
import { together } from './together.js';

const run = promisify(execFile);
/** Tones that are no harmonics of each other, in Hz. */
const [ANN, BEN] = [500, 860];

for (const [name, start] of /** @type {const} */ ([['Chromium', startChromium], ['Firefox', startFirefox]])) {
  describe(name, () => {
    /** @type {import('./hub.js').Hub} */
    let hub;
    /** @type {import('./browsers.js').Browser} */
    let browser;

    before(async () => {
      [hub, browser] = await together(startHub(), start());
    });
    afterEach(() => browser?.closePages());
    after(async () => {
      await browser?.close();
      await hub?.stop();
    });

    test('two talk at once, each hears the other and not themselves, and a third hears both', async () => {
      const [ann, ben, cem] = await gather(browser, hub.address, 'both', { Ann: ANN, Ben: BEN, Cem: null });
      assert.ok(ann && ben && cem);
      await talk(ann);
      await talk(ben);
      await hearsOnce(ann, 'Ann', BEN);
      await hearsOnce(ben, 'Ben', ANN);
      await hearsOnce(cem, 'Cem', ANN, BEN);
      await cem.shows('#people', /Ann\s+speaking[^]*Ben\s+speaking/);
      await cem.shows('#speaking', /^speaking now: Ann, Ben\.$/);
      assert.equal(await hasHeardTone(ann, ANN), false, 'Ann hears herself');
      assert.equal(await hasHeardTone(ben, BEN), false, 'Ben hears himself');
      await part(ann, ben, cem);
    });

    test('who joins late hears what is said now', async () => {
      const [ann] = await gather(browser, hub.address, 'late', { Ann: ANN });
      assert.ok(ann);
      await talk(ann);
      await ann.shows('#recording', /recording[^]*\d:\d\d/);
      const [cem] = await gather(browser, hub.address, 'late', { Cem: null });
      assert.ok(cem);
      await hearsOnce(cem, 'Cem, who is late,', ANN);
      await hearsNothing(ann, 'Ann');
      await part(ann, cem);
    });

    test('mute silences, and is seen; unmuted one is heard again', async () => {
      const [ann, ben] = await gather(browser, hub.address, 'mute', { Ann: ANN, Ben: null });
      assert.ok(ann && ben);
      await talk(ann);
      await hearsOnce(ben, 'Ben', ANN);
      await ann.click('#mute');
      await ben.shows('#people', /Ann\s+muted/);
      await ann.shows('#people', /Ann \(you\)\s+muted/);
      await hearsNothing(ben, 'Ben');
      await ann.click('#mute');
      await hearsOnce(ben, 'Ben', ANN);
      await part(ann, ben);
    });

    test('a moment is marked by hand and by key, and everyone sees it', async () => {
      const [ann, ben] = await gather(browser, hub.address, 'marks', { Ann: ANN, Ben: null });
      assert.ok(ann && ben);
      assert.equal(await ann.run(() => document.getElementById('markers')?.hidden), true, 'nothing is recorded yet');
      await talk(ann);
      await ben.shows('#recording', /recording/);
      await ben.write('#mark-text', 'Listen again');
      await ben.click('#mark button');
      for (const page of [ann, ben]) await page.shows('#marked', /0:\d\d[^]*Listen again – Ben/);
      await ann.run(() => /** @type {HTMLElement} */ (document.activeElement).blur());
      await ann.press('b');
      for (const page of [ann, ben]) await page.shows('#marked', /Marked by Ann[^]*Listen again/);
      await part(ann, ben);
    });

    test('M mutes and unmutes; Space, while it is held, lets one talk who is muted or silent', async () => {
      const [ann, ben] = await gather(browser, hub.address, 'keys', { Ann: ANN, Ben: null });
      assert.ok(ann && ben);
      // Anywhere but on a button, where a short Space is a press.
      await ann.run(() => /** @type {HTMLElement} */ (document.activeElement).blur());
      await ann.hold('Space');
      await hearsOnce(ben, 'Ben', ANN);
      await ann.letGo('Space');
      await ben.shows('#people', /Ann\s+muted/);
      await hearsNothing(ben, 'Ben');
      await ann.hold('Space');
      await hearsOnce(ben, 'Ben', ANN);
      await ann.letGo('Space');
      await ben.shows('#people', /Ann\s+muted/);
      await ann.press('m');
      await ann.shows('#news', /^microphone on\.$/);
      await hearsOnce(ben, 'Ben', ANN);
      await ann.press('m');
      await ben.shows('#people', /Ann\s+muted/);
      await ann.write('#text', 'my mum');
      await ann.press('Space');
      assert.equal(await ann.run(() => /** @type {HTMLInputElement} */ (document.querySelector('#text')).value), 'my mum ');
      await ann.shows('#people', /Ann \(you\)\s+muted/);
      await part(ann, ben);
    });

    test('who stops talking stays and is silent; who leaves or closes the page is gone', async () => {
      const [ann, ben, cem] = await gather(browser, hub.address, 'leave', { Ann: ANN, Ben: BEN, Cem: null });
      assert.ok(ann && ben && cem);
      await talk(ann);
      await talk(ben);
      await hearsOnce(cem, 'Cem', ANN, BEN);
      await ann.click('#talk');
      await cem.shows('#people', /Ann\s+listening/);
      await ben.click('#leave');
      await seesNoMore(cem, 'Ben');
      await cem.shows('#news', /^Ben went\.$/);
      await hearsNothing(cem, 'Cem');
      await ben.click('#join-button');
      await sees(cem, 'Ben');
      await part(ann, ben);
      await seesNoMore(cem, 'Ann');
      await seesNoMore(cem, 'Ben');
      await cem.shows('#recording', /recording/);
      await part(cem);
    });

    test('whom one turns down to nothing one does not hear, and up again one does', async () => {
      const [ann, ben] = await gather(browser, hub.address, 'volume', { Ann: ANN, Ben: null });
      assert.ok(ann && ben);
      await talk(ann);
      await hearsOnce(ben, 'Ben', ANN);
      await ben.run(() => /** @type {HTMLElement} */ (document.querySelector('[aria-label="Volume of Ann"]')).focus());
      await ben.press('Home');
      await ben.shows('#people output', /^0 %$/);
      await hearsNothing(ben, 'Ben');
      // Who comes back is as loud as one wanted them.
      await ann.click('#leave');
      await seesNoMore(ben, 'Ann');
      await ann.click('#join-button');
      await sees(ben, 'Ann');
      await talk(ann);
      await ben.shows('#people output', /^0 %$/);
      await hearsNothing(ben, 'Ben');
      await ben.run(() => /** @type {HTMLElement} */ (document.querySelector('[aria-label="Volume of Ann"]')).focus());
      for (let times = 0; times < 10; times += 1) await ben.press('ArrowRight');
      await ben.shows('#people output', /^50 %$/);
      await hearsOnce(ben, 'Ben', ANN);
      await part(ann, ben);
    });

    test('who only listens hears, is counted and not named, and can join in', async () => {
      const [ann] = await gather(browser, hub.address, 'listen', { Ann: ANN });
      assert.ok(ann);
      await talk(ann);
      const ben = await browser.page({ tone: BEN });
      await ben.open(`${hub.address}/rooms/listen`);
      await ben.shows('#now', /^Ann\. It is being recorded\.$/);
      await ben.click('#listen-button');
      await sees(ben, 'Ann');
      await hearsOnce(ben, 'Ben', ANN);
      await ben.shows('#listeners', /^you listen\.$/);
      await ann.shows('#listeners', /^1 more listens\.$/);
      assert.ok(await ben.run(() => document.querySelector('#talk')?.hasAttribute('hidden')));
      await ben.click('#join-in');
      await ben.shows('#people', /Guest \(you\)\s+listening/);
      await sees(ann, 'Guest');
      await talk(ben);
      await hearsOnce(ann, 'Ann', BEN);
      await part(ann, ben);
    });

    test('a line of chat is read by all, once, with its time, and as text', async () => {
      const [ann, ben] = await gather(browser, hub.address, 'chat', { Ann: null, Ben: null });
      assert.ok(ann && ben);
      await ann.write('#text', 'hello <b>there</b> http://example.com/');
      await ann.press('Enter');
      for (const page of [ann, ben]) {
        await page.shows('#chat', /^Ann \d\d:\d\d( [AP]M)?\s+hello <b>there<\/b> http:\/\/example\.com\/$/);
        assert.equal(await page.run(() => document.querySelectorAll('#chat li').length), 1);
        assert.equal(await page.run(() => document.querySelectorAll('#chat :is(a, b)').length), 0);
      }
      await part(ann, ben);
    });
  });
}

describe('a recording', () => {
  /** @type {import('./hub.js').Hub} */
  let hub;
  /** @type {import('./browsers.js').Browser} */
  let chromium;

  before(async () => {
    [hub, chromium] = await together(startHub(), startChromium());
  });
  afterEach(() => chromium?.closePages());
  after(async () => {
    await chromium?.close();
    await hub?.stop();
  });

  test('what was said is in the lobby, downloads, and plays', async () => {
    const [ann, ben] = await gather(chromium, hub.address, 'keep', { Ann: null, Ben: null });
    assert.ok(ann && ben);
    await talk(ann);
    await hears(ben, 'Ben');
    const lobby = await chromium.page();
    await lobby.open(hub.address);
    await lobby.shows('#rooms', /keep[^]*recording[^]*Ann[^]*Ben/i);
    await ann.click('#leave');
    await ann.until('Ann has left', () => document.querySelector('#stage')?.hasAttribute('hidden'));
    await part(ann, ben);

    const card = '#recordings > li:has(h3)';
    await lobby.shows(card, /keep[^]*Ann/);
    const link = await lobby.run((it) => document.querySelector(it)?.getAttribute('href') ?? '', `${card} a`);
    assert.match(link, /^\/recordings\/[0-9a-f-]{36}$/);
    const { tracks } = await (await fetch(`${hub.address}/api/v1${link}`)).json();
    const address = `${hub.address}${tracks[0].files.ogg}`;
    const response = await fetch(address);
    assert.equal(response.headers.get('content-type')?.split(';')[0], 'audio/ogg');
    const file = path(tmpdir(), `roomtone-${process.pid}.ogg`);
    await writeFile(file, new Uint8Array(await response.arrayBuffer()));
    const { stdout } = await run('ffprobe', ['-v', 'error', '-show_entries', 'stream=codec_name:format=duration', '-of', 'csv=p=0', file]);
    const [codec, duration] = stdout.trim().split('\n');
    assert.equal(codec, 'opus');
    assert.ok(Number(duration) > 0.5, `it sounds for ${duration} s`);

    await lobby.run(async (address) => {
      const audio = new Audio(address);
      /** @type {any} */ (window).audio = audio;
      await audio.play();
    }, address);
    await lobby.until('the recording plays', () => {
      const { audio } = /** @type {{ audio: HTMLAudioElement }} */ (/** @type {any} */ (window));
      return audio.currentTime > 0.3 || audio.ended;
    });
    await part(lobby);
  });

  test('the sign leads to the recording while it is made and when it has ended', async (context) => {
    const quick = await startHub({ grace: 0 });
    context.after(() => quick.kill());
    const [ann] = await gather(chromium, quick.address, 'sign', { Ann: null });
    assert.ok(ann);
    await talk(ann);
    await ann.shows('#recording', /^recording\s+\d:\d\d/);
    const link = () => ann.run(() => /** @type {HTMLAnchorElement} */ (document.querySelector('#recording-link')).pathname);
    const during = await link();
    // The index has it a moment later.
    await ann.until('the recording is listed', async (path) => {
      const { recordings } = await (await fetch('/api/v1/recordings')).json();
      return recordings.some((/** @type {any} */ { id }) => path === `/recordings/${id}`);
    }, during);
    await ann.until('the title says what goes on', () => /^Talking, Recording · sign/.test(document.title));
    await ann.click('#talk');
    await ann.shows('#recording', /^the recording has ended/);
    assert.equal(await link(), during);
    await part(ann);
  });
});
