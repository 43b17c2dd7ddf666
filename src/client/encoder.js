// A stream's sound as packets, by an AudioWorklet and WebCodecs: 20 ms each, as soon as they were said.
//
// What belongs here: the worklet, the encoder, the count of time. What does not: where the packets go. The worklet's port
// wakes the page also in a background tab, where timers sleep.

import { duration, readHead, TICKS_PER_SECOND } from './opus.js';
import { openSource } from './source.js';

/** @typedef {import('./publisher.js').Way} Way */
/** @typedef {import('./publisher.js').Sinks} Sinks */
/** @typedef {import('./opus.js').Format} Format */

/** How much sound is in a packet, in µs. */
const PACKET = 20_000;
/** For each channel, in bit/s: more than a voice needs, and music does well with it. */
const BITRATE = 64_000;
/** Blocks that wait in the encoder; past it this device is too slow, and what comes is left out. */
const MOST_IN_ENCODER = 50;

/** @implements {Way} */
export class Encoder {
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {AudioEncoder | null} */
  #encoder = null;
  /** @type {AudioWorkletNode | null} */
  #node = null;
  /** @type {Format | null} */
  #format = null;
  /** The context's count at the first frame. @type {number | null} */
  #began = null;
  /** Where the last packet ended, in ticks since then. */
  #end = 0;
  #level = 0;

  /** It needs a secure page. */
  static get supported() {
    return 'AudioEncoder' in globalThis && 'AudioWorkletNode' in globalThis;
  }

  /** @param {Sinks} sinks */
  constructor(sinks) {
    this.sinks = sinks;
  }

  /** @param {MediaStream} stream */
  async open(stream) {
    const { context, source } = openSource(stream);
    this.#context = context;
    const { sampleRate } = context;
    const channels = Math.min(stream.getAudioTracks()[0]?.getSettings().channelCount ?? 1, 2);
    const config = { codec: 'opus', sampleRate, numberOfChannels: channels, bitrate: BITRATE * channels, opus: { frameDuration: PACKET } };
    if (!(await AudioEncoder.isConfigSupported(config)).supported) throw new Error(`there is no encoder for ${JSON.stringify(config)}`);
    const encoder = new AudioEncoder({
      output: (packet, metadata) => this.#give(packet, metadata, { codec: 'opus', channels, input_rate: sampleRate }),
      error: (error) => this.sinks.error(error),
    });
    this.#encoder = encoder;
    encoder.configure(config);
    await context.audioWorklet.addModule(new URL('./capture-worklet.js', import.meta.url));
    const node = new AudioWorkletNode(context, 'roomtone-capture', {
      channelCount: channels,
      channelCountMode: 'explicit',
      outputChannelCount: [1],
      processorOptions: { frames: Math.round((sampleRate * PACKET) / 1e6), channels },
    });
    node.port.onmessage = ({ data }) => this.#take(data);
    // A node that leads nowhere is not asked for sound; its output is silent.
    source.connect(node).connect(context.destination);
    this.#node = node;
    // Where a page may not sound yet this waits for a gesture, and the microphone with it; closed meanwhile, it is refused.
    context.resume().catch(() => {});
  }

  level() {
    return this.#level;
  }

  async close() {
    if (this.#node) this.#node.port.onmessage = null;
    if (this.#encoder?.state === 'configured') await this.#encoder.flush().catch(() => {});
    if (this.#encoder && this.#encoder.state !== 'closed') this.#encoder.close();
    await this.#context?.close();
  }

  /** @param {import('./capture-worklet.js').Captured} captured */
  #take({ frame, planes }) {
    const [encoder, context, first] = [this.#encoder, this.#context, planes[0]];
    if (!first || !context || encoder?.state !== 'configured') return;
    this.#level = Math.sqrt(first.reduce((sum, sample) => sum + sample * sample, 0) / first.length);
    if (encoder.encodeQueueSize > MOST_IN_ENCODER) return;
    const { sampleRate } = context;
    this.#began ??= frame;
    const samples = new Float32Array(planes.length * first.length);
    planes.forEach((plane, channel) => samples.set(plane, channel * first.length));
    const data = new AudioData({
      format: 'f32-planar',
      sampleRate,
      numberOfChannels: planes.length,
      numberOfFrames: first.length,
      timestamp: Math.round(((frame - this.#began) * 1e6) / sampleRate),
      data: samples,
    });
    encoder.encode(data);
    data.close();
  }

  /**
   * @param {EncodedAudioChunk} packet
   * @param {EncodedAudioChunkMetadata | undefined} metadata comes with the first, and when the encoder changes
   * @param {Format} format as it was asked for
   */
  #give(packet, metadata, format) {
    const description = metadata?.decoderConfig?.description;
    if (description) this.#format = { ...format, pre_skip: readHead(bytesOf(description))?.pre_skip ?? 0 };
    this.#format ??= format;
    const data = new Uint8Array(packet.byteLength);
    packet.copyTo(data);
    this.#count(Math.round((packet.timestamp * TICKS_PER_SECOND) / 1e6), data);
  }

  /**
   * What was left out is a gap in the count; else it goes on by the packets' own durations.
   *
   * @param {number} time
   * @param {Uint8Array} data
   */
  #count(time, data) {
    const ticks = duration(data);
    if (time - this.#end >= ticks) this.#end = time;
    const begin = this.#end;
    this.#end += ticks;
    if (this.#format) this.sinks.packets({ format: this.#format, time: begin, packets: [data] });
  }
}

/** @param {AllowSharedBufferSource} source */
function bytesOf(source) {
  return ArrayBuffer.isView(source) ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength) : new Uint8Array(source);
}
