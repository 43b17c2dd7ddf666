// The page of a room, put together: what one does at the entrance, in the room, and when the connection goes and comes.

import { RoomClient, roomAddress } from './connection.js';
import { clock } from './format.js';
import { CONTEXT, Listener } from './listener.js';
import { wordsOf } from './marker-words.js';
import { roomNameProblem } from './names.js';
import { find, make, write } from './page.js';
import { Publisher } from './publisher.js';
import { stayAwake } from './room-awake.js';
import { ChatPart } from './room-chat.js';
import { DockPart } from './room-dock.js';
import { EntrancePart } from './room-entrance.js';
import { hearKeys, keySwitch } from './room-keys.js';
import { offerLink } from './room-link.js';
import { MarkersPart } from './room-markers.js';
import { MicrophonePart } from './room-microphone.js';
import { PeoplePart } from './room-people.js';
import { RecordingPart } from './room-recording.js';
import { TroublePart } from './room-trouble.js';
import { browserSentence, closedSentence, lostSentence, microphoneSentence, noticeSentence, retrySentence, roomTitle } from './sentences.js';
import { comingsSentence, listenersSentence, peopleOf } from './speaking.js';
import { Voice } from './voice.js';

/** How long a sentence stays that needs nothing done, in ms. */
const READ = 8_000;
/** How long levels stand, in ms: quicker than an eye asks for costs a phone its battery. */
const MOMENT = 45;

/**
 * What there is while one is in the room.
 *
 * @typedef {object} Visit
 * @property {RoomClient} client
 * @property {Publisher} publisher
 * @property {Voice | null} voice null where one only listens
 * @property {AudioContext | null} context
 * @property {Listener | null} listener
 * @property {import('./connection.js').Participant | null} self who we are, once the hub has said so
 * @property {ReadonlyMap<string, import('./connection.js').Participant>} here who was there when it was last told
 */

const room = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const news = find('news', HTMLElement);
const stage = find('stage', HTMLElement);
const settings = find('settings', HTMLDialogElement);
/** @type {Visit | null} */
let visit = null;
/** When levels were last shown, in ms. */
let shown = 0;

const trouble = new TroublePart();
const recording = new RecordingPart();
const people = new PeoplePart({ setVolume: (id, volume) => visit?.listener?.setVolume(id, volume) });
const chat = new ChatPart({ say: sayLine, changed: showTitle });
const markers = new MarkersPart(setMarker);
const microphone = new MicrophonePart({
  level: () => (visit?.voice?.state.kind === 'talking' ? visit.publisher.level() : null),
  changed: async () => (await visit?.voice?.change()) ?? null,
});
const dock = new DockPart({
  talk: () => visit?.voice?.toggle(),
  mute: () => visit?.voice?.toggleMute(),
  joinIn: () => void comeIn(),
  settings: () => openSettings(),
  leave: () => void leave(),
});
const entrance = new EntrancePart({ room, enter });

begin();

function begin() {
  const wrong = roomNameProblem(room);
  write(find('title', HTMLElement), wrong ? 'No such room' : room);
  if (wrong) {
    document.title = 'No such room – roomtone';
    write(find('none-why', HTMLElement), wrong);
    find('none', HTMLElement).hidden = false;
    return;
  }
  showTitle();
  entrance.show(true);
  entrance.focus('name');
  trouble.say('browser', browserSentence({ listen: Listener.supported, secure: isSecureContext }));
  for (const id of ['copy', 'copy-before']) offerLink(find(id, HTMLButtonElement), `${location.origin}/rooms/${room}`, tell, refuse);
  offerFeed();
  const keysOn = keySwitch((on) => dock.tip(on));
  find('settings-close', HTMLButtonElement).addEventListener('click', () => settings.close());
  settings.addEventListener('close', () => microphone.endTrial());
  hearKeys({
    voice: dock.voiceButtons,
    on: () => keysOn() && visit?.voice != null && !stage.hidden,
    mark: () => visit?.client.session && markers.set(''),
    mute: () => {
      visit?.voice?.toggleMute();
      tellMute();
    },
    hold: () => visit?.voice?.hold(),
    release: () => visit?.voice?.release(),
    press: (button) => visit?.voice?.press(dock.isTalk(button) ? 'talk' : 'mute'),
  });
}

