/**
 * Whether a proxy's "not found" about an upload is to be believed.
 *
 * It may be said because the proxy does not see the service, which is being started again: then the upload is still
 * there. But some proxies put a page of their own in the place of every 404, also the service's. So it is believed if it
 * is said twice in a row while the proxy sees the service.
 */

import type { Service } from './http.js';

const patience = 10_000; // milliseconds

const doubted = new Set<string>(); // URLs about which it was said once

/** The proxy says that there is nothing at `url`. */
export async function isBelieved({ base }: Service, url: string): Promise<boolean> {
  const seen = await fetch(`${base}/tus/`, { method: 'OPTIONS', signal: AbortSignal.timeout(patience) })
    .then(({ ok, headers }) => ok && headers.get('Tus-Version') !== null, () => false);
  if (!seen) doubted.delete(url);
  else if (!doubted.delete(url)) doubted.add(url);
  else return true;
  return false;
}

/** The service has answered about `url`. */
export const isFound = (url: string): void => void doubted.delete(url);
