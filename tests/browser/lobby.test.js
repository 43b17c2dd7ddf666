// The lobby: what happens in rooms and to recordings is seen there as it happens.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { assertAccessible } from './axe.js';
import { startChromium, startFirefox } from './browsers.js';
import { Guest, get, record } from './guests.js';
import { startHub } from './hub.js';
import { together } from './together.js';

/** @typedef {import('./browsers.js').Page} Page */

const ARTEFACTS = fileURLToPath(new URL('../artefacts/', import.meta.url));
/** @type {import('./hub.js').Hub} */
let hub;
/** @type {import('./browsers.js').Browser} */
let chromium;

before(async () => {
  [hub, chromium] = await together(startHub({ grace: 0 }), startChromium());
  await mkdir(ARTEFACTS, { recursive: true });
});
afterEach(() => chromium?.closePages());
after(async () => {
  await chromium?.close();
  await hub?.stop();
});

/** The lobby in a page that notes whether it is ever loaded anew. @param {{ browser?: import('./browsers.js').Browser, path?: string }} [where] */
async function lobby({ browser = chromium, path = '/' } = {}) {
  const page = await browser.page();
  await page.open(hub.address + path);
  await page.until('the rooms are known', () => !/Looking/.test(document.querySelector('main')?.innerText ?? ''));
  await page.run(() => void (/** @type {any} */ (window).first = true));
  return page;
}

/** @param {Page} page */
async function done(page) {
  assert.ok(await page.run(() => /** @type {any} */ (window).first), 'the page was loaded anew');
  assert.deepEqual(page.errors, []);
  await page.close();
}

/** The card of a room or a recording: the one whose name this is. @param {'rooms' | 'recordings'} list @param {string} name */
function card(list, name) {
  return `#${list} > li[data-test="${name}"]`;
}

/** Gives the card of this name a mark that stays with the element. @param {Page} page @param {'rooms' | 'recordings'} list @param {string} name */
async function mark(page, list, name) {
  await page.until(`${name} is in the ${list}`, ([list, name]) => {
    const links = document.querySelectorAll(`#${list} > li a.name`);
    const link = [...links].find((link) => link.textContent === name);
    link?.closest('li')?.setAttribute('data-test', name ?? '');
    return link !== undefined;
  }, [list, name]);
  return card(list, name);
}

/** @param {Page} page @param {string} selector */
async function gone(page, selector) {
  await page.until(`${selector} is gone`, (it) => !document.querySelector(it), selector);
}

/** The names of the recordings that are shown, in order. @param {Page} page @returns {Promise<string[]>} */
function names(page) {
  return page.run(() => [...document.querySelectorAll('#recordings > li a')].map((link) => link.textContent ?? ''));
}

