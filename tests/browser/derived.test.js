// What a browser makes of session.webm: an ordinary <audio> plays it and seeks in it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';

import WebSocket from 'ws';

import { startChromium, startFirefox } from './browsers.js';
import { startHub } from './hub.js';

/** How long the hub may take to end a session and make its file, in ms. */
const PATIENCE = 60_000;
const SECONDS = 6;
/** @type {import('./hub.js').Hub} */
let hub;
/** @type {string} */
let session;

/** A tone whose pitch tells the second: 500 Hz in the first, 1000 in the next. */
function steps() {
  const source = `aevalsrc=0.5*sin(2*PI*500*(1+floor(t))*t):d=${SECONDS}:s=48000`;
  const encode = ['-c:a', 'libopus', '-f', 'webm', '-cluster_time_limit', '200', '-'];
  const run = spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', source, ...encode]);
  assert.equal(run.status, 0, run.stderr?.toString());
  return run.stdout;
}

before(async () => {
  hub = await startHub();
  const socket = new WebSocket(`${hub.address.replace('http', 'ws')}/rooms/steps/ws?name=Ann`);
  await once(socket, 'open');
  socket.send(steps());
  socket.close();
  const deadline = Date.now() + PATIENCE;
  while (!session) {
    assert.ok(Date.now() < deadline, 'the session never ends');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { recordings } = await (await fetch(`${hub.address}/api/v1/recordings?room=steps&state=ended`)).json();
    if (recordings.length === 0) continue;
    const address = `/api/v1/recordings/${recordings[0].id}/session.webm`;
    const response = await fetch(hub.address + address, { method: 'HEAD' });
    if (response.status === 200) session = address;
  }
});
after(() => hub?.stop());

for (const [name, start] of /** @type {const} */ ([['Chromium', startChromium], ['Firefox', startFirefox]])) {
  test(`${name} plays session.webm from any place in an <audio>`, async (context) => {
    const browser = await start();
    context.after(() => browser.close());
    const page = await browser.page();
    await page.open(hub.address);
    const told = await page.run(async (address) => {
      const audio = new Audio(address);
      const context = new AudioContext();
      const analyser = new AnalyserNode(context, { fftSize: 8192 });
      context.createMediaElementSource(audio).connect(analyser).connect(context.destination);
      const event = (/** @type {string} */ name) => new Promise((resolve) => audio.addEventListener(name, resolve, { once: true }));
      await Promise.all([event('canplay'), context.resume()]);
      const heard = [];
      const bins = new Float32Array(analyser.frequencyBinCount);
      const loudest = () => {
        analyser.getFloatFrequencyData(bins);
        return (bins.indexOf(Math.max(...bins)) * context.sampleRate) / analyser.fftSize;
      };
      // Backwards too. What is heard belongs to where the player says that it is, half a second into one pitch.
      for (const second of [4, 1, 3, 0]) {
        const seeked = event('seeked');
        audio.currentTime = second + 0.2;
        await seeked;
        await audio.play();
        while (audio.currentTime < second + 0.6 && !audio.error) await new Promise((resolve) => setTimeout(resolve, 10));
        heard.push({ second, pitch: loudest(), at: audio.currentTime });
        audio.pause();
      }
      return { heard, duration: audio.duration, error: audio.error?.message };
    }, session);
    assert.equal(told.error, undefined);
    assert.ok(Math.abs(told.duration - SECONDS) < 0.2, `${told.duration} s`);
    for (const { second, pitch, at } of told.heard) {
      // Where the machine was slow the second may be the next, never another.
      const expected = 500 * (1 + second);
      const good = [expected, expected + 500].some((hertz) => Math.abs(pitch - hertz) < 50);
      assert.ok(good, `${pitch} Hz at ${at} s, ${expected} expected`);
    }
    assert.deepEqual(page.errors, []);
  });
}
