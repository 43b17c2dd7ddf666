// The scripts of tests/interop/examples that call: each says a file in real time and keeps what it hears.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
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
const MOSTLY = 0.9;
const path = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url));
/** What tests/run installs of tests/interop/requirements.txt. */
const PROGRAMS = path('../venv/bin');

/** @type {[program: string, script: string][]} */
const SCRIPTS = [['node', 'call.mjs'], ['python', 'call.py'], ['sh', 'call.sh']];

describe('a script says a file in real time and keeps what it hears', { concurrency: true }, () => {
  /** @type {import('../browser/hub.js').Hub} */
  let hub;
  before(async () => {
    hub = await startHub();
  });
  after(() => hub?.stop());

  for (const [program, script] of SCRIPTS) {
    test(script, async () => {
      const room = script.replace('.', '-');
      const address = `${hub.address.replace('http', 'ws')}/rooms/${room}/ws`;
      const other = await Peer.join(`${address}?name=Ben&as=ogg`);
      const answer = await made(tone(ANSWERED), SECONDS + 16);
      const env = { ...process.env, PATH: `${PROGRAMS}:${process.env.PATH}` };
      const call = spawn(program, [path(`examples/${script}`), `${address}?name=Ann&as=ogg`], { env, stdio: ['pipe', 'pipe', 'pipe'] });
      const ended = once(call, 'close');
      /** @type {Buffer[]} */
      const kept = [];
      let words = '';
      call.stdout.on('data', (data) => kept.push(data));
      call.stderr.on('data', (data) => (words += data));
      // A busy machine takes its time to start it, and what it hears is to last as long as what it says.
      await until(`${script} is in the room`, async () => {
        const { rooms } = await (await fetch(`${hub.address}/api/v1/rooms`)).json();
        return rooms.find((/** @type {{ name: string }} */ it) => it.name === room)?.participants.length === 2;
      });
      // Longer than the script talks: some of what is said without a pause is heard at once, and the rest at its pace.
      other.send(answer);
      const source = `aevalsrc=${tone(SAID)}:d=${SECONDS}:s=48000`;
      const encode = ['-c:a', 'libopus', '-f', 'webm', '-cluster_time_limit', '200', '-flush_packets', '1', '-'];
      const file = spawn('ffmpeg', ['-v', 'error', '-re', '-f', 'lavfi', '-i', source, ...encode], { stdio: ['ignore', 'pipe', 'inherit'] });
      file.stdout.pipe(call.stdin);
      const [status] = await ended;
      assert.equal(status, 0, words);
      await until('the end is heard', () => other.binary.length >= SECONDS / MESSAGE - 1);
      other.leave();

      const said = await decoded(Buffer.concat(other.binary));
      assert.ok(said.length >= (SECONDS - MESSAGE) * 48_000, `${said.length} samples`);
      assert.ok(share(said, SAID) > MOSTLY, `${share(said, SAID)} of what the other hears`);
      const heard = await decoded(Buffer.concat(kept));
      assert.ok(heard.length >= (SECONDS / 2) * 48_000, `${heard.length} samples; ${words}`);
      assert.ok(share(heard, ANSWERED) > MOSTLY, `${share(heard, ANSWERED)} of what is kept`);
    });
  }
});
