/** Compares the stored file with the one that was sent. */

import { remove, storedSum } from './api.js';
import type { Service } from './http.js';
import { Problem } from './problem.js';

/**
 * Compares the SHA-256 of the local file with that of the stored one. False if one of them is not known. A
 * stored file that differs is deleted, and a Problem thrown.
 *
 * A complete file can still be the wrong one: if it changed while it was sent, or if another file with the
 * same name, size and date was chosen to resume an upload.
 */
export async function verify(service: Service, { id, name }: { id: string; name: string }, ours: string | null): Promise<boolean> {
  const theirs = ours === null ? null : await storedSum(service, id).catch(() => null);
  if (theirs === null) return false;
  if (ours === theirs) return true;
  await remove(service, `${service.base}/${id}`);
  throw new Problem(0, 'changed', { name });
}
