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

// After a reload the page's own locks are held for a moment longer, so the browser is asked several times. Each time it
// says at once who has a lock. A request that waits, with a time limit, would be wrong in a page that has much to do: its
// timer ends before the answer, which came long ago, is read.
const tries = 12;
const pause = 100; // milliseconds

const locks = () => globalThis.navigator?.locks;
const lockOf = (url: string | null) => `holdfast upload ${url}`;

const newestFirst = (a: PreviousUpload, b: PreviousUpload) => Date.parse(b.creationTime) - Date.parse(a.creationTime);

/** Holds a lock until the promise of `use` is settled. False if it is held already, and `use` is not called. */
const take = (manager: LockManager, name: string, use: () => Promise<void>): Promise<boolean> =>
  new Promise((resolve, reject) => {
    manager.request(name, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : use();
    }).catch(reject);
  });

/** Asks until the answer is yes, as another page may be about to release a lock. */
async function patiently(ask: () => Promise<boolean>): Promise<boolean> {
  for (let left = tries; !(await ask()); left--) {
    if (left === 1) return false;
    await sleep(pause);
  }
  return true;
}

/** A URL storage for tus-js-client that claims the URLs it returns. */
export class Claims implements UrlStorage {
  readonly #storage = defaultOptions.urlStorage;
  readonly #releases = new Map<string, () => void>(); // lock -> how to release it
  readonly #foreign = new Set<string | null>(); // URLs of other users' uploads
  readonly #listed = new Set<string | null>(); // URLs that were in this browser's list when they were claimed
  #epoch = 0; // the number of calls of release()

  findAllUploads(): Promise<PreviousUpload[]> {
    return this.#storage.findAllUploads();
  }

  /** The newest that no other tab uses, if any. */
  async findUploadsByFingerprint(fingerprint: string): Promise<PreviousUpload[]> {
    const epoch = this.#epoch;
    for (const upload of (await this.#storage.findUploadsByFingerprint(fingerprint)).sort(newestFirst)) {
      const claimed = await this.claim(upload.uploadUrl);
      if (epoch !== this.#epoch) break; // nobody wants it any more
      if (!claimed) continue;
      if (await this.#isKept(upload)) return [upload];
      this.#release(lockOf(upload.uploadUrl)); // another tab finished it while we waited
    }
    return [];
  }

  /** An empty key if it can't be stored, for instance because the storage is full. The upload goes on without. */
  async addUpload(fingerprint: string, upload: PreviousUpload): Promise<string> {
    await this.claim(upload.uploadUrl);
    try {
      const key = await this.#storage.addUpload(fingerprint, upload);
      if (await this.#isListed(upload.uploadUrl)) this.#listed.add(upload.uploadUrl);
      return key;
    } catch {
      return '';
    }
  }

  async removeUpload(key: string): Promise<void> {
    const upload = (await this.findAllUploads()).find((one) => one.urlStorageKey === key);
    if (!upload || !this.#foreign.has(upload.uploadUrl)) await this.#storage.removeUpload(key);
    if (upload) this.#release(lockOf(upload.uploadUrl)); // only now: a tab that waits for it must see that it is gone
  }

  /** Keeps the entry of an upload that another user of this browser began, and may continue. */
  keep(url: string): void {
    this.#foreign.add(url);
  }

  /** False if another tab, or another upload of this tab, uses it. */
  async claim(url: string | null): Promise<boolean> {
    const [name, manager, epoch] = [lockOf(url), locks(), this.#epoch];
    if (!manager || this.#releases.has(name)) return true;
    const hold = () => new Promise<void>((release) => {
      if (epoch === this.#epoch) this.#releases.set(name, release);
      else release(); // nobody wants it any more
    });
    const claimed = await patiently(() => take(manager, name, hold)).catch(() => true); // this page may use no locks
    if (claimed && (await this.#isListed(url))) this.#listed.add(url);
    return claimed;
  }

  /** Whether another tab has finished or discarded an upload since it was claimed here: it has removed it from the list. */
  async isOver(url: string | null): Promise<boolean> {
    return this.#listed.has(url) && !(await this.#isListed(url));
  }

  /** Removes the stored entry of the upload at this URL. */
  async forget(url: string | null): Promise<void> {
    for (const one of await this.findAllUploads()) {
      if (one.uploadUrl === url) await this.removeUpload(one.urlStorageKey);
    }
  }

  /** Releases all claims, so that other tabs can resume these uploads. */
  release(): void {
    this.#epoch++;
    for (const lock of [...this.#releases.keys()]) this.#release(lock);
  }

  /** Releases the claim of one upload. */
  giveBack(url: string | null): void {
    this.#release(lockOf(url));
  }

  /** Whether some tab uses an upload. It is not claimed meanwhile: other tabs may want it. */
  static async isClaimed({ uploadUrl }: PreviousUpload): Promise<boolean> {
    const manager = locks();
    if (!manager) return false;
    return !(await patiently(async () => {
      const { held = [] } = await manager.query();
      return !held.some(({ name }) => name === lockOf(uploadUrl));
    }).catch(() => true));
  }

  async #isListed(url: string | null): Promise<boolean> {
    return (await this.findAllUploads()).some(({ uploadUrl }) => uploadUrl === url);
  }

  async #isKept(upload: PreviousUpload): Promise<boolean> {
    return (await this.findAllUploads()).some((one) => one.urlStorageKey === upload.urlStorageKey);
  }

  #release(lock: string): void {
    this.#releases.get(lock)?.();
    this.#releases.delete(lock);
  }
}
