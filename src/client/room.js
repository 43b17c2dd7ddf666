// The page of a room: joins, talks, listens, and shows who is here.

import { RoomClient, roomAddress } from './connection.js';
import { clock, count } from './format.js';
import { barOf, Level } from './level.js';
import { CONTEXT, Listener } from './listener.js';
import { participantNameProblem, roomNameProblem } from './names.js';
import { find, make, reconcile, say, write } from './page.js';
import { Publisher } from './publisher.js';
import { browserSentence, closedSentence, microphoneSentence, noticeSentence } from './sentences.js';

/** Louder than this counts as speaking: a share of the bar. */
const SPEAKING = 0.25;
/** How long one counts as speaking after the last loud moment, in ms: the pauses between words. */
const HOLD = 600;
/** How long a sentence stays that needs nothing done, in ms. */
const READ = 8_000;
/** Lines of chat that are kept on the page. */
const MOST_LINES = 500;

const room = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const part = {
  trouble: find('trouble', HTMLElement),
  join: find('join', HTMLFormElement),
  joinButton: find('join-button', HTMLButtonElement),
  name: find('name', HTMLInputElement),
  nameProblem: find('name-problem', HTMLElement),
  stage: find('stage', HTMLElement),
  talk: find('talk', HTMLButtonElement),
  mute: find('mute', HTMLButtonElement),
  leave: find('leave', HTMLButtonElement),
  people: find('people', HTMLElement),
  listeners: find('listeners', HTMLElement),
  recording: find('recording', HTMLElement),
  recordingWord: find('recording-word', HTMLElement),
  elapsed: find('elapsed', HTMLElement),
  chat: find('chat', HTMLElement),
  say: find('say', HTMLFormElement),
  text: find('text', HTMLInputElement),
};

/**
 * What there is while one is in the room.
 *
 * @typedef {object} Visit
 * @property {RoomClient} client
 * @property {Publisher} publisher
 * @property {AudioContext | null} context
 * @property {Listener | null} listener
 * @property {boolean} healthy whether what is said is being recorded
 * @property {{ context: AudioContext, level: Level } | null} ownLevel
 */

const nameHint = part.nameProblem.textContent ?? '';

/** @type {Visit | null} */
let visit = null;
/** When each participant was last loud, in ms. @type {Map<string, number>} */
const loud = new Map();

begin();

function begin() {
  const wrong = roomNameProblem(room);
  write(find('title', HTMLElement), wrong ? 'No such room' : room);
  document.title = `${wrong ? 'No such room' : room} – roomtone`;
  if (wrong) {
    say(part.trouble, `${wrong} Open a room from the list of all rooms.`);
    return;
  }
  part.name.value = rememberedName();
  part.join.hidden = false;
  part.name.focus();
  say(part.trouble, browserSentence({ listen: Listener.supported, secure: isSecureContext }));
  part.join.addEventListener('submit', join);
  part.name.addEventListener('input', () => showNameProblem(''));
  part.talk.addEventListener('click', talk);
  part.mute.addEventListener('click', mute);
  part.leave.addEventListener('click', () => void leave());
  part.say.addEventListener('submit', chat);
}

/** @param {Event} event */
function join(event) {
  event.preventDefault();
  if (visit) return;
  const wrong = participantNameProblem(part.name.value);
  showNameProblem(wrong ?? '');
  if (wrong) return part.name.focus();
  const name = part.name.value.trim();
  rememberName(name);
  say(part.trouble, browserSentence({ listen: Listener.supported, secure: isSecureContext }));

  // Made here, in the click: a browser lets a page sound only after one.
  const context = Listener.supported ? new AudioContext(CONTEXT) : null;
  const listener = context && new Listener(context);
  const client = new RoomClient({ address: roomAddress(location.origin, room, { name }) });
  const publisher = new Publisher(client);
  visit = { client, publisher, context, listener, healthy: true, ownLevel: null };

  client.on('state', showConnection);
  client.on('participants', showPeople);
  client.on('listeners', showPeople);
  client.on('tracks', (tracks) => {
    listener?.follow(tracks);
    showPeople();
  });
  client.on('packets', (message) => listener?.take(message));
  client.on('session', showRecording);
  client.on('chat', ({ participant, text }) => showLine(participant.name, text));
  client.on('notice', showNotice);
  publisher.on('state', showPublisher);
  part.chat.replaceChildren();
  client.connect();
}

