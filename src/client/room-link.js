// A button that copies a link, and says that it has.

import { write } from './page.js';

/** How long the word stays that it was copied, in ms. */
const COPIED = 2_000;

/**
 * @param {HTMLButtonElement} button whose word is in a span
 * @param {string} address
 * @param {(sentence: string) => void} tell for those who cannot see the button
 * @param {(sentence: string) => void} refuse where the browser forbids it
 */
export function offerLink(button, address, tell, refuse) {
  const word = /** @type {HTMLElement} */ (button.querySelector('span'));
  const usual = word.textContent ?? '';
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(address);
    } catch {
      return refuse(`The browser does not let this page copy. The link is ${address}`);
    }
    tell('The link was copied.');
    write(word, 'Copied');
    setTimeout(() => write(word, usual), COPIED);
  });
}
