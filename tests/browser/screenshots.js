// Makes the pictures of the README: the lobby, a room and a recording, at a desk, in the light. By hand, where they are to
// be made anew:
//
//   node tests/browser/screenshots.js tests/browser/pictures

import { mkdir } from 'node:fs/promises';
import { join as path } from 'node:path';

import { startChromium } from './browsers.js';
import { startHub } from './hub.js';
import { record } from './recorded.js';
import { gather, join, talk } from './room.js';

const folder = process.argv[2];
if (!folder) throw new Error('say where the pictures go: node tests/browser/screenshots.js tests/browser/pictures');
await mkdir(folder, { recursive: true });

/** Something like speech: words of a voice, with pauses between them. @param {number} pitch Hz @param {number} pace words a second */
const speech = (pitch, pace) =>
  `0.5*pow(abs(sin(PI*t*${pace})),3)*(0.4+0.6*pow(sin(PI*t*0.31),2))*(sin(2*PI*${pitch}*t)+0.5*sin(2*PI*${2 * pitch}*t)+0.3*sin(2*PI*${3 * pitch}*t))/1.8`;

/** Gives a page a microphone whose level stands still, as a picture does. @param {number} gain */
function speakSteadily(gain) {
  navigator.mediaDevices.getUserMedia = async () => {
    const context = new AudioContext();
    const oscillator = new OscillatorNode(context, { frequency: 220 });
    const out = context.createMediaStreamDestination();
    oscillator.connect(new GainNode(context, { gain })).connect(out);
    oscillator.start();
    return out.stream;
  };
}

const hub = await startHub({ grace: 1 });
const chromium = await startChromium();
try {
  /** @param {string} room @param {string} title @param {...import('./recorded.js').Speaker} speakers */
  const kept = async (room, title, ...speakers) => {
    const { id } = await record(hub, room, ...speakers);
    await fetch(`${hub.address}/api/v1/recordings/${id}`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title }),
    });
    return id;
  };
  const [id] = await Promise.all([
    kept('kitchen', 'Kitchen table, part one',
      { name: 'Ann', sound: speech(210, 1.7), seconds: 16, lines: [[1, 'Shall we begin? I have put the kettle on.'], [9, 'One moment …']] },
      { name: 'Ben', sound: speech(120, 1.3), seconds: 9, after: 3, lines: [[1, 'Here is the list of questions, in case you want to look.']] },
      { name: 'Cem', sound: speech(150, 2.1), seconds: 5, after: 9, lines: [[2, 'That was the good one. Keep it!']] }),
    kept('interview', 'The baker of Unter den Linden', { name: 'Dana', sound: speech(190, 1.5), seconds: 4 }, { name: 'Emil', sound: speech(110, 1.2), seconds: 4 }),
    kept('rehearsal', 'Rehearsal', { name: 'Fay', sound: speech(230, 1.9), seconds: 3 }),
  ]);

  const [ann, ben] = await gather(chromium, hub.address, 'studio', { Ann: null, Ben: null });
  const page = await chromium.page();
  if (!ann || !ben) throw new Error('nobody came');
  const say = async (/** @type {import('./browsers.js').Page} */ who, /** @type {string} */ text) => {
    await who.write('#text', text);
    await who.press('Enter');
  };
  const keep = async (/** @type {string} */ name) => void (await page.driver.screenshot({ path: /** @type {`${string}.png`} */ (path(folder, `${name}.png`)) }));

  await join(page, hub.address, 'studio', 'Cem');
  for (const [one, gain] of /** @type {const} */ ([[ann, 0.1], [ben, 0.02], [page, 0.1]])) {
    await one.run(speakSteadily, gain);
    await talk(one);
  }
  await page.click('#mute');
  await say(ann, 'Good morning! Shall we begin?');
  await say(ben, 'In a minute. Is it recording already?');
  await say(page, 'It is: see the sign above. The kettle is on.');
  await say(ann, 'Then from the top.');
  await page.run(() => /** @type {HTMLElement} */ (document.activeElement).blur());
  await page.until('it is recorded for a while', () => /0:1\d/.test(document.querySelector('#elapsed')?.textContent ?? ''));
  await page.until('Ann and Ben speak', () => document.querySelectorAll('.person.speaking').length === 2);
  await keep('room');

  const lobby = await chromium.page();
  await lobby.open(hub.address);
  await lobby.shows('#rooms', /studio/);
  await lobby.shows('#recordings', /kitchen/);
  await lobby.driver.screenshot({ path: /** @type {`${string}.png`} */ (path(folder, 'lobby.png')) });

  await page.open(`${hub.address}/recordings/${id}#t=7`);
  await page.until('the waveforms are drawn', () => {
    const canvases = /** @type {HTMLCanvasElement[]} */ ([...document.querySelectorAll('.wave .to-come')]);
    return canvases.length >= 3 && canvases.every((canvas) => {
      const { data } = canvas.getContext('2d')?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
      // More than the thin line of silence.
      return data.filter((it, at) => at % 4 === 3 && it > 0).length > 4 * canvas.width;
    });
  });
  await page.shows('#downloads', /MB|kB/);
  await keep('recording');
} finally {
  await chromium.close();
  await hub.stop();
}
