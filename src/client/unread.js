// Which lines of chat one has not seen: decisions only.

/** Lines count as seen while the page is looked at and the end of the chat is on the screen. */
export class Unread {
  #count = 0;
  #looking = { visible: true, onScreen: true, atEnd: true };

  get count() {
    return this.#count;
  }

  /** A line came, from another. */
  line() {
    if (!this.#seen) this.#count += 1;
  }

  /** What has changed in where one looks. @param {Partial<{ visible: boolean, onScreen: boolean, atEnd: boolean }>} change */
  look(change) {
    Object.assign(this.#looking, change);
    if (this.#seen) this.#count = 0;
  }

  /** Forgets what was not seen. */
  clear() {
    this.#count = 0;
  }

  get #seen() {
    const { visible, onScreen, atEnd } = this.#looking;
    return visible && onScreen && atEnd;
  }
}

/** @param {number} count @returns {string} nothing where there is none */
export function unreadSentence(count) {
  if (count === 0) return '';
  return count === 1 ? '1 new message' : `${count} new messages`;
}
