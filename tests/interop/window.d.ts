// What the tests put into pages.

interface Window {
  /** What the page does: `witness.js`. */
  seen: import('./witness.js').Seen;
}
