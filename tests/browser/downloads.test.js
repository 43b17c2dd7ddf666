// The files of a recording on its page: listed, made, waited for, and of a part of it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import { assertAccessible } from './axe.js';
import { driverOf, startChromium } from './browsers.js';
import { startHub } from './hub.js';
import { kitchenTalk } from './recorded.js';
import { together } from './together.js';

/** @type {import('./hub.js').Hub} */
let hub;
/** @type {import('./browsers.js').Browser} */
let chromium;
/** @type {import('./recorded.js').RecordingInFull} */
let recording;

before(async () => {
  [hub, chromium] = await together(startHub({ grace: 1 }), startChromium());
  recording = await kitchenTalk(hub);
});
afterEach(() => chromium?.closePages());
after(async () => {
  await chromium?.close();
  await hub?.stop();
});

/** The page of the recording. */
async function open() {
  const page = await chromium.page();
  await page.open(`${hub.address}/recordings/${recording.id}`);
  await page.shows('#lanes', /Mute/);
  return page;
}

/** What the API tells of the recording. */
async function told() {
  return (await fetch(`${hub.address}/api/v1/recordings/${recording.id}`)).json();
}

test('all files are listed with their sizes, and are what they say', async () => {
  const page = await open();
  await page.until('all are made', () => document.querySelectorAll('#downloads a').length === 2 + 2 * document.querySelectorAll('.lane').length);
  await page.shows('#downloads', /The mix[^]*Ogg\s+[\d.]+ kB[^]*Everyone[^]*WebM\s+[\d.]+ kB[^]*Ann[^]*Ogg\s+[\d.]+ kB[^]*WebM\s+[\d.]+ kB/);
  const sizes = async () => {
    const { files, tracks } = await told();
    const ofAll = [files.mix.ogg, files.session].map(({ href, bytes }) => [href, bytes]);
    return new Map([...ofAll, ...tracks.flatMap((/** @type {any} */ it) => [[it.files.ogg, it.sizes.ogg], [it.files.webm, it.sizes.webm]])]);
  };
  const links = await page.run(() => [...document.querySelectorAll('#downloads a')].map((link) => /** @type {HTMLAnchorElement} */ (link).getAttribute('href') ?? ''));
  // A new title is made into the files again: they may change while they are asked for.
  let before, after = await sizes();
  const lengths = new Map();
  do {
    before = after;
    for (const link of links) lengths.set(link, (await (await fetch(hub.address + link)).arrayBuffer()).byteLength);
    after = await sizes();
  } while (!isDeepStrictEqual(before, after));
  assert.deepEqual(lengths, after);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('a file that is not made yet is made when it is asked for, can be left and asked for again, and then downloads', async () => {
  const page = await chromium.page();
  let asked = 0;
  await driverOf(page).route('**/api/v1/recordings/*', async (route) => {
    const answer = await (await route.fetch()).json();
    const { session } = answer.files;
    await route.fulfill({ json: { ...answer, files: { ...answer.files, session: { ...session, bytes: asked > 2 ? session.bytes : null } } } });
  });
  await driverOf(page).route('**/session.webm', (route) => {
    asked += 1;
    return asked > 2 ? route.continue() : route.fulfill({ status: 202, json: { progress: asked * 0.4 }, headers: { 'retry-after': '1' } });
  });
  await page.open(`${hub.address}/recordings/${recording.id}`);
  const downloaded = driverOf(page).waitForEvent('download');
  await page.click('#downloads > :nth-child(2) button');
  await page.shows('#downloads > :nth-child(2)', /being made, 40 %/);
  assert.match(await page.run(() => document.activeElement?.textContent ?? ''), /Do not wait/);
  await page.press('Enter');
  await page.shows('#downloads > :nth-child(2)', /not made yet[^]*It goes on being made/);
  await page.press('Enter');
  await page.shows('#downloads > :nth-child(2)', /being made, 80 %/);
  assert.match((await downloaded).suggestedFilename(), /\.webm$/);
  await page.shows('#downloads > :nth-child(2)', /WebM\s+[\d.]+ kB/);
  await page.close();
});

test('a part of it with only some of them is made as loud as asked and downloaded, and what cannot be is told', async () => {
  const page = await open();
  await page.click('#cut summary');
  await page.write('#cut-from', 'soon');
  await page.click('#cut-go');
  await page.shows('#cut-wrong', /“soon” is no time/);
  await assertAccessible(page, 'the form for a part, with a mistake in it');
  await page.write('#cut-from', '0:01.5');
  await page.write('#cut-to', '3');
  await page.click('#cut-tracks label:first-child');
  await driverOf(page).selectOption('#cut-loudness', '-16');
  await driverOf(page).selectOption('#cut-kind', 'flac');
  const downloaded = driverOf(page).waitForEvent('download');
  await page.click('#cut-go');
  const file = await downloaded;
  assert.match(file.url(), /mix\.flac\?tracks=2,3,4&from=1\.5&to=3&loudness=-16$/);
  assert.match(file.suggestedFilename(), /\.flac$/);
  const probed = spawnSync('ffprobe', ['-v', 'error', '-show_entries', 'format=duration', '-of', 'csv=p=0', await file.path()]);
  assert.ok(Math.abs(Number(probed.stdout) - 1.5) < 0.03, `${probed.stdout} s`);
  assert.equal(await page.text('#cut-wrong'), '');
  assert.deepEqual(page.errors, []);
  await page.close();
});
