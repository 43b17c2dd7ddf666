// A room when something is not as it should be: the page says what, and what to do, and goes on.

import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';

import { startChromium, startFirefox } from './browsers.js';
import { hearsNothing, hearsOnce } from './ear.js';
import { startHub } from './hub.js';
import { startProxy } from './proxy.js';
import { gather, join, part, sees, seesNoMore, talk } from './room.js';
import { together } from './together.js';

const [ANN, BEN] = [500, 860];
const BROWSERS = /** @type {const} */ ([['Chromium', startChromium], ['Firefox', startFirefox]]);
/** What a browser itself notes of a connection that fails, which is what these tests make. */
const EXPECTED = /websocket|ERR_|can’t establish|Failed to load|interrupted|mixer does not start/i;

/** @param {import('./browsers.js').Page[]} pages */
function forgive(...pages) {
  for (const page of pages) page.errors = page.errors.filter((error) => !EXPECTED.test(error));
}

for (const [name, start] of BROWSERS) {
  describe(`a network that is cut, in ${name}`, () => {
    /** @type {import('./hub.js').Hub} */
    let hub;
    /** @type {import('./browsers.js').Browser} */
    let browser;
    /** @type {import('./proxy.js').Proxy} */
    let wire;

    before(async () => {
      [hub, browser] = await together(startHub(), start());
      wire = await startProxy(hub.address);
    });
    afterEach(() => browser?.closePages());
    after(async () => {
      await browser?.close();
      await wire?.close();
      await hub?.stop();
    });

    test('the connection comes back by itself, and who talked talks on', async () => {
      const [ann] = await gather(browser, wire.address, 'cut', { Ann: ANN });
      const [ben] = await gather(browser, hub.address, 'cut', { Ben: BEN });
      assert.ok(ann && ben);
      await talk(ann);
      await talk(ben);
      await hearsOnce(ben, 'Ben', ANN);
      wire.cut();
      await ann.shows('#trouble', /^the connection was lost: nobody hears you\.\s+trying again/);
      await ann.shows('#recording', /^not connected/);
      await ann.until('the title says so', () => /^Reconnecting · cut/.test(document.title));
      await seesNoMore(ben, 'Ann');
      await hearsNothing(ben, 'Ben');
      wire.mend();
      await ann.until('all is well', () => document.querySelector('#trouble')?.hasAttribute('hidden'));
      await ann.shows('#talk', /^stop$/);
      await sees(ben, 'Ann');
      await hearsOnce(ben, 'Ben', ANN);
      await hearsOnce(ann, 'Ann', BEN);
      forgive(ann);
      await part(ann, ben);
    });

    test('a network that lets nothing through any more, and does not say so, is noticed and told all the same', async () => {
      const [ann] = await gather(browser, wire.address, 'stalled', { Ann: ANN });
      const [ben] = await gather(browser, hub.address, 'stalled', { Ben: BEN });
      assert.ok(ann && ben);
      await talk(ann);
      await hearsOnce(ben, 'Ben', ANN);
      wire.stall();
      await hearsNothing(ben, 'Ben');
      await ann.shows('#trouble', /^the connection was lost: nobody hears you\.\s+trying again/);
      wire.mend();
      await ann.until('all is well', () => document.querySelector('#trouble')?.hasAttribute('hidden'));
      await hearsOnce(ben, 'Ben', ANN);
      await talk(ben);
      await hearsOnce(ann, 'Ann', BEN);
      await ben.until('Ann is there once', () => [...document.querySelectorAll('#people .name')].filter(({ textContent }) => textContent === 'Ann').length === 1);
      forgive(ann);
      await part(ann, ben);
    });

    test('who was muted is muted when the connection is back', async () => {
      const [ann] = await gather(browser, wire.address, 'hush', { Ann: ANN });
      const [ben] = await gather(browser, hub.address, 'hush', { Ben: null });
      assert.ok(ann && ben);
      await talk(ann);
      await ann.click('#mute');
      await ben.shows('#people', /Ann\s+muted/);
      wire.cut();
      await ann.shows('#trouble', /the connection was lost/);
      await seesNoMore(ben, 'Ann');
      wire.mend();
      await ben.shows('#people', /Ann\s+muted/);
      await hearsNothing(ben, 'Ben');
      await ann.click('#mute');
      await hearsOnce(ben, 'Ben', ANN);
      forgive(ann);
      await part(ann, ben);
    });

    test('what is to be marked while the connection is lost is kept, by hand and by key, and is marked when it is back', async () => {
      const [ann] = await gather(browser, wire.address, 'unmarked', { Ann: ANN });
      assert.ok(ann);
      await talk(ann);
      await ann.until('it is recorded', () => !document.getElementById('markers')?.hidden);
      await ann.write('#mark-text', 'Listen again');
      wire.cut();
      await ann.shows('#trouble', /the connection was lost/);
      await ann.run(() => /** @type {HTMLElement} */ (document.activeElement).blur());
      await ann.press('b');
      await ann.shows('#not-marked', /^not marked: the connection is lost/);
      await ann.click('#mark button');
      assert.equal(await ann.run(() => /** @type {HTMLInputElement} */ (document.getElementById('mark-text')).value), 'Listen again');
      wire.mend();
      await ann.until('all is well', () => document.querySelector('#trouble')?.hasAttribute('hidden'));
      assert.equal(await ann.text('#not-marked'), '');
      await ann.until('it is recorded again', () => !document.getElementById('mark')?.hidden);
      await ann.click('#mark button');
      await ann.shows('#marked', /Listen again – Ann/);
      await ann.until('the field is empty', () => /** @type {HTMLInputElement} */ (document.getElementById('mark-text')).value === '');
      forgive(ann);
      await part(ann);
    });

    test('one need not wait for the next try, and can leave instead', async () => {
      const [ann] = await gather(browser, wire.address, 'wait', { Ann: null });
      assert.ok(ann);
      wire.cut();
      // By the fourth try one waits for seconds.
      await ann.shows('#trouble', /trying again in [3-9] s/);
      wire.mend();
      await ann.click('#trouble-action');
      await ann.until('all is well', () => document.querySelector('#trouble')?.hasAttribute('hidden'));
      await ann.shows('#news', /^connected again\.$/);
      wire.cut();
      await ann.shows('#trouble', /the connection was lost/);
      await ann.click('#leave');
      await ann.until('Join has the focus', () => document.activeElement?.id === 'join-button');
      await ann.click('#join-button');
      await ann.shows('#trouble', /cannot be reached/);
      wire.mend();
      await ann.click('#join-button');
      await ann.shows('#people', /Ann \(you\)/);
      forgive(ann);
      await part(ann);
    });
  });
}

