// A stream's sound as packets where there is no encoder for them: MediaRecorder's WebM, taken apart here.
//
// What belongs here: the recorder, the order of its pieces, the count of their time. What does not: the demuxer; where
// the packets go.

import { Level } from './level.js';
import { openSource } from './source.js';
import { Demuxer } from './webm-demux.js';

/** @typedef {import('./publisher.js').Way} Way */
/** @typedef {import('./publisher.js').Run} Run */
/** @typedef {import('./publisher.js').Sinks} Sinks */

/** What the recorder is asked for: both Chromium and Firefox have it. */
const TYPE = 'audio/webm;codecs=opus';
/** How much sound the recorder gives at a time, in ms; a recorder rounds it up to whole packets. */
const TIMESLICE = 20;
/** A time of the recorder's that runs this far ahead of the count is a gap; below it wobbles. In ticks. */
const JUMP = 3840;

/** @implements {Way} */
export class Recorder {
  /** @type {MediaRecorder | null} */
  #recorder = null;
  /** @type {{ context: AudioContext, level: Level } | null} */
  #meter = null;
  #packets = new Timed();
  /** Ends when the last piece is read. @type {Promise<void>} */
  #tail = Promise.resolve();

  static get supported() {
    return 'MediaRecorder' in globalThis && MediaRecorder.isTypeSupported(TYPE);
  }

  /** @param {Sinks} sinks */
  constructor(sinks) {
    this.sinks = sinks;
  }

  /** @param {MediaStream} stream */
  async open(stream) {
    const recorder = new MediaRecorder(stream, { mimeType: TYPE });
    recorder.ondataavailable = ({ data }) => this.#take(data);
    recorder.onerror = (event) => this.sinks.error(event);
    recorder.start(TIMESLICE);
    this.#recorder = recorder;
    const { context, source } = openSource(stream);
    this.#meter = { context, level: new Level(source) };
  }

  level() {
    return this.#meter?.level.rms() ?? 0;
  }

  async close() {
    const recorder = this.#recorder;
    void this.#meter?.context.close();
    if (recorder && recorder.state !== 'inactive') {
      recorder.onerror = null;
      // The last piece comes before `stop`.
      const stopped = new Promise((resolve) => recorder.addEventListener('stop', resolve, { once: true }));
      recorder.stop();
      await stopped;
    }
    await this.#tail;
  }

  /**
   * Reading a Blob takes a moment, not always the same: each piece waits for the one before it.
   *
   * @param {Blob} piece
   */
  #take(piece) {
    this.#tail = this.#tail
      .then(() => piece.arrayBuffer())
      .then((bytes) => {
        for (const run of this.#packets.take(new Uint8Array(bytes))) this.sinks.packets(run);
      })
      // A piece that is lost breaks the stream: the container has no way to go on.
      .catch((error) => this.sinks.error(error));
  }
}

/** The stream's packets on one count of time: browsers' own times wobble by 10 ms and more around it. */
export class Timed {
  #demuxer = new Demuxer();
  /** @type {import('./opus.js').Format | null} */
  #format = null;
  /** Where the next packet begins by the count; none before the first. @type {number | null} */
  #next = null;

  /** @param {Uint8Array} bytes the next of the stream @returns {Run[]} */
  take(bytes) {
    /** @type {Run[]} */
    const runs = [];
    for (const event of this.#demuxer.push(bytes)) {
      if (event.kind === 'head') {
        this.#format = event.format;
        continue;
      }
      if (!this.#format) continue;
      const { time, duration, data } = event;
      const run = runs.at(-1);
      const goesOn = this.#next !== null && time < this.#next + JUMP;
      if (this.#next === null || !goesOn) this.#next = time;
      if (run && goesOn) run.packets.push(data);
      else runs.push({ format: this.#format, time: this.#next, packets: [data] });
      this.#next += duration;
    }
    return runs;
  }
}
