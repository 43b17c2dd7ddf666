import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Answers } from '../../src/client/answers.js';

/** A hub that answers when it is told to. */
function slow() {
  /** @type {(answer: string) => void} */
  let give = () => {};
  const answer = new Promise((resolve) => (give = resolve));
  return { question: () => answer, give };
}

test('an answer counts, and the next one too', async () => {
  const answers = new Answers();
  assert.equal(await answers.ask(async () => 'one'), 'one');
  assert.equal(await answers.ask(async () => 'two'), 'two');
});

test('what was asked for before a change, and comes after it, is dropped', async () => {
  const answers = new Answers();
  const poll = slow();
  const polled = answers.ask(poll.question);
  answers.changed();
  poll.give('old');
  assert.equal(await polled, null);
  assert.equal(await answers.ask(async () => 'new'), 'new');
});

test('of two questions whose answers change places the older one is dropped', async () => {
  const answers = new Answers();
  const [first, second] = [slow(), slow()];
  const asked = [answers.ask(first.question), answers.ask(second.question)];
  second.give('new');
  assert.equal(await asked[1], 'new');
  first.give('old');
  assert.equal(await asked[0], null);
});

test('a question that fails is no answer', async () => {
  const answers = new Answers();
  const first = slow();
  const asked = answers.ask(first.question);
  await assert.rejects(answers.ask(async () => Promise.reject(new Error('no hub'))));
  first.give('all that is known');
  assert.equal(await asked, 'all that is known');
});
