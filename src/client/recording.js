// The page of a recording: plays it, shows it, gives its files, changes its title, deletes it.
//
// What belongs here: which part is told what. What does not: what the parts do.

import { Answers } from './answers.js';
import * as api from './api.js';
import { recordingAddress, RoomClient } from './connection.js';
import { allowDeletion, offerDeletion } from './deletion.js';
import { Desk } from './desk.js';
import { showDownloads } from './downloads.js';
import { CutForm } from './downloads-cut.js';
import { clock, when } from './format.js';
import { Listener } from './listener.js';
import { linkTo, momentOf } from './moment.js';
import { find, say, write } from './page.js';
import { Publication } from './publication.js';
import { Markers } from './recording-markers.js';
import { ReplayPlayer } from './replay-player.js';
import { ReplaySound } from './replay-sound.js';
import { endWord, noticeSentence, replaySentence } from './sentences.js';
import { Timeline } from './timeline.js';
import { Title } from './title.js';
import { Transcript } from './transcript.js';
import { Transport } from './transport.js';
import { Waves } from './waves.js';
import { Zoom } from './zoom.js';

/** What the hub takes for an ID: a UUID of version 7. */
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
/** How often a recording that is being made is asked for, and a hub that does not answer, in ms. */
const EVERY = 3_000;
/** How often files that are made after the end are looked for, before it is left to a click. */
const LOOKS = 10;
/** How long a sentence stays that needs nothing done, in ms. */
const READ = 5_000;

const id = decodeURIComponent(location.pathname.split('/')[2] ?? '');
const trouble = find('trouble', HTMLElement);

void begin();

async function begin() {
  if (!ID.test(id)) return nothing('This address is not one of a recording. Choose one from the list.');
  for (;;) {
    try {
      return show(await api.recording(id));
    } catch (error) {
      if (!(error instanceof api.ApiError)) throw error;
      if (error.status === 404) return nothing('This recording is not here; it may have been deleted. Choose another from the list.');
      say(trouble, `${error.message} This page keeps trying.`);
    }
    await sleep(EVERY);
  }
}

/** @param {string} sentence what to do, where there is nothing to show */
function nothing(sentence) {
  write(find('title', HTMLElement), 'No such recording');
  document.title = 'No such recording – roomtone';
  say(trouble, sentence);
}

