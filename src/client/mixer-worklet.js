// The AudioWorklet of a listener: the mixer on the thread that plays.
//
// What belongs here: the port to the decoder's thread, the report to the page's. What does not: sound (`mixer.js`).

import { Mixer } from './mixer.js';

/** Frames between two reports: 20 a second. */
const REPORT_EVERY = 2400;

/** What TypeScript does not know of an AudioWorkletGlobalScope. @type {any} */
const scope = globalThis;

/**
 * @typedef {object} Report how the tracks fare
 * @property {import('./mixer.js').Fare[]} sounds
 * @property {number | null} position session time that is heard, in ticks
 * @property {number} turn after which restart
 */

class MixerProcessor extends scope.AudioWorkletProcessor {
  #mixer = new Mixer(scope.sampleRate, scope.currentFrame);
  #reported = 0;
  #turn = 0;

  constructor() {
    super();
    /** @param {MessageEvent<MessagePort>} event */
    this.port.onmessage = ({ data: decoder }) => {
      decoder.onmessage = ({ data }) => this.#take(data);
    };
  }

  /** @param {import('./decoder-worker.js').Order | import('./decoder-worker.js').Block} said */
  #take(said) {
    switch (said.kind) {
      case 'sound':
        return this.#mixer.take(said.id, said.begin, said.planes);
      case 'add':
        return this.#mixer.add(said.id, said.volume);
      case 'end':
        return this.#mixer.end(said.id);
      case 'volume':
        return this.#mixer.setVolume(said.id, said.volume);
      case 'restart':
        this.#turn = said.turn;
        return this.#mixer.restart(said.from);
      case 'pause':
        return this.#mixer.pause(said.paused);
    }
  }

  /** @param {Report} report */
  #tell(report) {
    this.port.postMessage(report);
  }

  /**
   * @param {Float32Array[][]} _inputs
   * @param {Float32Array[][]} outputs
   */
  process(_inputs, outputs) {
    this.#mixer.render(outputs[0] ?? [], scope.currentFrame);
    if (scope.currentFrame - this.#reported >= REPORT_EVERY) {
      this.#reported = scope.currentFrame;
      this.#tell({ sounds: this.#mixer.report(), position: this.#mixer.position, turn: this.#turn });
    }
    return true;
  }
}

scope.registerProcessor('roomtone-mixer', MixerProcessor);
