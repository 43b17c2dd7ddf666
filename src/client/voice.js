// Our own voice in a room: asks for the microphone that was chosen, talks, mutes, and talks while a key is held.
//
// What belongs here: what one wants and what follows from it, in whatever order browsers and keys answer. What does not:
// how sound is sent, which is the publisher's, and pages.

import { Emitter } from './emitter.js';

/**
 * @typedef {import('./publisher.js').State} State
 *
 * @typedef {object} Sender what a `Publisher` is
 * @property {State} state
 * @property {(name: 'state', listener: (state: State) => void) => () => void} on
 * @property {(stream: MediaStream) => Promise<void>} start
 * @property {(stream: MediaStream) => Promise<void>} replaceStream
 * @property {(muted: boolean) => void} mute
 * @property {() => Promise<void>} stop
 */

/** @extends {Emitter<{ state: State, [name: string]: unknown }>} */
export class Voice extends Emitter {
  /** What is between a wish and the publisher: waiting for the microphone, or what went wrong. @type {State | null} */
  #own = null;
  /** What the key that is held now has done. @type {'started' | 'unmuted' | 'nothing' | null} */
  #held = null;
  /** Whether one is to be muted as soon as one talks: the key was let go before. */
  #mutedFirst = false;
  /** Counts wishes, so that a microphone that comes too late is known. */
  #wish = 0;
  /** Counts changes of the microphone, so that one that was overtaken is known. */
  #changes = 0;
  /** Ends when the publisher has taken the last stream that it was given. @type {Promise<unknown>} */
  #replacing = Promise.resolve();

  /**
   * @param {Sender} publisher
   * @param {() => Promise<MediaStream>} open opens the chosen microphone, or fails with a `MicrophoneError`
   */
  constructor(publisher, open) {
    super();
    this.publisher = publisher;
    this.open = open;
    publisher.on('state', (state) => this.#changed(state));
  }

  /** @returns {State} */
  get state() {
    return this.#own ?? this.publisher.state;
  }

  /** Talks, or stops. */
  toggle() {
    const { kind } = this.state;
    if (kind === 'silent' || kind === 'failed') void this.talk();
    else if (kind === 'talking' || kind === 'starting') void this.stop();
  }

  toggleMute() {
    if (this.state.kind === 'talking') this.publisher.mute(!this.state.muted);
  }

  /** Asks for the microphone and talks. What goes wrong becomes the state `failed`. */
  async talk() {
    if (this.state.kind !== 'silent' && this.state.kind !== 'failed') return;
    const wish = (this.#wish += 1);
    this.#mutedFirst = false;
    this.#become({ kind: 'starting' });
    const stream = await this.#opened();
    if (wish !== this.#wish) return stopTracks(stream);
    if (!stream) return;
    await this.publisher.start(stream);
    // A publisher that said nothing has not begun.
    if (this.#own?.kind === 'starting') this.#become(null);
  }

  /** Ends what is said; what has been said is still sent. */
  async stop() {
    this.#wish += 1;
    this.#held = null;
    if (this.#own) this.#become(null);
    await this.publisher.stop();
  }

  /** Takes the microphone that is chosen now, if one talks. @returns {Promise<import('./publisher.js').Failure | null>} */
  async change() {
    if (this.state.kind !== 'talking') return null;
    const wish = this.#wish;
    const change = (this.#changes += 1);
    try {
      const stream = await this.open();
      // One after another, and of several only the last: of two at once the publisher would keep the first.
      const replaced = this.#replacing.then(() => {
        const late = change !== this.#changes || wish !== this.#wish || this.publisher.state.kind !== 'talking';
        return late ? stopTracks(stream) : this.publisher.replaceStream(stream);
      });
      this.#replacing = replaced.catch(() => {});
      await replaced;
      return null;
    } catch (error) {
      return change === this.#changes ? whyOf(error) : null;
    }
  }

  /** A key is held: one talks until it is let go. */
  hold() {
    if (this.#held) return;
    const state = this.state;
    if (state.kind === 'silent' || state.kind === 'failed') {
      this.#held = 'started';
      void this.talk();
    } else if (state.kind === 'talking' && state.muted) {
      this.#held = 'unmuted';
      this.publisher.mute(false);
    } else {
      this.#held = 'nothing';
    }
  }

  /** The key is let go. Who was muted or silent is muted then, so that the next word needs no waiting. */
  release() {
    const did = this.#held;
    this.#held = null;
    if (did !== 'started' && did !== 'unmuted') return;
    if (this.state.kind === 'talking') this.publisher.mute(true);
    else this.#mutedFirst = true;
  }

  /**
   * The key was held so shortly that it is a press of the button that had the focus.
   *
   * @param {'talk' | 'mute'} button
   */
  press(button) {
    const did = this.#held;
    this.#held = null;
    // Holding it has done what pressing it does.
    if (did === 'started' || (did === 'unmuted' && button === 'mute')) return;
    if (button === 'talk') this.toggle();
    else this.toggleMute();
  }

  /** @returns {Promise<MediaStream | null>} null where it failed, and the state says so */
  async #opened() {
    const wish = this.#wish;
    try {
      return await this.open();
    } catch (error) {
      if (wish === this.#wish) this.#become({ kind: 'failed', why: whyOf(error) });
      return null;
    }
  }

  /** @param {State} state the publisher's */
  #changed(state) {
    this.#own = null;
    if (state.kind === 'talking' && this.#mutedFirst) {
      this.#mutedFirst = false;
      // Which comes back here, muted.
      if (!state.muted) return this.publisher.mute(true);
    }
    this.emit('state', state);
  }

  /** @param {State | null} own */
  #become(own) {
    this.#own = own;
    this.emit('state', this.state);
  }
}

/** @param {unknown} error @returns {import('./publisher.js').Failure} */
function whyOf(error) {
  if (error instanceof Error && 'why' in error) return /** @type {import('./publisher.js').Failure} */ (error.why);
  console.warn('The microphone fails in a new way.', error);
  return 'failed';
}

/** @param {MediaStream | null} stream */
function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}
