// Every kind of MediaRecorder that the browsers have, as it is: a page sends what it hands out, another hears it in every
// form that plain listeners may ask for, and the recording sounds the same.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { startChromium, startFirefox } from './browsers.js';
import { startHub } from './hub.js';

/** Hz. */
const TONE = 700;
/** How much must be heard of each, in seconds. */
const LEAST = 3;
/** How much of what is heard must be the tone, of all its power. The codecs add a little of their own. */
const MOSTLY = 0.9;

/** What each browser must be able to record; what else it can of `ASKED` is tried too. */
const BROWSERS = [
  { name: 'Chromium', start: startChromium, must: ['audio/webm;codecs=opus', 'audio/webm;codecs=pcm', 'audio/mp4;codecs=opus'] },
  { name: 'Firefox', start: startFirefox, must: ['audio/ogg;codecs=opus', 'audio/webm;codecs=opus'] },
];
const ASKED = [
  'audio/webm;codecs=opus',
  'audio/webm;codecs=pcm',
  'audio/ogg;codecs=opus',
  'audio/mp4;codecs=opus',
  'audio/mp4;codecs=mp4a.40.2',
  'video/x-matroska;codecs=opus',
];

/** @typedef {{ seconds: number, tone: number }} Heard how long, and how much of its power is the tone */

/**
 * Speaks a tone with a recorder of this type and hears it. Runs in a page, so it stands alone.
 *
 * @param {{ room: string, type: string, tone: number, least: number }} options
 * @returns {Promise<Record<string, Heard>>} for each form
 */