/** @param {string} id @param {'PATCH' | 'DELETE'} method @param {object} [body] */
async function change(id, method, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${hub.address}/api/v1/recordings/${id}`, { method, headers, body: body ? JSON.stringify(body) : null });
  assert.ok(response.ok, `${method}: ${response.status}`);
}

/** The recordings that a search finds, by name. @param {string} search */
async function found(search) {
  const { recordings } = await get(hub.address, `/api/v1/recordings?limit=200&search=${encodeURIComponent(search)}`);
  return recordings;
}

test('all of it weighs less than 100 KB, and nothing waits for an import to name it', async () => {
  const page = await lobby();
  const { bytes, files, late } = await page.run(() => {
    const entries = /** @type {PerformanceResourceTiming[]} */ ([
      ...performance.getEntriesByType('navigation'),
      ...performance.getEntriesByType('resource'),
    ]).filter(({ name }) => !new URL(name).pathname.startsWith('/api/'));
    const named = new Set([...document.querySelectorAll('link, script, img')].map((it) => it.getAttribute('href') ?? it.getAttribute('src')));
    return {
      bytes: entries.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0),
      files: entries.map(({ name }) => new URL(name).pathname),
      late: entries.map(({ name }) => new URL(name).pathname).filter((path) => path !== '/' && !named.has(path)),
    };
  });
  assert.ok(files.includes('/') && files.includes('/client/style.css') && files.includes('/client/lobby-events.js'), files.join());
  assert.ok(bytes > 10_000 && bytes < 100_000, `${bytes} bytes`);
  assert.deepEqual(late, []);
  await done(page);
});

test('a room appears when someone comes, shows who talks, and goes with the last one', async () => {
  const page = await lobby();
  const ann = await Guest.join(hub.address, 'studio', 'Ann');
  const room = await mark(page, 'rooms', 'studio');
  await page.shows('#news', /studio is live now/);
  await page.shows(room, /Ann/);
  const ben = await Guest.join(hub.address, 'studio', 'Ben');
  await page.shows(room, /Ann\s+Ben/);
  assert.doesNotMatch(await page.text(room), /talking|recording/i);
  await ann.talk();
  await page.shows(room, /recording[^]*\d:\d\d[^]*Ann\s*, talking\s+Ben$/i);
  const listener = await Guest.join(hub.address, 'studio', 'Cem', { publish: false });
  await page.shows(room, /1 listener/);
  ann.mute(true);
  await page.shows(room, /Ann\s+Ben/);
  ann.mute(false);
  await page.shows(room, /Ann\s*, talking/);
  ann.fallSilent();
  await page.shows(room, /Ann\s+Ben/);
  ann.leave();
  await page.until('Ann is gone', (it) => !/Ann/.test(/** @type {any} */ (document.querySelector(it)).innerText), room);
  ben.leave();
  await page.shows(room, /^studio\s+1 listener$/);
  listener.leave();
  await gone(page, room);
  await page.shows('#no-rooms', /No room is live/);
  await page.shows('#news', /studio is empty now/);
  await done(page);
});

test('a room keeps its place when others come and go', async () => {
  const page = await lobby();
  const middle = await Guest.join(hub.address, 'middle', 'Ann');
  const room = await mark(page, 'rooms', 'middle');
  const place = () => page.run((it) => document.querySelector(it)?.getBoundingClientRect().top, room);
  const before = await place();
  const others = [await Guest.join(hub.address, 'a-room', 'Ben'), await Guest.join(hub.address, 'z-room', 'Cem')];
  await mark(page, 'rooms', 'a-room');
  await mark(page, 'rooms', 'z-room');
  assert.equal(await place(), before);
  for (const other of others) other.leave();
  await gone(page, card('rooms', 'a-room'));
  assert.equal(await place(), before);
  middle.leave();
  await gone(page, room);
  await done(page);
});

test('a recording is shown while it is made, when it ends, is renamed and deleted', async () => {
  const page = await lobby();
  const ann = await Guest.join(hub.address, 'made', 'Ann');
  await ann.talk();
  const row = await mark(page, 'recordings', 'made');
  await page.shows(row, /made\s+recording[^]*Just now\s*Ann/i);
  const ben = await Guest.join(hub.address, 'made', 'Ben');
  await ben.talk();
  await page.shows(row, /Ann, Ben/);
  ann.leave();
  ben.leave();
  await page.shows(row, /^made\s+Just now\s*0:0\d\s*Ann, Ben$/);
  const [{ id }] = await found('made');
  assert.equal(await page.run((it) => document.querySelector(it)?.getAttribute('href'), `${row} a`), `/recordings/${id}`);
  await change(id, 'PATCH', { title: 'A title <b>of</b> its own' });
  await page.shows(row, /A title <b>of<\/b> its own[^]*in made/);
  await change(id, 'PATCH', { title: null });
  await page.shows(row, /^made\s/);
  await change(id, 'DELETE');
  await gone(page, row);
  await done(page);
});

test('a search finds by title, room and person, is in the address, and goes back and forward', async () => {
  await record(hub.address, [
    { room: 'news-desk', people: ['Jörg Müller', 'Ann'] },
    { room: 'jazz-hour', people: ['Zoë'] },
    { room: 'night-talk', people: ['Ann'] },
  ]);
  const [{ id }] = await found('jazz-hour');
  await change(id, 'PATCH', { title: 'Früh um acht' });
  const page = await lobby();
  const all = await names(page);
  await page.write('#search', 'muller');
  await page.shows('#found', /^1 recording found$/);
  assert.deepEqual(await names(page), ['news-desk']);
  assert.equal(await page.run(() => location.search), '?search=muller');
  await page.write('#search', 'ANN TALK');
  await page.until('one is found', () => document.querySelector('#recordings')?.textContent?.startsWith('night-talk'));
  await page.write('#search', 'fruh jazz');
  await page.until('another is found', () => document.querySelector('#recordings')?.textContent?.startsWith('Früh um acht'));
  await page.write('#search', `"' OR 1=1; --`);
  await page.shows('#no-recordings', /Nothing was found for “"' OR 1=1; --”/);
  await page.click('#show-all');
  await page.until('all are shown', (count) => document.querySelectorAll('#recordings > li').length === count, all.length);
  assert.deepEqual(await names(page), all);
  assert.equal(await page.run(() => location.search), '');

  await page.run(() => history.back());
  await page.shows('#no-recordings', /Nothing was found/);
  await page.run(() => history.back());
  await page.until('all are shown again', (count) => document.querySelectorAll('#recordings > li').length === count, all.length);
  assert.equal(await page.run(() => /** @type {HTMLInputElement} */ (document.getElementById('search')).value), '');
  await done(page);

  const linked = await lobby({ path: '/?search=Zo%C3%AB' });
  assert.deepEqual(await names(linked), ['Früh um acht']);
  assert.equal(await linked.run(() => /** @type {HTMLInputElement} */ (document.getElementById('search')).value), 'Zoë');
  const zoe = await Guest.join(hub.address, 'evening', 'Zoë');
  await zoe.talk();
  await mark(linked, 'recordings', 'evening');
  assert.deepEqual(await names(linked), ['evening', 'Früh um acht']);
  const other = await Guest.join(hub.address, 'morning', 'Emil');
  await other.talk();
  zoe.leave();
  other.leave();
  await linked.until('the new one has ended', (it) => !/recording/i.test(/** @type {any} */ (document.querySelector(it)).innerText), card('recordings', 'evening'));
  assert.deepEqual(await names(linked), ['evening', 'Früh um acht'], 'what is not searched for is not shown');
  await done(linked);
});

