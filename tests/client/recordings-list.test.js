import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RecordingsList } from '../../src/client/recordings-list.js';

/** A recording that began at this minute. @param {number} minute @param {string} [title] */
function recording(minute, title = '') {
  const started = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString();
  return /** @type {import('../../src/client/api.js').Recording} */ ({ id: `id-${minute}`, started, title });
}

/** What is shown: minutes, and titles where there are some. @param {RecordingsList} list */
function shown(list) {
  return list.items.map(({ id, title }) => `${id.slice(3)}${title}`).join(' ');
}

/** A list that shows these, and has older ones if there is a cursor. @param {number[]} minutes @param {string | null} [next] */
function listOf(minutes, next = null, searched = false) {
  const list = new RecordingsList();
  list.replace(list.mark(), { recordings: minutes.map((minute) => recording(minute)), next, searched });
  return list;
}

test('a new recording comes where it belongs, and one that is shown keeps its place', () => {
  const list = listOf([30, 20, 10]);
  assert.ok(list.changed(recording(40)));
  assert.ok(list.changed(recording(25)));
  assert.ok(list.changed(recording(5)));
  assert.equal(shown(list), '40 30 25 20 10 5');
  list.changed(recording(20, '!'));
  assert.equal(shown(list), '40 30 25 20! 10 5');
  list.deleted('id-30');
  list.deleted('id-99');
  assert.equal(shown(list), '40 25 20! 10 5');
});

test('recordings of one moment are in the order of their IDs, as the hub has them', () => {
  const list = new RecordingsList();
  const at = (/** @type {string} */ id) => ({ ...recording(1), id });
  for (const id of ['id-b', 'id-c', 'id-a']) list.changed(at(id));
  assert.equal(shown(list), 'c b a');
});

test('one that is older than the last that is shown comes with those between', () => {
  const list = listOf([30, 20], 'cursor');
  assert.equal(list.changed(recording(10)), false);
  assert.equal(shown(list), '30 20');
  list.append(list.mark(), { recordings: [recording(15), recording(10)], next: null });
  assert.equal(shown(list), '30 20 15 10');
});

test('whether a search finds a new one only the hub knows', () => {
  const list = listOf([30, 20], null, true);
  assert.equal(list.changed(recording(40)), false);
  assert.ok(list.changed(recording(30, '!')));
  assert.equal(shown(list), '30! 20');
});

test('what changes while a page is under way is not undone by it', () => {
  const list = listOf([30, 20], 'cursor');
  const mark = list.mark();
  list.changed(recording(40));
  list.changed(recording(20, '!'));
  list.deleted('id-10');
  list.deleted('id-30');
  // An older page, which does not know of it.
  list.append(mark, { recordings: [recording(30), recording(10), recording(5)], next: null });
  assert.equal(shown(list), '40 20! 5');
  const again = list.mark();
  list.deleted('id-40');
  list.replace(again, { recordings: [recording(40), recording(20)], next: null, searched: false });
  assert.equal(shown(list), '20');
  list.replace(list.mark(), { recordings: [recording(40), recording(20)], next: null, searched: false });
  assert.equal(shown(list), '40 20', 'a page that was asked for later is right');
});

test('a page that did not come is forgotten', () => {
  const list = listOf([30]);
  const mark = list.mark();
  list.forget(mark);
  list.deleted('id-30');
  assert.equal(mark.length, 0);
});

test('a page that overlaps shows none twice', () => {
  const list = listOf([30, 20], 'cursor');
  list.append(list.mark(), { recordings: [recording(20), recording(10)], next: 'more' });
  assert.equal(shown(list), '30 20 10');
  assert.equal(list.next, 'more');
});
