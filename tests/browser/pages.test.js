// What the pages say when something is not as it should be, what they are by keyboard, and how they look.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startChromium } from './browsers.js';
import { hears } from './ear.js';
import { startHub } from './hub.js';
import { join, talk } from './room.js';

const ARTEFACTS = fileURLToPath(new URL('../artefacts/', import.meta.url));
/** @type {import('./hub.js').Hub} */
let hub;
/** @type {import('./browsers.js').Browser} */
let chromium;

before(async () => {
  [hub, chromium] = await Promise.all([startHub(), startChromium()]);
  await mkdir(ARTEFACTS, { recursive: true });
});
after(async () => {
  await chromium?.close();
  await hub?.stop();
});

for (const [microphone, pattern] of /** @type {const} */ ([['denied', /not allowed/], ['none', /no microphone was found/]])) {
  test(`a microphone that is ${microphone} is explained, and one can stay and listen`, async () => {
    const browser = await startChromium({ microphone });
    const page = await browser.page({ width: 390, height: 844 });
    await join(page, hub.address, 'quiet', 'Ann');
    await page.click('#talk');
    await page.shows('#trouble', pattern);
    await page.shows('#people', /Ann \(you\)\s+listening/);
    await page.shoot(`${ARTEFACTS}microphone-${microphone}-390-light.png`);
    assert.deepEqual(page.errors, []);
    await browser.close();
  });
}

test('a browser without WebCodecs is told that it can talk and not listen, and does talk', async () => {
  const old = await chromium.page({ before: () => void Reflect.deleteProperty(globalThis, 'AudioDecoder') });
  const page = await chromium.page();
  await join(old, hub.address, 'old', 'Ann');
  await old.shows('#trouble', /will not hear the others; you can talk/);
  await join(page, hub.address, 'old', 'Ben');
  await talk(old);
  await hears(page, 'Ben');
  assert.deepEqual([...old.errors, ...page.errors], []);
  await old.close();
  await page.close();
});

test('a room name outside the grammar is explained, in the form and in the address', async () => {
  const page = await chromium.page();
  await page.open(hub.address);
  await page.write('#room', 'my room');
  await page.press('Enter');
  await page.shows('#room-problem', /hyphen for a space/);
  assert.deepEqual(page.errors, []);
  const response = await fetch(`${hub.address}/rooms/my%20room`, { headers: { accept: 'text/html' } });
  assert.equal(response.status, 404);
  await page.open(`${hub.address}/rooms/my%20room`);
  await page.shows('h1', /no such room/);
  await page.shows('#trouble', /hyphen for a space/);
  await page.close();
});

test('an empty name is not joined with', async () => {
  const page = await chromium.page();
  await page.open(`${hub.address}/rooms/name`);
  await page.press('Enter');
  await page.shows('#name-problem', /who you are/);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('everything is done by keyboard alone, and the name is remembered', async () => {
  const page = await chromium.page();
  await page.open(hub.address);
  await page.run(() => document.getElementById('room')?.focus());
  await page.driver.keyboard.type('keys');
  await page.press('Enter');
  await page.until('the name has the focus', () => document.activeElement?.id === 'name');
  await page.driver.keyboard.type('Ann');
  await page.press('Enter');
  await page.until('Talk has the focus', () => document.activeElement?.id === 'talk');
  await page.press('Enter');
  await page.shows('#talk', /^stop$/);
  await page.press('Tab');
  await page.press('Space');
  await page.shows('#people', /muted/);
  await page.press('Tab');
  await page.press('Enter');
  await page.until('Join has the focus', () => document.activeElement?.id === 'join-button');
  await page.open(`${hub.address}/rooms/other`);
  assert.equal(await page.run(() => /** @type {HTMLInputElement} */ (document.getElementById('name')).value), 'Ann');
  assert.deepEqual(page.errors, []);
  await page.close();
});

for (const [end, pattern] of /** @type {const} */ ([['stop', /the hub was stopped/], ['kill', /the connection was lost/]])) {
  test(`the ${end} of a hub is told, and one can join again`, async () => {
    const other = await startHub();
    const page = await chromium.page();
    await join(page, other.address, 'end', 'Ann');
    await talk(page);
    await other[end]();
    await page.shows('#trouble', pattern);
    await page.click('#join-button');
    await page.shows('#trouble', /cannot be reached/);
    await page.close();
  });
}

test('the pages fit phones and desks, light and dark', async () => {
  const [ann, ben] = [await chromium.page(), await chromium.page()];
  await join(ann, hub.address, 'studio', 'Ann');
  await join(ben, hub.address, 'studio', 'Ben with a rather long name, as people have');
  await talk(ann);
  await talk(ben);
  await ann.write('#text', 'Shall we begin? I have put the kettle on.');
  await ann.press('Enter');
  for (const [width, height] of /** @type {const} */ ([[390, 844], [1280, 800]])) {
    for (const dark of [false, true]) {
      const page = await chromium.page({ width, height, dark });
      const shoot = async (/** @type {string} */ name) => {
        await page.until(`${name} is not wider than its ${width} px`, () => document.documentElement.scrollWidth <= innerWidth);
        await page.shoot(`${ARTEFACTS}${name}-${width}-${dark ? 'dark' : 'light'}.png`);
      };
      await page.open(hub.address);
      await page.shows('#rooms', /studio/);
      await page.click('#recordings summary');
      await page.shows('#recordings .tracks', /Download/);
      await shoot('lobby');
      await page.open(`${hub.address}/rooms/studio`);
      await shoot('join');
      await join(page, hub.address, 'studio', 'Cem');
      await talk(page);
      await page.shows('#people', /Ann\s+speaking/);
      await ben.write('#text', `Hello Cem, you are ${width} px wide.`);
      await ben.press('Enter');
      await page.shows('#chat', /Hello Cem/);
      await shoot('room');
      assert.deepEqual(page.errors, []);
      await page.close();
    }
  }
  await ann.close();
  await ben.close();
});
