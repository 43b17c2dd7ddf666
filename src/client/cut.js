// A part of a recording for a file: some of its tracks, from one moment to another. What was written becomes an address, or a
// sentence that says what is wrong with it.

import { clock } from './format.js';
import { momentOf } from './moment.js';

/** How many tracks the hub lets one name. */
const MOST_TRACKS = 30;

/**
 * @typedef {object} Written
 * @property {readonly number[]} chosen the numbers of the tracks that are wanted
 * @property {string} from as it was written; all that comes before `to` where it is empty
 * @property {string} to likewise
 * @property {string} loudness how loud it is made, in LUFS; as it was where it is empty
 *
 * @typedef {{ query: string } | { wrong: string, field: 'tracks' | 'from' | 'to' }} Cut
 */

/**
 * Reads what was written.
 *
 * @param {Written} written
 * @param {{ tracks: readonly unknown[], duration: number }} recording
 * @returns {Cut} its query is empty where it is all of the recording
 */
export function cutOf({ chosen, from, to, loudness }, { tracks, duration }) {
  const query = new URLSearchParams();
  if (chosen.length === 0) return { wrong: 'Choose at least one of them.', field: 'tracks' };
  if (chosen.length < tracks.length) {
    if (chosen.length > MOST_TRACKS) return { wrong: `Choose all of them, or at most ${MOST_TRACKS}.`, field: 'tracks' };
    query.set('tracks', chosen.join(','));
  }
  const [begin, end] = [timeOf(from), timeOf(to)];
  const how = 'Write it as 1:23, 1:02:03.5, or in seconds.';
  if (Number.isNaN(begin)) return { wrong: `“${from.trim()}” is no time. ${how}`, field: 'from' };
  if (Number.isNaN(end)) return { wrong: `“${to.trim()}” is no time. ${how}`, field: 'to' };
  if (begin !== null && begin >= duration) return { wrong: `It ends at ${clock(duration)}.`, field: 'from' };
  if (end !== null && end <= (begin ?? 0)) return { wrong: 'It has to end after it begins.', field: 'to' };
  if (begin !== null && begin > 0) query.set('from', millis(begin));
  // Whoever writes the end as it is shown means the end.
  if (end !== null && end < duration && end !== Math.floor(duration)) query.set('to', millis(end));
  if (loudness !== '') query.set('loudness', loudness);
  return { query: decodeURIComponent(query.toString()) };
}

/** A moment as one writes it again: `1:02:03.5`. @param {number} seconds */
export function written(seconds) {
  const rest = Math.round((seconds % 1) * 1000);
  if (rest === 1000) return clock(seconds + 1);
  return rest === 0 ? clock(seconds) : `${clock(seconds)}.${String(rest).padStart(3, '0').replace(/0+$/, '')}`;
}

/** @param {string} text @returns {number | null} `null` where nothing was written, `NaN` where it is no time */
function timeOf(text) {
  // Half of the world writes a comma for the point.
  const moment = text.trim().replaceAll(',', '.');
  if (moment === '') return null;
  return momentOf(`t=${encodeURIComponent(moment)}`) ?? NaN;
}

/** Seconds to the millisecond, which is what the hub takes. @param {number} seconds */
function millis(seconds) {
  return String(Math.round(seconds * 1000) / 1000);
}
