/** Credentials of requests, and how to renew them after a refusal. */

import { Problem } from './problem.js';

export interface Credentials {
  /** The authentication headers. Called before each request, so that an upload in progress uses a new token. */
  headers(): Record<string, string> | Promise<Record<string, string>>;
  /** Gets new credentials after a 401; rejects if there are none. */
  renew?(): Promise<void>;
}

type Token = string | null;

/** A user's token. `getToken` may fetch a fresh one; `renew` is called after a 401. */
export function bearer(getToken: () => Token | Promise<Token>, renew?: () => Promise<void>): Credentials {
  const credentials: Credentials = {
    async headers() {
      return { Authorization: `Bearer ${(await getToken()) ?? ''}` };
    },
  };
  if (renew) credentials.renew = renew;
  return credentials;
}

// The token is the one in the page's address: there is no other.
const refuse = () => Promise.reject(new Problem(401, 'form_closed'));

/** The token of a public form, from the form's URL. */
export const publicToken = (token: string): Credentials => ({ headers: () => ({ 'X-Public-Authorization': `Token ${token}` }), renew: refuse });

/** A guest's JWT. */
export const guest = (jwt: string): Credentials => ({ headers: () => ({ 'X-Guest-Authorization': jwt }), renew: refuse });

/** How often in a row credentials are renewed, before the refusal becomes an error. */
export const renewals = 5;

// The renewals that have not ended.
const renewing = new WeakMap<Credentials, Promise<void>>();

/**
 * Makes sure that the next request has other credentials than `refused`. Of several requests that
 * were refused at the same time, only the first renews them.
 */
export async function renewed(credentials: Credentials, refused: Record<string, string>): Promise<void> {
  const now = await credentials.headers();
  if (Object.entries(now).some(([name, value]) => refused[name] !== value)) return;
  if (!credentials.renew) throw new Problem(401, 'AUTH_001');
  let running = renewing.get(credentials);
  if (!running) {
    running = credentials.renew().finally(() => renewing.delete(credentials));
    renewing.set(credentials, running);
  }
  await running;
}
