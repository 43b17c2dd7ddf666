// What the pages say: how things are, and when something is not as it should be, what happened and what to do.

import { count } from './format.js';

/** So many people are named; of more, how many there are. */
const MOST_NAMES = 5;

/** @type {Record<import('./publisher.js').Failure, string>} */
const MICROPHONE = {
  denied: 'The microphone is not allowed here. Allow it beside the page’s address, then try again.',
  'no-microphone': 'No microphone was found. Plug one in, then try again.',
  busy: 'The microphone does not answer; another program may be using it. Close that program, then try again.',
  insecure: 'Browsers give the microphone only to secure pages. Open this hub by https, or as localhost.',
  unsupported: 'This browser cannot record Opus, so you cannot talk here. Chrome, Edge and Firefox can.',
  unplugged: 'The microphone was unplugged. Plug one in, then try again.',
  'too-slow': 'Your network is too slow to send your voice. Try again when it is better.',
  failed: 'The browser stopped the microphone. Try again.',
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
 * What it means that the connection is lost and comes back by itself.
 *
 * @param {import('./publisher.js').State | null} voice null where one only listens
 * @returns {string}
 */
export function lostSentence(voice) {
  return voice?.kind === 'talking' && !voice.muted ? 'The connection was lost: nobody hears you.' : 'The connection was lost.';
}

/**
 * How long it takes until the connection is tried again.
 *
 * @param {number} ms from now; past 0 it is being tried
 * @returns {string}
 */
export function retrySentence(ms) {
  return ms > 0 ? `Trying again in ${Math.ceil(ms / 1000)} s.` : 'Trying again now …';
}

/**
 * Who is in a room that one is not in.
 *
 * @param {Pick<import('./api.js').LiveRoom, 'participants' | 'listeners' | 'session'> | null} room null where nobody is
 * @returns {string}
 */
export function presenceSentence(room) {
  const names = (room?.participants ?? []).map(({ name }) => name).sort((one, other) => one.localeCompare(other));
  if (names.length > MOST_NAMES) names.splice(MOST_NAMES - 1, Infinity, `${names.length - MOST_NAMES + 1} more`);
  const listeners = room?.listeners ?? 0;
  if (listeners > 0) names.push(count(listeners, 'listener'));
  if (names.length === 0) return 'Nobody is here yet. Come in, and send the link to the others.';
  const last = names.pop() ?? '';
  const all = names.length > 0 ? `${names.join(', ')} and ${last}` : last;
  return `${all}.${room?.session ? ' It is being recorded.' : ''}`;
}

/**
 * The title of the room's page, which says in the list of windows what goes on.
 *
 * @param {{ room: string, away: boolean, voice: import('./publisher.js').State | null, recording: boolean, unread: number }} what
 *   `away` is while the connection is lost; no `voice` is before joining
 * @returns {string}
 */
export function roomTitle({ room, away, voice, recording, unread }) {
  const talking = voice?.kind === 'talking' ? (voice.muted ? 'Muted' : 'Talking') : '';
  const states = [away ? 'Reconnecting' : talking, recording && !away ? 'Recording' : ''].filter(Boolean);
  const state = states.length > 0 ? `${states.join(', ')} · ` : '';
  return `${unread > 0 ? `(${unread}) ` : ''}${state}${room} – roomtone`;
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
  const open = 'Open this hub by https, or as localhost';
  if (listen && secure) return '';
  if (listen) return `Here you can listen and write. ${open}, to talk: browsers give the microphone only to secure pages.`;
  if (!secure) return `Browsers play and record rooms only on secure pages. ${open}.`;
  return 'This browser cannot play the room, so you will not hear the others; you can talk and write. Newer browsers can.';
}

/**
 * Why a recording ended, where that is not the usual.
 *
 * @param {string | null} reason
 * @returns {string}
 */
export function endWord(reason) {
  switch (reason) {
    case 'crashed':
      return 'Ended by a crash';
    case 'disk_full':
      return 'Ended: disk full';
    case 'io_error':
      return 'Ended: disk error';
    default:
      return '';
  }
}

/**
 * What keeps a recording from being played, and what to do.
 *
 * @param {import('./replay-player.js').State} state
 * @param {boolean} can whether this browser can play
 * @param {boolean} secure whether the page is
 * @returns {string} nothing where all is well
 */
export function replaySentence(state, can, secure) {
  if (!can && !secure) return 'Browsers play recordings here only on secure pages. Open this hub by https, or as localhost; or download the files below.';
  if (!can) return 'This browser cannot play recordings here. Newer ones can; or download the files below.';
  if (state.kind !== 'closed') return '';
  switch (state.how.cause) {
    case 'left':
      return '';
    case 'unreachable':
      return 'The hub cannot be reached. Check your network, then press Play.';
    case 'lost':
      return 'The connection was lost. Check your network, then press Play.';
    case 'hub':
      if (state.how.code === 1001) return 'The hub was stopped. Press Play when it is back.';
      return `The hub closed the connection${state.how.reason ? `: ${sentence(state.how.reason)}` : '.'} Press Play to try again.`;
  }
}

/** With a capital letter and a full stop. @param {string} text */
function sentence(text) {
  if (text === '') return '';
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
