// People in a room, in Chromium: who talks is heard by everyone else, and is on disk.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as path } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';

import { startChromium } from './browsers.js';
import { hears, hearsNothing } from './ear.js';
import { startHub } from './hub.js';
import { join, talk } from './room.js';

const run = promisify(execFile);
/** @type {import('./hub.js').Hub} */
let hub;
/** @type {import('./browsers.js').Browser} */
let chromium;

before(async () => {
  [hub, chromium] = await Promise.all([startHub(), startChromium()]);
});
after(async () => {
  await chromium?.close();
  await hub?.stop();
});

/** People, each in a page with a profile of its own. @param {string} room @param {string[]} names */
async function gather(room, ...names) {
  const pages = [];
  for (const name of names) {
    const page = await chromium.page();
    await join(page, hub.address, room, name);
    pages.push(page);
  }
  return pages;
}

/** @param {import('./browsers.js').Page[]} pages */
async function part(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.errors, []);
    await page.close();
  }
}

test('one talks, another hears it, a third joins late and hears it too, and nobody hears themselves', async () => {
  const [ann, ben] = await gather('late', 'Ann', 'Ben');
  assert.ok(ann && ben);
  await talk(ann);
  await ann.shows('#recording', /recording[^]*\d:\d\d/);
  await hears(ben, 'Ben');
  await ben.shows('#people', /Ann\s+speaking/);
  const [cem] = await gather('late', 'Cem');
  assert.ok(cem);
  await hears(cem, 'Cem, who is late,');
  await hearsNothing(ann, 'Ann');
  await part(ann, ben, cem);
});

test('two talk at once, and each hears the other', async () => {
  const [ann, ben, cem] = await gather('both', 'Ann', 'Ben', 'Cem');
  assert.ok(ann && ben && cem);
  await talk(ann);
  await talk(ben);
  await hears(ann, 'Ann');
  await hears(ben, 'Ben');
  await cem.shows('#people', /Ann\s+(speaking|microphone on)[^]*Ben\s+(speaking|microphone on)/);
  await part(ann, ben, cem);
});

test('mute silences, and is seen; unmuted one is heard again', async () => {
  const [ann, ben] = await gather('mute', 'Ann', 'Ben');
  assert.ok(ann && ben);
  await talk(ann);
  await hears(ben, 'Ben');
  await ann.click('#mute');
  await ben.shows('#people', /Ann\s+muted/);
  await hearsNothing(ben, 'Ben');
  await ann.click('#mute');
  await hears(ben, 'Ben');
  await part(ann, ben);
});

test('who stops talking stays and is silent; who leaves or closes the page is gone', async () => {
  const [ann, ben, cem] = await gather('leave', 'Ann', 'Ben', 'Cem');
  assert.ok(ann && ben && cem);
  await talk(ann);
  await talk(ben);
  await cem.shows('#people', /Ann\s+(speaking|microphone on)[^]*Ben\s+(speaking|microphone on)/);
  await ann.click('#talk');
  await cem.shows('#people', /Ann\s+listening/);
  await ben.click('#leave');
  await cem.until('Ben is gone', () => !/Ben/.test(/** @type {any} */ (document.querySelector('#people')).innerText));
  await hearsNothing(cem, 'Cem');
  await ben.click('#join-button');
  await cem.shows('#people', /Ben\s+listening/);
  await part(ann, ben);
  await cem.until('Ann and Ben are gone', () => document.querySelectorAll('#people > *').length === 1);
  await part(cem);
});

test('a line of chat is read by all, once, and as text', async () => {
  const [ann, ben] = await gather('chat', 'Ann', 'Ben');
  assert.ok(ann && ben);
  await ann.write('#text', 'hello <b>there</b>');
  await ann.press('Enter');
  for (const page of [ann, ben]) {
    await page.shows('#chat', /Ann hello <b>there<\/b>/);
    assert.equal(await page.run(() => document.querySelectorAll('#chat > *').length), 1);
  }
  await part(ann, ben);
});

test('what was said is in the lobby, downloads, and plays', async () => {
  const [ann, ben] = await gather('keep', 'Ann', 'Ben');
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
