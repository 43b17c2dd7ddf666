import assert from 'node:assert/strict';
import { test } from 'node:test';

import { whenMade, wholeLength } from '../../src/client/making.js';

/** A hub that gives these answers one after another. @param {...Response} answers */
function hub(...answers) {
  /** @type {string[]} */
  const asked = [];
  /** @type {number[]} */
  const waited = [];
  const fetch = async (/** @type {any} */ address) => {
    asked.push(address);
    return answers.shift() ?? assert.fail('asked once too often');
  };
  const wait = async (/** @type {number} */ ms) => void waited.push(ms);
  return { asked, waited, options: { fetch, wait } };
}

const making = (/** @type {number} */ progress, headers = {}) => new Response(JSON.stringify({ progress }), { status: 202, headers });

test('a file that is not made is asked for until it is, as often as the hub says', async () => {
  const { asked, waited, options } = hub(making(0, { 'retry-after': '2' }), making(0.4), making(0.9, { 'retry-after': '3600' }), new Response('made'));
  /** @type {number[]} */
  const told = [];
  const response = await whenMade('/file', { ...options, progress: (done) => told.push(done) });
  assert.equal(await response.text(), 'made');
  assert.deepEqual([asked.length, told, waited], [4, [0, 0.4, 0.9], [2000, 1000, 10_000]]);
});

test('one that is there is asked for once', async () => {
  const { asked, options } = hub(new Response('made', { status: 206 }));
  await whenMade('/file', options);
  assert.equal(asked.length, 1);
});

test('one that cannot be made says why', async () => {
  const problem = new Response(JSON.stringify({ detail: 'The recording has not ended.' }), { status: 409 });
  await assert.rejects(whenMade('/file', hub(problem).options), { status: 409, message: 'The recording has not ended.' });
  const down = { ...hub().options, fetch: async () => Promise.reject(new TypeError('network')) };
  await assert.rejects(whenMade('/file', down), { status: 0, message: 'The hub cannot be reached.' });
});

test('who no longer wants it asks no more', async () => {
  const stop = new AbortController();
  const { options } = hub(making(0));
  const wait = async () => stop.abort(new Error('enough'));
  await assert.rejects(whenMade('/file', { ...options, wait, signal: stop.signal }), /enough/);
});

test('who no longer wants it is not kept until it would be asked for again', async () => {
  const stop = new AbortController();
  const { fetch } = hub(making(0, { 'retry-after': '10' })).options;
  const begun = performance.now();
  await assert.rejects(whenMade('/file', { fetch, signal: stop.signal, progress: () => setImmediate(() => stop.abort(new Error('enough'))) }), /enough/);
  assert.ok(performance.now() - begun < 9_000);
});

test('the length of the whole is known from a range, or from the whole', () => {
  const of = (/** @type {number} */ status, /** @type {Record<string, string>} */ headers) => wholeLength(new Response(null, { status, headers }));
  assert.equal(of(206, { 'content-range': 'bytes 0-0/1234', 'content-length': '1' }), 1234);
  assert.equal(of(200, { 'content-length': '99' }), 99);
  assert.equal(of(206, { 'content-length': '1' }), null);
});
