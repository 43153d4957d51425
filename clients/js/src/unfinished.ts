/** Uploads that this browser started and did not finish, also before a reload. */

import type { PreviousUpload } from 'tus-js-client';
import { Claims } from './claims.js';
import { discard, isDirect, fetchState } from './direct.js';
import { isBelieved, isFound } from './doubt.js';
import { ask, type Service } from './http.js';
import { isGone, Problem, toProblem } from './problem.js';
import { sleep } from './rate-limit.js';
import { retryDelays, worthRetrying } from './tus-options.js';
import { type UploadOptions, UploadTask } from './upload.js';

export interface UnfinishedUpload {
  url: string;
  name: string;
  /** Bytes. */
  size: number;
  /** Bytes that have arrived. */
  offset: number;
  startedAt: string;
  /** Resumes it. The user has to choose the file again, since a reload loses it. */
  resume(file: File, options?: UploadOptions): UploadTask;
  /** Deletes the upload on the server. */
  discard(): Promise<void>;
}

// Each client keeps its own list.
const prefixes = { tus: 'tus::tus-br', uppy: 'tus::tus-uppy' };

/** The uploads that can be resumed, without those that other tabs use. */
export async function unfinishedUploads(service: Service, client: keyof typeof prefixes): Promise<UnfinishedUpload[]> {
  const storage = new Claims();
  const kept = (await storage.findAllUploads()).filter(({ urlStorageKey, uploadUrl }) =>
    urlStorageKey.startsWith(prefixes[client]) && uploadUrl?.startsWith(`${service.base}/`));
  const found = await Promise.all(kept.map((one) => inspect(service, storage, one)));
  return found.filter((one) => one !== null);
}

async function inspect(service: Service, storage: Claims, kept: PreviousUpload): Promise<UnfinishedUpload | null> {
  if (await Claims.isClaimed(kept)) return null;
  const offset = await patientOffsetOf(service, kept.uploadUrl ?? '').catch(() => null);
  if (offset === null) return null; // no response: the upload may still exist, so its URL is kept
  if (offset !== 'gone' && (offset !== kept.size || isDirect(kept.uploadUrl))) return unfinished(service, kept, offset);
  await storage.removeUpload(kept.urlStorageKey);
  return null;
}

function unfinished(service: Service, kept: PreviousUpload, offset: number): UnfinishedUpload {
  const name = kept.metadata.filename ?? kept.metadata.name ?? '';
  const size = kept.size ?? 0;
  return {
    url: kept.uploadUrl ?? '', name, size, offset, startedAt: kept.creationTime,
    resume(file, options = {}) {
      if (file.size !== size) throw new Problem(0, 'other_file', { name });
      return new UploadTask(service, file, { ...options, name }, kept);
    },
    async discard() {
      const claims = new Claims();
      if (!(await claims.claim(kept.uploadUrl))) throw new Problem(409, 'UPLOAD_001');
      try {
        // Another tab may have made a file of it since it was listed.
        if (!(await claims.findAllUploads()).some((one) => one.urlStorageKey === kept.urlStorageKey)) return;
        if (kept.uploadUrl !== null) await discard(service, kept.uploadUrl);
        await claims.removeUpload(kept.urlStorageKey);
      } finally {
        claims.release();
      }
    },
  };
}

const patience = retryDelays.reduce((sum, delay) => sum + delay); // milliseconds, as of an upload

/** The service may be starting again, and the line as bad as when the upload was interrupted. */
async function patientOffsetOf(service: Service, url: string): Promise<number | 'gone'> {
  const end = performance.now() + patience;
  for (let attempt = 0; ; attempt++) {
    try {
      return await offsetOf(service, url);
    } catch (error) {
      const [problem, delay] = [toProblem(error), retryDelays[attempt]];
      if (delay === undefined || performance.now() > end || problem.status === 429 || !worthRetrying(problem)) throw error;
      await sleep(delay);
    }
  }
}

async function offsetOf(service: Service, url: string): Promise<number | 'gone'> {
  if (isDirect(url)) {
    const state = await fetchState(service, url);
    if (state === 'foreign') throw new Problem(403, 'PERM_001');
    return state === 'ended' || state.state !== 'open' ? 'gone' : state.sent.reduce((sum, { size }) => sum + size, 0);
  }
  try {
    const offset = (await ask(service, url, { method: 'HEAD', headers: { 'Tus-Resumable': '1.0.0' } })).headers.get('Upload-Offset');
    if (offset === null) throw new Problem(0, 'unknown', { status: 200 }); // of something else, such as a captive portal
    isFound(url);
    return Number(offset);
  } catch (error) {
    if (isGone(error) || (toProblem(error).code === 'proxy' && (await isBelieved(service, url)))) return 'gone';
    throw error;
  }
}
