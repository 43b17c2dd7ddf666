// What a marker is in words.

/**
 * What stands on a marker, and who set it.
 *
 * @param {{ name: string | null, text: string }} marker
 * @returns {string}
 */
export function wordsOf({ name, text }) {
  if (text === '') return name === null ? 'Marked' : `Marked by ${name}`;
  return name === null ? text : `${text} – ${name}`;
}
