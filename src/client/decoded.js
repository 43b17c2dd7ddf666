// What a listener hears, by WebCodecs: a Worker that decodes and an AudioWorklet that mixes.
//
// What belongs here: both threads and what they are told. What does not: tracks and participants (`listener.js`).

import { TICKS_PER_SECOND } from './opus.js';

/** @typedef {import('./listener.js').Way} Way */

/** @implements {Way} */
export class Decoded {
  #worker = new Worker(new URL('./decoder-worker.js', import.meta.url), { type: 'module' });
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {import('./mixer-worklet.js').Report} */
  #report = { sounds: [], position: null, turn: 0 };
  #closed = false;
  #run = () => this.#say({ kind: 'run', running: this.#node !== null && this.context.state === 'running' });

  /** It needs a secure page. */
  static get supported() {
    return 'AudioDecoder' in globalThis && 'AudioWorkletNode' in globalThis && 'Worker' in globalThis;
  }

  /**
   * @param {AudioContext} context
   * @param {AudioNode} output
   */
  constructor(context, output) {
    this.context = context;
    context.addEventListener('statechange', this.#run);
    void this.#start(output).catch((error) => console.error('Nothing can be heard: the mixer does not start.', error));
  }

  /** @param {AudioNode} output */
  async #start(output) {
    const { port1, port2 } = new MessageChannel();
    this.#worker.postMessage({ kind: 'mixer', port: port1 }, [port1]);
    await this.context.audioWorklet.addModule(new URL('./mixer-worklet.js', import.meta.url));
    if (this.#closed) return;
    const node = new AudioWorkletNode(this.context, 'roomtone-mixer', { numberOfInputs: 0, outputChannelCount: [2] });
    node.port.onmessage = ({ data }) => {
      // What is said of the place before is no news any more.
      if (data.turn === this.#report.turn) this.#report = data;
    };
    node.port.postMessage(port2, [port2]);
    node.connect(output);
    this.#node = node;
    this.#run();
  }

  /** @param {import('./decoder-worker.js').Said} said */
  #say(said) {
    this.#worker.postMessage(said);
  }

  /** @param {number} id @param {import('./opus.js').Format} format @param {number} volume */
  add(id, { channels }, volume) {
    this.#say({ kind: 'add', id, channels, volume });
  }

  /** @param {number} id */
  end(id) {
    this.#say({ kind: 'end', id });
  }

  /** @param {number} id @param {import('./packets.js').Packets} message */
  take(id, { time, packets }) {
    this.#say({ kind: 'packets', id, time, packets });
  }

  /** @param {number} id @param {number} volume */
  setVolume(id, volume) {
    this.#say({ kind: 'volume', id, volume });
  }

  /** @param {number} from */
  restart(from) {
    const turn = this.#report.turn + 1;
    this.#report = { sounds: [], position: null, turn };
    this.#say({ kind: 'restart', from, turn });
  }

  /** @param {boolean} paused */
  pause(paused) {
    this.#say({ kind: 'pause', paused });
  }

  /** @param {number} id */
  level(id) {
    return this.#report.sounds.find((sound) => sound.id === id)?.level ?? 0;
  }

  position() {
    const { position } = this.#report;
    return position === null ? null : position / TICKS_PER_SECOND;
  }

  close() {
    this.#closed = true;
    this.context.removeEventListener('statechange', this.#run);
    this.#worker.terminate();
    this.#node?.disconnect();
  }
}
