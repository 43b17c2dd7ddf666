// What was written and marked, and who came and went, in the order of the session's clock.
//
// What belongs here: lines and their places. What does not: elements of a page.

/** Who came this early was there from the start, and who left this late stayed to the end, in seconds. */
const NO_NEWS = 1;

/**
 * @typedef {object} Line
 * @property {number} at seconds from the session's start
 * @property {'chat' | 'joined' | 'left' | 'marker'} kind
 * @property {string | null} name whose it is; of a marker not always known
 * @property {string} text what was written, also on a marker; nothing where someone came or went
 *
 * @typedef {object} Happened what a recording says of it
 * @property {{ at: number, name: string, text: string }[]} chat
 * @property {{ name: string, joined: number, left: number | null }[]} [attendance]
 * @property {{ at: number, name: string | null, text: string }[]} [markers]
 * @property {number} duration seconds
 */

/**
 * All lines of a recording, in time; of the same moment, who comes is before what they write, and who goes after it. Who
 * was there from the start, and who stayed to the end, is no news.
 *
 * @param {Happened} recording
 * @returns {Line[]}
 */
export function linesOf({ chat, attendance = [], markers = [], duration }) {
  /** @type {Line[]} */
  const lines = [];
  for (const { name, joined } of attendance) {
    if (joined >= NO_NEWS) lines.push({ at: joined, kind: 'joined', name, text: '' });
  }
  // What is marked is heard after its marker.
  for (const { at, name, text } of markers) lines.push({ at, kind: 'marker', name, text });
  for (const { at, name, text } of chat) lines.push({ at, kind: 'chat', name, text });
  for (const { name, left } of attendance) {
    if (left !== null && left < duration - NO_NEWS) lines.push({ at: left, kind: 'left', name, text: '' });
  }
  // Sorting is stable: those of one moment stay in this order.
  return lines.sort((one, other) => one.at - other.at);
}

/**
 * The last line that has come by a moment.
 *
 * @param {readonly { at: number }[]} lines in time
 * @param {number} position seconds
 * @returns {number} its index; −1 before the first
 */
export function lastBy(lines, position) {
  let [low, high] = [0, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((lines[middle]?.at ?? Infinity) <= position) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