/** @param {api.RecordingInFull} recording */
function show(recording) {
  const desk = new Desk();
  const sound = Listener.supported ? new ReplaySound(desk) : null;
  const player = new ReplayPlayer({
    open: (place) => new RoomClient({ address: () => recordingAddress(location.origin, id, { from: place() }), reconnect: true }),
    ear: sound?.listener ?? null,
    at: momentOf(location.hash) ?? 0,
    duration: recording.duration,
  });
  const transport = new Transport(player);
  const parts = { lanes: find('lanes', HTMLElement), ruler: find('ruler', HTMLElement), pointed: find('pointed', HTMLElement) };
  const timeline = new Timeline({ ...parts, desk }, {
    point: (at, done) => transport.point(at, done),
    desk: () => sound?.mix(recording.tracks),
  });
  const waves = new Waves({
    peaks: (track, peaks, close) => timeline.setPeaks(track, peaks, close),
    note: (track, text) => timeline.note(track, text),
  });
  const zoom = new Zoom(timeline.view, {
    position: () => transport.position,
    change: () => {
      timeline.look();
      markers.look();
      void waves.look(recording.tracks, timeline.view, timeline.columns);
    },
    pinch: () => transport.point(null, true),
  });
  const cut = new CutForm(() => transport.position);
  let shownAt = 0;
  const transcript = new Transcript({ list: find('chat', HTMLElement), none: find('no-chat', HTMLElement) }, (at) => player.seek(at));
  const markers = new Markers(id, timeline.view, {
    position: () => transport.position,
    go: (at) => player.seek(at),
    changed: () => ask(),
  });
  const title = new Title(async (text) => tellChange(await api.entitle(id, text)));
  const publication = new Publication(id, (newer) => tellChange(newer));
  const answers = new Answers();

  /** @param {api.RecordingInFull} newer */
  const tell = (newer) => {
    recording = newer;
    player.grow(newer.duration);
    title.show(newer.title, newer.room);
    showHead(newer);
    timeline.show(newer.tracks, player.duration);
    zoom.show();
    transcript.show(newer);
    markers.show(newer.markers);
    publication.show(newer);
    showDownloads(find('downloads', HTMLElement), newer);
    cut.show(newer);
    allowDeletion(newer.state === 'ended');
  };
  /** @param {api.RecordingInFull} newer */
  const tellChange = (newer) => {
    answers.changed();
    tell(newer);
  };
  const ask = async () => {
    const newer = await answers.ask(() => api.recording(id));
    if (newer) tell(newer);
  };
  const frame = () => {
    const at = transport.position;
    transport.show();
    if (timeline.view.follow(shownAt, at)) {
      zoom.show();
      timeline.look();
      markers.look();
      void waves.look(recording.tracks, timeline.view, timeline.columns);
    }
    shownAt = at;
    timeline.move(at);
    transcript.move(at);
    markers.move(at);
    write(find('copy-at', HTMLElement), clock(at));
    const playing = player.state.kind === 'playing';
    timeline.speak((track) => playing && sound !== null && sound.speaks(track, performance.now()));
    requestAnimationFrame(frame);
  };

  /** What the hub noted, each once. @type {Set<string>} */
  const notes = new Set();
  const showTrouble = () => say(trouble, [replaySentence(player.state, sound !== null, isSecureContext), ...notes].filter(Boolean).join(' '));
  player.on('state', showTrouble);
  player.on('notice', (notice) => {
    notes.add(noticeSentence(notice));
    showTrouble();
  });
  player.on('duration', () => {
    timeline.show(recording.tracks, player.duration);
    zoom.show();
    markers.look();
  });

  find('stage', HTMLElement).hidden = false;
  find('play', HTMLButtonElement).disabled = !sound;
  tell(recording);
  showTrouble();
  frame();
  offerLink(() => transport.position);
  offerDeletion(() => recording, () => player.close());
  addEventListener('hashchange', () => {
    const at = momentOf(location.hash);
    if (at !== null) player.seek(at);
  });
  void sound?.allowed().then((byItself) => byItself && player.state.kind === 'idle' && player.play());
  void keepUp(() => recording, ask, waves);
}

/** @param {api.RecordingInFull} recording */
function showHead({ title, room, started, duration, people, state, end_reason }) {
  const facts = [...(title === null ? [] : [room]), when(new Date(started), new Date()), clock(duration), people.join(', ')];
  find('facts', HTMLElement).replaceChildren(...facts.filter(Boolean).map((fact) => Object.assign(document.createElement('span'), { textContent: fact })));
  const sign = find('sign', HTMLElement);
  sign.classList.toggle('ended', state === 'ended');
  say(sign, state === 'ended' ? endWord(end_reason) : 'Recording');
}

/**
 * Follows a recording with its waveforms for as long as it is being made, then looks for its files until they are there.
 *
 * @param {() => api.RecordingInFull} recording
 * @param {() => Promise<void>} ask
 * @param {Waves} waves
 */
async function keepUp(recording, ask, waves) {
  const askAgain = async () => {
    await sleep(EVERY);
    await ask().catch((error) => {
      if (!(error instanceof api.ApiError)) throw error;
    });
  };
  while (recording().state !== 'ended') {
    await waves.soFar(recording().tracks);
    await askAgain();
  }
  void waves.all(recording().tracks);
  const missing = () => recording().files.session.bytes === null || recording().tracks.some(({ sizes }) => sizes.webm === null);
  for (let look = 0; look < LOOKS && missing(); look += 1) await askAgain();
}

/** Copies the address of the moment that is heard. @param {() => number} position seconds */
function offerLink(position) {
  const copied = find('copied', HTMLElement);
  find('copy', HTMLButtonElement).addEventListener('click', async () => {
    const link = linkTo(location.href, position());
    // The address of the page is the link too, for those whose browser lets no page write to the clipboard.
    history.replaceState(null, '', link);
    try {
      await navigator.clipboard.writeText(link);
      write(copied, 'Copied.');
    } catch {
      write(copied, 'The page’s address is the link now.');
    }
    setTimeout(() => write(copied, ''), READ);
  });
}

/** @param {number} ms @returns {Promise<void>} */
function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
