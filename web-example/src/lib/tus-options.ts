/** How tus-js-client is used, alone and by Uppy: who is asking, when to try again, when to give up. */

import type { DetailedError, HttpRequest, HttpResponse, UploadOptions } from 'tus-js-client';
import { Claims } from './claims';
import type { Service } from './http';
import { Problem, toProblem } from './problem';

export interface TusOptions extends Pick<UploadOptions, 'removeFingerprintOnSuccess' | 'onBeforeRequest' | 'onAfterResponse'> {
  endpoint: string;
  retryDelays: number[];
  urlStorage: Claims;
  /** The credentials of the last request: what was refused, if it was. */
  presented(): Record<string, string>;
}

export function tusOptions({ base, credentials }: Service): TusOptions {
  let presented: Record<string, string> = {};
  return {
    endpoint: `${base}/tus/`,
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

    // tus-js-client takes any refused HEAD but a 423 as "this upload is gone" and begins at byte 0.
    // A server that is only starting (503) or a token that has expired must not cost the user what
    // was already sent: thrown from here, the answer counts as a failed request instead.
    async onAfterResponse(request: HttpRequest, response: HttpResponse): Promise<void> {
      const status = response.getStatus();
      const temporary = status === 401 || status === 408 || status === 429 || status >= 500;
      if (request.getMethod() !== 'HEAD' || !temporary) return;
      const seconds = Number(response.getHeader('Retry-After') ?? NaN); // a proxy may send a date
      throw new Problem(status, '', seconds >= 0 ? { seconds } : {});
    },
  };
}

/** Broken lines and servers that are busy or down are worth another try, refusals are not. */
export function worthRetrying(error: DetailedError | Error): boolean {
  const { status } = toProblem(error);
  return status < 400 || status >= 500 || [408, 409, 423, 429].includes(status);
}
