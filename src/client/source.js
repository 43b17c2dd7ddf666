// A stream's sound on an AudioContext of a rate that it can be on.

import { TICKS_PER_SECOND } from './opus.js';

/**
 * Firefox refuses a stream on a context of another rate than the stream's; then it is on one of the device's own.
 *
 * @param {MediaStream} stream
 * @returns {{ context: AudioContext, source: MediaStreamAudioSourceNode }}
 */
export function openSource(stream) {
  const context = new AudioContext({ sampleRate: TICKS_PER_SECOND, latencyHint: 'interactive' });
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch (error) {
    void context.close();
    if (!(error instanceof DOMException && error.name === 'NotSupportedError')) throw error;
    const own = new AudioContext({ latencyHint: 'interactive' });
    return { context: own, source: own.createMediaStreamSource(stream) };
  }
}
