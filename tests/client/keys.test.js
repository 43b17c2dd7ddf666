import assert from 'node:assert/strict';
import { test } from 'node:test';

import { placeOf } from '../../src/client/key-place.js';
import { pressed, released, TAP } from '../../src/client/keys.js';

/** @param {Partial<import('../../src/client/keys.js').Press>} press */
const press = (press) => ({ key: ' ', repeat: false, modified: false, place: /** @type {const} */ ('page'), ...press });

test('M mutes anywhere but where letters are written', () => {
  for (const place of /** @type {const} */ (['page', 'control', 'voice'])) {
    assert.equal(pressed(press({ key: 'm', place }), false), 'mute', place);
    assert.equal(pressed(press({ key: 'M', place }), false), 'mute', place);
  }
  assert.equal(pressed(press({ key: 'm', place: 'text' }), false), 'ignore');
});

test('B sets a marker anywhere but where letters are written, once however long it is held', () => {
  for (const place of /** @type {const} */ (['page', 'control', 'slider', 'voice'])) {
    assert.deepEqual(['b', 'B'].map((key) => pressed(press({ key, place }), false)), ['mark', 'mark'], place);
  }
  assert.equal(pressed(press({ key: 'b', place: 'text' }), false), 'ignore');
  assert.equal(pressed(press({ key: 'b', modified: true }), false), 'ignore');
  assert.equal(pressed(press({ key: 'b', repeat: true }), false), 'swallow');
});

test('an M that is held mutes once', () => {
  assert.equal(pressed(press({ key: 'm', repeat: true }), false), 'swallow');
});

test('with Ctrl, Alt or Cmd a key is the browser’s', () => {
  assert.equal(pressed(press({ key: 'm', modified: true }), false), 'ignore');
  assert.equal(pressed(press({ modified: true }), false), 'ignore');
});

test('Space is held on the page and on the buttons of the voice, and is its own on other controls and in text', () => {
  assert.equal(pressed(press({ place: 'page' }), false), 'hold');
  assert.equal(pressed(press({ place: 'voice' }), false), 'hold');
  for (const place of /** @type {const} */ (['control', 'slider'])) assert.equal(pressed(press({ place }), false), 'ignore', place);
  assert.equal(pressed(press({ place: 'text' }), false), 'ignore');
});

test('a Space that is held repeats without effect, wherever the focus goes meanwhile', () => {
  for (const place of /** @type {const} */ (['page', 'control', 'voice', 'text'])) {
    assert.equal(pressed(press({ place, repeat: true }), true), 'swallow', place);
  }
  assert.equal(pressed(press({ repeat: true }), false), 'ignore');
});

test('a short Space presses the button it is on; a long one, and any elsewhere, is let go', () => {
  assert.equal(released('voice', TAP - 1), 'press');
  assert.equal(released('voice', TAP), 'release');
  assert.equal(released('page', 1), 'release');
});

test('a place is told by its element', () => {
  const element = { tag: 'DIV', type: '', editable: false };
  /** @type {[Partial<typeof element>, string][]} */
  const places = [
    [{}, 'page'],
    [{ tag: 'BODY' }, 'page'],
    [{ editable: true }, 'text'],
    [{ tag: 'INPUT' }, 'text'],
    [{ tag: 'INPUT', type: 'search' }, 'text'],
    [{ tag: 'INPUT', type: 'range' }, 'slider'],
    [{ tag: 'INPUT', type: 'checkbox' }, 'control'],
    [{ tag: 'SELECT' }, 'text'],
    [{ tag: 'TEXTAREA' }, 'text'],
    [{ tag: 'BUTTON' }, 'control'],
    [{ tag: 'A' }, 'control'],
    [{ tag: 'SUMMARY' }, 'control'],
  ];
  for (const [given, place] of places) assert.equal(placeOf({ ...element, ...given }), place, JSON.stringify(given));
});
