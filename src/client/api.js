// The hub's REST interface, as far as the pages need it.

/**
 * @typedef {{ href: string, bytes: number | null }} MadeFile `null` is not made yet
 * @typedef {{ href: string, dat: string, made: boolean }} Waveform JSON, and the same in binary; until it is made, so far
 */

/**
 * @typedef {import('./connection.js').Participant} Participant
 *
 * @typedef {object} LiveRoom
 * @property {string} name
 * @property {Participant[]} participants
 * @property {number} listeners
 * @property {import('./connection.js').Track[]} tracks
 * @property {{ recording: string, elapsed: number } | null} session
 *
 * @typedef {object} Recording
 * @property {string} id
 * @property {string} room
 * @property {string | null} title
 * @property {boolean} published whether it is in its room's podcast feed
 * @property {string} started RFC 3339
 * @property {string | null} ended RFC 3339
 * @property {'live' | 'grace' | 'pending' | 'ended'} state
 * @property {string | null} end_reason
 * @property {number} duration seconds
 * @property {number} bytes
 * @property {string[]} people names
 * @property {number} tracks how many
 *
 * @typedef {{ recordings: Recording[], next: string | null }} RecordingsPage `next` is where older ones begin
 *
 * @typedef {object} RecordedTrack
 * @property {number} number
 * @property {string} participant whose it is
 * @property {string} name
 * @property {number} start seconds
 * @property {number} duration seconds
 * @property {number} bytes
 * @property {{ at: number, duration: number, cause: string }[]} gaps seconds from the session's start
 * @property {{ number: number, codec: string, source: string, href: string, bytes: number }[]} parts its files, as they are kept
 * @property {'ogg' | 'wav' | null} kept which of its files is what is kept; `null` where its parts are of different kinds
 * @property {{ ogg: string, wav: string, webm: string, flac: string, waveform: string, waveform_dat: string }} files addresses
 * @property {{ ogg: number | null, wav: number | null, webm: number | null, flac: number | null }} sizes bytes; `null` is not made yet
 * @property {boolean} damaged whether some of it could not be read for what is made from it
 *
 * @typedef {object} InFull what only one recording by itself says
 * @property {RecordedTrack[]} tracks
 * @property {{ at: number, participant: string, name: string, text: string }[]} chat
 * @property {{ participant: string, name: string, joined: number, left: number | null }[]} attendance seconds
 * @property {import('./connection.js').Marker[]} markers in the order of their places
 * @property {{ session: MadeFile, mix: { ogg: MadeFile, webm: MadeFile, wav: MadeFile, flac: MadeFile }, tracks: MadeFile, waveform: Waveform }} files
 *
 * @typedef {Omit<Recording, 'tracks'> & InFull} RecordingInFull
 */

/** An answer that is none: the hub's problem (RFC 9457), or no hub. */
export class ApiError extends Error {
  /**
   * @param {number} status 0 where there was no answer
   * @param {string} message a sentence
   */
  constructor(status, message) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
  }
}

/** @returns {Promise<LiveRoom[]>} */
export async function liveRooms() {
  return (await get('/api/v1/rooms')).rooms;
}

/**
 * A page of recordings, newest first.
 *
 * @param {{ limit: number, search?: string, cursor?: string | null }} what `cursor` is what the page before gave as `next`
 * @returns {Promise<RecordingsPage>}
 */
export async function recordings({ limit, search, cursor }) {
  const query = new URLSearchParams({ limit: String(limit) });
  if (search) query.set('search', search);
  if (cursor) query.set('cursor', cursor);
  return get(`/api/v1/recordings?${query}`);
}

/**
 * One recording with its tracks.
 *
 * @param {string} id
 * @returns {Promise<RecordingInFull>}
 */
export async function recording(id) {
  return get(`/api/v1/recordings/${encodeURIComponent(id)}`);
}

/**
 * Gives a recording a title, or none.
 *
 * @param {string} id
 * @param {string | null} title
 * @returns {Promise<RecordingInFull>} as it is then
 */
export async function entitle(id, title) {
  return tell('PATCH', `/api/v1/recordings/${encodeURIComponent(id)}`, { title });
}

/**
 * Publishes a recording in its room's podcast feed, or withdraws it.
 *
 * @param {string} id
 * @param {boolean} published
 * @returns {Promise<RecordingInFull>} as it is then
 */
export async function publish(id, published) {
  return tell('PATCH', `/api/v1/recordings/${encodeURIComponent(id)}`, { published });
}

/**
 * Sets a marker in a recording.
 *
 * @param {string} id the recording's
 * @param {{ at: number, text: string }} marker seconds from its start
 * @returns {Promise<import('./connection.js').Marker>}
 */
export async function mark(id, marker) {
  return tell('POST', markers(id), marker);
}

/**
 * Writes something else on a marker.
 *
 * @param {string} id the recording's
 * @param {string} marker the marker's
 * @param {string} text
 */
export async function remark(id, marker, text) {
  await tell('PATCH', `${markers(id)}/${encodeURIComponent(marker)}`, { text });
}

/**
 * Takes a marker away.
 *
 * @param {string} id the recording's
 * @param {string} marker the marker's
 */
export async function unmark(id, marker) {
  await ask(`${markers(id)}/${encodeURIComponent(marker)}`, { method: 'DELETE' });
}

/** @param {string} id the recording's */
function markers(id) {
  return `/api/v1/recordings/${encodeURIComponent(id)}/markers`;
}

/**
 * Deletes a recording for good.
 *
 * @param {string} id
 */
export async function remove(id) {
  await ask(`/api/v1/recordings/${encodeURIComponent(id)}`, { method: 'DELETE' });
}

/**
 * @param {string} path
 * @returns {Promise<any>}
 */
async function get(path) {
  return ask(path, { headers: { accept: 'application/json' } });
}

/**
 * @param {'POST' | 'PATCH'} method
 * @param {string} path
 * @param {object} body
 * @returns {Promise<any>}
 */
async function tell(method, path, body) {
  const headers = { accept: 'application/json', 'content-type': 'application/json' };
  return ask(path, { method, headers, body: JSON.stringify(body) });
}

/**
 * @param {string} path
 * @param {RequestInit} request
 * @returns {Promise<any>} nothing where there is no content
 */
async function ask(path, request) {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new ApiError(0, 'The hub cannot be reached.');
  }
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new ApiError(response.status, body?.detail ?? body?.title ?? `The hub answered ${response.status}.`);
  if (body === null && response.status !== 204) throw new ApiError(response.status, 'The hub’s answer cannot be read.');
  return body;
}
