/** Options of tus-js-client, alone and in Uppy: credentials, retries, and when to give up. */

import type { DetailedError, HttpRequest, HttpResponse, UploadOptions } from 'tus-js-client';
import { Claims } from './claims.js';
import { isBelieved, isFound } from './doubt.js';
import type { Service } from './http.js';
import { isJson, isProxys, Problem, toProblem } from './problem.js';
import { longestTurn, sleep, untilTurn } from './rate-limit.js';

export interface TusOptions extends Pick<UploadOptions, 'removeFingerprintOnSuccess' | 'onBeforeRequest' | 'onAfterResponse'> {
  endpoint: string;
  retryDelays: number[];
  urlStorage: Claims;
  /** The credentials of the last request, which the service may have refused. */
  lastCredentials(): Record<string, string>;
}

/** Milliseconds, 41 s in total, and reset by every byte of progress: enough for a restart of the server. */
export const retryDelays = [0, 500, 1000, 2000, 3000, 5000, 5000, 5000, 10000, 10000];

/** `onWait` is called when the rate limit refuses a request, with the milliseconds that the upload waits. */
export function tusOptions(service: Service, onWait?: (delay: number) => void): TusOptions {
  const { base, credentials } = service;
  let last: Record<string, string> = {};
  const urlStorage = new Claims();
  const endpoint = `${base}/tus/`;
  return {
    endpoint,
    urlStorage,
    lastCredentials: () => last,

    retryDelays,

    // Sending the same file again on purpose creates a second file.
    removeFingerprintOnSuccess: true,

    // Not `headers`: those are fixed when the upload is created, and the token may be renewed meanwhile.
    async onBeforeRequest(request: HttpRequest): Promise<void> {
      let aborted = false;
      const { abort } = request;
      request.abort = () => {
        aborted = true;
        return abort.call(request);
      };
      last = await credentials.headers();
      if (aborted) return new Promise<never>(() => {}); // it would be sent all the same: there was nothing to abort yet
      for (const [name, value] of Object.entries(last)) request.setHeader(name, value);
    },

    // tus-js-client awaits this before it reads the response.
    async onAfterResponse(request: HttpRequest, response: HttpResponse): Promise<void> {
      const status = response.getStatus();
      if (status === 429) {
        const delay = untilTurn(endpoint, response);
        if (delay > longestTurn) throw new Problem(status, 'RATE_001', { seconds: delay / 1000 });
        onWait?.(delay);
        await sleep(delay);
        // Paused or cancelled meanwhile: abort() has cleared the response. If the upload was resumed since, it
        // has sent other requests, and finishing this one would start a second series of them.
        if (response.getStatus() !== status) return new Promise<never>(() => {});
      }
      const [method, url, type] = [request.getMethod(), request.getURL(), response.getHeader('Content-Type')];
      if (method !== 'POST' && isProxys(status, type)) {
        if (method !== 'HEAD' || !(await isBelieved(service, url))) throw new Problem(status, 'proxy');
      } else {
        isFound(url);
      }
      // tus-js-client takes every refused HEAD except 423 as "this upload is gone" and starts over at byte 0. A starting
      // server (503), an expired token or a firewall's page must not cost the user what was already sent: an error thrown
      // here makes it a failed request instead.
      if (method !== 'HEAD' || status < 400 || status === 423 || status === 404 || status === 410) return;
      if (status !== 403 || !isJson(type)) throw new Problem(status, '');
      urlStorage.keep(url); // another user's
    },
  };
}

/** Lost connections and servers that are busy or down are worth a retry, refusals are not. */
export function worthRetrying(error: DetailedError | Error): boolean {
  const { status, code, values } = toProblem(error);
  if (code === 'proxy') return true;
  if (status === 429) return values.seconds === undefined; // or the wait would be too long
  return status < 400 || status >= 500 || [408, 409, 423].includes(status);
}
