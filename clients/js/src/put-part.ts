/** Sends one part to the store. */

import type { SignedPart } from './direct.js';
import { Problem } from './problem.js';

const patience = 60_000; // milliseconds without progress

/** `onProgress` gets the bytes that are on the way. The store gets no credentials: the URL is all that it needs. */
export function putPart({ url, headers }: SignedPart, body: Blob, signal: AbortSignal, onProgress: (sent: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not report the progress of a body
    let stalled: ReturnType<typeof setTimeout> | undefined;
    const abort = () => request.abort();
    const moved = () => {
      clearTimeout(stalled);
      stalled = setTimeout(abort, patience);
    };
    const end = (problem: Problem | null) => {
      clearTimeout(stalled);
      signal.removeEventListener('abort', abort);
      if (problem) reject(problem);
      else resolve();
    };
    request.open('PUT', url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => {
      moved();
      onProgress(loaded);
    };
    request.onload = () => end(request.status === 200 ? null : new Problem(503, 'STORAGE_002'));
    request.onerror = request.onabort = () => end(new Problem(0, 'store_unreachable'));
    signal.addEventListener('abort', abort);
    moved();
    if (signal.aborted) end(new Problem(0, 'store_unreachable'));
    else request.send(body);
  });
}
