// Numbers and times as people read them.

/**
 * A length: `0:07`, `12:34`, `1:02:03`.
 *
 * @param {number} seconds
 * @returns {string}
 */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (/** @type {number} */ number) => String(number).padStart(2, '0');
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * A size: `950 B`, `12 kB`, `3.4 MB`.
 *
 * @param {number} bytes
 * @returns {string}
 */
export function size(bytes) {
  let [value, unit] = [bytes, 'B'];
  for (const next of ['kB', 'MB', 'GB', 'TB']) {
    if (value < 999.5) break;
    [value, unit] = [value / 1000, next];
  }
  return `${unit === 'B' || value >= 10 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

/**
 * When something was, near times in words: `Today, 14:05`.
 *
 * @param {Date} then
 * @param {Date} now
 * @param {string | undefined} [locale] the browser's own if absent
 * @returns {string}
 */
export function when(then, now, locale) {
  const time = timeOfDay(then, locale);
  const midnight = (/** @type {Date} */ date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const days = Math.round((midnight(now) - midnight(then)) / 86_400_000);
  if (days === 0) return `Today, ${time}`;
  if (days === 1) return `Yesterday, ${time}`;
  /** @type {Intl.DateTimeFormatOptions} */
  const options = { day: 'numeric', month: 'short' };
  if (then.getFullYear() !== now.getFullYear()) options.year = 'numeric';
  return `${then.toLocaleDateString(locale, options)}, ${time}`;
}

/**
 * The same, and what is less than an hour old by its age: `12 min ago`.
 *
 * @param {Date} then
 * @param {Date} now
 * @param {string | undefined} [locale] the browser's own if absent
 * @returns {string}
 */
export function ago(then, now, locale) {
  const minutes = Math.floor((now.getTime() - then.getTime()) / 60_000);
  // The hub's clock may be a little ahead of ours.
  if (minutes >= 60 || minutes < -1) return when(then, now, locale);
  return minutes < 1 ? 'Just now' : `${minutes} min ago`;
}

/**
 * A time of the day: `14:05`.
 *
 * @param {Date} then
 * @param {string | undefined} [locale] the browser's own if absent
 * @returns {string}
 */
export function timeOfDay(then, locale) {
  return then.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit' });
}

/**
 * A count with its word: `1 track`, `2 tracks`.
 *
 * @param {number} number
 * @param {string} one
 * @param {string} [many]
 * @returns {string}
 */
export function count(number, one, many = `${one}s`) {
  return `${number} ${number === 1 ? one : many}`;
}
