/** Uploads that this browser began and did not finish, also before a reload. */

import type { PreviousUpload } from 'tus-js-client';
import { remove } from './api';
import { Claims } from './claims';
import { call, type Service } from './http';
import { Problem } from './problem';
import { type UploadOptions, UploadTask } from './upload';

export interface UnfinishedUpload {
  name: string;
  /** Bytes. */
  size: number;
  /** Bytes that have arrived. */
  offset: number;
  startedAt: string;
  /** Goes on; the user has to choose the file again, since a page loses it with a reload. */
  resume(file: File, options?: UploadOptions): UploadTask;
  /** Deletes what has arrived. */
  discard(): Promise<void>;
}

// Each client keeps its own list.
const prefixes = { tus: 'tus::tus-br', uppy: 'tus::tus-uppy' };

/** What can be gone on with. Uploads that other tabs are at work on are not among them. */
export async function unfinishedUploads(service: Service, client: keyof typeof prefixes): Promise<UnfinishedUpload[]> {
  const storage = new Claims();
  const kept = (await storage.findAllUploads()).filter(({ urlStorageKey, uploadUrl }) =>
    urlStorageKey.startsWith(prefixes[client]) && uploadUrl?.startsWith(`${service.base}/`));
  const found = await Promise.all(kept.map((one) => look(service, storage, one)));
  return found.filter((one) => one !== null);
}

async function look(service: Service, storage: Claims, kept: PreviousUpload): Promise<UnfinishedUpload | null> {
  if (await Claims.held(kept)) return null;
  const offset = await offsetOf(service, kept.uploadUrl ?? '').catch(() => null);
  if (offset === null) return null; // no answer: it may still be there, so it stays kept
  if (offset !== 'gone' && offset !== kept.size) return unfinished(service, storage, kept, offset);
  await storage.removeUpload(kept.urlStorageKey);
  return null;
}

function unfinished(service: Service, storage: Claims, kept: PreviousUpload, offset: number): UnfinishedUpload {
  const name = kept.metadata.filename ?? kept.metadata.name ?? '';
  const size = kept.size ?? 0;
  return {
    name, size, offset, startedAt: kept.creationTime,
    resume(file, options = {}) {
      if (file.size !== size) throw new Problem(0, 'other_file', { name });
      return new UploadTask(service, file, { ...options, name }, kept);
    },
    async discard() {
      if (kept.uploadUrl !== null) await remove(service, kept.uploadUrl);
      await storage.removeUpload(kept.urlStorageKey);
    },
  };
}

async function offsetOf(service: Service, url: string): Promise<number | 'gone'> {
  try {
    const response = await call(service, url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } });
    return Number(response.headers.get('Upload-Offset'));
  } catch (error) {
    if (error instanceof Problem && [403, 404, 410].includes(error.status)) return 'gone';
    throw error;
  }
}