/** Where podcast players and browsers look for the room's feed. */
function offerFeed() {
  const href = `/rooms/${room}/feed.xml`;
  find('feed', HTMLAnchorElement).setAttribute('href', href);
  document.head.append(make('link', { rel: 'alternate', type: 'application/rss+xml', title: `Podcast of ${room}`, href }));
}

/** @param {import('./room-entrance.js').Who} who */
function enter({ name, publish }) {
  if (visit) return;
  microphone.endTrial();
  trouble.say('connection', '');
  // Made here, in the click: a browser lets a page sound only after one.
  const context = Listener.supported ? new AudioContext(CONTEXT) : null;
  const listener = context && new Listener(context);
  const client = new RoomClient({ address: roomAddress(location.origin, room, { name, publish }), reconnect: true });
  const publisher = new Publisher(client);
  const voice = publish ? new Voice(publisher, microphone.open) : null;
  visit = { client, publisher, voice, context, listener, self: null, here: new Map() };

  client.on('state', showConnection);
  client.on('participants', showComings);
  client.on('listeners', showPeople);
  client.on('tracks', (tracks) => {
    listener?.follow(tracks);
    showPeople();
  });
  client.on('packets', (message) => listener?.take(message));
  client.on('session', (session) => {
    recording.follow(session);
    markers.follow(session);
    showTitle();
  });
  client.on('marker', (marker) => {
    markers.add(marker);
    tell(`${wordsOf(marker)}, at ${clock(marker.at)}.`);
  });
  client.on('chat', ({ participant, text }) => chat.line(participant.name, text));
  client.on('notice', showNotice);
  voice?.on('state', showVoice);
  context?.addEventListener('statechange', showSound);
  chat.clear();
  client.connect();
}

/** From listening to talking: the same person, by another door. */
async function comeIn() {
  const name = visit?.self?.name;
  if (!name) return;
  await leave();
  enter({ name, publish: true });
}

async function leave() {
  if (!visit) return;
  const { voice, client } = visit;
  // The last words first, then the door.
  await voice?.stop();
  client.leave();
}

/** @param {string} text @returns {string | null} */
function sayLine(text) {
  if (visit?.client.state.kind !== 'joined') return null;
  visit.client.chat(text);
  return visit.client.state.self.name;
}

/** @param {string} text @returns {boolean} whether it is on its way */
function setMarker(text) {
  if (visit?.client.state.kind !== 'joined') return false;
  visit.client.mark(text);
  return true;
}

/** @param {import('./connection.js').State} state */
function showConnection(state) {
  if (!visit) return;
  const first = visit.self === null;
  entrance.busy(state.kind === 'connecting');
  stage.classList.toggle('away', state.kind === 'reconnecting');
  recording.away(state.kind === 'reconnecting');
  if (state.kind === 'joined') {
    visit.self = state.self;
    visit.here = new Map();
    trouble.say('connection', '');
    if (first) showRoom();
    else tell('Connected again.');
  } else if (state.kind === 'reconnecting') {
    trouble.say('connection', lostSentence(visit.voice?.state ?? null), { word: 'Try now', run: () => visit?.client.retry() });
  } else if (state.kind === 'closed') {
    end();
    trouble.say('connection', closedSentence(state));
  }
  showTitle();
}

function showRoom() {
  entrance.show(false);
  stage.hidden = false;
  scrollTo(0, 0);
  microphone.moveTo(find('microphone-inside', HTMLElement), true);
  dock.show(visit?.voice ? 'talk' : 'listen');
  dock.focus();
  showSound();
  requestAnimationFrame(showMoment);
}

