// What the tests put into pages.

interface Window {
  /** What the page does: `witness.js`. */
  seen: import('./witness.js').Seen;
  /** What one decoder hears: `clicks.test.js`. */
  reference: ArrayBuffer[];
}
