// The real binary, started for a test on a free port with a folder of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BINARY = process.env.ROOMTONE_BINARY ?? fileURLToPath(new URL('../../target/debug/roomtone', import.meta.url));
/** How long the hub may take to serve, and to stop, in ms. */
const PATIENCE = 20_000;

/**
 * @typedef {object} Hub
 * @property {string} address without a slash at its end
 * @property {string} recordings the folder of its recordings
 * @property {() => Promise<void>} stop as SIGTERM does
 * @property {() => Promise<void>} kill as a crash does
 */

/**
 * @param {object} [options]
 * @param {number} [options.grace] how long a session waits for another track, in seconds
 * @param {number} [options.port] 0 takes a free one
 * @param {string} [options.folder] of recordings; who gives one removes it
 * @param {string[]} [options.more] options of the program
 * @returns {Promise<Hub>}
 */
export async function startHub({ grace = 10, port = 0, folder, more = [] } = {}) {
  const recordings = folder ?? (await mkdtemp(join(tmpdir(), 'roomtone-')));
  const options = ['--listen', `127.0.0.1:${port}`, '--recordings', recordings, '--grace-seconds', String(grace), ...more];
  const hub = spawn(BINARY, ['serve', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  // One that could not be started at all has ended too.
  const ended = once(hub, 'exit').catch(() => {});
  const end = async (/** @type {NodeJS.Signals} */ signal) => {
    hub.kill(signal);
    const timer = setTimeout(() => hub.kill('SIGKILL'), PATIENCE);
    await ended;
    clearTimeout(timer);
    if (!folder) await rm(recordings, { recursive: true, force: true });
  };
  try {
    return { address: await addressOf(hub), recordings, stop: () => end('SIGTERM'), kill: () => end('SIGKILL') };
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
}

/**
 * The address that a hub prints once it serves.
 *
 * @param {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, import('node:stream').Readable>} hub
 * @returns {Promise<string>}
 */
async function addressOf(hub) {
  let output = '';
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Promise<string>} */
  const printed = new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ what) => reject(new Error(`${BINARY} ${what}:\n${output}`));
    timer = setTimeout(() => fail(`printed no address in ${PATIENCE} ms`), PATIENCE);
    hub.stdout.on('data', (data) => {
      output += data;
      const found = /https?:\/\/[^\s/]+/.exec(output);
      if (found) resolve(found[0]);
    });
    hub.stderr.on('data', (data) => (output += data));
    hub.on('error', (error) => fail(error.message));
    hub.on('exit', (code) => fail(`ended with ${code}`));
  });
  return printed.finally(() => clearTimeout(timer));
}
