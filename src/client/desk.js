// A mixing desk: which tracks of a recording are heard, by mute and solo.
//
// What belongs here: the decision. What does not: buttons, sound.

export class Desk {
  /** @type {Set<number>} */
  #muted = new Set();
  /** @type {Set<number>} */
  #solo = new Set();

  /** Mutes a track, or not any more. @param {number} track */
  toggleMute(track) {
    toggle(this.#muted, track);
  }

  /** Plays a track alone, with the others that are solo, or not any more. @param {number} track */
  toggleSolo(track) {
    toggle(this.#solo, track);
  }

  /** @param {number} track */
  isMuted(track) {
    return this.#muted.has(track);
  }

  /** @param {number} track */
  isSolo(track) {
    return this.#solo.has(track);
  }

  /** Whether a track is heard: one that is muted never is, and where any is solo, only those are. @param {number} track */
  hears(track) {
    return !this.#muted.has(track) && (this.#solo.size === 0 || this.#solo.has(track));
  }
}

/**
 * @param {Set<number>} set
 * @param {number} item
 */
function toggle(set, item) {
  if (!set.delete(item)) set.add(item);
}
