// A stream's sound on an AudioContext of a rate that it can be on.

import { TICKS_PER_SECOND } from './opus.js';

/**
 * The stream's own rate is the best; where it is not told, the device's mostly is the same. Some browsers refuse a stream
 * on a context of another rate.
 *
 * @param {MediaStream} stream
 * @returns {{ context: AudioContext, source: MediaStreamAudioSourceNode }}
 */
export function openSource(stream) {
  const own = stream.getAudioTracks()[0]?.getSettings().sampleRate;
  let refused;
  for (const sampleRate of own ? [own, undefined] : [undefined, TICKS_PER_SECOND]) {
    const context = new AudioContext({ latencyHint: 'interactive', ...(sampleRate && { sampleRate }) });
    try {
      return { context, source: context.createMediaStreamSource(stream) };
    } catch (error) {
      refused = error;
      void context.close();
    }
  }
  throw refused;
}
