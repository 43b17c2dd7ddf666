// The lobby: opens a room, shows those that are live and what was recorded.

import * as api from './api.js';
import { clock, count, size, when } from './format.js';
import { roomNameProblem } from './names.js';
import { find, make, reconcile, say, write } from './page.js';

/** How often live rooms and the newest recordings are asked for, in ms. */
const EVERY = 3_000;

const trouble = find('trouble', HTMLElement);

/**
 * What is shown: the newest page, asked for again and again, and the older ones that were called for.
 *
 * @type {{ newest: api.Recording[], older: api.Recording[], next: string | null }}
 */
const shown = { newest: [], older: [], next: null };

openRooms();
find('older', HTMLButtonElement).addEventListener('click', showOlder);
void watch();

function openRooms() {
  const form = find('open', HTMLFormElement);
  const input = find('room', HTMLInputElement);
  const problem = find('room-problem', HTMLElement);
  const hint = problem.textContent ?? '';
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const name = input.value.trim();
    const wrong = roomNameProblem(name);
    input.setAttribute('aria-invalid', String(wrong !== null));
    write(problem, wrong ?? hint);
    if (wrong) input.focus();
    else location.assign(`/rooms/${name}`);
  });
  input.addEventListener('input', () => {
    input.removeAttribute('aria-invalid');
    write(problem, hint);
  });
}

/** Asks until the page goes; a hidden page waits. */
async function watch() {
  for (;;) {
    if (!document.hidden) await refresh();
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

async function refresh() {
  try {
    const [rooms, page] = await Promise.all([api.liveRooms(), api.recordings()]);
    showRooms(rooms);
    shown.newest = page.recordings;
    if (shown.older.length === 0) shown.next = page.next;
    showRecordings();
    say(trouble, '');
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    say(trouble, `${error.message} This page keeps trying.`);
  }
}

async function showOlder() {
  if (!shown.next) return;
  const button = find('older', HTMLButtonElement);
  button.disabled = true;
  try {
    const page = await api.recordings(shown.next);
    // The newest page can have moved on meanwhile; none must be missing between it and the older ones.
    shown.older = [...merge(shown.newest, shown.older), ...page.recordings];
    shown.next = page.next;
    showRecordings();
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    say(trouble, error.message);
  }
  button.disabled = false;
}

/**
 * Newer recordings before older ones, each once.
 *
 * @param {api.Recording[]} newer
 * @param {api.Recording[]} older
 */
function merge(newer, older) {
  const ids = new Set(newer.map(({ id }) => id));
  return [...newer, ...older.filter(({ id }) => !ids.has(id))];
}

/** @param {api.LiveRoom[]} rooms */
function showRooms(rooms) {
  const none = find('no-rooms', HTMLElement);
  say(none, rooms.length === 0 ? 'No room is live. Open one, and it appears here.' : '');
  reconcile(find('rooms', HTMLElement), rooms, ({ name }) => name, makeRoom, updateRoom);
}

/** @param {api.LiveRoom} room */
function makeRoom({ name }) {
  const link = make('a', { href: `/rooms/${name}`, class: 'name' }, name);
  const sign = make('span', { class: 'sign' }, 'Recording');
  return make('li', { class: 'card' }, make('div', { class: 'head' }, link, sign), make('p', { class: 'quiet' }));
}

/**
 * @param {HTMLElement} element
 * @param {api.LiveRoom} room
 */
function updateRoom(element, { participants, listeners, session }) {
  const people = participants.map(({ name }) => name).sort((one, other) => one.localeCompare(other));
  if (listeners > 0) people.push(`${count(listeners, 'listener')}`);
  write(/** @type {HTMLElement} */ (element.querySelector('p')), people.join(', '));
  /** @type {HTMLElement} */ (element.querySelector('.sign')).hidden = session === null;
}

function showRecordings() {
  const all = merge(shown.newest, shown.older);
  const none = find('no-recordings', HTMLElement);
  say(none, all.length === 0 ? 'Nothing was recorded yet. What is said in a room is recorded by itself.' : '');
  reconcile(find('recordings', HTMLElement), all, ({ id }) => id, makeRecording, updateRecording);
  find('older', HTMLButtonElement).hidden = shown.next === null;
}

/** @param {api.Recording} recording */
function makeRecording({ id }) {
  const tracks = make('ul', { class: 'tracks' });
  const details = make('details', {}, make('summary', {}), tracks);
  details.addEventListener('toggle', () => {
    if (details.open) void showTracks(id, tracks);
  });
  return make(
    'li',
    { class: 'card' },
    make('div', { class: 'head' }, make('h3', { class: 'name' }), make('span', { class: 'sign' })),
    make('p', { class: 'quiet' }),
    details,
  );
}

/**
 * @param {HTMLElement} element
 * @param {api.Recording} recording
 */
function updateRecording(element, recording) {
  const part = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (element.querySelector(selector));
  const { title, room, started, state, end_reason, duration, bytes, people, tracks } = recording;
  write(part('h3'), title ?? room);
  const sign = part('.sign');
  sign.classList.toggle('ended', state === 'ended');
  write(sign, state === 'ended' ? endWord(end_reason) : 'Recording');
  sign.hidden = sign.textContent === '';
  const place = title === null ? [] : [room];
  const facts = [...place, when(new Date(started), new Date()), clock(duration), people.join(', ')];
  write(part('p'), facts.filter(Boolean).join(' · '));
  write(part('summary'), `${count(tracks, 'track')}, ${size(bytes)}`);
}

/** Why it ended, where that is not the usual. @param {string | null} reason */
function endWord(reason) {
  switch (reason) {
    case 'crashed':
      return 'Ended by a crash';
    case 'disk_full':
      return 'Ended: disk full';
    case 'io_error':
      return 'Ended: disk error';
    default:
      return '';
  }
}

/**
 * @param {string} id
 * @param {HTMLElement} list
 */
async function showTracks(id, list) {
  if (list.childElementCount === 0) list.append(make('li', { class: 'quiet' }, 'Looking …'));
  try {
    const { tracks } = await api.recording(id);
    if (!list.firstElementChild?.hasAttribute('data-key')) list.replaceChildren();
    reconcile(list, tracks, ({ number }) => String(number), makeTrack, updateTrack);
  } catch (error) {
    if (!(error instanceof api.ApiError)) throw error;
    list.replaceChildren(make('li', { class: 'quiet' }, error.message));
  }
}

/** @param {api.RecordedTrack} track */
function makeTrack({ name, files }) {
  const audio = make('audio', { controls: '', preload: 'none', src: files.ogg, 'aria-label': `The track of ${name}` });
  const link = make('a', { href: files.ogg, download: '', 'aria-label': `Download the track of ${name}` }, 'Download');
  const facts = make('p', {}, make('strong', {}, name), make('span', { class: 'quiet' }));
  return make('li', {}, facts, audio, link);
}

/**
 * @param {HTMLElement} element
 * @param {api.RecordedTrack} track
 */
function updateTrack(element, { start, duration, bytes }) {
  const from = start >= 1 ? `, from ${clock(start)}` : '';
  write(/** @type {HTMLElement} */ (element.querySelector('span')), ` ${clock(duration)}${from} · ${size(bytes)}`);
}
