/** How tus-js-client is used, alone and by Uppy: who is asking, when to try again, when to give up. */

import type { DetailedError, HttpRequest, HttpResponse, UploadOptions } from 'tus-js-client';
import { Claims } from './claims';
import type { Service } from './http';
import { Problem, toProblem } from './problem';
import { longestTurn, sleep, untilTurn } from './rate-limit';

export interface TusOptions extends Pick<UploadOptions, 'removeFingerprintOnSuccess' | 'onBeforeRequest' | 'onAfterResponse'> {
  endpoint: string;
  retryDelays: number[];
  urlStorage: Claims;
  /** The credentials of the last request: what was refused, if it was. */
  presented(): Record<string, string>;
}

/** `onWait` is told when a request was refused by the rate limit, and for how many milliseconds the upload waits. */
export function tusOptions({ base, credentials }: Service, onWait?: (delay: number) => void): TusOptions {
  let presented: Record<string, string> = {};
  const endpoint = `${base}/tus/`;
  return {
    endpoint,
    urlStorage: new Claims(),
    presented: () => presented,

    // 41 s in all, and counted anew after every byte of progress: a restart of the server fits in.
    retryDelays: [0, 500, 1000, 2000, 3000, 5000, 5000, 5000, 10000, 10000],

    // The same file sent twice on purpose makes two files.
    removeFingerprintOnSuccess: true,

    // Not `headers`: those are fixed when the upload is made, and the token may be replaced meanwhile.
    async onBeforeRequest(request: HttpRequest): Promise<void> {
      presented = await credentials.headers();
      for (const [name, value] of Object.entries(presented)) request.setHeader(name, value);
    },

    // Runs before tus-js-client looks at the answer, which waits for as long as this does.
    async onAfterResponse(request: HttpRequest, response: HttpResponse): Promise<void> {
      const status = response.getStatus();
      if (status === 429) {
        const delay = untilTurn(endpoint, response);
        if (delay > longestTurn) throw new Problem(status, 'RATE_001', { seconds: delay / 1000 });
        onWait?.(delay);
        await sleep(delay);
        // Paused or cancelled meanwhile: abort() has emptied the answer. An upload that goes on since has
        // requests of its own; with the end of this one there would be two at work on one file.
        if (response.getStatus() !== status) return new Promise<never>(() => {});
      }
      // tus-js-client takes any refused HEAD but a 423 as "this upload is gone" and begins at byte 0.
      // A server that is only starting (503) or a token that has expired must not cost the user what
      // was already sent: thrown from here, the answer counts as a failed request instead.
      const temporary = status === 401 || status === 408 || status === 429 || status >= 500;
      if (request.getMethod() !== 'HEAD' || !temporary) return;
      throw new Problem(status, '');
    },
  };
}

/** Broken lines and servers that are busy or down are worth another try, refusals are not. */
export function worthRetrying(error: DetailedError | Error): boolean {
  const { status, values } = toProblem(error);
  if (status === 429) return values.seconds === undefined; // else it would have to wait for too long
  return status < 400 || status >= 500 || [408, 409, 423].includes(status);
}
