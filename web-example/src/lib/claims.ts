/**
 * The addresses of unfinished uploads, as tus-js-client keeps them in this browser, and which tab
 * is at work on which.
 *
 * Two tabs that go on with the same upload take it from each other with every request. So a tab
 * claims an address by a lock of the browser, and the address is hidden from the others for so
 * long: they make an upload of their own. The browser drops the locks of a tab that is closed.
 * Where there are no locks (pages without TLS), the service sees to it that nothing is lost.
 */

import { defaultOptions, type PreviousUpload, type UploadOptions } from 'tus-js-client';

type UrlStorage = NonNullable<UploadOptions['urlStorage']>;

// A page that is reloaded finds its own locks still held for a moment: what is free is waited for.
const patience = 1000; // milliseconds

const locks = () => globalThis.navigator?.locks;
const lockOf = (upload: PreviousUpload) => `holdfast upload ${upload.uploadUrl}`;

const newestFirst = (a: PreviousUpload, b: PreviousUpload) => Date.parse(b.creationTime) - Date.parse(a.creationTime);
const isTimeout = (error: unknown) => error instanceof DOMException && error.name === 'TimeoutError';

/** A store of addresses that claims what it hands out. */
export class Claims implements UrlStorage {
  readonly #kept = defaultOptions.urlStorage;
  readonly #mine = new Map<string, () => void>(); // lock -> how to release it

  findAllUploads(): Promise<PreviousUpload[]> {
    return this.#kept.findAllUploads();
  }

  /** The newest that no other tab is at work on, if any. */
  async findUploadsByFingerprint(fingerprint: string): Promise<PreviousUpload[]> {
    for (const upload of (await this.#kept.findUploadsByFingerprint(fingerprint)).sort(newestFirst)) {
      if (!(await this.claim(upload))) continue;
      if (await this.#isKept(upload)) return [upload];
      this.#release(lockOf(upload)); // its tab has finished it while we waited
    }
    return [];
  }

  async addUpload(fingerprint: string, upload: PreviousUpload): Promise<string> {
    await this.claim(upload);
    return this.#kept.addUpload(fingerprint, upload);
  }

  async removeUpload(key: string): Promise<void> {
    const upload = (await this.findAllUploads()).find((one) => one.urlStorageKey === key);
    await this.#kept.removeUpload(key);
    if (upload) this.#release(lockOf(upload)); // only now: who waits for it must see that it is gone
  }

  /** False: another tab, or another upload of this one, is at work on it. */
  claim(upload: PreviousUpload): Promise<boolean> {
    const name = lockOf(upload);
    const manager = locks();
    if (!manager || this.#mine.has(name)) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      manager.request(name, { signal: AbortSignal.timeout(patience) }, () => {
        resolve(true);
        return new Promise<void>((release) => { this.#mine.set(name, release); });
      }).catch((error: unknown) => (isTimeout(error) ? resolve(false) : reject(error)));
    });
  }

  /** Removes what is kept of the upload at this address. */
  async forget(url: string | null): Promise<void> {
    for (const one of await this.findAllUploads()) {
      if (one.uploadUrl === url) await this.removeUpload(one.urlStorageKey);
    }
  }

  /** Gives all claims back: others may go on with what was begun here. */
  release(): void {
    for (const lock of [...this.#mine.keys()]) this.#release(lock);
  }

  /** Whether some tab is at work on an upload. */
  static async held(upload: PreviousUpload): Promise<boolean> {
    try {
      await locks()?.request(lockOf(upload), { signal: AbortSignal.timeout(patience) }, () => {});
      return false;
    } catch (error) {
      if (isTimeout(error)) return true;
      throw error;
    }
  }

  async #isKept(upload: PreviousUpload): Promise<boolean> {
    return (await this.findAllUploads()).some((one) => one.urlStorageKey === upload.urlStorageKey);
  }

  #release(lock: string): void {
    this.#mine.get(lock)?.();
    this.#mine.delete(lock);
  }
}
