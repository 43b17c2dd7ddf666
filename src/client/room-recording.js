// The recording sign of the room's page: whether what is said is kept, for how long already, and where to listen to it.

import { clock } from './format.js';
import { find, write } from './page.js';

/** @typedef {import('./connection.js').Session} Session */

/**
 * What the sign says.
 *
 * @param {{ session: Session | null, last: string | null, healthy: boolean, away: boolean }} room the recording in
 *   progress, the last one of this visit, whether what is said now is kept, and whether the connection is lost
 * @returns {{ word: string, look: '' | 'off' | 'ended', recording: string | null } | null} null where there is nothing to say
 */
export function signOf({ session, last, healthy, away }) {
  const recording = session?.recording ?? last;
  if (away) return { word: 'Not connected', look: 'off', recording };
  if (!healthy) return { word: 'Not recording', look: 'off', recording };
  if (session) return { word: 'Recording', look: '', recording };
  return last ? { word: 'The recording has ended.', look: 'ended', recording } : null;
}

export class RecordingPart {
  #sign = find('recording', HTMLElement);
  #word = find('recording-word', HTMLElement);
  #elapsed = find('elapsed', HTMLElement);
  #link = find('recording-link', HTMLAnchorElement);
  /** @type {Session | null} */
  #session = null;
  /** @type {string | null} */
  #last = null;
  #healthy = true;
  #away = false;

  /** @param {Session | null} session */
  follow(session) {
    // A recording that begins anew is kept until the hub says otherwise.
    if (session && session.recording !== this.#last) this.#healthy = true;
    this.#session = session;
    this.#last = session?.recording ?? this.#last;
    this.#show();
  }

  /** @param {boolean} healthy whether what is said now is kept */
  health(healthy) {
    this.#healthy = healthy;
    this.#show();
  }

  /** @param {boolean} away while the connection is lost, nothing is known of the recording */
  away(away) {
    this.#away = away;
    this.#show();
  }

  get running() {
    return this.#session !== null && this.#healthy;
  }

  /** A new visit knows nothing of the one before. */
  forget() {
    this.#last = null;
    this.#healthy = true;
    this.#away = false;
    this.follow(null);
  }

  /** @param {number} now ms of the client's clock */
  showElapsed(now) {
    write(this.#elapsed, this.#session && !this.#away ? clock((now - this.#session.began) / 1000) : '');
  }

  #show() {
    const sign = signOf({ session: this.#session, last: this.#last, healthy: this.#healthy, away: this.#away });
    this.#sign.hidden = sign === null;
    if (!sign) return;
    write(this.#word, sign.word);
    this.#sign.classList.toggle('off', sign.look === 'off');
    this.#sign.classList.toggle('ended', sign.look === 'ended');
    this.#link.hidden = sign.recording === null;
    if (sign.recording) this.#link.href = `/recordings/${sign.recording}`;
  }
}
