/** Requests to the service with credentials. */

import { type Credentials, renewals, renewed } from './credentials.js';
import { problemOf } from './problem.js';
import { retryAfter, sleep } from './rate-limit.js';

export interface Service {
  /** The base URL of the files, without a trailing slash: {base}/tus/, {base}/{id}. */
  base: string;
  /** The largest file that the service accepts, in bytes. */
  maxFileSize: number;
  credentials: Credentials;
}

const longestWait = 10; // seconds; a 429 that asks for more becomes an error, which says so
const retries = 5;

/** Sends a request. After a 401 it is repeated with renewed credentials, after a 429 when the rate limit allows it. */
export async function call({ credentials }: Service, url: string, init: RequestInit = {}): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    const who = await credentials.headers();
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(who)) headers.set(name, value);
    const response = await fetch(url, { ...init, headers });
    if (response.ok) return response;
    if (response.status === 401 && attempt < renewals) {
      await renewed(credentials, who);
      continue;
    }
    const seconds = retryAfter(response.headers.get('Retry-After'));
    if (response.status !== 429 || attempt === retries || seconds > longestWait) throw await problemOf(response);
    await sleep(seconds * 1000);
  }
}

/** Sends JSON, if there is a body, and returns JSON. */
export async function json<T>(service: Service, url: string, method = 'GET', body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined) {
    init.headers = { 'Content-Type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  return (await call(service, url, init)).json() as Promise<T>;
}