async function speakAndHear({ room, type, tone, least }) {
  const context = new AudioContext({ sampleRate: 48_000 });
  const oscillator = new OscillatorNode(context, { frequency: tone });
  const target = context.createMediaStreamDestination();
  oscillator.connect(new GainNode(context, { gain: 0.5 })).connect(target);
  oscillator.start();
  /** @param {string} query */
  const connect = (query) => new Promise((resolve, reject) => {
    const socket = new WebSocket(`${location.origin.replace('http', 'ws')}/rooms/${room}/ws?${query}`);
    socket.onopen = () => resolve(socket);
    socket.onerror = () => reject(new Error(`no socket for ${query}`));
  });
  /** How much of the samples' power is the tone (Goertzel). @param {Float32Array} samples */
  const share = (samples) => {
    const turn = 2 * Math.cos((2 * Math.PI * tone) / 48_000);
    let [one, two, power] = [0, 0, 0];
    for (const sample of samples) {
      [one, two] = [sample + turn * one - two, one];
      power += sample * sample;
    }
    return (2 * (one * one + two * two - turn * one * two)) / (samples.length * power);
  };
  /** @type {Record<string, Heard>} */
  const heard = {};
  const listening = ['webm', 'ogg', 'wav'].map(async (as) => {
    const socket = await connect(`publish=false&as=${as}`);
    /** @type {Heard} */
    const mine = (heard[as] = { seconds: 0, tone: 0 });
    /** @type {number[]} */
    const shares = [];
    /** @type {ArrayBuffer[]} */
    const ogg = [];
    /** @type {Promise<void>} */
    let before = Promise.resolve();
    socket.onmessage = (/** @type {MessageEvent<Blob>} */ { data }) => {
      before = before.then(async () => {
        const message = await data.arrayBuffer();
        if (as === 'ogg') ogg.push(message.slice(0));
        const sound = await context.decodeAudioData(message);
        mine.seconds += sound.duration;
        // Ogg has no pre-roll: it is for appending, and judged at the end.
        if (as === 'ogg') return;
        shares.push(share(sound.getChannelData(0)));
        // On a busy machine the sound of a page breaks off here and there: that of most messages counts.
        mine.tone = [...shares].sort((one, other) => one - other)[Math.floor(shares.length / 4)] ?? 0;
      });
    };
    if (as === 'ogg') {
      return () => before.then(async () => {
        const sound = await context.decodeAudioData(await new Blob(ogg).arrayBuffer());
        mine.seconds = Math.min(mine.seconds, sound.duration);
        mine.tone = share(sound.getChannelData(0).subarray(24_000, -24_000));
      });
    }
    return () => before;
  });
  const settled = await Promise.all(listening);
  const speaker = await connect('name=Ann');
  const recorder = new MediaRecorder(target.stream, { mimeType: type });
  recorder.ondataavailable = ({ data }) => speaker.send(data);
  recorder.start(250);
  const end = performance.now() + 25_000;
  while (Object.values(heard).some(({ seconds }) => seconds < least)) {
    if (performance.now() > end || speaker.readyState !== WebSocket.OPEN) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.stop();
  await stopped;
  // A Blob is on its way until the buffer is empty.
  while (speaker.bufferedAmount > 0) await new Promise((resolve) => setTimeout(resolve, 10));
  speaker.close();
  await Promise.all(settled.map((last) => last()));
  await context.close();
  return heard;
}

/**
 * Decodes a file of the hub's. Runs in a page, so it stands alone.
 *
 * @param {{ address: string, tone: number }} options
 * @returns {Promise<Heard>}
 */
async function hearFile({ address, tone }) {
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address}: ${response.status}`);
  const context = new OfflineAudioContext(1, 1, 48_000);
  const sound = await context.decodeAudioData(await response.arrayBuffer());
  // Its first half second may hold the beginning of the tone, its last the end.
  const samples = sound.getChannelData(0).subarray(24_000, -24_000);
  const turn = 2 * Math.cos((2 * Math.PI * tone) / 48_000);
  let [one, two, power] = [0, 0, 0];
  for (const sample of samples) {
    [one, two] = [sample + turn * one - two, one];
    power += sample * sample;
  }
  return { seconds: sound.duration, tone: (2 * (one * one + two * two - turn * one * two)) / (samples.length * power) };
}

for (const { name, start, must } of BROWSERS) {
  describe(name, () => {
    /** @type {import('./hub.js').Hub} */
    let hub;
    /** @type {import('./browsers.js').Browser} */
    let browser;

    before(async () => {
      hub = await startHub({ grace: 1 });
      browser = await start();
    });
    after(async () => {
      await browser?.close();
      await hub?.stop();
    });

    test('what every recorder hands out is heard in every form and recorded', async (context) => {
      const page = await browser.page();
      await page.open(hub.address);
      const types = await page.run((asked) => asked.filter((type) => MediaRecorder.isTypeSupported(type)), ASKED);
      assert.deepEqual(must.filter((type) => !types.includes(type)), [], 'this browser cannot record what it should');
      for (const [number, type] of types.entries()) {
        await context.test(type, async () => {
          const room = `recorder-${number}`;
          const heard = await page.run(speakAndHear, { room, type, tone: TONE, least: LEAST });
          for (const [as, { seconds, tone }] of Object.entries(heard)) {
            assert.ok(seconds >= LEAST && tone > MOSTLY, `as=${as}: ${seconds} s, ${tone} of it the tone`);
          }
          const recording = await ended(hub.address, room);
          assert.equal(recording.tracks.length, 1);
          const [track] = recording.tracks;
          const kind = track.parts[0].codec === 'pcm' ? 'wav' : 'ogg';
          const address = `/api/v1/recordings/${recording.id}/tracks/1.${kind}`;
          const { seconds, tone } = await page.run(hearFile, { address, tone: TONE });
          assert.ok(seconds >= LEAST && tone > MOSTLY, `${address}: ${seconds} s, ${tone} of it the tone`);
        });
      }
      assert.deepEqual(page.errors, []);
      await page.close();
    });
  });
}

/** The recording of a room, once it has ended. @param {string} address @param {string} room @returns {Promise<any>} */
async function ended(address, room) {
  const end = Date.now() + 20_000;
  for (;;) {
    const list = await (await fetch(`${address}/api/v1/recordings?room=${room}&state=ended`)).json();
    const [newest] = list.recordings;
    if (newest) return (await fetch(`${address}/api/v1/recordings/${newest.id}`)).json();
    if (Date.now() > end) throw new Error(`no recording of ${room} has ended`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
