// The page of a recording beside its sound: its title, its end, its keys, and how it looks.

import assert from 'node:assert/strict';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { assertAccessible } from './axe.js';
import { driverOf, startChromium } from './browsers.js';
import { hasHeardTone, hears, hearsNothing, hearsOnce } from './ear.js';
import { startHub } from './hub.js';
import { begun, kitchenTalk, record, speak, tone } from './recorded.js';
import { together } from './together.js';

const ARTEFACTS = fileURLToPath(new URL('../artefacts/', import.meta.url));
/** @type {import('./hub.js').Hub} */
let hub;
/** @type {import('./browsers.js').Browser} */
let chromium;
/** @type {import('./recorded.js').RecordingInFull} */
let recording;

before(async () => {
  [hub, chromium] = await together(startHub({ grace: 1 }), startChromium());
  await mkdir(ARTEFACTS, { recursive: true });
  recording = await kitchenTalk(hub);
});
afterEach(() => chromium?.closePages());
after(async () => {
  await chromium?.close();
  await hub?.stop();
});

/** @typedef {import('./browsers.js').Page} Page */

/** The page of the recording. @param {{ width?: number, height?: number, dark?: boolean }} [options] */
async function open(options = {}) {
  const page = await chromium.page(options);
  await page.open(`${hub.address}/recordings/${recording.id}`);
  await page.shows('#lanes', /Mute/);
  return page;
}

/** Pauses a page that plays by itself, at the start. @param {Page} page */
async function stand(page) {
  await page.until('it plays', () => document.getElementById('play')?.getAttribute('aria-label') === 'Pause');
  await page.run(() => document.getElementById('seek')?.focus());
  await page.press('Space');
  await page.until('it is paused', () => document.getElementById('play')?.getAttribute('aria-label') === 'Play');
  await page.press('Home');
  await page.shows('#at', /^0:00/);
  await page.run(() => /** @type {HTMLElement} */ (document.activeElement).blur());
}

/** @param {string} [id] */
async function told(id = recording.id) {
  return (await fetch(`${hub.address}/api/v1/recordings/${id}`)).json();
}

