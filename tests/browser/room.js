// What a person does in a room, for the tests.

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

/** Talks, until the page says so. @param {Page} page */
export async function talk(page) {
  await page.click('#talk');
  await page.shows('#talk', /^stop$/);
}
