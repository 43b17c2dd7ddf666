// What the room's page decides: the microphone, the chat, the sign, troubles and sentences.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { choiceOf, offered, USUAL } from '../../src/client/choice.js';
import { signOf } from '../../src/client/room-recording.js';
import { browserSentence, microphoneSentence, presenceSentence, retrySentence, roomTitle } from '../../src/client/sentences.js';
import { gravest, KINDS } from '../../src/client/trouble.js';
import { Unread, unreadSentence } from '../../src/client/unread.js';

test('what was chosen is remembered, and nonsense is as usual', () => {
  const choice = { deviceId: 'abc', echoCancellation: false, noiseSuppression: true, autoGainControl: false };
  assert.deepEqual(choiceOf(JSON.stringify(choice)), choice);
  for (const text of [null, '', '{', '7', 'null', '[]', '{"deviceId":5,"echoCancellation":"no"}']) {
    assert.deepEqual(choiceOf(text), USUAL, String(text));
  }
});

test('the list offers the browser’s own microphone first, and each other once', () => {
  const devices = [{ deviceId: 'default', label: 'Default - Desk' }, { deviceId: 'a', label: 'Desk' }, { deviceId: 'b', label: '' }];
  assert.deepEqual(offered(devices, ''), [
    { value: '', text: 'Default microphone' },
    { value: 'a', text: 'Desk' },
    { value: 'b', text: 'Microphone 2' },
  ]);
});

test('before a microphone was allowed none is named, and one that is gone says so', () => {
  assert.deepEqual(offered([{ deviceId: '', label: '' }], ''), [{ value: '', text: 'Default microphone' }]);
  assert.deepEqual(offered([{ deviceId: 'a', label: 'Desk' }], 'z').at(-1), { value: 'z', text: 'Chosen earlier, not there now' });
});

test('lines count as unread while one looks elsewhere, and are read by looking', () => {
  const unread = new Unread();
  unread.line();
  assert.equal(unread.count, 0);
  for (const elsewhere of [{ visible: false }, { onScreen: false }, { atEnd: false }]) {
    unread.look(elsewhere);
    unread.line();
    unread.line();
    assert.equal(unread.count, 2, JSON.stringify(elsewhere));
    unread.look({ visible: true, onScreen: true, atEnd: true });
    assert.equal(unread.count, 0);
  }
  assert.equal(unreadSentence(0), '');
  assert.equal(unreadSentence(1), '1 new message');
  assert.equal(unreadSentence(12), '12 new messages');
});

test('of several troubles the gravest is told', () => {
  const trouble = { text: 'x' };
  assert.equal(gravest(new Map()), null);
  assert.equal(gravest(new Map([['notice', trouble], ['microphone', trouble]])), 'microphone');
  assert.equal(gravest(new Map(KINDS.map((kind) => [kind, trouble]))), 'connection');
});

test('the sign says whether what is said is kept, and leads to it', () => {
  const session = { recording: 'r1', began: 0 };
  assert.equal(signOf({ session: null, last: null, healthy: true, away: false }), null);
  assert.deepEqual(signOf({ session, last: 'r1', healthy: true, away: false }), { word: 'Recording', look: '', recording: 'r1' });
  assert.deepEqual(signOf({ session, last: 'r1', healthy: false, away: false }), { word: 'Not recording', look: 'off', recording: 'r1' });
  assert.deepEqual(signOf({ session: null, last: null, healthy: false, away: false }), { word: 'Not recording', look: 'off', recording: null });
  assert.equal(signOf({ session: null, last: 'r1', healthy: true, away: false })?.look, 'ended');
  assert.equal(signOf({ session, last: 'r1', healthy: true, away: true })?.word, 'Not connected');
});

test('who is in a room is said before one joins', () => {
  const people = (/** @type {string[]} */ ...names) => names.map((name) => ({ id: name, name }));
  assert.match(presenceSentence(null), /nobody is here/i);
  assert.equal(presenceSentence({ participants: people('Ben', 'Ann'), listeners: 0, session: null }), 'Ann and Ben.');
  assert.equal(presenceSentence({ participants: people('Ann'), listeners: 2, session: { recording: 'r', elapsed: 1 } }), 'Ann and 2 listeners. It is being recorded.');
  assert.equal(presenceSentence({ participants: people('A', 'B', 'C', 'D', 'E', 'F', 'G'), listeners: 0, session: null }), 'A, B, C, D and 3 more.');
});

test('the title says what goes on', () => {
  const what = { room: 'studio', away: false, voice: null, recording: false, unread: 0 };
  const stream = /** @type {MediaStream} */ ({});
  assert.equal(roomTitle(what), 'studio – roomtone');
  assert.equal(roomTitle({ ...what, voice: { kind: 'talking', muted: false, stream }, recording: true }), 'Talking, Recording · studio – roomtone');
  assert.equal(roomTitle({ ...what, voice: { kind: 'talking', muted: true, stream }, unread: 2 }), '(2) Muted · studio – roomtone');
  assert.equal(roomTitle({ ...what, away: true, recording: true }), 'Reconnecting · studio – roomtone');
});

test('a next try is counted down in whole seconds', () => {
  assert.equal(retrySentence(2_100), 'Trying again in 3 s.');
  assert.equal(retrySentence(0), 'Trying again now …');
});

test('what a browser cannot do says what to do', () => {
  assert.equal(browserSentence({ listen: true, secure: true }), '');
  assert.match(browserSentence({ listen: false, secure: false }), /https/);
  assert.match(browserSentence({ listen: true, secure: false }), /can listen.*https/);
  assert.match(browserSentence({ listen: false, secure: true }), /newer browsers/i);
  for (const why of /** @type {const} */ (['denied', 'no-microphone', 'busy', 'insecure', 'unsupported', 'unplugged', 'too-slow', 'failed'])) {
    assert.match(microphoneSentence(why), /\. .*|https|can\.$/, why);
  }
});
