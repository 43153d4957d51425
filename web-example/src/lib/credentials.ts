/** Who is asking, and what to do when the service does not believe it. */

import { Problem } from './problem';

export interface Credentials {
  /** Headers that say who is asking. Called before each request: a new token reaches an upload in its middle. */
  headers(): Record<string, string> | Promise<Record<string, string>>;
  /** Gets others after a refusal (401); rejects where there are none. */
  renew?(): Promise<void>;
}

type Token = string | null;

/** A user's token. `getToken` may fetch a fresh one; `renew` is called when one was refused. */
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

/** The token of a public form: whoever has the form's address. */
export const publicToken = (token: string): Credentials => ({ headers: () => ({ 'X-Public-Authorization': `Token ${token}` }), renew: refuse });

/** A guest's JWT. */
export const guest = (jwt: string): Credentials => ({ headers: () => ({ 'X-Guest-Authorization': jwt }), renew: refuse });

/** How often in a row new credentials may be refused, before it is told as an error. */
export const renewals = 5;

/**
 * Sees to it that the next request comes with others than `refused`. Of several requests that
 * were refused together only the first asks for new ones.
 */
export async function renewed(credentials: Credentials, refused: Record<string, string>): Promise<void> {
  const now = await credentials.headers();
  if (Object.entries(now).some(([name, value]) => refused[name] !== value)) return;
  if (!credentials.renew) throw new Problem(401, 'AUTH_001');
  await credentials.renew();
}
