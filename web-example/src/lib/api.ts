/** The calls of Holdfast's HTTP API that the pages make beside tus. */

import { Problem, problemOf } from './problem';
import { tokenRefused } from './sign-in';
import { currentToken } from './token';

export interface Config {
  /** Where the files live, without a trailing slash: {base}/tus/, {base}/{id}. */
  base: string;
  /** Bytes. */
  max_file_size: number;
}

export interface StoredFile {
  id: string;
  name: string;
  size: number;
  type: string;
  created_at: string;
  url: string;
}

export interface FilePage {
  files: StoredFile[];
  /** What to pass as `after` for the next page; null at the end. */
  next: string | null;
}

export async function loadConfig(): Promise<Config> {
  const response = await fetch('/example.json', { cache: 'no-store' });
  if (!response.ok) throw await problemOf(response);
  const config = (await response.json()) as Config;
  return { ...config, base: config.base.replace(/\/+$/, '') };
}

/** Own files, newest first. */
export async function listFiles(base: string, limit: number, after: string | null): Promise<FilePage> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (after !== null) query.set('after', after);
  return (await call(`${base}/?${query}`)).json() as Promise<FilePage>;
}

/** Removes a finished file, or ends an upload when given its tus URL. Gone already counts as done. */
export async function remove(url: string): Promise<void> {
  await call(url, { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } }).catch((error: unknown) => {
    if (!(error instanceof Problem && error.status === 404)) throw error;
  });
}

/** One request with the token. When it is refused, asks for another and tries again. */
export async function call(url: string, init: RequestInit = {}): Promise<Response> {
  for (;;) {
    const headers = new Headers(init.headers);
    headers.set('Authorization', `Bearer ${currentToken() ?? ''}`);
    const response = await fetch(url, { ...init, headers });
    if (response.ok) return response;
    if (response.status !== 401) throw await problemOf(response);
    await tokenRefused();
  }
}