for (const end of /** @type {const} */ (['stop', 'kill'])) {
  test(`after the ${end} of a hub one is in the room again as soon as there is a hub`, async (context) => {
    const [first, chromium] = await together(startHub(), startChromium());
    context.after(() => Promise.all([chromium.close(), first.kill()]));
    const wire = await startProxy(first.address);
    context.after(() => wire.close());
    const [ann, ben] = await gather(chromium, wire.address, 'hub', { Ann: ANN, Ben: null });
    assert.ok(ann && ben);
    await talk(ann);
    await hearsOnce(ben, 'Ben', ANN);
    await first[end]();
    await ann.shows('#trouble', /the connection was lost/);
    const second = await startHub();
    context.after(() => second.stop());
    wire.mend(second.address);
    await sees(ben, 'Ann');
    await hearsOnce(ben, 'Ben', ANN);
    await ann.shows('#recording', /^recording\s+\d:\d\d/);
    forgive(ann, ben);
    await part(ann, ben);
  });
}

describe('a browser that lacks something', () => {
  /** @type {import('./hub.js').Hub} */
  let hub;

  before(async () => {
    hub = await startHub();
  });
  after(() => hub?.stop());

  for (const [name, start] of BROWSERS) {
    for (const [microphone, pattern] of /** @type {const} */ ([['denied', /not allowed/], ['none', /no microphone was found/]])) {
      test(`${name}: a microphone that is ${microphone} is explained, and one can stay and listen`, async (context) => {
        const browser = await start({ microphone });
        context.after(() => browser.close());
        const page = await browser.page();
        await page.open(`${hub.address}/rooms/quiet`);
        await page.click('#try');
        await page.shows('#microphone-hint', pattern);
        await join(page, hub.address, 'quiet', 'Ann');
        await page.click('#talk');
        await page.shows('#trouble', pattern);
        await page.shows('#people', /Ann \(you\)\s+listening/);
        await page.shows('#talk', /^talk$/);
        await page.click('#trouble-hide');
        await page.until('it is hidden', () => document.querySelector('#trouble')?.hasAttribute('hidden'));
        await part(page);
      });
    }
  }

  for (const [name, start] of BROWSERS) {
    test(`${name} without WebCodecs talks and hears all the same`, async (context) => {
      const browser = await start();
      context.after(() => browser.close());
      const old = await browser.page({
        tone: ANN,
        before: () => {
          for (const name of ['AudioDecoder', 'AudioEncoder', 'AudioData', 'EncodedAudioChunk']) Reflect.deleteProperty(globalThis, name);
        },
      });
      await join(old, hub.address, 'old', 'Ann');
      const [page] = await gather(browser, hub.address, 'old', { Ben: BEN });
      assert.ok(page);
      await talk(old);
      await hearsOnce(page, 'Ben', ANN);
      await talk(page);
      await old.shows('#people', /Ben\s+speaking/);
      await hearsOnce(old, 'Ann', BEN);
      await part(old, page);
    });
  }

  test('on a page that is not secure a sentence says what to do', async (context) => {
    const chromium = await startChromium({ host: 'roomtone.test' });
    context.after(() => chromium.close());
    const address = hub.address.replace('127.0.0.1', 'roomtone.test');
    const page = await chromium.page();
    await page.open(`${address}/rooms/plain`);
    assert.equal(await page.run(() => isSecureContext), false);
    await page.shows('#trouble', /https, or as localhost/);
    await page.click('#try');
    await page.shows('#microphone-hint', /https, or as localhost/);
    await join(page, address, 'plain', 'Ann');
    await page.click('#talk');
    await page.shows('#trouble', /https, or as localhost/);
    await part(page);
  });

  test('a room name outside the grammar is explained', async (context) => {
    const chromium = await startChromium();
    context.after(() => chromium.close());
    const page = await chromium.page();
    await page.open(`${hub.address}/rooms/my%20room`);
    await page.shows('h1', /no such room/);
    await page.shows('#none', /hyphen for a space/);
    assert.equal(await page.run(() => document.querySelector('#entrance')?.hasAttribute('hidden')), true);
    await page.close();
  });
});
