// What the pages say when something is not as it should be: what happened, and what to do.

/** @type {Record<import('./publisher.js').Failure, string>} */
const MICROPHONE = {
  denied: 'The microphone is not allowed here. Allow it beside the page’s address, then press Talk again.',
  'no-microphone': 'No microphone was found. Plug one in, then press Talk again.',
  busy: 'The microphone does not answer; another program may be using it. Close that program, then press Talk again.',
  insecure: 'Browsers give the microphone only to secure pages. Open this hub by https, or as localhost.',
  unsupported: 'This browser cannot record Opus, so you cannot talk here. Chrome, Edge and Firefox can.',
  unplugged: 'The microphone was unplugged. Plug one in, then press Talk again.',
  'too-slow': 'Your network is too slow to send your voice. When it is better, press Talk again.',
  failed: 'The browser stopped recording. Press Talk again.',
};

/**
 * Why one cannot talk.
 *
 * @param {import('./publisher.js').Failure} why
 * @returns {string}
 */
export function microphoneSentence(why) {
  return MICROPHONE[why];
}

/**
 * Why a connection is closed.
 *
 * @param {Extract<import('./connection.js').State, { kind: 'closed' }>} state
 * @returns {string} nothing where we left ourselves
 */
export function closedSentence({ cause, code, reason }) {
  switch (cause) {
    case 'left':
      return '';
    case 'unreachable':
      return 'The hub cannot be reached, or does not let more people in. Check your network, then join again.';
    case 'lost':
      return 'The connection was lost. Check your network, then join again.';
    case 'hub':
      if (code === 1001) return 'The hub was stopped. Join again when it is back.';
      return reason ? `The hub closed the connection: ${sentence(reason)}` : `The hub closed the connection (code ${code}).`;
  }
}

/**
 * What a notice means for the one who reads it.
 *
 * @param {import('./connection.js').Notice} notice
 * @returns {string}
 */
export function noticeSentence(notice) {
  switch (notice.kind) {
    case 'lag': {
      const seconds = Math.max(1, Math.round(notice.skippedTicks / 48_000));
      return `Your network was too slow: ${seconds === 1 ? 'a second' : `${seconds} seconds`} of sound was skipped.`;
    }
    case 'health':
      if (notice.recording) return 'The recording goes on.';
      return `What is said now is not recorded. ${sentence(notice.reason ?? '')}`.trim();
    case 'warning':
    case 'error':
      return sentence(notice.message);
  }
}

/**
 * What this browser cannot do in a room.
 *
 * @param {{ listen: boolean, secure: boolean }} can
 * @returns {string} nothing where it can
 */
export function browserSentence({ listen, secure }) {
  if (listen) return '';
  if (!secure) return 'Browsers play and record rooms only on secure pages. Open this hub by https, or as localhost.';
  return 'This browser has no WebCodecs, so you will not hear the others; you can talk and write. Newer browsers have it.';
}

/** With a capital letter and a full stop. @param {string} text */
function sentence(text) {
  if (text === '') return '';
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
