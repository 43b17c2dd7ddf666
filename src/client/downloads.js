// The files of a recording on its page, with their sizes. What is not made yet is made when it is asked for, and then
// downloads by itself.

import { ApiError } from './api.js';
import { download } from './downloads-made.js';
import { clock, size } from './format.js';
import { make, reconcile, write } from './page.js';
import { namesOf } from './timeline.js';

/**
 * @typedef {object} File one file
 * @property {string} kind as people know it
 * @property {string} href
 * @property {number | null} bytes `null` is not made yet
 * @property {boolean} made from other files, so not there before the recording has ended
 * @property {string} good for what it is good
 * @property {boolean} [main] what most people want
 *
 * @typedef {object} Row what a file is of
 * @property {string} key
 * @property {string} name
 * @property {string} facts
 * @property {File[]} files
 *
 * @typedef {{ kind: 'ready', bytes: number } | { kind: 'absent' } | { kind: 'later' }} FileState
 */

/** For what a file of a track is good: as what it was recorded, or what is made of that. */
const GOOD = { kept: 'as it was recorded', ogg: 'to listen to and to send on', wav: 'to edit; large', flac: 'to edit', webm: 'to put on a web page' };

/**
 * The files of a recording, those of all first.
 *
 * @param {import('./api.js').RecordingInFull} recording
 * @returns {Row[]}
 */
export function rowsOf({ tracks, files, duration }) {
  const names = namesOf(tracks);
  if (tracks.length === 0) return [];
  const mix = {
    key: 'mix', name: 'The mix', facts: `everyone in one sound, ${clock(duration)}`, files: [
      { kind: 'Ogg', ...files.mix.ogg, made: true, good: 'to listen to and to send on', main: true },
      { kind: 'WebM', ...files.mix.webm, made: true, good: 'to put on a web page' },
      { kind: 'FLAC', ...files.mix.flac, made: true, good: 'to edit and to archive' },
      { kind: 'WAV', ...files.mix.wav, made: true, good: 'to edit; large' },
    ],
  };
  const session = {
    key: 'session', name: 'Everyone', facts: `the mix and each track, ${clock(duration)}`, files: [
      { kind: 'WebM', ...files.session, made: true, good: 'to keep: all tracks in one file' },
      { kind: 'ZIP', ...files.tracks, made: true, good: 'to edit: each track as WAV, with labels and a Reaper project; large' },
    ],
  };
  return [
    mix,
    session,
    ...tracks.map(({ number, start, duration: length, parts, kept, files, sizes, damaged }) => ({
      key: String(number),
      name: names.get(number) ?? '',
      facts: `${clock(length)}${start >= 1 ? `, from ${clock(start)}` : ''}${damaged ? '; some of it cannot be read' : ''}`,
      files: [
        ...(kept === null ? partsOf(parts) : []),
        { kind: 'Ogg', href: files.ogg, bytes: sizes.ogg, made: kept !== 'ogg', good: kept === 'ogg' ? GOOD.kept : GOOD.ogg },
        { kind: 'WAV', href: files.wav, bytes: sizes.wav, made: kept !== 'wav', good: kept === 'wav' ? GOOD.kept : GOOD.wav },
        { kind: 'FLAC', href: files.flac, bytes: sizes.flac, made: true, good: GOOD.flac },
        { kind: 'WebM', href: files.webm, bytes: sizes.webm, made: true, good: GOOD.webm },
      ],
    })),
  ];
}

/**
 * What is kept of a track whose parts are of different kinds.
 *
 * @param {import('./api.js').RecordedTrack['parts']} parts
 * @returns {File[]}
 */
function partsOf(parts) {
  return parts.map(({ number, codec, href, bytes }) => ({ kind: `${codec === 'pcm' ? 'WAV' : 'Ogg'}, part ${number}`, href, bytes, made: false, good: GOOD.kept }));
}

/**
 * @param {File} file
 * @param {boolean} ended whether the recording has ended
 * @returns {FileState}
 */
export function stateOf({ bytes, made }, ended) {
  if (made && !ended) return { kind: 'later' };
  return bytes === null ? { kind: 'absent' } : { kind: 'ready', bytes };
}

/**
 * Shows the files.
 *
 * @param {HTMLElement} list
 * @param {import('./api.js').RecordingInFull} recording
 */
