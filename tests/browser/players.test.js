// The waveforms of a recording in the libraries that others draw them with: peaks.js and wavesurfer.js, unchanged.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { after, before, test } from 'node:test';

import WebSocket from 'ws';

import { startChromium, startFirefox } from './browsers.js';
import { startHub } from './hub.js';
import { startSite } from './players.js';

/** How long the hub may take to end a session and make its files, in ms. */
const PATIENCE = 60_000;
/** How long a library may take to draw, in ms. */
const DRAWN = 10_000;
const SECONDS = 12;
/** @type {import('./hub.js').Hub} */
let hub;
/** @type {Awaited<ReturnType<typeof startSite>>} */
let site;
/** @type {import('./recorded.js').RecordingInFull} */
let recording;

/** A tone that is loud for one second of three. */
function bursts() {
  const source = `aevalsrc=0.5*sin(2*PI*500*t)*lt(mod(t\\,3)\\,1):d=${SECONDS}:s=48000`;
  const run = spawnSync('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', source, '-c:a', 'libopus', '-f', 'webm', '-cluster_time_limit', '200', '-']);
  assert.equal(run.status, 0, run.stderr?.toString());
  return run.stdout;
}

before(async () => {
  hub = await startHub({ grace: 1 });
  site = await startSite(hub);
  const socket = new WebSocket(`${hub.address.replace('http', 'ws')}/rooms/bursts/ws?name=Ann`);
  await once(socket, 'open');
  socket.send(bursts());
  socket.close();
  for (const end = Date.now() + PATIENCE; !recording; ) {
    assert.ok(Date.now() < end, 'the files are never made');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { recordings } = await (await fetch(`${hub.address}/api/v1/recordings?room=bursts&state=ended`)).json();
    if (recordings.length === 0) continue;
    const newest = await (await fetch(`${hub.address}/api/v1/recordings/${recordings[0].id}`)).json();
    if (newest.files.mix.ogg.bytes !== null && newest.files.waveform.made) recording = newest;
  }
});
after(async () => {
  await site?.close();
  await hub?.stop();
});

/** What our own file says. @param {string} address @returns {Promise<any>} */
const told = async (address) => (await fetch(hub.address + address)).json();

