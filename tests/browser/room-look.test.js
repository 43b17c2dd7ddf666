// How the room looks in each of its states, light and dark, on a phone and at a desk: axe finds nothing, nothing is wider
// than the screen, nothing moves that should not, and pictures are kept.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { assertAccessible } from './axe.js';
import { startChromium } from './browsers.js';
import { startHub } from './hub.js';
import { startProxy } from './proxy.js';
import { gather, join, part, talk } from './room.js';
import { together } from './together.js';

const ARTEFACTS = fileURLToPath(new URL('../artefacts/', import.meta.url));
/** @type {import('./hub.js').Hub} */
let hub;
/** @type {import('./browsers.js').Browser} */
let chromium;

before(async () => {
  [hub, chromium] = await together(startHub(), startChromium());
  await mkdir(ARTEFACTS, { recursive: true });
});
afterEach(() => chromium?.closePages());
after(async () => {
  await chromium?.close();
  await hub?.stop();
});

/** Where what one presses lies, in px. @param {import('./browsers.js').Page} page */
const places = (page) => page.run(() => ['#talk', '#mute', '#settings-button', '#leave', '#people', '#chat'].map((it) => {
  const { x, y, width } = /** @type {HTMLElement} */ (document.querySelector(it)).getBoundingClientRect();
  return `${it} ${Math.round(x)} ${Math.round(y)} ${Math.round(width)}`;
}));

for (const [width, height] of /** @type {const} */ ([[390, 844], [1280, 800]])) {
  for (const dark of [false, true]) {
    const look = `${width}-${dark ? 'dark' : 'light'}`;
    test(`the room at ${width} px, ${dark ? 'dark' : 'light'}`, async (context) => {
      const room = `look-${look}`;
      const wire = await startProxy(hub.address);
      context.after(() => wire.close());
      const [ann, ben] = await gather(chromium, hub.address, room, { Ann: null, 'Ben with a rather long name, as people have': null });
      assert.ok(ann && ben);
      await talk(ann);
      await ann.write('#text', 'Shall we begin? I have put the kettle on.');
      const page = await chromium.page({ width, height, dark });
      const keep = async (/** @type {string} */ state) => {
        await page.until(`${state} is not wider than its ${width} px`, () => document.documentElement.scrollWidth <= innerWidth);
        await assertAccessible(page, `${state}, ${look}`);
        await page.driver.screenshot({ path: `${ARTEFACTS}room-${state}-${look}.png` });
      };

      await page.open(`${wire.address}/rooms/${room}`);
      await page.shows('#now', /^Ann and Ben/);
      await keep('entrance');
      await page.click('#join-button');
      await page.shows('#name-problem', /who you are/);
      await page.click('#try');
      await page.shows('#microphone-hint', /say something/);
      await page.click('#how summary');
      await keep('entrance-trying');

      await join(page, wire.address, room, 'Cem');
      await page.shows('#people', /Ann\s+speaking/);
      await page.run(() => scrollTo(0, 0));
      const before = await places(page);
      await keep('joined');
      await talk(page);
      await page.shows('#people', /Cem \(you\)\s+speaking/);
      await ann.press('Enter');
      await page.shows('#chat', /kettle/);
      assert.deepEqual(await places(page), before, 'talking moves something');
      await keep('talking');
      await page.click('#mute');
      await page.shows('#people', /Cem \(you\)\s+muted/);
      assert.deepEqual(await places(page), before, 'muting moves something');
      await keep('muted');

      await page.click('#settings-button');
      await page.until('the settings are open', () => document.querySelector('dialog')?.open);
      await keep('settings');
      await page.press('Escape');
      await page.until('the settings are closed', () => !document.querySelector('dialog')?.open);
      assert.equal(await page.run(() => document.activeElement?.id), 'settings-button');

      wire.cut();
      await page.shows('#trouble', /the connection was lost\.\s+trying again/);
      assert.deepEqual(await places(page), before, 'trouble moves something');
      await keep('trouble');
      wire.mend();
      await page.until('all is well', () => document.querySelector('#trouble')?.hasAttribute('hidden'));
      await page.click('#leave');
      await page.click('#listen-button');
      await page.shows('#listeners', /you listen/);
      await keep('listening');
      page.errors = page.errors.filter((error) => !/websocket|ERR_/i.test(error));
      await part(page, ann, ben);
    });
  }
}

