import assert from 'node:assert/strict';
import { test } from 'node:test';

import { cutOf, written } from '../../src/client/cut.js';

const recording = { tracks: [1, 2, 3], duration: 3723.25 };
/** @param {Partial<import('../../src/client/cut.js').Written>} what */
const cut = (what) => cutOf({ chosen: [1, 2, 3], from: '', to: '', loudness: '', ...what }, recording);

test('what was chosen becomes what the hub is asked, and the whole asks for nothing', () => {
  assert.deepEqual(cut({}), { query: '' });
  assert.deepEqual(cut({ chosen: [1, 3] }), { query: 'tracks=1,3' });
  assert.deepEqual(cut({ from: '1:23', to: ' 1:02:02.5 ' }), { query: 'from=83&to=3722.5' });
  assert.deepEqual(cut({ from: '0:00', to: '1:02:03' }), { query: '' }, 'the end as it is shown is the end');
  for (const to of ['1:02:03.25', '1:02:03.26', '2:00:00']) assert.deepEqual(cut({ to }), { query: '' }, to);
  for (const to of ['1:02:03.2', '1:02:02.9']) assert.match(JSON.stringify(cut({ to })), /to=372[23]\.[29]/, `${to} is before the end`);
  assert.deepEqual(cut({ from: '1:23,5', to: '1:40,25' }), { query: 'from=83.5&to=100.25' }, 'a comma is a point');
  assert.deepEqual(cut({ chosen: [2], loudness: '-16' }), { query: 'tracks=2&loudness=-16' });
  assert.deepEqual(cut({ from: '12.3456', to: '60' }), { query: 'from=12.346&to=60' });
});

test('what cannot be is told, with the field where it stands', () => {
  const wrong = (/** @type {Parameters<typeof cut>[0]} */ what) => {
    const found = cut(what);
    return 'wrong' in found ? found.field : null;
  };
  assert.equal(wrong({ chosen: [] }), 'tracks');
  for (const from of ['soon', '1,2,3', '1:23,', '1:99', '-3', '1e9', '2:00:00']) assert.equal(wrong({ from }), 'from', from);
  for (const to of ['never', '0', '0:00']) assert.equal(wrong({ to }), 'to', to);
  assert.equal(wrong({ from: '60', to: '1:00' }), 'to');
});

test('a moment is written as it is read', () => {
  for (const seconds of [0, 7, 83.5, 3723.125, 59.9996]) {
    const query = cutOf({ chosen: [1], from: written(seconds + 1), to: '', loudness: '' }, { tracks: [1], duration: 9999 });
    assert.deepEqual(query, { query: `from=${Math.round((seconds + 1) * 1000) / 1000}` });
  }
});
