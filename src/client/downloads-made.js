// A file that is downloaded as soon as it is made, with a bar and a word of how far it is.
//
// What belongs here: what the buttons and the form of a recording's page have in common. What does not: the asking, see
// `making.js`; what stands there before and after.

import { whenMade, wholeLength } from './making.js';
import { make } from './page.js';

/**
 * Waits until a file is made, and downloads it.
 *
 * @param {string} address
 * @param {object} options
 * @param {string} options.what as a sentence begins with it
 * @param {HTMLElement} options.bar
 * @param {(sentence: string) => void} options.say
 * @param {AbortSignal} [options.signal] ends the waiting
 * @returns {Promise<number>} how long it is, in bytes
 * @throws {import('./api.js').ApiError} where it cannot be made
 */
export async function download(address, { what, bar, say, signal }) {
  bar.style.setProperty('--level', '0');
  say(`${what} is being made …`);
  // One byte tells that it is there, and how long it is.
  const response = await whenMade(address, {
    headers: { range: 'bytes=0-0' },
    ...(signal && { signal }),
    progress: (done) => {
      bar.style.setProperty('--level', String(done));
      say(`${what} is being made, ${Math.round(done * 100)} %`);
    },
  });
  await response.body?.cancel();
  const link = make('a', { href: address, download: '' });
  document.body.append(link);
  link.click();
  link.remove();
  return wholeLength(response) ?? 0;
}