function talk() {
  if (!visit) return;
  if (visit.publisher.state.kind === 'talking') void visit.publisher.stop();
  else void visit.publisher.start();
}

function mute() {
  const state = visit?.publisher.state;
  if (state?.kind === 'talking') visit?.publisher.mute(!state.muted);
}

async function leave() {
  if (!visit) return;
  // The last words first, then the door.
  await visit.publisher.stop();
  visit?.client.leave();
}

/** @param {Event} event */
function chat(event) {
  event.preventDefault();
  const text = part.text.value.trim();
  if (visit?.client.state.kind !== 'joined' || text === '') return;
  visit.client.chat(text);
  // The hub tells the others; ours it does not send back.
  showLine(visit.client.state.self.name, text);
  part.text.value = '';
}

/** @param {import('./connection.js').State} state */
function showConnection(state) {
  part.joinButton.disabled = state.kind === 'connecting';
  write(part.joinButton, state.kind === 'connecting' ? 'Joining …' : 'Join');
  if (state.kind === 'joined') {
    part.join.hidden = true;
    part.stage.hidden = false;
    part.talk.focus();
    requestAnimationFrame(showLevels);
  }
  if (state.kind === 'closed') {
    end();
    say(part.trouble, closedSentence(state));
    part.stage.hidden = true;
    part.join.hidden = false;
    part.joinButton.focus();
  }
}

/** Takes down what a visit has set up. */
function end() {
  if (!visit) return;
  const { publisher, listener, context } = visit;
  void publisher.stop();
  setOwnLevel(null);
  listener?.close();
  void context?.close();
  visit = null;
  loud.clear();
  showRecording();
}

/** @param {import('./publisher.js').State} state */
function showPublisher(state) {
  const talking = state.kind === 'talking';
  const muted = talking && state.muted;
  write(part.talk, talking ? 'Stop' : state.kind === 'starting' ? 'Asking …' : 'Talk');
  if (talking) part.talk.setAttribute('aria-label', 'Stop talking');
  else part.talk.removeAttribute('aria-label');
  part.talk.disabled = state.kind === 'starting' || state.kind === 'stopping';
  part.talk.classList.toggle('main', !talking);
  part.mute.disabled = !talking;
  part.mute.setAttribute('aria-pressed', String(muted));
  if (state.kind === 'failed') say(part.trouble, microphoneSentence(state.why));
  else if (state.kind === 'starting') say(part.trouble, browserSentence({ listen: Listener.supported, secure: true }));
  setOwnLevel(talking ? state.stream : null);
  showPeople();
}

/** Measures our own microphone, in a context of the device's own rate: Firefox refuses another. @param {MediaStream | null} stream */
function setOwnLevel(stream) {
  if (!visit) return;
  if (stream && !visit.ownLevel) {
    const context = new AudioContext();
    visit.ownLevel = { context, level: new Level(context.createMediaStreamSource(stream)) };
  } else if (!stream && visit.ownLevel) {
    void visit.ownLevel.context.close();
    visit.ownLevel = null;
  }
}

/** @typedef {{ id: string, name: string, own: boolean, live: boolean, muted: boolean }} Person */

/** Everyone who may speak, ourselves first. @returns {Person[]} */
function people() {
  const state = visit?.client.state;
  if (!visit || state?.kind !== 'joined') return [];
  const own = visit.publisher.state;
  const tracks = [...visit.client.tracks.values()];
  const others = [...visit.client.participants.values()].filter(({ id }) => id !== state.self.id);
  others.sort((one, other) => one.name.localeCompare(other.name));
  return [
    { ...state.self, own: true, live: own.kind === 'talking', muted: own.kind === 'talking' && own.muted },
    ...others.map(({ id, name }) => {
      const theirs = tracks.filter(({ participant }) => participant === id);
      return { id, name, own: false, live: theirs.length > 0, muted: theirs.length > 0 && theirs.every(({ muted }) => muted) };
    }),
  ];
}

