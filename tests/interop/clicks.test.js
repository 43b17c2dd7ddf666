// A player that decodes message by message and schedules them back to back: what it plays is what one decoder makes of the
// whole, also where two messages meet. A minute of it, by hand: ROOMTONE_CLICK_SECONDS=60 node --test tests/interop/clicks.test.js

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startChromium, startFirefox } from '../browser/browsers.js';
import { startHub } from '../browser/hub.js';
import { together } from '../browser/together.js';
import { Peer } from './peer.js';
import { made } from './sound.js';
import { startTutorials } from './tutorials.js';
import { installWitness } from './witness.js';

const SECONDS = Number(process.env.ROOMTONE_CLICK_SECONDS ?? 12);
/** How far the error in the first 10 ms after a joint must lie below the sound, in the median, in dB. */
const LEAST = 25;

/** A voice, more or less: harmonics of a wandering pitch, in syllables. @param {number} pitch Hz */
const voice = (pitch) => {
  const phase = `2*PI*(${pitch}*t+8*sin(1.1*t))`;
  const harmonics = [1, 2, 3, 4, 5, 7, 9, 12].map((number) => `sin(${number}*(${phase}))/${number}`);
  return `0.2*(0.55+0.45*sin(2*PI*3.3*t))*(${harmonics.join('+')})`;
};
const music = [220, 277, 330, 1760, 4186].map((hertz, index) => `0.1*(1+0.5*sin(${index + 2}*t))*sin(2*PI*${hertz}*t)`).join('+');
/** @param {...string} more */
const opus = (...more) => ['-c:a', 'libopus', ...more, '-f', 'webm', '-cluster_time_limit', '200'];

/** What is said where there is nothing but a host, which is a room too. */
const BARE = 'a voice at the bare host';
/** What is said in each room. @type {Record<string, [sound: string, as: string[]][]>} */
const ROOMS = {
  'a voice in packets of 20 ms': [[voice(130), opus('-b:a', '24k', '-application', 'voip')]],
  'a voice in packets of 60 ms': [[voice(130), opus('-b:a', '24k', '-application', 'voip', '-frame_duration', '60')]],
  'music in stereo': [[`${music}|${music}`, opus('-b:a', '128k')]],
  'plain samples': [[voice(180), ['-f', 'wav']]],
  [BARE]: [[voice(150), opus('-b:a', '24k', '-application', 'voip')]],
  'two voices, mixed': [[voice(120), opus('-b:a', '32k')], [voice(210), opus('-b:a', '32k', '-frame_duration', '60')]],
};

/**
 * How far the error lies below the sound in the first 10 ms after each joint, and where all of it is loud enough to tell. Runs in
 * the page of the scheduler, so it stands alone.
 *
 * @param {number} seconds how much of the sound is judged
 * @returns {Promise<{ joints: number[], scheduled: number, whole: number }>}
 */
async function judge(seconds) {
  // What is started here is seen too.
  const scheduled = [...window.seen.scheduled];
  const reference = window.reference;
  const rate = 48_000;
  const length = Math.round(seconds * rate);
  const whole = await new OfflineAudioContext(1, 1, rate).decodeAudioData(await new Blob(reference).arrayBuffer());
  // As the page does it, on a clock that no busy machine can stop.
  const context = new OfflineAudioContext(1, length, rate);
  const starts = [];
  let next = 0;
  for (const { sound } of scheduled) {
    const source = new AudioBufferSourceNode(context, { buffer: sound });
    source.connect(context.destination);
    source.start(next);
    starts.push(Math.round(next * rate));
    next += sound.duration;
  }
  const played = (await context.startRendering()).getChannelData(0);
  // What has two channels is heard as one: half of each.
  const [left, right] = [0, whole.numberOfChannels - 1].map((channel) => whole.getChannelData(channel));
  const joints = [];
  for (const start of starts.slice(1)) {
    const end = start + 480;
    if (end > length || end > whole.length) break;
    let [signal, error] = [0, 0];
    for (let index = start; index < end; index += 1) {
      const right_ = ((left?.[index] ?? 0) + (right?.[index] ?? 0)) / 2;
      signal += right_ ** 2;
      error += (right_ - (played[index] ?? 0)) ** 2;
    }
    if (signal / 480 > 1e-6) joints.push(10 * Math.log10(signal / Math.max(error, 1e-15)));
  }
  return { joints, scheduled: next, whole: whole.duration };
}

describe('no click where messages meet', () => {
  for (const [name, start] of /** @type {const} */ ([['Chromium', startChromium], ['Firefox', startFirefox]])) {
    describe(name, { concurrency: true }, () => {
      /** @type {import('../browser/hub.js').Hub} */
      let hub;
      /** @type {import('../browser/browsers.js').Browser} */
      let browser;
      /** @type {import('./tutorials.js').Tutorials} */
      let tutorials;

      before(async () => {
        [hub, browser, tutorials] = await together(startHub(), start(), startTutorials());
      });
      after(async () => {
        await browser?.close();
        await tutorials?.close();
        await hub?.stop();
      });

      for (const [index, [what, voices]] of Object.entries(ROOMS).entries()) {
        test(what, async (context) => {
          const address = `${hub.address.replace('http', 'ws')}/${what === BARE ? '' : `rooms/clicks-${index}/ws`}`;
          const files = await Promise.all(voices.map(([sound, as]) => made(sound, 3 * SECONDS, as)));
          const page = await browser.page({ before: installWitness, ear: false });
          await page.open(tutorials.at('scheduler', address));
          await page.run(async (address) => {
            window.reference = [];
            const socket = new WebSocket(`${address}?publish=false&as=ogg`);
            socket.binaryType = 'arraybuffer';
            socket.onmessage = ({ data }) => window.reference.push(data);
            await new Promise((resolve) => (socket.onopen = resolve));
          }, address);
          await page.until('both listen', () => window.seen.sockets.every((it) => it.readyState === WebSocket.OPEN));
          // The hub takes in no more than 2 s ahead, so that this lasts as long as what is judged; there is more to say, since a hub that is
          // too slow to mix leaves some out.
          const speakers = await Promise.all(files.map(async (file) => {
            const speaker = await Peer.join(`${address}?name=Ann`);
            speaker.say(file);
            return speaker;
          }));
          // A page's patience is a minute.
          for (const part of [0.5, 1]) {
            await page.until('all of it is scheduled', (seconds) =>
              window.seen.scheduled.reduce((sum, { sound }) => sum + sound.duration, 0) >= seconds, part * SECONDS);
          }
          const { joints, scheduled, whole } = await page.run(judge, SECONDS);
          const sorted = [...joints].sort((one, other) => one - other);
          const median = sorted[Math.floor(sorted.length / 2)] ?? NaN;
          context.diagnostic(`${joints.length} joints in ${scheduled.toFixed(1)} of ${whole.toFixed(1)} s: ${median.toFixed(1)} dB, ${sorted[0]?.toFixed(1)} at worst; below ${LEAST}: ${joints.flatMap((it, index) => (it < LEAST ? [index] : []))}`);
          assert.ok(joints.length >= SECONDS * 2 && median >= LEAST, `${median} dB at ${joints.length} joints`);
          assert.deepEqual(page.errors, []);
          for (const speaker of speakers) speaker.leave();
          await page.close();
        });
      }
    });
  }
});
