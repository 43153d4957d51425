/** Direct uploads: the requests about them, and what this browser keeps. */

import type { PreviousUpload } from 'tus-js-client';
import { remove } from './api.js';
import type { Claims } from './claims.js';
import { crc32 } from './crc32.js';
import { isBelieved, isFound } from './doubt.js';
import { ask, json, type Service } from './http.js';
import type { components } from './openapi.js';
import { isGone, Problem } from './problem.js';
import type { NamedFile } from './sender.js';

type Schemas = components['schemas'];
export type Offer = Schemas['DirectOffer'];
export type State = Schemas['DirectState'];
export type SignedPart = Schemas['SignedBatch']['parts'][number];

const offers = new WeakMap<Service, Promise<Offer | null>>();

/** What the service takes; null if it takes no direct uploads. It is asked once. */
export function fetchOffer(service: Service): Promise<Offer | null> {
  const known = offers.get(service);
  if (known !== undefined) return known;
  const asked = json<Offer>(service, `${service.base}/direct/`).catch((error: unknown) => {
    if (isGone(error)) return null;
    offers.delete(service); // there was no answer: the next one asks again
    throw error;
  });
  offers.set(service, asked);
  return asked;
}

/** Stores take parts of 5 MiB and more. A smaller file gains nothing, so what the service offers is not even asked. */
export const minDirectSize = 5 * 1024 * 1024;

/** Whether a file of this size, in bytes, is sent as several parts. */
export const isMultipart = (offer: Offer | null, size: number): boolean => offer !== null && size > offer.part_size;

const MiB = 1024 * 1024;

/** The size of the parts of a file, in bytes. */
export const partSize = (offer: Offer, size: number): number =>
  Math.max(offer.part_size, Math.ceil(size / offer.max_parts / MiB) * MiB);

export const directUrl = (service: Service, id: string): string => `${service.base}/direct/${encodeURIComponent(id)}`;

export const isDirect = (url: string | null | undefined): boolean => /\/direct\/[^/]+$/.test(url ?? '');

/** Begins an upload, and returns its URL. */
export async function createUpload(service: Service, { file, name }: NamedFile): Promise<string> {
  const { id } = await json<Schemas['DirectBegun']>(service, `${service.base}/direct/`, 'POST',
    { name, type: file.type || 'application/octet-stream', size: file.size, checksum: 'crc32' });
  return directUrl(service, id);
}

/** What the service knows of an upload. `foreign`: it belongs to another user of this browser, who may continue it. */
export async function fetchState(service: Service, url: string, signal?: AbortSignal): Promise<State | 'ended' | 'foreign'> {
  try {
    const state = await json<State>(service, url, 'GET', undefined, signal);
    isFound(url);
    return state;
  } catch (error) {
    if (error instanceof Problem && error.status === 403 && error.code !== '') return 'foreign'; // not in a proxy's words
    if (isGone(error)) return 'ended';
    if (error instanceof Problem && error.code === 'proxy' && (await isBelieved(service, url))) return 'ended';
    throw error;
  }
}

/** The bytes of a part of a file. */
export const sizeOfPart = (state: State, file: number, number: number): number =>
  Math.min(state.part_size, file - (number - 1) * state.part_size);

/** URLs for parts. Where the store compares checksums, each is for these bytes of the file only. */
export async function sign(service: Service, url: string, { checksum, part_size }: State, file: Blob, numbers: number[], signal?: AbortSignal): Promise<SignedPart[]> {
  const wanted: { number: number; crc32?: string }[] = [];
  for (const number of numbers) {
    const part = file.slice((number - 1) * part_size, number * part_size);
    wanted.push(checksum === 'crc32' ? { number, crc32: await crc32(part) } : { number });
  }
  const { parts } = await json<Schemas['SignedBatch']>(service, `${url}/parts`, 'POST', { parts: wanted }, signal);
  return parts;
}

/** Makes a file of the parts. Otherwise the seconds after which to ask again. */
export async function complete(service: Service, url: string, signal: AbortSignal): Promise<{ done: true } | { again: number }> {
  const response = await ask(service, `${url}/complete`, { method: 'POST', signal });
  return response.status === 201 ? { done: true } : { again: Number(response.headers.get('Retry-After')) || 1 };
}

/** Deletes an upload, by whichever protocol, and the file that a direct one has just become. */
export async function discard(service: Service, url: string): Promise<void> {
  try {
    await remove(service, url);
  } catch (error) {
    if (!isDirect(url) || !(error instanceof Problem) || error.status !== 409) throw error;
    await remove(service, `${service.base}/${url.split('/').pop()}`);
  }
}

/** Notes an upload in this browser, and claims it for this tab. */
export async function storeUpload(claims: Claims, fingerprint: string, url: string, { file, name }: { file: Pick<File, 'size' | 'type'>; name: string }): Promise<void> {
  const upload: Omit<PreviousUpload, 'urlStorageKey'> = {
    size: file.size, metadata: { filename: name, filetype: file.type }, creationTime: new Date().toString(),
    uploadUrl: url, parallelUploadUrls: null,
  };
  await claims.addUpload(fingerprint, upload as PreviousUpload); // the storage chooses the key
}