for (const [name, start] of /** @type {const} */ ([['Chromium', startChromium], ['Firefox', startFirefox]])) {
  test(`${name}: peaks.js draws both layouts as they are, and zooms in to 10 ms`, async (context) => {
    const browser = await start();
    context.after(() => browser.close());
    const page = await browser.page();
    await page.open(`${site.address}/players`);
    const { waveform, mix } = recording.files;
    for (const layout of /** @type {const} */ (['json', 'arraybuffer'])) {
      const address = `${layout === 'json' ? waveform.href : waveform.dat}?samples_per_pixel=480`;
      const drawn = await page.run(async ({ layout, address, media, patience }) => {
        const find = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));
        const audio = /** @type {HTMLAudioElement} */ (find('audio'));
        audio.src = media;
        const options = {
          zoomview: { container: find('zoomed') }, overview: { container: find('overview') },
          mediaElement: audio, dataUri: { [layout]: address }, zoomLevels: [480, 960, 1920],
        };
        const { peaks: Peaks } = /** @type {any} */ (globalThis);
        /** @type {any} */
        const peaks = await new Promise((resolve, reject) => Peaks.init(options, (/** @type {any} */ error, /** @type {any} */ made) => (error ? reject(new Error(String(error))) : resolve(made))));
        const data = peaks.getWaveformData();
        const view = peaks.views.getView('zoomview');
        /** How many rows have something in them, at a time. @param {number} at seconds @param {number} scale */
        const rows = (at, scale) => {
          const canvas = /** @type {HTMLCanvasElement} */ (find('zoomed').querySelector('canvas'));
          const column = Math.round(((at - view.getStartTime()) * 48_000 * canvas.width) / scale / 800);
          const pixels = canvas.getContext('2d')?.getImageData(column, 0, 1, canvas.height).data ?? [];
          return pixels.filter((_, index) => index % 4 === 3).filter((alpha) => alpha > 0).length / canvas.height;
        };
        const frames = () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
        const views = [];
        for (const [level, scale] of [480, 960, 1920].entries()) {
          peaks.zoom.setZoom(level);
          view.setStartTime(0);
          const look = () => ({ scale, seconds: view.getEndTime() - view.getStartTime(), loud: rows(0.5, scale), quiet: rows(2, scale) });
          let seen;
          // Where it is never drawn as it is to be, what there is then tells.
          const end = Date.now() + patience;
          do {
            await frames();
            seen = look();
          } while (!(seen.loud > 0.4 && seen.quiet < 0.1) && Date.now() < end);
          views.push(seen);
        }
        const channel = data.channel(0);
        const told = {
          version: 2, channels: data.channels, sample_rate: data.sample_rate, samples_per_pixel: data.scale, bits: data.bits,
          length: data.length, data: channel.min_array().flatMap((/** @type {number} */ least, /** @type {number} */ index) => [least, channel.max_sample(index)]),
        };
        const coarse = data.resample({ scale: 960 });
        const coarser = coarse.channel(0).max_array();
        const { duration } = data;
        peaks.destroy();
        return { told, duration, views, coarser };
      }, { layout, address, media: mix.ogg.href, patience: DRAWN });
      assert.deepEqual(drawn.told, await told(`${waveform.href}?samples_per_pixel=480`), layout);
      assert.ok(Math.abs(drawn.duration - recording.duration) <= 0.01, `${drawn.duration} s`);
      // A coarser level of ours is what the library makes of the finer one.
      const coarse = await told(`${waveform.href}?samples_per_pixel=960`);
      const greatest = coarse.data.filter((/** @type {number} */ _, /** @type {number} */ index) => index % 2 === 1);
      assert.deepEqual(drawn.coarser.slice(0, greatest.length - 1), greatest.slice(0, -1), layout);
      for (const { scale, seconds, loud, quiet } of drawn.views) {
        assert.ok(Math.abs(seconds - (800 * scale) / 48_000) < 0.05, `${scale}: ${seconds} s are seen`);
        assert.ok(loud > 0.4 && quiet < 0.1, `${scale}: ${loud} of the height is drawn where it is loud, and ${quiet} where not`);
      }
    }
    assert.deepEqual(page.errors, []);
  });

  test(`${name}: wavesurfer.js draws a track as it is, and zooms`, async (context) => {
    const browser = await start();
    context.after(() => browser.close());
    const page = await browser.page();
    await page.open(`${site.address}/players`);
    const { waveform, ogg } = /** @type {import('../../src/client/api.js').RecordedTrack} */ (recording.tracks[0]).files;
    const drawn = await page.run(async ({ address, media, patience }) => {
      const json = await (await fetch(address)).json();
      const { WaveSurfer } = /** @type {any} */ (globalThis);
      const duration = (json.length * json.samples_per_pixel) / json.sample_rate;
      const peaks = json.data.map((/** @type {number} */ value) => value / 128);
      const surfer = WaveSurfer.create({ container: '#waves', url: media, peaks: [peaks], duration, height: 128 });
      await new Promise((resolve, reject) => {
        surfer.on('ready', resolve);
        surfer.on('error', reject);
      });
      const told = [...surfer.getDecodedData().getChannelData(0)].map((value) => Math.round(value * 128));
      const wrapper = surfer.getWrapper();
      const canvas = /** @type {HTMLCanvasElement} */ (wrapper.querySelector('canvas'));
      const rows = (/** @type {number} */ at) => {
        const pixels = canvas.getContext('2d')?.getImageData(Math.round((at / duration) * canvas.width), 0, 1, canvas.height).data ?? [];
        return pixels.filter((_, index) => index % 4 === 3).filter((alpha) => alpha > 0).length / canvas.height;
      };
      const [loud, quiet] = [rows(0.5), rows(2)];
      surfer.zoom(200);
      const length = surfer.getDuration();
      const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
      for (const end = Date.now() + patience; Math.abs(wrapper.scrollWidth - 200 * length) >= 20 && Date.now() < end; ) await frame();
      const zoomed = wrapper.scrollWidth;
      surfer.destroy();
      return { told, data: json.data, loud, quiet, zoomed, length, duration };
    }, { address: `${waveform}?samples_per_pixel=960`, media: ogg, patience: DRAWN });
    assert.deepEqual(drawn.told, drawn.data);
    assert.ok(Math.abs(drawn.length - SECONDS) < 0.1 && Math.abs(drawn.duration - recording.duration) < 0.03, `${drawn.length}, ${drawn.duration}`);
    assert.ok(drawn.loud > 0.4 && drawn.quiet < 0.1, `${drawn.loud} where it is loud, ${drawn.quiet} where not`);
    assert.ok(Math.abs(drawn.zoomed - 200 * drawn.length) < 20, `${drawn.zoomed} pixels`);
    assert.deepEqual(page.errors, []);
  });
}
