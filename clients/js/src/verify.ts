/** Compares the stored file with the one that was sent. */

import { remove, storedSum } from './api.js';
import type { Service } from './http.js';
import { Problem } from './problem.js';
import { sleep } from './rate-limit.js';

/**
 * Compares the SHA-256 of the local file with that of the stored one. False if one of them is not known. A
 * stored file that differs is deleted, and a Problem thrown.
 *
 * A complete file can still be the wrong one: if it changed while it was sent, or if another file with the
 * same name, size and date was chosen to resume an upload.
 *
 * The service may compute its sum after the file is stored: it is asked for it `tries` times, a second apart.
 */
export async function verify(service: Service, { id, name }: { id: string; name: string }, ours: string | null, tries = 1): Promise<boolean> {
  if (ours === null) return false;
  let theirs: string | null = null;
  for (let left = tries; theirs === null && left > 0; left--) {
    if (left < tries) await sleep(1000);
    theirs = await storedSum(service, id).catch(() => null);
  }
  if (theirs === null) return false;
  if (ours === theirs) return true;
  await remove(service, `${service.base}/${id}`);
  throw new Problem(0, 'changed', { name });
}
