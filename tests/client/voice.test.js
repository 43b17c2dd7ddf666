import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Emitter } from '../../src/client/emitter.js';
import { MicrophoneError } from '../../src/client/microphone.js';
import { Voice } from '../../src/client/voice.js';

/** @typedef {import('../../src/client/publisher.js').State} State */

/** A microphone's stream that says whether it was stopped. */
function aStream() {
  const track = { stopped: false, stop: () => void (track.stopped = true) };
  return { track, stream: /** @type {MediaStream} */ (/** @type {unknown} */ ({ getTracks: () => [track] })) };
}

/** Talks as a publisher does, and sends nothing. @extends {Emitter<{ state: State, [name: string]: unknown }>} */
class Sender extends Emitter {
  /** @type {State} */
  state = { kind: 'silent' };
  /** @type {MediaStream[]} */
  replaced = [];

  /** @param {MediaStream} stream */
  async start(stream) {
    this.#become({ kind: 'starting' });
    await Promise.resolve();
    this.#become({ kind: 'talking', muted: false, stream });
  }

  /** As the publisher: of two streams at once it keeps the first. @param {MediaStream} stream */
  async replaceStream(stream) {
    const before = this.replaced.length;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.replaced.length === before) this.replaced.push(stream);
  }

  /** @param {boolean} muted */
  mute(muted) {
    if (this.state.kind === 'talking') this.#become({ ...this.state, muted });
  }

  async stop() {
    this.#become({ kind: 'silent' });
  }

  /** @param {State} state */
  #become(state) {
    this.state = state;
    this.emit('state', state);
  }
}

/** A voice whose microphone opens when the test says so. */
function aVoice() {
  const sender = new Sender();
  /** @type {Answer[]} */
  const asked = [];
  const voice = new Voice(sender, () => {
    const answer = /** @type {any} */ ({});
    answer.promise = new Promise((resolve, reject) => Object.assign(answer, { resolve, reject }));
    asked.push(answer);
    return answer.promise;
  });
  /** @type {string[]} */
  const states = [];
  voice.on('state', (state) => states.push(state.kind === 'talking' && state.muted ? 'muted' : state.kind));
  return { voice, sender, asked, states };
}

/** @typedef {{ promise: Promise<any>, resolve: (value: any) => void, reject: (why: unknown) => void }} Answer */

/** Lets what waits go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('one talks when the microphone has opened, and the state says what is awaited', async () => {
  const { voice, asked, states } = aVoice();
  voice.toggle();
  assert.equal(voice.state.kind, 'starting');
  asked[0]?.resolve(aStream().stream);
  await settle();
  voice.toggle();
  assert.deepEqual(states, ['starting', 'starting', 'talking', 'silent']);
});

test('a microphone that is refused is the state’s reason, and one can ask again', async () => {
  const { voice, asked } = aVoice();
  voice.toggle();
  asked[0]?.reject(new MicrophoneError('denied'));
  await settle();
  assert.deepEqual(voice.state, { kind: 'failed', why: 'denied' });
  voice.toggle();
  asked[1]?.resolve(aStream().stream);
  await settle();
  assert.equal(voice.state.kind, 'talking');
});

test('a microphone that comes after one thought better of it is let go', async () => {
  const { voice, sender, asked } = aVoice();
  voice.toggle();
  voice.toggle();
  assert.equal(voice.state.kind, 'silent');
  const { stream, track } = aStream();
  asked[0]?.resolve(stream);
  await settle();
  assert.ok(track.stopped);
  assert.equal(sender.state.kind, 'silent');
});

test('who is silent talks while the key is held, and is muted after it', async () => {
  const { voice, asked, states } = aVoice();
  voice.hold();
  asked[0]?.resolve(aStream().stream);
  await settle();
  assert.deepEqual(states.at(-1), 'talking');
  voice.release();
  assert.deepEqual(states.at(-1), 'muted');
  voice.hold();
  assert.deepEqual(states.at(-1), 'talking');
  voice.release();
  assert.deepEqual(states.at(-1), 'muted');
});

test('a key that is let go before the microphone opens leaves one muted', async () => {
  const { voice, asked, states } = aVoice();
  voice.hold();
  voice.release();
  asked[0]?.resolve(aStream().stream);
  await settle();
  assert.deepEqual(states.at(-1), 'muted');
  assert.ok(!states.includes('talking'), states.join());
});

test('who talks already talks on after the key', async () => {
  const { voice, asked } = aVoice();
  voice.toggle();
  asked[0]?.resolve(aStream().stream);
  await settle();
  voice.hold();
  voice.release();
  assert.deepEqual(voice.state.kind === 'talking' && voice.state.muted, false);
});

test('a short key does what its button does, once', async () => {
  const { voice, asked, states } = aVoice();
  voice.hold();
  asked[0]?.resolve(aStream().stream);
  await settle();
  voice.press('talk');
  assert.equal(states.at(-1), 'talking', 'holding it began, and pressing it does not end');
  voice.hold();
  voice.press('mute');
  assert.equal(states.at(-1), 'muted');
  voice.hold();
  voice.press('mute');
  assert.equal(states.at(-1), 'talking');
  voice.hold();
  voice.press('talk');
  assert.equal(states.at(-1), 'silent');
});

test('of choices in quick succession the last is what is said, in whatever order microphones open', async () => {
  const { voice, sender, asked } = aVoice();
  voice.toggle();
  asked[0]?.resolve(aStream().stream);
  await settle();
  const streams = [aStream(), aStream(), aStream()];
  const changes = streams.map(() => voice.change());
  asked[2]?.resolve(streams[1]?.stream);
  asked[3]?.resolve(streams[2]?.stream);
  asked[1]?.resolve(streams[0]?.stream);
  await Promise.all(changes);
  assert.deepEqual(sender.replaced, [streams[2]?.stream]);
  assert.deepEqual(streams.map(({ track }) => track.stopped), [true, true, false]);

  // One is being taken when the next is chosen.
  const [one, other] = [aStream(), aStream()];
  const first = voice.change();
  asked[4]?.resolve(one.stream);
  await Promise.resolve();
  const second = voice.change();
  asked[5]?.resolve(other.stream);
  await Promise.all([first, second]);
  assert.equal(sender.replaced.at(-1), other.stream);
});

test('another choice replaces the sound of who talks, and opens nothing for who does not', async () => {
  const { voice, sender, asked } = aVoice();
  assert.equal(await voice.change(), null);
  assert.equal(asked.length, 0);
  voice.toggle();
  asked[0]?.resolve(aStream().stream);
  await settle();
  const { stream } = aStream();
  const changed = voice.change();
  asked[1]?.resolve(stream);
  assert.equal(await changed, null);
  assert.deepEqual(sender.replaced, [stream]);
  const refused = voice.change();
  asked[2]?.reject(new MicrophoneError('busy'));
  assert.equal(await refused, 'busy');
  assert.equal(voice.state.kind, 'talking');
});