test('a page of a room that cannot be is accessible too', async () => {
  const page = await chromium.page({ width: 390, height: 844 });
  await page.open(`${hub.address}/rooms/my%20room`);
  await page.shows('#none', /hyphen for a space/);
  await assertAccessible(page, 'no such room');
  await page.driver.screenshot({ path: `${ARTEFACTS}room-none-390-light.png` });
  await page.close();
});

test('everything is done by keyboard alone, and what one chose is remembered', async () => {
  const page = await chromium.page();
  await page.open(`${hub.address}/rooms/keyboard`);
  await page.until('the name has the focus', () => document.activeElement?.id === 'name');
  await page.driver.keyboard.type('Ann');
  /** Goes on to a place by Tab. @param {string} id */
  const tabTo = async (id) => {
    for (let times = 0; times < 30; times += 1) {
      if ((await page.run(() => document.activeElement?.id)) === id) return;
      await page.press('Tab');
    }
    assert.fail(`Tab does not come to #${id}`);
  };
  await tabTo('try');
  await page.press('Space');
  await page.shows('#microphone-hint', /say something/);
  await page.until('the level moves', () => Number(document.querySelector('#microphone-level')?.getAttribute('aria-valuenow')) > 0);
  await page.press('Tab');
  await page.press('Enter');
  await tabTo('noiseSuppression');
  await page.press('Space');
  await tabTo('join-button');
  await page.press('Enter');
  await page.until('Talk has the focus', () => document.activeElement?.id === 'talk');
  await page.press('Enter');
  await page.shows('#talk', /^stop$/);
  await page.press('Tab');
  await page.press('Space');
  await page.shows('#people', /muted/);
  await page.press('Space');
  await page.shows('#people', /speaking|microphone on/);
  await tabTo('settings-button');
  await page.press('Enter');
  await tabTo('echoCancellation');
  await page.press('Space');
  await page.shows('#people', /speaking|microphone on/);
  await tabTo('keys');
  await page.press('Space');
  await tabTo('settings-close');
  await page.press('Enter');
  await page.press('m');
  assert.doesNotMatch(await page.text('#people'), /muted/, 'the keys are off');
  await tabTo('leave');
  await page.press('Enter');
  await page.until('Join has the focus', () => document.activeElement?.id === 'join-button');

  await page.open(`${hub.address}/rooms/other`);
  const kept = await page.run(() => ['name', 'echoCancellation', 'noiseSuppression', 'autoGainControl', 'keys'].map((id) => {
    const input = /** @type {HTMLInputElement} */ (document.getElementById(id));
    return input.type === 'checkbox' ? input.checked : input.value;
  }));
  assert.deepEqual(kept, ['Ann', false, false, true, false]);
  await part(page);
});

test('a line that one does not see is hinted at, and one gets there', async () => {
  const [ann] = await gather(chromium, hub.address, 'hint', { Ann: null });
  const page = await chromium.page({ width: 390, height: 500 });
  assert.ok(ann);
  await join(page, hub.address, 'hint', 'Ben');
  await page.until('the chat is below the screen', () => /** @type {HTMLElement} */ (document.querySelector('#say')).getBoundingClientRect().top > innerHeight);
  await ann.write('#text', 'Are you there?');
  await ann.press('Enter');
  await page.shows('#unread', /^1 new message$/);
  await page.until('the title has the number', () => /^\(1\) hint/.test(document.title));
  await page.click('#unread');
  await page.until('one can answer', () => document.activeElement?.id === 'text');
  await page.until('nothing is unread', () => document.querySelector('#unread')?.hasAttribute('hidden'));
  await part(ann, page);
});

test('the screen is kept awake while one talks, and no longer', async () => {
  const page = await chromium.page({
    before: () => {
      /** @type {any} */ (window).locks = 0;
      const request = async () => {
        /** @type {any} */ (window).locks += 1;
        return { released: false, release: async () => void (/** @type {any} */ (window).locks -= 1) };
      };
      Object.defineProperty(navigator, 'wakeLock', { value: { request } });
    },
  });
  await join(page, hub.address, 'awake', 'Ann');
  assert.equal(await page.run(() => /** @type {any} */ (window).locks), 0);
  await talk(page);
  await page.until('the screen is kept awake', () => /** @type {any} */ (window).locks === 1);
  await page.click('#talk');
  await page.until('the screen may sleep', () => /** @type {any} */ (window).locks === 0);
  await part(page);
});
