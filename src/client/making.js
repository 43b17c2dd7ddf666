// Files that the hub makes from a recording and that may not be there yet: asked for again until they are.
//
// What belongs here: asking, waiting, how far it is. What does not: what is done with the file, elements of a page.

import { ApiError } from './api.js';

/** How long is waited where the hub does not say, in ms, and how long at most. */
const WAIT = 1_000;
const LONGEST_WAIT = 10_000;

/**
 * Asks for a file, which begins its making, until it is made.
 *
 * @param {string} address
 * @param {object} options
 * @param {(done: number) => void} [options.progress] told how far it is, 0 to 1, each time that it is not there
 * @param {AbortSignal} [options.signal] ends the asking at once; the promise is then rejected with the signal's reason
 * @param {HeadersInit} [options.headers]
 * @param {typeof globalThis.fetch} [options.fetch]
 * @param {(ms: number, signal?: AbortSignal) => Promise<void>} [options.wait] at most until the signal
 * @returns {Promise<Response>} one with the file in it
 * @throws {ApiError} where it cannot be made
 */
export async function whenMade(address, { progress, signal, headers, fetch = globalThis.fetch, wait = sleep } = {}) {
  for (;;) {
    signal?.throwIfAborted();
    /** @type {Response} */
    let response;
    try {
      response = await fetch(address, { ...(headers && { headers }), ...(signal && { signal }) });
    } catch (error) {
      signal?.throwIfAborted();
      throw new ApiError(0, 'The hub cannot be reached.');
    }
    if (response.status !== 202) {
      if (response.ok) return response;
      const problem = await response.json().catch(() => null);
      throw new ApiError(response.status, problem?.detail ?? problem?.title ?? `The hub answered ${response.status}.`);
    }
    const answer = await response.json().catch(() => null);
    progress?.(Math.min(1, Math.max(0, Number(answer?.progress ?? 0))));
    const seconds = Number(response.headers.get('retry-after') ?? NaN);
    await wait(Math.min(LONGEST_WAIT, Number.isFinite(seconds) ? Math.max(seconds * 1000, 100) : WAIT), signal);
  }
}

/**
 * How long a file is that was asked for by its first byte alone: of `bytes 0-0/1234` it is 1234 (RFC 9110 §14.4).
 *
 * @param {Response} response
 * @returns {number | null}
 */
export function wholeLength(response) {
  const total = /\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  const length = total ?? (response.status === 200 ? response.headers.get('content-length') : null);
  return length === null || length === undefined ? null : Number(length);
}

/**
 * Waits so long, or until it is given up.
 *
 * @param {number} ms
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
function sleep(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
