// The microphone's part of the room's page: which one, how it is to sound, and a level to try it by. The same part is
// shown before joining and, in the settings, while one is in the room.

import { choiceOf, offered, SWITCHES } from './choice.js';
import { barOf, Level } from './level.js';
import { MicrophoneError, microphones, onMicrophonesChange, openMicrophone } from './microphone.js';
import { find, make, write } from './page.js';
import { remember, remembered } from './remembered.js';
import { microphoneSentence } from './sentences.js';

/** @typedef {import('./publisher.js').Failure} Failure */

const TRY = 'Try it first, if you like: nobody hears it.';

export class MicrophonePart {
  #part = find('microphone', HTMLFieldSetElement);
  #device = find('device', HTMLSelectElement);
  #try = find('try', HTMLButtonElement);
  #meter = find('microphone-level', HTMLElement);
  #hint = find('microphone-hint', HTMLElement);
  #choice = choiceOf(remembered('microphone'));
  /** What is being tried. @type {{ stream: MediaStream, context: AudioContext, level: Level } | null} */
  #trial = null;
  #trying = false;
  /** Counts trials, so that one that was ended while the browser still asked is known. */
  #trials = 0;

  /**
   * @param {object} options
   * @param {() => number | null} options.level how loud our voice in the room is (rms), null where we do not talk
   * @param {() => Promise<Failure | null>} options.changed takes the new choice where one talks
   */
  constructor({ level, changed }) {
    this.level = level;
    this.changed = changed;
    for (const name of SWITCHES) {
      const input = find(name, HTMLInputElement);
      input.checked = this.#choice[name];
      input.addEventListener('change', () => void this.#choose({ [name]: input.checked }));
    }
    this.#device.addEventListener('change', () => void this.#choose({ deviceId: this.#device.value }));
    this.#try.addEventListener('click', () => (this.#trying ? this.endTrial() : void this.#begin()));
    onMicrophonesChange(() => void this.#list());
    void this.#list();
    this.explain(null);
    this.showLevel();
  }

  /** Opens the microphone that is chosen. @returns {Promise<MediaStream>} fails with a `MicrophoneError` */
  open = async () => {
    this.endTrial();
    const stream = await openMicrophone(this.#choice);
    // Only now does the browser say what its microphones are called.
    void this.#list();
    return stream;
  };

  /** Shows the part in this place of the page. @param {HTMLElement} place @param {boolean} open whether with all switches */
  moveTo(place, open) {
    place.append(this.#part);
    find('how', HTMLDetailsElement).open = open;
    this.explain(null);
  }

  /** Where one talks there is nothing to try: the level is the voice's own. */
  showLevel() {
    const voice = this.level();
    this.#try.disabled = voice !== null;
    const bar = barOf(voice ?? this.#trial?.level.rms() ?? 0);
    this.#meter.style.setProperty('--level', bar.toFixed(2));
    this.#meter.setAttribute('aria-valuenow', String(Math.round(bar * 100)));
  }

  endTrial() {
    this.#trials += 1;
    this.#trying = false;
    write(this.#try, 'Try it');
    this.explain(null);
    if (!this.#trial) return;
    stopTracks(this.#trial.stream);
    void this.#trial.context.close();
    this.#trial = null;
    this.showLevel();
  }

  async #begin() {
    this.endTrial();
    const trial = this.#trials;
    this.#trying = true;
    write(this.#try, 'Stop');
    write(this.#hint, 'Asking for the microphone …');
    /** @type {MediaStream | undefined} */
    let stream;
    try {
      stream = await openMicrophone(this.#choice);
      if (trial !== this.#trials) return stopTracks(stream);
      // In a context of the device's own rate: Firefox refuses another.
      const context = new AudioContext();
      this.#trial = { stream, context, level: new Level(context.createMediaStreamSource(stream)) };
      write(this.#hint, 'Say something: the bar shows how loud you are.');
      this.#draw();
      void this.#list();
    } catch (error) {
      // It was opened, and cannot be listened to.
      if (stream && !this.#trial) stopTracks(stream);
      if (trial !== this.#trials) return;
      this.endTrial();
      this.explain(error instanceof MicrophoneError ? error.why : 'failed');
    }
  }

  /** @param {Failure | null} why */
  explain(why) {
    write(this.#hint, why ? microphoneSentence(why) : this.level() === null ? TRY : '');
  }

  #draw() {
    if (!this.#trial) return;
    this.showLevel();
    requestAnimationFrame(() => this.#draw());
  }

  /** @param {Partial<import('./choice.js').Choice>} change */
  async #choose(change) {
    this.#choice = { ...this.#choice, ...change };
    remember('microphone', JSON.stringify(this.#choice));
    if (this.#trying) await this.#begin();
    else this.explain(await this.changed());
  }

  async #list() {
    const found = offered(await microphones(), this.#choice.deviceId);
    const options = found.map(({ value, text }) => make('option', { value }, text));
    this.#device.replaceChildren(...options);
    this.#device.value = this.#choice.deviceId;
  }
}

/** @param {MediaStream} stream */
function stopTracks(stream) {
  for (const track of stream.getTracks()) track.stop();
}
