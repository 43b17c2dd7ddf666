// The dedicated Worker of a listener: packets of many tracks in, blocks of sound out to the mixer, and all that must stay in
// order with them.
//
// What belongs here: what is said to this thread and to the mixer's. What does not: how a packet is decoded (`decoding.js`),
// when it sounds (`mixer.js`).

import { Decoding } from './decoding.js';

/** Messages of a replay that wait until the mixer runs; what comes past them is lost. */
const MOST_HELD = 1000;

/**
 * @typedef {{ kind: 'mixer', port: MessagePort }
 *   | { kind: 'run', running: boolean }
 *   | { kind: 'packets', id: number, time: number, packets: Uint8Array[] }
 *   | Order} Said what the listener says
 *
 * @typedef {{ kind: 'add', id: number, channels: number, volume: number }
 *   | { kind: 'end', id: number }
 *   | { kind: 'volume', id: number, volume: number }
 *   | { kind: 'restart', from: number | null, turn: number }
 *   | { kind: 'pause', paused: boolean }} Order what the mixer hears of it
 *
 * @typedef {{ kind: 'sound', id: number, begin: number, planes: Float32Array<ArrayBuffer>[] }} Block
 */

/** @type {MessagePort | null} */
let mixer = null;
/** @type {Map<number, Decoding>} */
const decodings = new Map();
/** Whether the mixer takes sound: a context that is suspended would hear it later, and stale. */
let running = false;
/** Whether what comes is a replay, of which nothing is left out. */
let replays = false;
/** Which restart was the last that the listener asked for: the mixer's reports say it. */
let turn = 0;
/** @type {Extract<Said, { kind: 'packets' }>[]} */
let held = [];

/** @param {MessageEvent<Said>} event */
globalThis.onmessage = ({ data: said }) => {
  switch (said.kind) {
    case 'mixer':
      mixer = said.port;
      break;
    case 'run':
      run(said.running);
      break;
    case 'packets':
      take(said);
      break;
    case 'add':
      decodings.set(said.id, new Decoding(said.channels, (begin, planes) => give(said.id, begin, planes)));
      tell(said);
      break;
    case 'end':
      void end(said.id);
      break;
    case 'restart':
      replays = said.from !== null;
      turn = said.turn;
      restart(said.from);
      break;
    default:
      tell(said);
  }
};

/** @param {boolean} now */
function run(now) {
  if (now === running) return;
  running = now;
  if (!running) return;
  // A room is heard from now on, a replay from where it waited.
  if (!replays) return restart(null);
  for (const said of held.splice(0)) take(said);
}

/** @param {Extract<Said, { kind: 'packets' }>} said */
function take(said) {
  if (running) decodings.get(said.id)?.decode(said.time, said.packets);
  else if (replays && held.length < MOST_HELD) held.push(said);
}

/** @param {number | null} from */
function restart(from) {
  held = [];
  for (const decoding of decodings.values()) decoding.drop();
  tell({ kind: 'restart', from, turn });
}

/** The last words are still in the decoder when the hub says that the track has ended. @param {number} id */
async function end(id) {
  const decoding = decodings.get(id);
  decodings.delete(id);
  await decoding?.end();
  tell({ kind: 'end', id });
}

/** @param {number} id @param {number} begin @param {Float32Array<ArrayBuffer>[]} planes */
function give(id, begin, planes) {
  /** @type {Block} */
  const block = { kind: 'sound', id, begin, planes };
  mixer?.postMessage(block, planes.map(({ buffer }) => buffer));
}

/** @param {Order} order */
function tell(order) {
  mixer?.postMessage(order);
}
