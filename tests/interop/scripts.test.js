// The scripts of tests/interop/examples: each says a file in real time, or keeps what it hears, or both.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { extname } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startHub } from '../browser/hub.js';
import { Peer, until } from './peer.js';
import { decoded, made, share, tone } from './sound.js';

/** Hz. */
const [SAID, ANSWERED] = [500, 860];
const SECONDS = 4;
/** How long a message is, in seconds. */
const MESSAGE = 0.24;
/** What is heard at least of what is said, in samples. */
const LEAST = (SECONDS - MESSAGE) * 48_000;
const MOSTLY = 0.9;
const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
/** What tests/run installs of tests/interop/requirements.txt. */
const PROGRAMS = path('../venv/bin');
/** What runs a script. @type {Record<string, string>} */
const RUNNERS = { '.mjs': 'node', '.py': 'python', '.sh': 'sh' };

/** A script that runs. */
class Script {
  /** All that were started: one that a failed test leaves would keep this file from ending. @type {Script[]} */
  static all = [];
  /** What it has written. @type {Buffer[]} */
  written = [];
  /** What it has said on the side. */
  words = '';

  /** @param {string} name @param {string} address */
  constructor(name, address) {
    const env = { ...process.env, PATH: `${PROGRAMS}:${process.env.PATH}` };
    this.run = spawn(RUNNERS[extname(name)] ?? name, [path(`examples/${name}`), address], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.ended = once(this.run, 'close');
    Script.all.push(this);
    this.run.stdout.on('data', (data) => this.written.push(data));
    this.run.stderr.on('data', (data) => (this.words += data));
    // One that has ended, as by a fault, reads no more.
    this.run.stdin.on('error', () => {});
  }

  /** Has it say the tone, as fast as it sounds, and ends by itself, well. */
  async says() {
    const source = `aevalsrc=${tone(SAID)}:d=${SECONDS}:s=48000`;
    const encode = ['-c:a', 'libopus', '-f', 'webm', '-cluster_time_limit', '200', '-flush_packets', '1', '-'];
    const file = spawn('ffmpeg', ['-v', 'error', '-re', '-f', 'lavfi', '-i', source, ...encode], { stdio: ['ignore', 'pipe', 'inherit'] });
    file.stdout.pipe(this.run.stdin);
    const [status] = await this.ended;
    assert.equal(status, 0, this.words);
  }

  /** Ends it, where it has not ended by itself. */
  async stop() {
    this.run.kill();
    await this.ended;
  }
}

describe('a script', { concurrency: true }, () => {
  /** @type {import('../browser/hub.js').Hub} */
  let hub;
  before(async () => {
    hub = await startHub();
  });
  after(() => Promise.all([hub?.stop(), ...Script.all.map((script) => script.stop())]));

  const addressOf = (/** @type {string} */ room) => `${hub.address.replace('http', 'ws')}/rooms/${room}/ws`;

  /** Waits until so many are in a room: a busy machine takes its time to start a script. @param {string} room @param {'participants' | 'listeners'} who @param {number} count */
  const gathered = (room, who, count) => until(`${count} ${who} are in ${room}`, async () => {
    const { rooms } = await (await fetch(`${hub.address}/api/v1/rooms`)).json();
    const it = rooms.find((/** @type {{ name: string }} */ { name }) => name === room);
    return it && (who === 'listeners' ? it.listeners : it.participants.length) === count;
  });

  /** Waits until all that was said has been heard, which is one file. @param {Buffer[]} heard */
  const hearsAll = async (heard) => {
    /** @type {Float32Array} */
    let sound = new Float32Array();
    await until('the end is heard', async () => {
      if (heard.length > 0) sound = await decoded(Buffer.concat(heard));
      return sound.length >= LEAST;
    });
    assert.ok(share(sound, SAID) > MOSTLY, `${share(sound, SAID)} of what is heard`);
  };

  for (const script of ['call.mjs', 'call.py', 'call.sh']) {
    test(`${script} says a file in real time and keeps what it hears`, async () => {
      const room = script.replace('.', '-');
      const other = await Peer.join(`${addressOf(room)}?name=Ben&as=ogg`);
      const answer = await made(tone(ANSWERED), SECONDS + 16);
      const call = new Script(script, `${addressOf(room)}?name=Ann&as=ogg`);
      // What it hears is to last as long as what it says.
      await gathered(room, 'participants', 2);
      // Longer than the script talks: some of what is said without a pause is heard at once, and the rest at its pace.
      other.send(answer);
      await call.says();
      await hearsAll(other.binary);
      other.leave();
      const heard = await decoded(Buffer.concat(call.written));
      assert.ok(heard.length >= (SECONDS / 2) * 48_000, `${heard.length} samples; ${call.words}`);
      assert.ok(share(heard, ANSWERED) > MOSTLY, `${share(heard, ANSWERED)} of what is kept`);
    });
  }

  for (const [publisher, listener] of /** @type {const} */ ([['publish.py', 'listen.mjs'], ['publish.mjs', 'listen.py']])) {
    test(`${listener} keeps what ${publisher} says, and tells what is written`, async () => {
      const room = publisher.replace('.', '-');
      const listening = new Script(listener, `${addressOf(room)}?publish=false&preroll=0`);
      await gathered(room, 'listeners', 1);
      const other = await Peer.join(`${addressOf(room)}?name=Ben`);
      other.send('hello');
      await until('it is told', () => listening.words.includes('hello'));
      other.leave();
      await new Script(publisher, `${addressOf(room)}?name=Ann`).says();
      await hearsAll(listening.written);
    });
  }

  test('guest.py says a file over Socket.IO, and tells what is said and written', async () => {
    const room = 'guest';
    const other = await Peer.join(`${addressOf(room)}?name=Ben&as=ogg`);
    const guest = new Script('guest.py', `${hub.address}?room=${room}&name=Ann`);
    await gathered(room, 'participants', 2);
    other.send('hello');
    other.send(await made(tone(ANSWERED), 1));
    const told = () => String(Buffer.concat(guest.written));
    await until('it tells both', () => /^Ben: hello$/m.test(told()) && /^Ben: \d+ bytes$/m.test(told()));
    await guest.says();
    await hearsAll(other.binary);
    other.leave();
  });
});
