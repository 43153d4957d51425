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

const locks = () => globalThis.navigator?.locks;
const lockOf = (upload: PreviousUpload) => `holdfast upload ${upload.uploadUrl}`;

/** A store of addresses that claims what it hands out. */
export class Claims implements UrlStorage {
  readonly #kept = defaultOptions.urlStorage;
  readonly #mine = new Map<string, () => void>(); // lock -> how to release it

  findAllUploads(): Promise<PreviousUpload[]> {
    return this.#kept.findAllUploads();
  }

  async findUploadsByFingerprint(fingerprint: string): Promise<PreviousUpload[]> {
    const free: PreviousUpload[] = [];
    for (const upload of await this.#kept.findUploadsByFingerprint(fingerprint)) {
      if (await this.claim(upload)) free.push(upload);
    }
    return free;
  }

  async addUpload(fingerprint: string, upload: PreviousUpload): Promise<string> {
    await this.claim(upload);
    return this.#kept.addUpload(fingerprint, upload);
  }

  async removeUpload(key: string): Promise<void> {
    const upload = (await this.findAllUploads()).find((one) => one.urlStorageKey === key);
    if (upload) this.#release(lockOf(upload));
    await this.#kept.removeUpload(key);
  }

  /** False: another tab, or another upload of this one, is at work on it. */
  claim(upload: PreviousUpload): Promise<boolean> {
    const name = lockOf(upload);
    const manager = locks();
    if (!manager || this.#mine.has(name)) return Promise.resolve(true);
    return new Promise((resolve, reject) => {
      manager.request(name, { ifAvailable: true }, (lock) => {
        resolve(lock !== null);
        if (lock === null) return;
        return new Promise<void>((release) => { this.#mine.set(name, release); });
      }).catch(reject);
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
    const state = await locks()?.query();
    return state?.held?.some(({ name }) => name === lockOf(upload)) ?? false;
  }

  #release(lock: string): void {
    this.#mine.get(lock)?.();
    this.#mine.delete(lock);
  }
}