test('older recordings come when they are asked for, and are followed as well', async () => {
  await record(hub.address, Array.from({ length: 45 }, (_, index) => ({ room: `paged-${index}`, people: ['Ann'] })));
  const { recordings } = await get(hub.address, '/api/v1/recordings?limit=200');
  const expected = recordings.map((/** @type {any} */ { title, room }) => title ?? room);
  const page = await lobby();
  assert.deepEqual(await names(page), expected.slice(0, 20));
  await page.run(() => document.getElementById('older')?.focus());
  await page.press('Enter');
  await page.until('there are 40', () => document.querySelectorAll('#recordings > li').length === 40);
  assert.equal(await page.run(() => document.activeElement?.id), 'older');
  while (await page.run(() => !document.getElementById('older')?.hidden)) {
    const shown = (await names(page)).length;
    await page.press('Enter');
    await page.until('there are more', (shown) => document.querySelectorAll('#recordings > li').length > shown, shown);
  }
  assert.deepEqual(await names(page), expected);
  const place = await page.run(() => [...document.querySelectorAll('#recordings a')].indexOf(/** @type {any} */ (document.activeElement)));
  assert.equal(place % 20, 0, 'the focus is on the first of those that came last');

  const [renamed, deleted] = [recordings[41], recordings[43]];
  await change(renamed.id, 'PATCH', { title: 'An old one' });
  await mark(page, 'recordings', 'An old one');
  await change(deleted.id, 'DELETE');
  await page.until('it is gone', (id) => !document.querySelector(`[data-key="${id}"]`), deleted.id);
  expected[41] = 'An old one';
  expected.splice(43, 1);
  assert.deepEqual(await names(page), expected);
  await done(page);
});

