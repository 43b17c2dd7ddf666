// What a recording's page sounds like: one AudioContext, one Listener, the desk's mute and solo, and who speaks.

import { barOf } from './level.js';
import { CONTEXT, Listener } from './listener.js';
import { Speaking } from './speaking.js';

export class ReplaySound {
  #desk;
  #speaking = new Speaking();

  /** @param {import('./desk.js').Desk} desk */
  constructor(desk) {
    this.#desk = desk;
    this.context = new AudioContext(CONTEXT);
    this.listener = new Listener(this.context);
  }

  /** Makes tracks as loud as the desk says, those that come later too. @param {readonly { number: number }[]} tracks */
  mix(tracks) {
    for (const { number } of tracks) this.listener.setTrackVolume(number, this.#desk.hears(number) ? 1 : 0);
  }

  /**
   * Whether a track speaks now, or did a moment ago.
   *
   * @param {number} track
   * @param {number} now ms
   */
  speaks(track, now) {
    const id = String(track);
    this.#speaking.hear(id, barOf(this.listener.levelOfTrack(track)), now);
    return this.#speaking.speaks({ id, live: true, muted: false }, now);
  }

  /** Lets it sound; works in a click. */
  allow() {
    if (this.context.state === 'suspended') void this.context.resume();
  }

  /**
   * Waits until the browser lets this page sound: at once, or when someone has clicked or pressed a key.
   *
   * @returns {Promise<boolean>} whether it did so by itself
   */
  async allowed() {
    let touched = false;
    for (const event of ['pointerdown', 'pointerup', 'keydown']) {
      addEventListener(event, () => {
        touched = true;
        this.allow();
      }, true);
    }
    await this.context.resume();
    return !touched;
  }
}
