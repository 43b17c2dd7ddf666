// The list of recordings that a page shows, newest first: pages as they were fetched, and what has changed since. No DOM.
//
// Changes come while pages are under way, and a page may be older than a change that came before it. So whoever fetches
// takes a `mark` before, and what changed since the mark is applied to the page again.

/**
 * @typedef {import('./api.js').Recording} Recording
 * @typedef {import('./api.js').RecordingsPage} Page
 * @typedef {(list: RecordingsList) => void} Change
 */

export class RecordingsList {
  /** @type {Recording[]} */
  items = [];
  /** Where older ones begin; `null` where there are none. @type {string | null} */
  next = null;
  /** Whether only some recordings belong here, and only the hub knows which. */
  searched = false;
  /** What changed since a page was asked for, for each that is under way. @type {Set<Change[]>} */
  #marks = new Set();

  /** To be taken before a page is asked for. @returns {Change[]} */
  mark() {
    /** @type {Change[]} */
    const mark = [];
    this.#marks.add(mark);
    return mark;
  }

  /** The page that was asked for does not come. @param {Change[]} mark */
  forget(mark) {
    this.#marks.delete(mark);
  }

  /**
   * Shows these, from the newest on, instead of what is shown.
   *
   * @param {Change[]} mark
   * @param {Page & { searched: boolean }} page
   */
  replace(mark, { recordings, next, searched }) {
    this.items = recordings;
    this.next = next;
    this.searched = searched;
    this.#again(mark);
  }

  /**
   * Shows these too, which are older.
   *
   * @param {Change[]} mark
   * @param {Page} page
   */
  append(mark, { recordings, next }) {
    const shown = new Set(this.items.map(({ id }) => id));
    this.items = [...this.items, ...recordings.filter(({ id }) => !shown.has(id))];
    this.next = next;
    this.#again(mark);
  }

  /**
   * A recording is new, or something of it has changed. One that is shown keeps its place.
   *
   * @param {Recording} recording
   * @returns {boolean} whether it is shown now
   */
  changed(recording) {
    for (const mark of this.#marks) mark.push((list) => void list.changed(recording));
    const place = this.items.findIndex(({ id }) => id === recording.id);
    if (place >= 0) {
      this.items[place] = recording;
      return true;
    }
    if (this.searched) return false;
    const older = this.items.findIndex((other) => isNewer(recording, other));
    // Behind the last one that is shown there may be others between: it comes with them.
    if (older < 0 && this.next !== null) return false;
    this.items.splice(older < 0 ? this.items.length : older, 0, recording);
    return true;
  }

  /** A recording is gone. @param {string} id */
  deleted(id) {
    for (const mark of this.#marks) mark.push((list) => list.deleted(id));
    this.items = this.items.filter((recording) => recording.id !== id);
  }

  /** @param {Change[]} mark */
  #again(mark) {
    this.forget(mark);
    for (const change of mark) change(this);
  }
}

/** Whether one stands before another. @param {Recording} one @param {Recording} other */
function isNewer(one, other) {
  const [begin, otherBegin] = [Date.parse(one.started), Date.parse(other.started)];
  return begin > otherBegin || (begin === otherBegin && one.id > other.id);
}
