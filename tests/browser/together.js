// Starts what a test needs side by side, without leaving anything behind where something does not start.

/** A hub, a browser or a wire. @typedef {{ close: () => Promise<void> } | { kill: () => Promise<void> }} Running */

/**
 * Where one does not start, those that did are ended before that is told: nobody else knows of them, and a process that
 * is left keeps its test file from ending.
 *
 * @template {Running[]} Things
 * @param {{ [Index in keyof Things]: Promise<Things[Index]> }} starts
 * @returns {Promise<Things>}
 */
export async function together(...starts) {
  const started = await Promise.allSettled(starts);
  const failed = started.find(({ status }) => status === 'rejected');
  const things = started.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
  if (!failed) return /** @type {Things} */ (things);
  await Promise.allSettled(things.map((it) => ('close' in it ? it.close() : it.kill())));
  throw /** @type {PromiseRejectedResult} */ (failed).reason;
}