/** Takes down what a visit has set up, and shows the entrance again. */
function end() {
  if (!visit) return;
  const { voice, listener, context } = visit;
  void voice?.stop();
  listener?.close();
  void context?.close();
  visit = null;
  stayAwake(false);
  recording.forget();
  markers.forget();
  people.forget();
  settings.close();
  stage.hidden = true;
  dock.show('nothing');
  for (const kind of /** @type {const} */ (['sound', 'health', 'microphone'])) trouble.say(kind, '');
  microphone.moveTo(find('microphone-before', HTMLElement), false);
  entrance.busy(false);
  entrance.show(true);
  entrance.focus('join');
}

/** @param {import('./publisher.js').State} state */
function showVoice(state) {
  const talking = state.kind === 'talking';
  dock.voice(state);
  stayAwake(talking);
  if (state.kind === 'failed') trouble.say('microphone', microphoneSentence(state.why));
  else if (state.kind === 'starting' || talking) trouble.say('microphone', '');
  microphone.showLevel();
  showPeople();
  showTitle();
}

/** For those who cannot see that the button has changed. */
function tellMute() {
  const state = visit?.voice?.state;
  if (state?.kind === 'talking') tell(state.muted ? 'Muted.' : 'Microphone on.');
}

/** @param {string} sentence */
function tell(sentence) {
  write(news, sentence);
}

/** @param {string} sentence */
function refuse(sentence) {
  trouble.mention('notice', sentence, READ);
}

/** @param {ReadonlyMap<string, import('./connection.js').Participant>} here */
function showComings(here) {
  if (!visit) return;
  // At the welcome everyone is new, and nobody has come.
  if (visit.here.size > 0) tell(comingsSentence(visit.here, here));
  visit.here = new Map(here);
  showPeople();
}

function showPeople() {
  if (!visit?.self) return;
  const state = visit.voice?.state;
  const own = visit.voice && { ...visit.self, live: state?.kind === 'talking', muted: state?.kind === 'talking' && state.muted };
  people.show(peopleOf(own, visit.client.participants.values(), visit.client.tracks.values()));
  write(find('listeners', HTMLElement), listenersSentence(visit.client.listeners, visit.voice === null));
}

/** Some twenty times a second while one is here: who speaks, how loud, and how long things take. @param {number} now ms */
function showMoment(now) {
  if (!visit) return;
  requestAnimationFrame(showMoment);
  if (now - shown < MOMENT) return;
  shown = now;
  const { client, publisher, listener } = visit;
  people.showLevels(({ own, id }) => (own ? publisher.level() : (listener?.levelOf(id) ?? 0)));
  if (settings.open) microphone.showLevel();
  recording.showElapsed(client.now());
  if (client.state.kind === 'reconnecting') trouble.when(retrySentence(client.state.retryAt - client.now()));
}

/** @param {import('./connection.js').Notice} notice */
function showNotice(notice) {
  const text = noticeSentence(notice);
  if (notice.kind === 'health') {
    recording.health(notice.recording);
    trouble.say('health', notice.recording ? '' : text);
    if (!notice.recording) return;
  }
  trouble.mention('notice', text, READ);
}

/** A browser can keep a page silent until it is clicked, and a phone call can silence it. */
function showSound() {
  const context = visit?.context;
  const silent = context && context.state !== 'running' && context.state !== 'closed';
  const play = () => void context?.resume();
  if (silent) trouble.say('sound', 'The browser keeps this page silent.', { word: 'Hear the room', run: play });
  else trouble.say('sound', '');
}

function showTitle() {
  document.title = roomTitle({
    room,
    away: visit?.client.state.kind === 'reconnecting',
    voice: visit?.voice?.state ?? null,
    recording: recording.running,
    unread: chat.unread,
  });
}

function openSettings() {
  microphone.explain(null);
  microphone.showLevel();
  settings.showModal();
}
