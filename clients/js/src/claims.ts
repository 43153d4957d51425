/**
 * The URLs of unfinished uploads, as tus-js-client stores them in this browser, and which tab
 * uses which.
 *
 * Two tabs that resume the same upload would take it from each other with every request. So a tab
 * claims a URL with a browser lock; other tabs do not see it meanwhile, and create an upload of
 * their own. The browser releases the locks of a closed tab. Where there are no locks (pages
 * without TLS), the service makes sure that nothing is lost.
 */

import { defaultOptions, type PreviousUpload, type UploadOptions } from 'tus-js-client';
import { sleep } from './rate-limit.js';

type UrlStorage = NonNullable<UploadOptions['urlStorage']>;

// After a reload the page's own locks are held for a moment longer, so a lock is asked for several times. Each time the
// browser says at once who has it. A request that waits, with a time limit, would be wrong in a page that has much to
// do: its timer ends before the answer, which came long ago, is read.
const tries = 12;
const pause = 100; // milliseconds

const locks = () => globalThis.navigator?.locks;
const lockOf = (upload: PreviousUpload) => `holdfast upload ${upload.uploadUrl}`;

const newestFirst = (a: PreviousUpload, b: PreviousUpload) => Date.parse(b.creationTime) - Date.parse(a.creationTime);

/** Holds a lock until the promise of `use` is settled. False if it is held already, and `use` is not called. */
const take = (manager: LockManager, name: string, use: () => Promise<void>): Promise<boolean> =>
  new Promise((resolve, reject) => {
    manager.request(name, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : use();
    }).catch(reject);
  });

/** The same, where another page may be about to release it. Always true where there are no locks, without a call. */
async function patientlyTake(name: string, use: () => Promise<void>): Promise<boolean> {
  const manager = locks();
  if (!manager) return true;
  for (let left = tries; !(await take(manager, name, use)); left--) {
    if (left === 1) return false;
    await sleep(pause);
  }
  return true;
}

/** A URL storage for tus-js-client that claims the URLs it returns. */
export class Claims implements UrlStorage {
  readonly #storage = defaultOptions.urlStorage;
  readonly #releases = new Map<string, () => void>(); // lock -> how to release it

  findAllUploads(): Promise<PreviousUpload[]> {
    return this.#storage.findAllUploads();
  }

  /** The newest that no other tab uses, if any. */
  async findUploadsByFingerprint(fingerprint: string): Promise<PreviousUpload[]> {
    for (const upload of (await this.#storage.findUploadsByFingerprint(fingerprint)).sort(newestFirst)) {
      if (!(await this.claim(upload))) continue;
      if (await this.#isKept(upload)) return [upload];
      this.#release(lockOf(upload)); // another tab finished it while we waited
    }
    return [];
  }

  async addUpload(fingerprint: string, upload: PreviousUpload): Promise<string> {
    await this.claim(upload);
    return this.#storage.addUpload(fingerprint, upload);
  }

  async removeUpload(key: string): Promise<void> {
    const upload = (await this.findAllUploads()).find((one) => one.urlStorageKey === key);
    await this.#storage.removeUpload(key);
    if (upload) this.#release(lockOf(upload)); // only now: a tab that waits for it must see that it is gone
  }

  /** False if another tab, or another upload of this tab, uses it. */
  claim(upload: PreviousUpload): Promise<boolean> {
    const name = lockOf(upload);
    if (this.#releases.has(name)) return Promise.resolve(true);
    return patientlyTake(name, () => new Promise((release) => { this.#releases.set(name, release); }));
  }

  /** Removes the stored entry of the upload at this URL. */
  async forget(url: string | null): Promise<void> {
    for (const one of await this.findAllUploads()) {
      if (one.uploadUrl === url) await this.removeUpload(one.urlStorageKey);
    }
  }

  /** Releases all claims, so that other tabs can resume these uploads. */
  release(): void {
    for (const lock of [...this.#releases.keys()]) this.#release(lock);
  }

  /** Whether some tab uses an upload. */
  static async isClaimed(upload: PreviousUpload): Promise<boolean> {
    return !(await patientlyTake(lockOf(upload), async () => {}));
  }

  async #isKept(upload: PreviousUpload): Promise<boolean> {
    return (await this.findAllUploads()).some((one) => one.urlStorageKey === upload.urlStorageKey);
  }

  #release(lock: string): void {
    this.#releases.get(lock)?.();
    this.#releases.delete(lock);
  }
}