test('older recordings come also where all are fetched again meanwhile', async () => {
  await record(hub.address, Array.from({ length: 25 }, (_, index) => ({ room: `busy-${index}`, people: ['Ann'] })));
  const page = await lobby({ path: '/?search=busy' });
  assert.equal((await names(page)).length, 20);
  // The answer with older ones is held until all were fetched again, for something that the search may find.
  await page.run(() => {
    const { fetch } = window;
    let again = () => {};
    const fetched = new Promise((resolve) => (again = () => resolve(undefined)));
    window.fetch = async (input, init) => {
      const answer = await fetch(input, init);
      if (String(input).includes('cursor=')) await fetched;
      else if (String(input).includes('search=')) setTimeout(again, 100);
      return answer;
    };
    document.getElementById('older')?.click();
  });
  await record(hub.address, [{ room: 'busy-too', people: ['Ann'] }]);
  await page.until('there are all', (all) => document.querySelectorAll('#recordings > li').length === all, (await found('busy')).length);
  assert.deepEqual(await names(page), (await found('busy')).map((/** @type {any} */ { room }) => room));
  await done(page);
});

test('a hub that is gone is told calmly, and when it is back the page is up to date', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'roomtone-'));
  let own = await startHub({ grace: 0, folder });
  context.after(async () => {
    await own.kill();
    await rm(folder, { recursive: true, force: true });
  });
  const port = Number(new URL(own.address).port);
  const page = await chromium.page();
  const ann = await Guest.join(own.address, 'before', 'Ann');
  await ann.talk();
  await page.open(own.address);
  await mark(page, 'rooms', 'before');
  const row = await mark(page, 'recordings', 'before');
  await page.shows(row, /recording/i);
  const top = () => page.run((it) => document.querySelector(it)?.getBoundingClientRect().top, row);
  const place = await top();
  await own.stop();
  await page.until('it is told', () => !document.getElementById('trouble')?.hidden);
  await page.shows('#trouble', /cannot be reached[^]*trying/i);
  assert.equal(await top(), place, 'nothing has moved');
  await page.until('the rooms are grey', () => getComputedStyle(/** @type {any} */ (document.getElementById('live'))).filter === 'grayscale(1)');
  await assertAccessible(page, 'the lobby without its hub');
  await /** @type {import('playwright-core').Page} */ (page.driver).screenshot({ path: `${ARTEFACTS}lobby-lost-1280-light.png` });

  own = await startHub({ grace: 0, folder, port });
  const ben = await Guest.join(own.address, 'after', 'Ben');
  await page.until('the connection is back', () => document.getElementById('trouble')?.hidden);
  await mark(page, 'rooms', 'after');
  await gone(page, card('rooms', 'before'));
  await page.shows(row, /^before\s+Just now/);
  ben.leave();
  await gone(page, card('rooms', 'after'));
  await page.close();
});

test('a room is opened by name, and the name is offered again', async () => {
  const page = await chromium.page();
  await page.open(hub.address);
  await page.write('#room', 'my room');
  await page.press('Enter');
  await page.shows('#room-problem', /hyphen for a space/);
  await page.write('#room', 'my-room');
  await page.press('Enter');
  await page.until('the room is open', () => location.pathname === '/rooms/my-room');
  await page.open(hub.address);
  await page.click('#room');
  assert.deepEqual(await page.run(() => [...document.querySelectorAll('#recent option')].map((it) => /** @type {any} */ (it).value)), ['my-room']);
  await page.close();
});

test('what the hub cannot give is said, and tried again', async () => {
  await record(hub.address, [{ room: 'given', people: ['Ann'] }]);
  const page = await chromium.page({
    before: () => {
      const { fetch } = window;
      let calls = 0;
      window.fetch = (...request) => (String(request[0]).includes('/recordings') && calls++ < 2 ? Promise.reject(new TypeError()) : fetch(...request));
    },
  });
  await page.open(hub.address);
  await page.shows('#recordings-trouble', /cannot be shown[^]*cannot be reached/);
  await page.until('they are shown', () => document.querySelectorAll('#recordings > li').length > 0);
  await page.until('nothing is wrong any more', () => document.getElementById('recordings-trouble')?.hidden);
  await page.close();
});

