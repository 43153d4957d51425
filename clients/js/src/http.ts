/** Requests to the service with credentials. */

import { type Credentials, renewals, renewed } from './credentials.js';
import { inAnswer, Problem, problemOf } from './problem.js';
import { retryAfter, sleep } from './rate-limit.js';

export interface Service {
  /** The base URL of the files, without a trailing slash: {base}/tus/, {base}/{id}. */
  base: string;
  /** The largest file that the service accepts, in bytes. */
  maxFileSize: number;
  credentials: Credentials;
}

/** An answer, with the whole of its body. */
export interface Answer {
  status: number;
  headers: Headers;
  body: string;
}

/** Milliseconds until a request without a whole answer counts as lost: a connection can be gone without a word. */
const patience = 60_000;

const longestWait = 10; // seconds; a 429 that asks for more becomes an error, which says so
const retries = 5;

/** fetch with the whole of the answer. */
async function whole(url: string, init: RequestInit): Promise<Answer> {
  const { signal } = init;
  const ending = new AbortController();
  const stop = () => ending.abort(signal?.reason);
  const timer = setTimeout(() => ending.abort(new Problem(0, 'offline')), patience);
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  try {
    const response = await fetch(url, { ...init, signal: ending.signal });
    return { status: response.status, headers: response.headers, body: await response.text() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

/** Sends a request. After a 401 it is repeated with renewed credentials, after a 429 when the rate limit allows it. */
async function authorized<T extends { status: number; headers: Headers }>(
  { credentials }: Service, url: string, init: RequestInit,
  send: (url: string, init: RequestInit) => Promise<T>, problem: (answer: T) => Problem | Promise<Problem>,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    const who = await credentials.headers();
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(who)) headers.set(name, value);
    const answer = await send(url, { ...init, headers });
    const { status } = answer;
    if (status >= 200 && status < 300) return answer;
    if (status === 401 && attempt < renewals) {
      await renewed(credentials, who);
      continue;
    }
    const seconds = retryAfter(answer.headers.get('Retry-After'));
    if (status !== 429 || attempt === retries || seconds > longestWait) throw await problem(answer);
    await sleep(seconds * 1000);
  }
}

/** Sends a request whose answer may be long, such as a file: nothing limits how long it takes. */
export const call = (service: Service, url: string, init: RequestInit = {}): Promise<Response> =>
  authorized(service, url, init, fetch, problemOf);

/** Sends a request whose answer is short. */
export const ask = (service: Service, url: string, init: RequestInit = {}): Promise<Answer> =>
  authorized(service, url, init, whole, ({ status, headers, body }) => inAnswer(status, headers.get('Content-Type'), body));

/** Sends JSON, if there is a body, and returns JSON. */
export async function json<T>(service: Service, url: string, method = 'GET', body?: unknown, signal?: AbortSignal): Promise<T> {
  const init: RequestInit = { method };
  if (signal) init.signal = signal;
  if (body !== undefined) {
    init.headers = { 'Content-Type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  return JSON.parse((await ask(service, url, init)).body) as T;
}
