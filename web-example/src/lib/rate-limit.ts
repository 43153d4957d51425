/**
 * Waiting where the service limits how often may be asked (429).
 *
 * `Retry-After` says when there is room for one more request. Of twenty uploads that were refused
 * together, nineteen would be refused again then: so each waits behind the ones before it.
 */

import type { HttpResponse } from 'tus-js-client';

const withoutWord = 5; // seconds; a proxy's 429 may come without Retry-After, or with a date

/** The seconds that an answer says to wait. */
export function retryAfter(header: string | null | undefined): number {
  const seconds = Number.parseInt(header ?? '', 10);
  return seconds >= 0 ? seconds : withoutWord;
}

/** An upload that would have to wait for longer fails. */
export const longestTurn = 600_000; // milliseconds

/** When the last of the refused uploads begins, in milliseconds since 1970, by endpoint. */
const lastTurn = new Map<string, number>();

/** Milliseconds until an upload that was refused just now may begin, behind those refused before it. */
export function untilTurn(endpoint: string, response: HttpResponse, now = Date.now()): number {
  const turn = Math.max(lastTurn.get(endpoint) ?? 0, now) + retryAfter(response.getHeader('Retry-After')) * 1000;
  lastTurn.set(endpoint, turn);
  return turn - now;
}

export const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, milliseconds); });