test('in Firefox, too, rooms and recordings come and go by themselves', async (context) => {
  const firefox = await startFirefox();
  context.after(() => firefox.close());
  const page = await lobby({ browser: firefox });
  await assertAccessible(page, 'the lobby in Firefox');
  const ann = await Guest.join(hub.address, 'fox', 'Ann');
  await ann.talk();
  const room = await mark(page, 'rooms', 'fox');
  await page.shows(room, /recording[^]*Ann\s*, talking/i);
  const row = await mark(page, 'recordings', 'fox');
  ann.leave();
  await gone(page, room);
  await page.shows(row, /^fox\s+Just now/);
  await page.write('#search', 'fox');
  await page.shows('#found', /1 recording found/);
  const [{ id }] = await found('fox');
  await change(id, 'DELETE');
  await gone(page, row);
  await page.shows('#no-recordings', /Nothing was found for “fox”/);
  await done(page);
});

test('the lobby fits phones and desks, light and dark, and everyone', async (context) => {
  const own = await startHub({ grace: 0 });
  context.after(() => own.stop());
  const people = ['Ann', 'Ben Okafor', 'Jörg Müller', 'Zoë', 'Frieda', 'Gül'];
  const rooms = ['studio', 'newsroom', 'city-hall', 'podcast', 'late-night', 'lobby'];
  /** @param {Page} page @param {string} name @param {boolean} [whole] */
  const shoot = async (page, name, whole = true) => {
    await page.until(`${name} is not wider than its page`, () => document.documentElement.scrollWidth <= innerWidth);
    await assertAccessible(page, name);
    const path = /** @type {`${string}.png`} */ (`${ARTEFACTS}${name}.png`);
    await /** @type {import('playwright-core').Page} */ (page.driver).screenshot({ path, fullPage: whole });
  };
  const empty = await chromium.page({ width: 390, height: 844 });
  await empty.open(own.address);
  await empty.shows('#no-recordings', /Nothing was recorded yet/);
  await shoot(empty, 'lobby-empty-390-light');
  await empty.close();

  await record(own.address, rooms.map((room, index) => ({ room, people: people.slice(index % 3, (index % 3) + 1 + index) })));
  const { recordings } = await get(own.address, '/api/v1/recordings');
  const titles = ['Früh um acht', 'Interview with the mayor about the new tram line, and what it means for the old town', 'Editorial meeting'];
  const client = (/** @type {string} */ id, /** @type {string} */ title) => fetch(`${own.address}/api/v1/recordings/${id}`, {
    method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ title }),
  });
  for (const [index, title] of titles.entries()) await client(recordings[index * 2].id, title);
  const guests = [];
  for (const name of ['Ann', 'Ben Okafor', 'Jörg Müller', 'Somebody with a rather long name, as people have']) guests.push(await Guest.join(own.address, 'studio', name));
  await guests[0]?.talk();
  await guests[2]?.talk();
  guests.push(await Guest.join(own.address, 'late-night', 'Zoë'), await Guest.join(own.address, 'late-night', 'Guest', { publish: false }));
  for (const [width, height] of /** @type {const} */ ([[390, 844], [1280, 800]])) {
    for (const dark of [false, true]) {
      const page = await chromium.page({ width, height, dark });
      const look = `${width}-${dark ? 'dark' : 'light'}`;
      await page.open(own.address);
      await page.shows('#rooms', /studio[^]*Ann\s*, talking[^]*late-night|late-night[^]*studio[^]*Ann\s*, talking/i);
      await page.shows('#recordings', /Editorial meeting/);
      await shoot(page, `lobby-${look}`);
      await page.write('#search', 'mayor');
      await page.shows('#found', /1 recording found/);
      await shoot(page, `lobby-search-${look}`, false);
      await page.write('#search', 'nowhere');
      await page.shows('#no-recordings', /Nothing was found/);
      await shoot(page, `lobby-nothing-${look}`, false);
      assert.deepEqual(page.errors, []);
      await page.close();
    }
  }
  for (const guest of guests) guest.leave();
});
