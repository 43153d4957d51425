/** Whether what is stored is what was sent. */

import { remove, storedSum } from './api';
import type { Service } from './http';
import { Problem } from './problem';

/**
 * Compares a file's own SHA-256 with that of what is stored. False: one of them can't be had. What
 * differs is deleted, and the Problem thrown.
 *
 * A file that is stored whole can still be another: one that was written to while it was sent, or
 * that has the name, size and date of the one an unfinished upload began with.
 */
export async function verify(service: Service, { id, name }: { id: string; name: string }, ours: string | null): Promise<boolean> {
  const theirs = ours === null ? null : await storedSum(service, id).catch(() => null);
  if (theirs === null) return false;
  if (ours === theirs) return true;
  await remove(service, `${service.base}/${id}`);
  throw new Problem(0, 'changed', { name });
}
