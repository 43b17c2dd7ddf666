import assert from 'node:assert/strict';
import { test } from 'node:test';

import { comingsSentence, listenersSentence, peopleOf, Speaking, speakersSentence } from '../../src/client/speaking.js';

const [ann, ben, cem] = ['Ann', 'Ben', 'Cem'].map((name) => ({ id: name.toLowerCase(), name }));
assert.ok(ann && ben && cem);
const person = { ...ann, own: false, live: true, muted: false };
/** @param {number} track @param {string} participant @param {boolean} muted */
const aTrack = (track, participant, muted) => ({ track, participant, muted, format: { codec: /** @type {const} */ ('opus'), channels: 1 } });

test('who was loud speaks on through the pauses between words, and no longer', () => {
  const speaking = new Speaking();
  assert.equal(speaking.word(person, 0), 'microphone on');
  speaking.hear('ann', 0.5, 1_000);
  speaking.hear('ann', 0, 1_300);
  assert.equal(speaking.word(person, 1_300), 'speaking');
  assert.equal(speaking.word(person, 2_000), 'microphone on');
});

test('a bar rises at once, and falls in its own time to nothing', () => {
  const speaking = new Speaking();
  assert.equal(speaking.hear('ann', 0.8, 0), 0.8);
  const falls = speaking.hear('ann', 0, 100);
  assert.ok(falls > 0.5 && falls < 0.8, `${falls}`);
  assert.equal(speaking.hear('ann', 0.9, 200), 0.9);
  assert.equal(speaking.hear('ann', 0, 2_000), 0);
});

test('a murmur is no speech, and who is muted or has no track does not speak', () => {
  const speaking = new Speaking();
  speaking.hear('ann', 0.2, 0);
  assert.equal(speaking.word(person, 0), 'microphone on');
  speaking.hear('ann', 0.9, 0);
  assert.equal(speaking.word({ ...person, muted: true }, 0), 'muted');
  assert.equal(speaking.word({ ...person, live: false }, 0), 'listening');
});

test('we come first, the others by name, each with what their tracks say', () => {
  const tracks = [aTrack(1, 'cem', true), aTrack(2, 'ben', true), aTrack(3, 'ben', false)];
  const people = peopleOf({ ...cem, live: true, muted: false }, [ben, cem, ann], tracks);
  assert.deepEqual(
    people.map(({ name, own, live, muted }) => [name, own, live, muted]),
    [['Cem', true, true, false], ['Ann', false, false, false], ['Ben', false, true, false]],
  );
});

test('who only listens sees the others alone', () => {
  assert.deepEqual(peopleOf(null, [ben, ann], []).map(({ name }) => name), ['Ann', 'Ben']);
});

test('two of one name keep their order', () => {
  const twins = [{ id: '2', name: 'Ann' }, { id: '1', name: 'Ann' }];
  assert.deepEqual(peopleOf(null, twins, []).map(({ id }) => id), ['1', '2']);
});

test('speakers are named', () => {
  assert.equal(speakersSentence([]), 'Nobody speaks.');
  assert.equal(speakersSentence([{ ...person, own: true }, { ...person, name: 'Ben' }]), 'Speaking now: you, Ben.');
});

test('who came and went is told in a sentence, a crowd as a number', () => {
  const map = (/** @type {{ id: string, name: string }[]} */ ...people) => new Map(people.map((it) => [it.id, it]));
  assert.equal(comingsSentence(map(ann), map(ann)), '');
  assert.equal(comingsSentence(map(ann), map(ann, ben)), 'Ben came.');
  assert.equal(comingsSentence(map(ann, ben), map(cem)), 'Cem came. Ann, Ben went.');
  const crowd = Array.from({ length: 4 }, (_, id) => ({ id: String(id), name: `N${id}` }));
  assert.equal(comingsSentence(map(), map(...crowd)), '4 people came.');
});

test('those who only listen are counted, without ourselves', () => {
  assert.equal(listenersSentence(0, false), '');
  assert.equal(listenersSentence(1, false), '1 more listens.');
  assert.equal(listenersSentence(1, true), 'You listen.');
  assert.equal(listenersSentence(3, true), 'You listen. 2 more listen.');
});
