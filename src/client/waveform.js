// Waveforms: peaks to columns of pixels, and columns to a canvas.
//
// What belongs here: audiowaveform's JSON (version 2, github.com/bbc/audiowaveform, doc/DataFormat.md), arithmetic over
// it, drawing. What does not: fetching, layout.

/**
 * @typedef {object} Peaks a track's sound, coarsely
 * @property {number} seconds how long one pair stands for
 * @property {number} from where the first begins, in seconds from the session's start
 * @property {Float32Array} data minimum and maximum of each, −1 to 1, one pair after the other
 *
 * @typedef {object} Span a part of the session, in seconds
 * @property {number} from
 * @property {number} to
 *
 * @typedef {object} Lane where a track has sound, and where it has a gap
 * @property {Span[]} sound
 * @property {Span[]} gaps
 */

/** The waveform of a whisper is not blown up to fill its lane: a peak of this, or a louder one, fills it. */
const FAINTEST = 0.1;
/** Rows above and below of a track that sounds and is silent, so that it is seen where it is, in CSS pixels. */
const THINNEST = 1;

/**
 * Reads audiowaveform's JSON.
 *
 * @param {any} json
 * @returns {Peaks | null} `null` where it is none of version 2 with one channel
 */
export function peaksOf(json) {
  const { version, channels = 1, sample_rate, samples_per_pixel, bits, data } = json ?? {};
  const known = version === 2 && channels === 1 && (bits === 8 || bits === 16);
  if (!known || !(sample_rate > 0) || !(samples_per_pixel > 0) || !Array.isArray(data)) return null;
  return { seconds: samples_per_pixel / sample_rate, from: 0, data: Float32Array.from(data, (value) => value / 2 ** (bits - 1)) };
}

/**
 * Peaks as columns of a picture of a part of the session: minimum and maximum of each, one pair after the other. A column takes all
 * peaks that it covers, so that no short sound is lost, and at least one.
 *
 * @param {Peaks} peaks
 * @param {Span} span the part
 * @param {number} count how many columns
 * @returns {Float32Array} twice as many numbers
 */
export function columns({ seconds, from, data }, span, count) {
  const found = new Float32Array(2 * count);
  const pairs = data.length >> 1;
  const begin = (span.from - from) / seconds;
  const each = (span.to - span.from) / seconds / count;
  for (let column = 0; column < count; column += 1) {
    const first = Math.floor(begin + column * each);
    const end = Math.min(pairs, Math.max(first + 1, Math.floor(begin + (column + 1) * each)));
    let [low, high] = [0, 0];
    for (let pair = Math.max(0, first); pair < end; pair += 1) {
      low = Math.min(low, data[2 * pair] ?? 0);
      high = Math.max(high, data[2 * pair + 1] ?? 0);
    }
    found[2 * column] = low;
    found[2 * column + 1] = high;
  }
  return found;
}

/**
 * The peak that fills a lane: the same for all tracks of a recording, so that who is louder looks it.
 *
 * @param {Iterable<Peaks>} all
 * @returns {number}
 */
export function loudest(all) {
  let most = FAINTEST;
  for (const { data } of all) for (const value of data) most = Math.max(most, Math.abs(value));
  return most;
}

/**
 * Where a track has sound and where it has none though it is there.
 *
 * @param {{ start: number, duration: number, gaps: { at: number, duration: number }[] }} track
 * @returns {Lane}
 */
export function laneOf({ start, duration, gaps }) {
  const end = start + duration;
  const inside = gaps.map(({ at, duration: length }) => ({ from: Math.max(at, start), to: Math.min(at + length, end) }));
  const real = inside.filter(({ from, to }) => to > from).sort((one, other) => one.from - other.from);
  /** @type {Span[]} */
  const sound = [];
  let at = start;
  for (const { from, to } of real) {
    if (from > at) sound.push({ from: at, to: from });
    at = Math.max(at, to);
  }
  if (end > at) sound.push({ from: at, to: end });
  return { sound, gaps: real };
}

/**
 * Draws a lane, in device pixels, in the canvas's own `color`; its gaps as a dotted line.
 *
 * @param {HTMLCanvasElement} canvas as large as its layout makes it
 * @param {object} what
 * @param {Peaks | null} what.peaks without them the lane is a plain bar
 * @param {Lane} what.lane
 * @param {Span} what.span the part of the session that it shows
 * @param {number} what.full the peak that fills the lane
 */
export function draw(canvas, { peaks, lane, span, full }) {
  const ratio = globalThis.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  const context = canvas.getContext('2d');
  const length = span.to - span.from;
  if (!context || width === 0 || height === 0 || !(length > 0)) return;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(canvas).color;

  const place = (/** @type {number} */ seconds) => Math.min(width, Math.max(0, Math.round(((seconds - span.from) / length) * width)));
  const middle = height / 2;
  const thin = Math.max(1, Math.round(THINNEST * ratio));
  const found = peaks && columns(peaks, span, width);
  for (const { from, to } of lane.sound) {
    if (to < span.from || from > span.to) continue;
    const [left, right] = [place(from), Math.max(place(to), place(from) + 1)];
    for (let column = left; column < right; column += 1) {
      const [low, high] = found ? [found[2 * column] ?? 0, found[2 * column + 1] ?? 0] : [-full / 6, full / 6];
      const top = Math.min(middle - thin / 2, middle - (high / full) * (middle - 1));
      const bottom = Math.max(middle + thin / 2, middle - (low / full) * (middle - 1));
      context.fillRect(column, top, 1, bottom - top);
    }
  }
  for (const { from, to } of lane.gaps) {
    for (let left = place(from); left < place(to); left += 6 * thin) context.fillRect(left, middle - thin / 2, 2 * thin, thin);
  }
}
