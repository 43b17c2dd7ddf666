// What this browser remembers of its user, from visit to visit. A browser can forbid it; then nothing is remembered.

/**
 * @param {'name' | 'microphone' | 'keys' | 'rooms'} what
 * @returns {string | null} null where nothing is
 */
export function remembered(what) {
  try {
    return localStorage.getItem(what);
  } catch {
    return null;
  }
}

/**
 * @param {'name' | 'microphone' | 'keys' | 'rooms'} what
 * @param {string} value
 */
export function remember(what, value) {
  try {
    localStorage.setItem(what, value);
  } catch {
    // Then it is asked again next time.
  }
}
