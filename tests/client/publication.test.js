import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sentenceOf } from '../../src/client/publication.js';

const files = (/** @type {number | null} */ bytes) => /** @type {any} */ ({ mix: { ogg: { href: '', bytes } } });

test('who is about to publish is told who hears what, and who has done it whether it is in the feed', () => {
  assert.match(sentenceOf({ published: false, state: 'ended', files: files(1) }), /not published[^]*whoever has the feed[^]*names/);
  assert.match(sentenceOf({ published: true, state: 'live', files: files(null) }), /when it has ended/);
  assert.match(sentenceOf({ published: true, state: 'ended', files: files(null) }), /as soon as its mix is made/);
  assert.match(sentenceOf({ published: true, state: 'ended', files: files(1) }), /is in the feed/);
});