function showPeople() {
  reconcile(part.people, people(), ({ id }) => id, makePerson, updatePerson);
  const listeners = visit?.client.listeners ?? 0;
  write(part.listeners, listeners > 0 ? `${count(listeners, 'more listens', 'more listen')}` : '');
}

/** @param {Person} person */
function makePerson({ name, own }) {
  return make(
    'li',
    { class: 'person' },
    make('span', { class: 'name' }, name, ...(own ? [make('span', { class: 'quiet' }, ' (you)')] : [])),
    make('span', { class: 'what quiet' }),
    make('span', { class: 'bar', 'aria-hidden': 'true' }, make('span', {})),
  );
}

/**
 * @param {HTMLElement} element
 * @param {Person} person
 */
function updatePerson(element, { id, live, muted }) {
  const speaking = live && !muted && performance.now() - (loud.get(id) ?? -Infinity) < HOLD;
  element.classList.toggle('speaking', speaking);
  element.classList.toggle('live', live && !muted);
  const word = !live ? 'listening' : muted ? 'muted' : speaking ? 'speaking' : 'microphone on';
  write(/** @type {HTMLElement} */ (element.querySelector('.what')), word);
}

/** Once a frame while one is here: who speaks, how loud, and how long the recording runs. */
function showLevels() {
  if (!visit) return;
  for (const person of people()) {
    const rms = person.own ? (visit.ownLevel?.level.rms() ?? 0) : (visit.listener?.levelOf(person.id) ?? 0);
    const bar = person.muted ? 0 : barOf(rms);
    if (bar > SPEAKING) loud.set(person.id, performance.now());
    const element = /** @type {HTMLElement | null} */ (part.people.querySelector(`[data-key="${CSS.escape(person.id)}"]`));
    if (!element) continue;
    updatePerson(element, person);
    element.style.setProperty('--level', bar.toFixed(2));
  }
  showElapsed();
  requestAnimationFrame(showLevels);
}

function showRecording() {
  part.recording.hidden = !visit?.client.session;
  write(part.recordingWord, visit?.healthy === false ? 'Not recording' : 'Recording');
  part.recording.classList.toggle('ended', visit?.healthy === false);
  showElapsed();
}

function showElapsed() {
  const session = visit?.client.session;
  if (visit && session) write(part.elapsed, clock((visit.client.now() - session.began) / 1000));
}

/** @param {import('./connection.js').Notice} notice */
function showNotice(notice) {
  if (visit && notice.kind === 'health') visit.healthy = notice.recording;
  const text = noticeSentence(notice);
  say(part.trouble, text);
  showRecording();
  const lasts = notice.kind === 'error' || (notice.kind === 'health' && !notice.recording);
  if (!lasts) setTimeout(() => part.trouble.textContent === text && say(part.trouble, ''), READ);
}

/**
 * @param {string} name
 * @param {string} text
 */
function showLine(name, text) {
  const atEnd = part.chat.scrollTop + part.chat.clientHeight >= part.chat.scrollHeight - 8;
  part.chat.append(make('li', {}, make('strong', {}, name), ` ${text}`));
  while (part.chat.childElementCount > MOST_LINES) part.chat.firstElementChild?.remove();
  if (atEnd) part.chat.scrollTop = part.chat.scrollHeight;
}

/** @param {string} problem nothing gives way to the hint */
function showNameProblem(problem) {
  part.name.setAttribute('aria-invalid', String(problem !== ''));
  write(part.nameProblem, problem || nameHint);
}

/** A browser can forbid a page to remember; then it does not. */
function rememberedName() {
  try {
    return localStorage.getItem('name') ?? '';
  } catch {
    return '';
  }
}

/** @param {string} name */
function rememberName(name) {
  try {
    localStorage.setItem('name', name);
  } catch {
    // Then it is asked again next time.
  }
}
