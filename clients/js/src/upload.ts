/** The upload of one file. */

import { type DetailedError, type PreviousUpload, Upload } from 'tus-js-client';
import { remove } from './api.js';
import { refusal } from './check.js';
import { sha256 } from './checksum.js';
import { renewals, renewed } from './credentials.js';
import type { Service } from './http.js';
import { Problem, toProblem } from './problem.js';
import { Speed } from './speed.js';
import { type TusOptions, tusOptions, worthRetrying } from './tus-options.js';
import { verify } from './verify.js';

export interface Progress {
  /** Bytes. */
  sent: number;
  /** Bytes. */
  total: number;
  /** Bytes per second over the last few seconds; null until it can be measured. */
  speed: number | null;
  /** Seconds. */
  left: number | null;
}

export interface UploadOptions {
  /** Instead of the file's own name. */
  name?: string;
  /** Bytes per request at most; unlimited by default. */
  chunkSize?: number;
  onProgress?(progress: Progress): void;
  /** The upload has a URL, for the first time or again after an interruption. */
  onAddress?(url: string): void;
  /** An unfinished upload of this file was found, started at that time, and is resumed. */
  onFound?(startedAt: string): void;
  /** The request failed, and is retried after `delay` milliseconds. */
  onRetry?(problem: Problem, attempt: number, delay: number): void;
  /** All bytes have arrived, and the checksums are compared. */
  onCheck?(): void;
}

export interface UploadedFile {
  id: string;
  url: string;
  name: string;
  type: string;
  /** Bytes. */
  size: number;
  /** Hexadecimal digits; null if it could not be computed. */
  sha256: string | null;
  /** The stored file was compared with the local one, and is the same. */
  verified: boolean;
}

/** An upload that can be paused. It resumes from the last byte that arrived, after a reload too. */
export class UploadTask {
  /** The result of the upload. After a failure, resume() replaces it by a new promise. */
  done: Promise<UploadedFile>;
  readonly #upload: Upload;
  readonly #options: TusOptions;
  readonly #checksum: Promise<string | null>;
  readonly #refusal: Problem | null;
  readonly #cancelled = new AbortController();
  readonly #speed = new Speed();
  #sent = 0; // bytes
  #ticker: ReturnType<typeof setInterval> | undefined;
  #refusals = 0; // of credentials, in a row
  #failure = false;
  #paused = false;
  #outcome!: { resolve(file: UploadedFile): void; reject(problem: Problem): void };

  constructor(
    private readonly service: Service,
    private readonly file: File,
    private readonly events: UploadOptions,
    private readonly previous: PreviousUpload | null = null,
  ) {
    this.done = this.#newResult();
    this.#options = tusOptions(service, (delay) => this.#retrying(new Problem(429, 'RATE_001'), 1, delay));
    this.#upload = this.#prepare();
    this.#refusal = refusal({ name: this.name, size: file.size }, service.maxFileSize);
    if (this.#refusal) {
      this.#checksum = Promise.resolve(null);
      this.#outcome.reject(this.#refusal);
      return;
    }
    this.#checksum = sha256(file, this.#cancelled.signal);
    void this.#start().catch((error: unknown) => this.#fail(error));
  }

  get name(): string {
    return this.events.name ?? this.file.name;
  }

  /** The upload's URL once it has one. */
  get url(): string | null {
    return this.#upload.url;
  }

  /** Stops sending. The server keeps what has arrived. */
  async pause(): Promise<void> {
    this.#paused = true;
    this.#stopTicker();
    await this.#upload.abort();
  }

  /** Continues after a pause or a failure. */
  resume(): Promise<UploadedFile> {
    if (this.#refusal) return this.done;
    this.#paused = false;
    if (this.#failure) this.done = this.#newResult();
    this.#upload.start();
    return this.done;
  }

  /** Cancels the upload and deletes it on the server. `done` rejects with the code "aborted". */
  async abort(): Promise<void> {
    this.#cancelled.abort();
    await this.#upload.abort();
    this.#fail(new Problem(0, 'aborted', { name: this.name }));
    if (this.#upload.url !== null) await remove(this.service, this.#upload.url);
    await this.#options.urlStorage.forget(this.#upload.url);
  }

  #newResult(): Promise<UploadedFile> {
    this.#failure = false;
    const done = new Promise<UploadedFile>((resolve, reject) => { this.#outcome = { resolve, reject }; });
    done.catch(() => {}); // a caller may listen to events only
    return done;
  }

  #prepare(): Upload {
    const { retryDelays } = this.#options;
    const type = this.file.type || 'application/octet-stream';
    return new Upload(this.file, {
      ...this.#options,
      chunkSize: this.events.chunkSize ?? Infinity,
      metadata: { filename: this.name, filetype: type },
      onUploadUrlAvailable: () => this.events.onAddress?.(this.#upload.url ?? ''),
      onProgress: (sent, total) => {
        this.#startTicker();
        this.#progress(sent, total);
      },
      onShouldRetry: (error, attempt) => {
        if (!worthRetrying(error)) return false;
        const problem = toProblem(error);
        if (problem.status !== 429) this.#retrying(problem, attempt + 1, retryDelays[attempt] ?? 0); // told already
        return true;
      },
      onSuccess: () => void this.#compare().then(this.#outcome.resolve, (error: unknown) => this.#fail(error)),
      onError: (error) => void this.#onError(error),
    });
  }

  async #start(): Promise<void> {
    if (this.previous && !(await this.#options.urlStorage.claim(this.previous))) throw new Problem(409, 'UPLOAD_001');
    const found = this.previous ?? (await this.#upload.findPreviousUploads()).at(-1);
    if (found) {
      this.#upload.resumeFromPreviousUpload(found);
      this.events.onFound?.(found.creationTime);
    }
    if (!this.#paused && !this.#cancelled.signal.aborted) this.#upload.start();
  }

  // A stalled connection reports no progress: without this the last speed would stay on display.
  #startTicker(): void {
    this.#ticker ??= setInterval(() => this.#progress(this.#sent, this.file.size), 1000);
  }

  #retrying(problem: Problem, attempt: number, delay: number): void {
    this.#stopTicker();
    this.events.onRetry?.(problem, attempt, delay);
  }

  #stopTicker(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    this.#speed.reset();
  }

  #progress(sent: number, total: number): void {
    if (sent > this.#sent) this.#refusals = 0;
    this.#sent = sent;
    const speed = this.#speed.at(sent);
    this.events.onProgress?.({ sent, total, speed, left: speed ? (total - sent) / speed : null });
  }

  async #onError(error: Error | DetailedError): Promise<void> {
    this.#stopTicker();
    const problem = toProblem(error);
    if (problem.status !== 401 || ++this.#refusals > renewals) return this.#fail(problem);
    try {
      await renewed(this.service.credentials, this.#options.lastCredentials());
      if (!this.#paused && !this.#cancelled.signal.aborted) this.#upload.start();
    } catch (reason) {
      this.#fail(reason);
    }
  }

  #fail(error: unknown): void {
    this.#stopTicker();
    this.#failure = true;
    this.#options.urlStorage.release();
    this.#outcome.reject(toProblem(error));
  }

  async #compare(): Promise<UploadedFile> {
    const id = (this.#upload.url ?? '').split('/').pop() ?? '';
    this.#stopTicker();
    this.events.onCheck?.();
    const sum = await this.#checksum;
    const verified = await verify(this.service, { id, name: this.name }, sum);
    return { id, url: `${this.service.base}/${id}`, name: this.name, type: this.file.type, size: this.file.size, sha256: sum, verified };
  }
}
