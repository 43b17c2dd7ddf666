// What a person does in a room, for the tests.

import assert from 'node:assert/strict';

/** @typedef {import('./browsers.js').Page} Page */

/**
 * Opens a room and joins it.
 *
 * @param {Page} page
 * @param {string} hub its address
 * @param {string} room
 * @param {string} name
 */
export async function join(page, hub, room, name) {
  await page.open(`${hub}/rooms/${room}`);
  await page.write('#name', name);
  await page.click('#join-button');
  await page.shows('#people', new RegExp(`${name}.*\\(you\\)`));
}

/**
 * People in a room, each in a page with a profile of its own; who has a tone has it for a microphone.
 *
 * @param {import('./browsers.js').Browser} browser
 * @param {string} hub its address
 * @param {string} room
 * @param {{ [name: string]: number | null }} people their tones, in Hz
 * @returns {Promise<Page[]>}
 */
export async function gather(browser, hub, room, people) {
  const pages = [];
  for (const [name, tone] of Object.entries(people)) {
    const page = await browser.page(tone === null ? {} : { tone });
    await join(page, hub, room, name);
    pages.push(page);
  }
  return pages;
}

/** Closes pages in which nothing went wrong. @param {Page[]} pages */
export async function part(...pages) {
  for (const page of pages) {
    assert.deepEqual(page.errors, []);
    await page.close();
  }
}

/** Talks, until the page says so. @param {Page} page */
export async function talk(page) {
  await page.click('#talk');
  await page.shows('#talk', /^stop$/);
}

/** Waits until someone is in the list of people, or is there no more. @param {Page} page @param {string} name */
export async function sees(page, name, gone = false) {
  await page.until(`${name} is ${gone ? 'gone' : 'there'}`, ({ name, gone }) => {
    const names = [...document.querySelectorAll('#people .name')].map(({ textContent }) => textContent);
    return names.includes(name) !== gone;
  }, { name, gone });
}

/** @param {Page} page @param {string} name */
export const seesNoMore = (page, name) => sees(page, name, true);
