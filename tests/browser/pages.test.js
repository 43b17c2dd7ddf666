// From page to page, and what they say of names that are none.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';

import { startChromium } from './browsers.js';
import { startHub } from './hub.js';
import { together } from './together.js';

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
  await page.shows('#none', /hyphen for a space/);
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

test('from the lobby into a room and to a word by keyboard alone', async () => {
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
  assert.deepEqual(page.errors, []);
  await page.close();
});
