/** The calls of the service's HTTP API beside tus. */

import { ask, json, type Service } from './http.js';
import type { components } from './openapi.js';
import { isGone, Problem } from './problem.js';

// The shapes are those of the service's description, openapi/openapi.yaml.
type Schemas = components['schemas'];

export type StoredFile = Schemas['File'];

/** A page of files, and what to pass as `after` for the next one; null at the end. */
export type FilePage = Schemas['FileList'];

/** Who may read a file, beside its owner. The lists apply to restricted access. */
export type Grant = Schemas['Grant'];

export type Access = Grant['access'];

export type SignedLink = Schemas['Link'];

/** What the user's account stores, and its quota. */
export type Usage = Schemas['Usage'];

/** The user's own files, newest first. */
export function listFiles(service: Service, limit: number, after: string | null): Promise<FilePage> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (after !== null) query.set('after', after);
  return json(service, `${service.base}/?${query}`);
}

/** Deletes a file, or an upload when given its tus URL. One that is gone already is no error. */
export async function remove(service: Service, url: string): Promise<void> {
  await ask(service, url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } }).catch((error: unknown) => {
    if (!isGone(error)) throw error;
  });
}

/** A URL that opens the file without a token until it expires; `ttl` in seconds. */
export function signedLink(service: Service, id: string, ttl: number, disposition: 'inline' | 'attachment'): Promise<SignedLink> {
  return json(service, `${service.base}/${id}/links`, 'POST', { expires_in: ttl, disposition });
}

/** Null if the service has no grants. */
export const grantOf = (service: Service, id: string): Promise<Grant | null> => unless404(json<Grant>(service, `${service.base}/${id}/grants`));

export const setGrant = (service: Service, id: string, grant: Grant): Promise<Grant> =>
  json(service, `${service.base}/${id}/grants`, 'PUT', grant);

/** Null if the service does not count usage. */
export const usage = (service: Service): Promise<Usage | null> => unless404(json<Usage>(service, `${service.base}/usage`));

/** The SHA-256 of a stored file in hexadecimal digits; null if the service does not know it. */
export async function storedSum(service: Service, id: string): Promise<string | null> {
  const { headers } = await ask(service, `${service.base}/${id}`, { method: 'HEAD' });
  const [, base64] = /\bsha-256=:([A-Za-z0-9+/=]+):/.exec(headers.get('Repr-Digest') ?? '') ?? []; // RFC 9530, 3
  if (base64 === undefined) return null;
  return Array.from(atob(base64), (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

/** Null if the answer is 404. */
async function unless404<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Problem && error.status === 404) return null;
    throw error;
  }
}
