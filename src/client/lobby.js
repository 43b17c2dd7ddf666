// The lobby: opens a room, shows those that are live and what was recorded. It follows the hub's events, so that it is
// never to be loaded anew.

import { eventsAddress } from './address.js';
import { LobbyEvents } from './lobby-events.js';
import { Recordings } from './lobby-recordings.js';
import { LiveRooms } from './lobby-rooms.js';
import { roomNameProblem } from './names.js';
import { find, make, write } from './page.js';
import { remember, remembered } from './remembered.js';

/** So long a lost connection may take to come back before it is told, in ms: a blink is no news. */
const TOLD_AFTER = 1_500;
/** The most rooms that are remembered. */
const MOST_REMEMBERED = 8;

// First of all, so that the list is on its way.
const recordings = new Recordings();
const rooms = new LiveRooms();
const events = new LobbyEvents({ address: eventsAddress(location.href) });

events.on('rooms', (all) => {
  rooms.all(all);
  recordings.refresh();
});
events.on('room', (room) => rooms.is(room));
events.on('roomGone', (name) => rooms.gone(name));
events.on('recording', (recording) => recordings.changed(recording));
events.on('recordingDeleted', (id) => recordings.deleted(id));
followConnection();
events.start();
openRooms();

/** Says that the connection is lost, and when it is tried again, at the foot of the window where it moves nothing. */
function followConnection() {
  const [trouble, when] = [find('trouble', HTMLElement), find('trouble-when', HTMLElement)];
  /** @type {number | null} */
  let lost = performance.now();
  const show = () => {
    const { state } = events;
    const away = lost !== null && performance.now() - lost >= TOLD_AFTER;
    find('live', HTMLElement).classList.toggle('away', away);
    trouble.hidden = !away;
    if (!away) return;
    const seconds = state.kind === 'waiting' ? Math.ceil((state.retryAt - performance.now()) / 1000) : 0;
    write(when, seconds > 0 ? `Trying again in ${seconds} s` : 'Trying …');
    find('retry', HTMLButtonElement).disabled = state.kind !== 'waiting';
  };
  events.on('state', ({ kind }) => {
    lost = kind === 'open' ? null : (lost ?? performance.now());
    show();
  });
  setInterval(show, 500);
  find('retry', HTMLButtonElement).addEventListener('click', () => events.retry());
  addEventListener('online', () => events.retry());
  document.addEventListener('visibilitychange', () => document.hidden || events.retry());
}

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
    if (wrong) return input.focus();
    remember('rooms', [name, ...recentRooms().filter((other) => other !== name)].slice(0, MOST_REMEMBERED).join(' '));
    location.assign(`/rooms/${name}`);
  });
  input.addEventListener('input', () => {
    input.removeAttribute('aria-invalid');
    write(problem, hint);
  });
  input.addEventListener('focus', () => {
    const names = new Set([...rooms.names, ...recentRooms()]);
    find('recent', HTMLDataListElement).replaceChildren(...[...names].map((name) => make('option', { value: name })));
  });
}

/** The rooms that were opened here, the last one first. */
function recentRooms() {
  return (remembered('rooms') ?? '').split(' ').filter((name) => roomNameProblem(name) === null);
}
