// The microphones of this device: which there are, and the sound of one (Media Capture and Streams).
//
// What belongs here: asking the browser, and saying why it refuses. What does not: what is done with the sound.

/**
 * @typedef {'denied' | 'no-microphone' | 'busy' | 'insecure' | 'unsupported' | 'failed'} Failure
 *
 * @typedef {object} Wish
 * @property {string} [deviceId] as `microphones` gives it; else the browser's own choice
 * @property {boolean} [echoCancellation]
 * @property {boolean} [noiseSuppression]
 * @property {boolean} [autoGainControl]
 */

/** Why there is no microphone. */
export class MicrophoneError extends Error {
  /**
   * @param {Failure} why
   * @param {unknown} [cause]
   */
  constructor(why, cause) {
    super(`there is no microphone: ${why}`, { cause });
    this.name = 'MicrophoneError';
    this.why = why;
  }
}

/**
 * Asks for a microphone; the person may be asked too.
 *
 * @param {Wish} [wish]
 * @returns {Promise<MediaStream>}
 * @throws {MicrophoneError}
 */
export async function openMicrophone({ deviceId, echoCancellation = true, noiseSuppression = true, autoGainControl = true } = {}) {
  if (!globalThis.isSecureContext) throw new MicrophoneError('insecure');
  if (!navigator.mediaDevices) throw new MicrophoneError('unsupported');
  /** @type {MediaTrackConstraints} */
  const audio = { echoCancellation, noiseSuppression, autoGainControl };
  if (deviceId) audio.deviceId = { exact: deviceId };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio });
  } catch (error) {
    throw new MicrophoneError(failureOf(error), error);
  }
}

/**
 * The microphones that there are. Before one was allowed a browser may keep their names, or all of them, to itself.
 *
 * @returns {Promise<{ deviceId: string, label: string }[]>}
 */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind }) => kind === 'audioinput').map(({ deviceId, label }) => ({ deviceId, label }));
}

/**
 * Calls the listener when a device was plugged in or out.
 *
 * @param {() => void} listener
 * @returns {() => void} takes the listener away again
 */
export function onMicrophonesChange(listener) {
  const devices = navigator.mediaDevices;
  devices?.addEventListener('devicechange', listener);
  return () => devices?.removeEventListener('devicechange', listener);
}

/**
 * What `getUserMedia` says (Media Capture and Streams §10.2).
 *
 * @param {unknown} error
 * @returns {Failure}
 */
function failureOf(error) {
  switch (error instanceof DOMException ? error.name : '') {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'no-microphone';
    case 'NotReadableError':
    case 'AbortError':
      return 'busy';
    default:
      return 'failed';
  }
}
