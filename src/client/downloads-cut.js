// The form for a file of a part of the recording, or of another loudness: who, from where to where, how loud, as what.
//
// What belongs here: its elements, and waiting for the file. What does not: what was written, see `cut.js`.

import { ApiError } from './api.js';
import { cutOf, written } from './cut.js';
import { download } from './downloads-made.js';
import { find, make, reconcile, say, write } from './page.js';
import { namesOf } from './timeline.js';

/** For what each kind of file is good. @type {Record<string, string>} */
const KINDS = { ogg: 'Ogg, to listen to and to send on', webm: 'WebM, to put on a web page', wav: 'WAV, to edit; large', flac: 'FLAC, to edit and to archive' };

export class CutForm {
  #part = {
    form: find('cut', HTMLFormElement),
    tracks: find('cut-tracks', HTMLElement),
    from: find('cut-from', HTMLInputElement),
    to: find('cut-to', HTMLInputElement),
    loudness: find('cut-loudness', HTMLSelectElement),
    kind: find('cut-kind', HTMLSelectElement),
    go: find('cut-go', HTMLButtonElement),
    leave: find('cut-leave', HTMLButtonElement),
    wrong: find('cut-wrong', HTMLElement),
    said: find('cut-said', HTMLElement),
    bar: find('cut-bar', HTMLElement),
  };
  /** @type {import('./api.js').RecordingInFull | null} */
  #recording = null;
  /** The wait for a file. @type {AbortController | null} */
  #waiting = null;

  /** @param {() => number} position where it plays, in seconds */
  constructor(position) {
    const { form, from, to, leave } = this.#part;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      void this.#get();
    });
    for (const [button, field] of /** @type {const} */ ([['cut-from-here', from], ['cut-to-here', to]])) {
      find(button, HTMLButtonElement).addEventListener('click', () => {
        field.value = written(Math.round(position() * 10) / 10);
        this.#complain(null);
      });
    }
    leave.addEventListener('click', () => this.#waiting?.abort());
  }

  /** @param {import('./api.js').RecordingInFull} recording */
  show(recording) {
    this.#recording = recording;
    const { form, tracks, kind } = this.#part;
    form.hidden = recording.state !== 'ended' || recording.tracks.length === 0;
    const names = namesOf(recording.tracks);
    reconcile(tracks, recording.tracks, ({ number }) => String(number), ({ number }) => {
      const box = make('input', { type: 'checkbox', name: 'track', value: String(number), checked: '' });
      return make('label', { class: 'check' }, box, ' ', make('span', {}));
    }, (label, { number }) => write(/** @type {HTMLElement} */ (label.querySelector('span')), names.get(number) ?? ''));
    reconcile(kind, Object.keys(recording.files.mix), (it) => it, (it) => make('option', { value: it }, KINDS[it] ?? it), () => {});
  }

  async #get() {
    const recording = this.#recording;
    if (!recording || this.#waiting) return;
    const { form, from, to, loudness, kind } = this.#part;
    const chosen = new FormData(form).getAll('track').map(Number);
    const cut = cutOf({ chosen, from: from.value, to: to.value, loudness: loudness.value }, recording);
    this.#complain('wrong' in cut ? cut : null);
    if ('wrong' in cut) return;
    const file = recording.files.mix[/** @type {keyof typeof recording.files.mix} */ (kind.value)];
    if (file) await this.#wait(cut.query === '' ? file.href : `${file.href}?${cut.query}`);
  }

  /** Waits until a file is made, and downloads it. @param {string} address */
  async #wait(address) {
    const { said, bar, go, leave, wrong } = this.#part;
    this.#waiting = new AbortController();
    const { signal } = this.#waiting;
    [go.disabled, leave.hidden, bar.hidden] = [true, false, false];
    try {
      await download(address, { what: 'It', bar, signal, say: (sentence) => say(said, sentence) });
      say(said, 'It is being downloaded.');
    } catch (error) {
      if (signal.aborted) {
        say(said, 'It goes on being made: ask for it again later.');
      } else if (error instanceof ApiError) {
        say(said, '');
        say(wrong, `It cannot be made: ${error.message}`);
      } else {
        throw error;
      }
    } finally {
      this.#waiting = null;
      [go.disabled, leave.hidden, bar.hidden] = [false, true, true];
    }
  }

  /** Says what is wrong with what was written. @param {{ wrong: string, field: 'tracks' | 'from' | 'to' } | null} cut */
  #complain(cut) {
    const { from, to, tracks, wrong } = this.#part;
    say(wrong, cut?.wrong ?? '');
    const fields = { from, to, tracks: tracks.querySelector('input') };
    for (const field of Object.values(fields)) field?.removeAttribute('aria-invalid');
    if (!cut) return;
    const field = fields[cut.field];
    field?.setAttribute('aria-invalid', 'true');
    field?.focus();
  }
}
