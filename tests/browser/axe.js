// What axe, the accessibility checker, finds wrong in a page as it stands.

import assert from 'node:assert/strict';

import axe from 'axe-core';

/**
 * Fails where axe finds anything in the page, by every rule that it runs by default (WCAG 2 A and AA, good practice), and
 * says what, where and how it is mended. Call it for each state of a page that looks different.
 *
 * The drivers run code past the page's Content Security Policy, so the page needs no other rules for this.
 *
 * @param {import('./browsers.js').Page} page
 * @param {string} what the page and its state, said where something is found
 */
export async function assertAccessible(page, what) {
  // As an expression, for axe must not be wrapped into a function: what it declares would stay there.
  await /** @type {any} */ (page.driver).evaluate(`${axe.source}; void 0`);
  const violations = await page.run(async () => {
    const { violations } = await /** @type {any} */ (window).axe.run(document, { resultTypes: ['violations'] });
    return violations.map((/** @type {import('axe-core').Result} */ { id, help, nodes }) => ({
      rule: `${id}: ${help}`,
      places: nodes.map(({ html, failureSummary }) => `${html}\n${failureSummary ?? ''}`),
    }));
  });
  assert.deepEqual(violations, [], what);
}
