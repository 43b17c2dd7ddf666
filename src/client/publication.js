// Whether a recording is in its room's podcast feed, on its page.

import * as api from './api.js';
import { find, say, write } from './page.js';

export class Publication {
  #part = {
    input: find('published', HTMLInputElement),
    word: find('published-word', HTMLElement),
    hint: find('published-hint', HTMLElement),
    feed: find('feed', HTMLAnchorElement),
    trouble: find('published-trouble', HTMLElement),
  };

  /**
   * @param {string} id the recording's
   * @param {(newer: api.RecordingInFull) => void} tell told what it is then
   */
  constructor(id, tell) {
    const { input, trouble } = this.#part;
    input.addEventListener('change', async () => {
      say(trouble, '');
      input.disabled = true;
      try {
        tell(await api.publish(id, input.checked));
      } catch (error) {
        if (!(error instanceof api.ApiError)) throw error;
        input.checked = !input.checked;
        say(trouble, `That was not done. ${error.message}`);
      } finally {
        input.disabled = false;
        input.focus();
      }
    });
  }

  /** @param {Pick<api.RecordingInFull, 'published' | 'room' | 'state' | 'files'>} recording */
  show(recording) {
    const { input, word, hint, feed } = this.#part;
    const address = `/rooms/${recording.room}/feed.xml`;
    if (!input.disabled) input.checked = recording.published;
    write(word, `Publish in the podcast feed of ${recording.room}`);
    write(hint, sentenceOf(recording));
    feed.setAttribute('href', address);
    write(feed, location.origin + address);
  }
}

/**
 * What the switch does, or has done.
 *
 * @param {Pick<api.RecordingInFull, 'published' | 'state' | 'files'>} recording
 * @returns {string}
 */
export function sentenceOf({ published, state, files }) {
  if (!published) return 'It is not published. Published, it is in the feed: whoever has the feed’s address is offered its mix, its title, the names of those who speak, and its markers.';
  if (state !== 'ended') return 'It comes into the feed when it has ended and its mix is made.';
  if (files.mix.ogg.bytes === null) return 'It comes into the feed as soon as its mix is made.';
  return 'It is in the feed. Switched off, it is taken out again; who has downloaded it keeps it.';
}
