import assert from 'node:assert/strict';
import { test } from 'node:test';

import { linkTo, momentOf } from '../../src/client/moment.js';

test('a moment is read in seconds and as on a clock', () => {
  const read = ['#t=93', 't=93.5', '#t=1:33', '#t=01:02:03', '#t=1:02:03.5', '#t=npt:7', '#t=10,20', '#a=b&t=5', '#t=0'].map(momentOf);
  assert.deepEqual(read, [93, 93.5, 93, 3723, 3723.5, 7, 10, 5, 0]);
});

test('what is no moment is none', () => {
  for (const fragment of ['', '#', '#t=', '#t=-5', '#t=abc', '#t=1:99', '#t=1e9', '#t=Infinity', '#time=5', '#t=,5']) {
    assert.equal(momentOf(fragment), null, fragment);
  }
});

test('a link leads to the whole second of its moment, whatever the address had before', () => {
  assert.equal(linkTo('http://hub/recordings/1?a=b#t=5', 93.9), 'http://hub/recordings/1?a=b#t=93');
  assert.equal(momentOf(new URL(linkTo('http://hub/', 3723.2)).hash), 3723);
  assert.equal(linkTo('http://hub/', -1), 'http://hub/#t=0');
});
