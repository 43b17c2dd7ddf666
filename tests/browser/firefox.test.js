// Firefox and Chromium in one room.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { assertAccessible } from './axe.js';
import { startChromium, startFirefox } from './browsers.js';
import { hears, hearsNothing } from './ear.js';
import { startHub } from './hub.js';
import { join, talk } from './room.js';
import { together } from './together.js';

test('Firefox talks and Chromium hears it, Chromium talks and Firefox hears it', async (context) => {
  const hub = await startHub();
  context.after(() => hub.stop());
  const [chromium, firefox] = await together(startChromium(), startFirefox());
  context.after(() => Promise.all([chromium.close(), firefox.close()]));
  const [ann, ben] = [await firefox.page(), await chromium.page()];
  await join(ann, hub.address, 'mixed', 'Ann');
  await join(ben, hub.address, 'mixed', 'Ben');

  await talk(ann);
  await hears(ben, 'Chromium');
  await hearsNothing(ann, 'Firefox, which talks alone,');
  await talk(ben);
  await hears(ann, 'Firefox');
  await assertAccessible(ann, 'a room in Firefox');
  await ann.click('#mute');
  await hearsNothing(ben, 'Chromium');
  await ann.click('#leave');
  await ben.until('Firefox is gone', () => !/Ann/.test(/** @type {any} */ (document.querySelector('#people')).innerText));
  assert.deepEqual([...ann.errors, ...ben.errors], []);
});
