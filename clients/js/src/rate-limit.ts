/**
 * Waiting for the rate limit (429).
 *
 * `Retry-After` says when one more request is allowed. Of twenty uploads that were refused
 * together, nineteen would be refused again then: so each waits for its turn behind the others.
 */

import type { HttpResponse } from 'tus-js-client';

const defaultWait = 5; // seconds; a proxy's 429 may have no Retry-After, or a date in it

/** Seconds to wait after a 429. */
export function retryAfter(header: string | null | undefined): number {
  const seconds = Number.parseInt(header ?? '', 10);
  return seconds >= 0 ? seconds : defaultWait;
}

/** An upload that would have to wait for longer fails. */
export const longestTurn = 600_000; // milliseconds

/** The turn of the last refused upload by endpoint, in milliseconds of the page's own clock, which nobody sets. */
const lastTurn = new Map<string, number>();

/** Milliseconds until the turn of an upload that was refused just now, behind those refused before it. */
export function untilTurn(endpoint: string, response: Pick<HttpResponse, 'getHeader'>, now = performance.now()): number {
  const turn = Math.max(lastTurn.get(endpoint) ?? 0, now) + retryAfter(response.getHeader('Retry-After')) * 1000;
  lastTurn.set(endpoint, turn);
  return Math.round(turn - now); // the clock has fractions
}

/** Rejects when `signal` is aborted. */
export const sleep = (milliseconds: number, signal?: AbortSignal): Promise<void> => new Promise((resolve, reject) => {
  const stop = () => {
    clearTimeout(timer);
    reject(signal?.reason);
  };
  const timer = setTimeout(() => {
    signal?.removeEventListener('abort', stop);
    resolve();
  }, milliseconds);
  if (signal?.aborted) stop();
  else signal?.addEventListener('abort', stop);
});