test('a title is changed in its place: Enter saves it, Escape keeps the old one', async () => {
  const page = await open();
  await page.shows('h1', /^kitchen$/);
  await page.click('#rename');
  await page.write('#new-title', 'Kitchen talk, second evening');
  await page.press('Enter');
  await page.shows('h1', /^Kitchen talk, second evening$/);
  await page.until('it is saved', async () => (await (await fetch(`/api/v1${location.pathname}`)).json()).title === 'Kitchen talk, second evening');
  await page.click('#rename');
  await page.write('#new-title', 'Never mind');
  await page.press('Escape');
  await page.shows('h1', /^Kitchen talk, second evening$/);
  await page.until('the button has the focus again', () => document.activeElement?.id === 'rename');
  assert.equal((await told()).title, 'Kitchen talk, second evening');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('a title that cannot be saved is there again to be mended, with the reason', async () => {
  const page = await open();
  const before = await page.text('h1');
  await driverOf(page).route('**/api/v1/recordings/*', (route) =>
    route.request().method() === 'PATCH' ? route.fulfill({ status: 503, json: { detail: 'The disk does not answer.' } }) : route.continue());
  await page.click('#rename');
  await page.write('#new-title', 'Lost?');
  await page.press('Enter');
  await page.shows('#title-problem', /not saved. The disk does not answer/);
  assert.equal(await page.run(() => /** @type {HTMLInputElement} */ (document.getElementById('new-title')).value), 'Lost?');
  await page.press('Escape');
  assert.equal(await page.text('h1'), before);
  await page.close();
});

test('markers are set where it plays, written on, gone to and taken away, by hand and by key', async () => {
  const page = await open();
  const texts = async () => (await told()).markers.map((/** @type {{ text: string }} */ { text }) => text);
  await stand(page);
  await page.write('#mark-text', 'The <b>kettle</b>');
  await page.click('#mark button');
  await page.shows('#markers', /0:00[^]*The <b>kettle<\/b>/i);
  await page.shows('#chat', /The <b>kettle<\/b>/i);
  // Out of the field, where letters are written, and onto a slider, where they are not.
  await page.run(() => document.getElementById('seek')?.focus());
  await page.press('ArrowRight');
  await page.shows('#at', /^0:0[5-9]/);
  await page.press('b');
  await page.until('there are two pins', () => document.querySelectorAll('.pin').length === 2);
  await page.click('#markers > :nth-child(2) .doing button');
  await page.write('#markers > :nth-child(2) input', 'Thanks');
  await page.press('Enter');
  await page.shows('#markers > :nth-child(2)', /Thanks/);
  assert.deepEqual(await texts(), ['The <b>kettle</b>', 'Thanks']);
  await page.click('#markers > :nth-child(1) .moment');
  await page.shows('#at', /^0:00/);
  await assertAccessible(page, 'a recording with markers');
  await page.click('#markers > :nth-child(2) .doing :nth-child(2)');
  await page.until('one pin is left', () => document.querySelectorAll('.pin').length === 1);
  assert.deepEqual(await texts(), ['The <b>kettle</b>']);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('a marker is set once however often it is asked for, and is told as set where the page cannot show it', async () => {
  const page = await open();
  await stand(page);
  /** @type {() => void} */
  let answer = () => {};
  const waits = new Promise((resolve) => (answer = () => resolve(null)));
  let asked = 0;
  await driverOf(page).route('**/markers', async (route) => {
    asked += 1;
    await waits;
    await route.fulfill({ status: 201, json: { id: 'm', at: 0, participant: null, name: null, text: 'Twice' } });
  });
  await driverOf(page).route('**/api/v1/recordings/*', (route) => route.fulfill({ status: 503, json: { detail: 'The disk does not answer.' } }));
  const value = () => page.run(() => /** @type {HTMLInputElement} */ (document.getElementById('mark-text')).value);
  await page.write('#mark-text', 'Twice');
  await page.press('Enter');
  await page.press('Enter');
  await driverOf(page).keyboard.type(' more');
  answer();
  await page.shows('#mark-said', /^marked 0:00/);
  await page.shows('#mark-trouble', /shown here is older.*The disk does not answer/);
  assert.equal(asked, 1);
  assert.equal(await value(), 'Twice more', 'what is written meanwhile stays');
  await page.until('the field has the focus', () => document.activeElement?.id === 'mark-text');
  await page.close();
});

test('a recording is in its room’s feed once it is published, and is withdrawn from it', async () => {
  const page = await open();
  const feed = async () => (await fetch(`${hub.address}/rooms/kitchen/feed.xml`)).text();
  assert.doesNotMatch(await feed(), /<item>/);
  await page.shows('#published-hint', /not published/);
  await page.click('#published');
  await page.shows('#published-hint', /comes into the feed|is in the feed/);
  for (const end = Date.now() + 20_000; !(await feed()).includes(recording.id); ) assert.ok(Date.now() < end, 'it does not come into the feed');
  await page.click('#published');
  await page.shows('#published-hint', /not published/);
  assert.doesNotMatch(await feed(), /<item>/);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('one looks closer by buttons and keys, and the waveform, the marks and a click belong to what is seen', async () => {
  const page = await chromium.page();
  // As coarse as of a longer recording, of which one sees more when one looks closer.
  await driverOf(page).route('**/waveform.json', (route) => route.continue({ url: `${route.request().url()}?samples_per_pixel=3840` }));
  const finer = driverOf(page).waitForRequest(/waveform\.json\?samples_per_pixel=480&from=0\.000&to=/);
  await page.open(`${hub.address}/recordings/${recording.id}`);
  await page.shows('#lanes', /Mute/);
  await stand(page);
  const { keyboard } = driverOf(page);
  const first = () => page.run(() => document.querySelector('#ruler span:not([hidden])')?.textContent ?? '');
  await page.until('the marks are there', () => document.querySelector('#ruler span') !== null);
  assert.equal(await first(), '0:00');
  const picture = () => page.run(() => /** @type {HTMLCanvasElement} */ (document.querySelector('.wave canvas')).toDataURL());
  const whole = await picture();
  assert.equal(await page.run(() => document.querySelector('#pan')?.getClientRects().length), 0, 'there is nothing to move to');
  await page.click('#closer');
  await keyboard.press('+');
  await page.shows('#shown', /0:00 to 0:0\d/);
  await page.until('it is drawn anew, and finer', (before) => /** @type {HTMLCanvasElement} */ (document.querySelector('.wave canvas')).toDataURL() !== before, whole);
  await finer;
  // The slider goes to the end; what is clicked there is near it.
  await page.run(() => /** @type {HTMLElement} */ (document.getElementById('pan')).focus());
  await keyboard.press('ArrowRight');
  await keyboard.press('End');
  assert.equal(await page.text('#at'), '0:00', 'a slider keeps its arrows');
  await page.until('the marks have moved', () => document.querySelector('#ruler span:not([hidden])')?.textContent !== '0:00');
  const view = await page.text('#shown');
  const seconds = (/** @type {string | undefined} */ text) => Number(text?.split(':')[0]) * 60 + Number(text?.split(':')[1]);
  const [from, to] = view.split(' to ').map(seconds);
  await driverOf(page).locator('.wave').first().click({ position: { x: 5, y: 20 } });
  await page.until('it went there', (/** @type {number | undefined} */ at) => {
    const [minutes = 0, seconds = 0] = (document.querySelector('#at')?.textContent ?? '').split(':').map(Number);
    return Math.abs(minutes * 60 + seconds - (at ?? 0)) <= 1;
  }, from);
  assert.ok((from ?? 0) > 2 && (to ?? 0) > (from ?? 0), view);
  // Who goes by keys is somewhere when the slider goes, and where the button can do no more.
  await page.run(() => /** @type {HTMLElement} */ (document.getElementById('pan')).focus());
  await keyboard.press('0');
  await page.until('all of it is shown', () => document.querySelector('#shown')?.textContent === '');
  assert.equal(await page.run(() => document.activeElement?.id), 'closer');
  await page.press('Enter');
  await page.run(() => /** @type {HTMLElement} */ (document.getElementById('all')).focus());
  await page.press('Enter');
  await page.until('all of it is shown', () => document.querySelector('#shown')?.textContent === '');
  assert.equal(await page.run(() => document.activeElement?.id), 'all');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('two fingers look closer, and go nowhere', async () => {
  const page = await open();
  await stand(page);
  const session = await driverOf(page).context().newCDPSession(driverOf(page));
  const { left, top, width } = await page.run(() => {
    const { left, top, width, height } = /** @type {Element} */ (document.querySelector('.wave')).getBoundingClientRect();
    return { left, top: top + height / 2, width };
  });
  /** @param {'touchStart' | 'touchMove' | 'touchEnd'} type @param {...[number, number]} fingers their number, and where they are in the waveform */
  const touch = (type, ...fingers) => session.send('Input.dispatchTouchEvent', { type, touchPoints: fingers.map(([id, share]) => ({ id, x: left + share * width, y: top })) });
  // One finger alone goes where it is let go.
  await touch('touchStart', [0, 0.5]);
  await touch('touchEnd');
  await page.shows('#at', /^0:04/);
  // One after the other they come, and the first one, which has pointed, stays longer.
  await touch('touchStart', [0, 0.7]);
  await page.shows('#at', /^0:0[56]/);
  await touch('touchStart', [0, 0.7], [1, 0.8]);
  await page.shows('#at', /^0:04/);
  await touch('touchMove', [0, 0.6], [1, 0.9]);
  await page.shows('#shown', /\d to \d/);
  await touch('touchEnd', [0, 0.6]);
  await touch('touchMove', [0, 0.2]);
  await touch('touchEnd');
  assert.match(await page.text('#at'), /^0:04/);
  // And the next finger goes somewhere again.
  await page.press('0');
  await touch('touchStart', [0, 0.1]);
  await touch('touchEnd');
  await page.shows('#at', /^0:00/);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('each track has its waveform, drawn in the pixels of the screen, and drawn anew in another size', async () => {
  const page = await open();
  const drawn = () => page.until('the waveforms are drawn', () => {
    const all = /** @type {HTMLCanvasElement[]} */ ([...document.querySelectorAll('.wave .to-come')]);
    return all.length === 4 && all.every((canvas) => {
      const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
      // More than a thin line in some column: sound.
      let tallest = 0;
      for (let x = 0; x < canvas.width; x += 1) {
        let tall = 0;
        for (let y = 0; y < canvas.height; y += 1) if ((data[4 * (y * canvas.width + x) + 3] ?? 0) > 0) tall += 1;
        tallest = Math.max(tallest, tall);
      }
      return canvas.width === Math.round(canvas.clientWidth * devicePixelRatio) && tallest > canvas.height / 4;
    });
  });
  await drawn();
  await driverOf(page).setViewportSize({ width: 800, height: 800 });
  await drawn();
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('everything is done by keyboard alone', async () => {
  const page = await open();
  await hears(page, 'the page');
  await page.run(() => /** @type {HTMLElement} */ (document.activeElement)?.blur());
  await page.press('Space');
  await page.shows('#play', /^$/);
  await page.until('it is paused', () => document.getElementById('play')?.getAttribute('aria-label') === 'Play');
  const at = () => page.run(() => Number(/** @type {HTMLInputElement} */ (document.getElementById('seek')).value));
  await page.run(() => document.getElementById('seek')?.focus());
  await page.press('Home');
  assert.equal(await at(), 0);
  await page.press('ArrowRight');
  assert.equal(await at(), 5);
  await page.press('ArrowLeft');
  assert.equal(await at(), 0);
  const seen = new Set();
  await page.run(() => /** @type {HTMLElement} */ (document.querySelector('.back')).focus());
  for (let press = 0; press < 60 && !seen.has('delete'); press += 1) {
    await page.press('Tab');
    seen.add(await page.run(() => document.activeElement?.id || document.activeElement?.getAttribute('aria-label') || document.activeElement?.textContent?.trim()));
  }
  for (const control of ['rename', 'play', 'back', 'forward', 'seek', 'Mute Ann', 'Solo Ann', 'copy', 'chat', 'delete']) assert.ok(seen.has(control), `${control} is reached, of ${[...seen]}`);
  await page.press('Enter');
  await page.until('the question is asked', () => document.activeElement?.id === 'stay');
  await page.press('Escape');
  await page.until('the question is gone', () => !document.querySelector('dialog[open]'));
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('where a browser lets nothing sound before a click, one big button plays', async (t) => {
  const strict = await startChromium({ autoplay: false });
  t.after(() => strict.close());
  const page = await strict.page();
  // What a driver asks a page counts as a click there; this way it does not.
  const quiet = await driverOf(page).context().newCDPSession(driverOf(page));
  const expression = "new Promise((done) => setInterval(() => document.getElementById('lanes')?.innerText.includes('Ann') && done(), 50))";
  await page.open(`${hub.address}/recordings/${recording.id}#t=3`);
  await quiet.send('Runtime.evaluate', { expression, awaitPromise: true, userGesture: false });
  await hearsNothing(page, 'the page');
  await page.shows('#at', /^0:03$/);
  await page.click('#play');
  await hears(page, 'the page');
  assert.deepEqual(page.errors, []);
});

test('the link to the moment is in the address, and on the clipboard', async () => {
  const page = await open();
  await driverOf(page).context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await page.click('#play');
  await page.run(() => document.getElementById('seek')?.focus());
  await page.press('Home');
  await page.press('ArrowRight');
  await page.click('#copy');
  await page.shows('#copied', /copied/);
  const link = `${hub.address}/recordings/${recording.id}#t=5`;
  assert.equal(await page.run(() => location.href), link);
  assert.equal(await page.run(() => navigator.clipboard.readText()), link);
  await page.close();
});

test('a recording that is still being made plays what there is, and grows', async () => {
  const speaking = speak(hub, 'growing', { name: 'Ann', sound: tone(600), seconds: 30 });
  const page = await chromium.page();
  const live = await begun(hub, 'growing', 1);
  await page.open(`${hub.address}/recordings/${live.id}`);
  await page.shows('#sign', /recording/);
  await hears(page, 'the page');
  await page.shows('#downloads', /WebM after the end/);
  assert.equal(await page.run(() => /** @type {HTMLButtonElement} */ (document.getElementById('delete')).disabled), true);
  const length = () => page.run(() => Number(/** @type {HTMLInputElement} */ (document.getElementById('seek')).max));
  const before = await length();
  await page.until('it has grown', (before) => Number(/** @type {HTMLInputElement} */ (document.getElementById('seek')).max) > before + 2, before);
  await speaking;
  await page.until('it has ended', () => document.getElementById('sign')?.hidden);
  await page.shows('#downloads', /WebM\s+[\d.]+ kB/);
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('a track whose file is gone is told, and the others play on', async () => {
  const damaged = await record(hub, 'damaged', { name: 'Ann', sound: tone(600), seconds: 4 }, { name: 'Ben', sound: tone(900), seconds: 4 });
  const [folder = ''] = await readdir(`${hub.recordings}/damaged`);
  const file = (await readdir(`${hub.recordings}/damaged/${folder}`)).find((name) => /-ann\.ogg$/.test(name));
  await rm(`${hub.recordings}/damaged/${folder}/${file}`);
  const page = await chromium.page();
  await page.open(`${hub.address}/recordings/${damaged.id}`);
  await page.shows('#trouble', /track \d \(Ann\) cannot be read/);
  await hearsOnce(page, 'the page', 900);
  assert.ok(!(await hasHeardTone(page, 600)), 'Ann is not heard');
  assert.deepEqual(page.errors, []);
  await page.close();
});

test('the mouse is told which moment it points at', async () => {
  const page = await open();
  const { x, y } = await page.run(() => {
    const { left, top, width, height } = /** @type {Element} */ (document.querySelector('.wave')).getBoundingClientRect();
    return { x: left + width / 2, y: top + height / 2 };
  });
  await page.driver.mouse.move(x, y);
  await page.shows('#pointed', /^0:04$/);
  await page.driver.mouse.move(10, 10);
  await page.until('it is gone', () => document.getElementById('pointed')?.hidden);
  await page.close();
});

test('what is no recording is told, and leads back to the list', async () => {
  const page = await chromium.page();
  for (const id of ['none', '01936f2e-5d2c-7cc1-9a3e-2f1b4c5d6e7f']) {
    await page.open(`${hub.address}/recordings/${id}`);
    await page.shows('h1', /no such recording/);
    await page.shows('#trouble', /choose/);
    await assertAccessible(page, id);
  }
  assert.equal((await fetch(`${hub.address}/recordings/none`, { headers: { accept: 'text/html' } })).status, 404);
  assert.equal((await fetch(`${hub.address}/recordings/none`)).headers.get('content-type'), 'application/problem+json');
  await page.close();
});

test('the page fits phones and desks, light and dark, and axe finds nothing', async () => {
  for (const [width, height] of /** @type {const} */ ([[390, 844], [1280, 800]])) {
    for (const dark of [false, true]) {
      const page = await open({ width, height, dark });
      const shoot = async (/** @type {string} */ name) => {
        await page.until(`${name} is not wider than its ${width} px`, () => document.documentElement.scrollWidth <= innerWidth);
        await page.run(() => scrollTo(0, 0));
        await assertAccessible(page, `${name}, ${width} px, ${dark ? 'dark' : 'light'}`);
        await page.shoot(`${ARTEFACTS}${name}-${width}-${dark ? 'dark' : 'light'}.png`);
      };
      await page.until('it plays', () => Number(/** @type {HTMLInputElement} */ (document.getElementById('seek')).value) > 3.5);
      await page.click('[aria-label="Mute Cem 1"]');
      await shoot('recording');
      await page.click('#rename');
      await shoot('recording-title');
      await page.press('Escape');
      await page.click('#cut summary');
      await shoot('recording-cut');
      await page.click('#delete');
      await shoot('recording-delete');
      assert.deepEqual(page.errors, []);
      await page.close();
    }
  }
});

test('deleting asks first; then it is gone, and the lobby is there', async () => {
  const page = await open();
  await page.click('#delete');
  await page.shows('#question', /delete this recording[^]*Ann/);
  await page.click('#stay');
  assert.equal((await fetch(`${hub.address}/api/v1/recordings/${recording.id}`)).status, 200);
  await page.click('#delete');
  await page.click('#really');
  await page.until('the lobby is there', () => location.pathname === '/');
  assert.equal((await fetch(`${hub.address}/api/v1/recordings/${recording.id}`)).status, 404);
  await page.close();
});