export function showDownloads(list, recording) {
  const ended = recording.state === 'ended';
  // Of one who has got a second track by now the first has another name, on its buttons too.
  reconcile(list, rowsOf(recording), ({ key, name }) => `${key} ${name}`, makeRow, (element, row) => {
    write(/** @type {HTMLElement} */ (element.querySelector('.quiet')), row.facts);
    const files = /** @type {HTMLElement} */ (element.querySelector('.files'));
    // One that is being made, or could not be, is left alone.
    const keyOf = (/** @type {File} */ file) => `${file.kind} ${isMaking(files, file) ? 'making' : stateOf(file, ended).kind}`;
    reconcile(files, row.files, keyOf, (file) => makeFile(row.name, file, ended), (element, file) => {
      const { kind } = stateOf(file, ended);
      if (kind === 'ready') write(/** @type {HTMLElement} */ (element.querySelector('.bytes')), size(file.bytes ?? 0));
    });
  });
}

/**
 * @param {HTMLElement} files
 * @param {File} file
 */
function isMaking(files, { kind }) {
  return files.querySelector(`[data-key="${kind} making"]`) !== null;
}

/** @param {Row} row */
function makeRow({ name }) {
  const head = make('p', {}, make('span', { class: 'name' }, name), ' ', make('span', { class: 'quiet' }));
  return make('li', {}, head, make('div', { class: 'files' }));
}

/**
 * @param {string} name
 * @param {File} file
 * @param {boolean} ended
 * @returns {HTMLElement}
 */
function makeFile(name, file, ended) {
  const state = stateOf(file, ended);
  switch (state.kind) {
    case 'ready':
      return makeLink(name, file);
    case 'later':
      return make('span', { class: 'file quiet' }, `${file.kind} after the end`);
    case 'absent': {
      const place = make('span', { class: 'file' });
      place.append(makeAsking(place, name, file), goodFor(file));
      return place;
    }
  }
}

/**
 * @param {string} name
 * @param {File} file
 */
function makeLink(name, file) {
  const { kind, href, bytes } = file;
  const link = make('a', { href, download: '', class: file.main ? 'button main' : 'button' }, ...spoken('Download', name, kind, make('span', { class: 'quiet bytes' })));
  write(/** @type {HTMLElement} */ (link.querySelector('.bytes')), size(bytes ?? 0));
  return make('span', { class: 'file' }, link, goodFor(file));
}

/** For what a file is good, beside its button. @param {File} file */
function goodFor({ good }) {
  return make('span', { class: 'quiet good' }, good);
}

/**
 * What stands on a button, and for screen readers what it does and whose file it is.
 *
 * @param {string} verb
 * @param {string} name
 * @param {...(Node | string)} shown
 */
function spoken(verb, name, ...shown) {
  return [make('span', { class: 'spoken' }, `${verb} `), ...shown, make('span', { class: 'spoken' }, ` of ${name}`)];
}

/**
 * The button by which a file is made.
 *
 * @param {HTMLElement} place
 * @param {string} name
 * @param {File} file
 */
function makeAsking(place, name, file) {
  const button = make('button', { type: 'button', class: file.main ? 'main' : '' }, ...spoken('Make and download', name, file.kind, make('span', { class: 'quiet' }, 'not made yet')));
  button.addEventListener('click', () => void getMade(place, name, file));
  return button;
}

/**
 * Asks until the file is made, and downloads it.
 *
 * @param {HTMLElement} place
 * @param {string} name
 * @param {File} file
 */
async function getMade(place, name, file) {
  const waiting = new AbortController();
  const bar = make('span', { class: 'bar' }, make('span', {}));
  const word = make('span', { class: 'quiet', role: 'status' });
  const leave = make('button', { type: 'button' }, 'Do not wait', make('span', { class: 'spoken' }, ` for the ${file.kind} of ${name}`));
  leave.addEventListener('click', () => waiting.abort());
  fill(place, `${file.kind} making`, word, bar, leave);
  try {
    const bytes = await download(file.href, { what: file.kind, bar, signal: waiting.signal, say: (sentence) => write(word, sentence) });
    fill(place, `${file.kind} ready`, ...makeLink(name, { ...file, bytes }).childNodes);
  } catch (error) {
    if (waiting.signal.aborted) {
      fill(place, `${file.kind} absent`, makeAsking(place, name, file), word);
      write(word, 'It goes on being made: ask for it again later.');
      return;
    }
    if (!(error instanceof ApiError)) throw error;
    const again = make('button', { type: 'button' }, 'Try again');
    again.addEventListener('click', () => void getMade(place, name, file));
    // Left alone, so that it can be read.
    fill(place, `${file.kind} making`, make('span', { role: 'alert' }, `${file.kind} cannot be made: ${error.message}`), ' ', again);
  }
}

/**
 * Puts something else into a file's place. Who was in it with the keyboard still is.
 *
 * @param {HTMLElement} place
 * @param {string} key
 * @param {...(Node | string)} children
 */
function fill(place, key, ...children) {
  const within = place.contains(document.activeElement);
  place.dataset.key = key;
  place.replaceChildren(...children);
  if (within) /** @type {HTMLElement | null} */ (place.querySelector('a, button'))?.focus();
}
