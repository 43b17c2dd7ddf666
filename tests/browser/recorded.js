// Recordings for the tests: what is said in a room in real time, by ffmpeg over the plain protocol, until the session is over.

import { spawn } from 'node:child_process';
import { once } from 'node:events';

import WebSocket from 'ws';

/** How long a session may take to begin, and to end after its last sound, in ms. */
const PATIENCE = 20_000;

/** @typedef {import('../../src/client/api.js').RecordingInFull} RecordingInFull */

/**
 * Someone who speaks.
 *
 * @typedef {object} Speaker
 * @property {string} name
 * @property {string} sound an expression of ffmpeg's `aevalsrc`, over `t` in seconds
 * @property {number} seconds
 * @property {number} [after] how long they wait before, in seconds
 * @property {[number, string][]} [lines] what they write, and how many seconds after their sound began
 */

/** How high the sweep is, in Hz, so many seconds after it began. @param {number} seconds */
export const pitchAt = (seconds) => 300 + 100 * seconds;
/** A tone whose pitch tells where one is. */
export const SWEEP = '0.4*sin(2*PI*(300*t+50*t*t))';

/** @param {number} hertz */
export const tone = (hertz) => `0.2*sin(2*PI*${hertz}*t)`;

/**
 * Lets people speak in a room.
 *
 * @param {import('./hub.js').Hub} hub
 * @param {string} room
 * @param {...Speaker} speakers
 */
export async function speak(hub, room, ...speakers) {
  await Promise.all(speakers.map((speaker) => say(hub, room, speaker)));
}

/**
 * Lets people speak, and waits until their session is over.
 *
 * @param {import('./hub.js').Hub} hub one with a short grace
 * @param {string} room
 * @param {...Speaker} speakers
 * @returns {Promise<RecordingInFull>}
 */
export async function record(hub, room, ...speakers) {
  await speak(hub, room, ...speakers);
  for (const end = Date.now() + PATIENCE; ; ) {
    const recording = await newest(hub, room);
    if (recording?.state === 'ended') return recording;
    if (Date.now() > end) throw new Error(`the session of ${room} does not end: ${JSON.stringify(recording)}`);
    await sleep(200);
  }
}

/**
 * The recording of a room that is being made, once there is enough of it.
 *
 * @param {import('./hub.js').Hub} hub
 * @param {string} room
 * @param {number} seconds
 * @returns {Promise<RecordingInFull>}
 */
export async function begun(hub, room, seconds) {
  for (const end = Date.now() + PATIENCE; ; ) {
    const recording = await newest(hub, room);
    if (recording && recording.duration > seconds) return recording;
    if (Date.now() > end) throw new Error(`the session of ${room} does not begin: ${JSON.stringify(recording)}`);
    await sleep(200);
  }
}

/**
 * The newest recording of a room.
 *
 * @param {import('./hub.js').Hub} hub
 * @param {string} room
 * @returns {Promise<RecordingInFull | null>}
 */
export async function newest(hub, room) {
  const { recordings } = await (await fetch(`${hub.address}/api/v1/recordings?room=${room}&limit=1`)).json();
  if (recordings.length === 0) return null;
  return (await fetch(`${hub.address}/api/v1/recordings/${recordings[0].id}`)).json();
}

/**
 * @param {import('./hub.js').Hub} hub
 * @param {string} room
 * @param {Speaker} speaker
 */
async function say(hub, room, { name, sound, seconds, after = 0, lines = [] }) {
  await sleep(after * 1000);
  const socket = new WebSocket(`${hub.address.replace('http', 'ws')}/rooms/${room}/ws?name=${encodeURIComponent(name)}`);
  await once(socket, 'open');
  // A comma would begin the next filter.
  const source = ['-re', '-f', 'lavfi', '-i', `aevalsrc=${sound.replaceAll(',', '\\,')}:s=48000:d=${seconds}`];
  const output = ['-c:a', 'libopus', '-b:a', '96k', '-f', 'webm', '-cluster_time_limit', '100', '-flush_packets', '1', '-'];
  const ffmpeg = spawn('ffmpeg', ['-loglevel', 'error', ...source, ...output], { stdio: ['ignore', 'pipe', 'inherit'] });
  let first = true;
  for await (const bytes of ffmpeg.stdout) {
    socket.send(bytes);
    if (!first) continue;
    first = false;
    for (const [at, text] of lines) setTimeout(() => socket.send(text), at * 1000);
  }
  if (first) throw new Error(`ffmpeg makes no sound of ${sound}`);
  socket.close();
  await once(socket, 'close');
}

/** @param {number} ms @returns {Promise<void>} */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A short talk of three in the kitchen, with chat, one of whom speaks twice. @param {import('./hub.js').Hub} hub */
export function kitchenTalk(hub) {
  const swell = (/** @type {number} */ hertz) => `0.5*pow(sin(PI*t*0.7),2)*sin(2*PI*${hertz}*t)`;
  return record(
    hub,
    'kitchen',
    { name: 'Ann', sound: `0.4*(0.3+0.7*pow(sin(PI*t),2))*${SWEEP}`, seconds: 8, lines: [[1, 'Shall we begin? I have put the kettle on.'], [4, 'One moment …'], [6, 'Thank you all.']] },
    { name: 'Ben with a rather long name, as people have', sound: swell(500), seconds: 5, after: 1.5, lines: [[1, 'Hello!']] },
    { name: 'Cem', sound: swell(800), seconds: 2, after: 1 },
    { name: 'Cem', sound: swell(900), seconds: 2, after: 5 },
  );
}
