import assert from 'node:assert/strict';
import { test } from 'node:test';

import { participantNameProblem, roomNameProblem } from '../../src/client/names.js';

// The same names as in the tests of `src/media/room.rs`.

test('a room’s name is what the grammar says', () => {
  for (const good of ['a', 'Studio-1', '0_', 'x'.repeat(64)]) assert.equal(roomNameProblem(good), null, good);
  for (const bad of ['', '-a', '_a', 'a b', 'ä', 'a/b', '..', 'a.b', 'a\n', 'x'.repeat(65)]) {
    assert.match(roomNameProblem(bad) ?? '', /\.$/, bad);
  }
});

test('a participant’s name is trimmed and has no control characters', () => {
  for (const good of ['  Ann Ü ', 'ä'.repeat(64), '🎙'.repeat(64)]) assert.equal(participantNameProblem(good), null, good);
  for (const bad of ['', '  ', 'a\nb', 'a\u0085b', 'x'.repeat(65)]) {
    assert.match(participantNameProblem(bad) ?? '', /\.$/, JSON.stringify(bad));
  }
});
