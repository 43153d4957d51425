/** One file on its way to the service. */

import { type DetailedError, type PreviousUpload, Upload } from 'tus-js-client';
import { remove } from './api';
import { refusal } from './check';
import { sha256 } from './checksum';
import { renewals, renewed } from './credentials';
import type { Service } from './http';
import { Problem, toProblem } from './problem';
import { Speed } from './speed';
import { type TusOptions, tusOptions, worthRetrying } from './tus-options';
import { verify } from './verify';

export interface Progress {
  /** Bytes. */
  sent: number;
  /** Bytes. */
  total: number;
  /** Bytes a second over the last few seconds; null as long as there is nothing to tell it from. */
  speed: number | null;
  /** Seconds. */
  left: number | null;
}

export interface UploadOptions {
  /** Instead of the file's own. */
  name?: string;
  /** The most bytes in one request; no limit by default. */
  chunkSize?: number;
  onProgress?(progress: Progress): void;
  /** The upload has an address, from now on or again. */
  onAddress?(url: string): void;
  /** An unfinished upload of this file was found, begun at that time, and goes on. */
  onFound?(startedAt: string): void;
  /** The line broke; it is tried again after so many milliseconds. */
  onRetry?(problem: Problem, attempt: number, delay: number): void;
  /** All bytes are there; their sum is compared. */
  onCheck?(): void;
}

export interface UploadedFile {
  id: string;
  url: string;
  name: string;
  type: string;
  /** Bytes. */
  size: number;
  /** Hexadecimal digits; null where it could not be computed. */
  sha256: string | null;
  /** What is stored was compared with the file, and is the same. */
  verified: boolean;
}

/** An upload that can be paused. It goes on from the last byte that arrived, after a reload too. */
export class UploadTask {
  /** Settles when the upload does. After a failure it is another once resume() was called. */
  done: Promise<UploadedFile>;
  readonly #upload: Upload;
  readonly #options: TusOptions;
  readonly #sum: Promise<string | null>;
  readonly #refusal: Problem | null;
  readonly #ended = new AbortController();
  readonly #speed = new Speed();
  #sent = 0; // bytes
  #ticker: ReturnType<typeof setInterval> | undefined;
  #refused = 0; // credentials, in a row
  #failure = false;
  #paused = false;
  #settle!: { resolve(file: UploadedFile): void; reject(problem: Problem): void };

  constructor(
    private readonly service: Service,
    private readonly file: File,
    private readonly events: UploadOptions,
    private readonly previous: PreviousUpload | null = null,
  ) {
    this.done = this.#begun();
    this.#options = tusOptions(service, (delay) => this.#waits(new Problem(429, 'RATE_001'), 1, delay));
    this.#upload = this.#prepare();
    this.#refusal = refusal({ name: this.name, size: file.size }, service.maxFileSize);
    if (this.#refusal) {
      this.#sum = Promise.resolve(null);
      this.#settle.reject(this.#refusal);
      return;
    }
    this.#sum = sha256(file, this.#ended.signal);
    void this.#start().catch((error: unknown) => this.#failed(error));
  }

  get name(): string {
    return this.events.name ?? this.file.name;
  }

  /** The upload's address once there is one. */
  get url(): string | null {
    return this.#upload.url;
  }

  /** Stops sending. What has arrived is kept. */
  async pause(): Promise<void> {
    this.#paused = true;
    this.#rest();
    await this.#upload.abort();
  }

  /** Goes on after a pause or a failure. */
  resume(): Promise<UploadedFile> {
    if (this.#refusal) return this.done;
    this.#paused = false;
    if (this.#failure) this.done = this.#begun();
    this.#upload.start();
    return this.done;
  }

  /** Ends the upload for good: what has arrived is deleted. `done` rejects with the code "aborted". */
  async abort(): Promise<void> {
    this.#ended.abort();
    await this.#upload.abort();
    this.#failed(new Problem(0, 'aborted', { name: this.name }));
    if (this.#upload.url !== null) await remove(this.service, this.#upload.url);
    await this.#options.urlStorage.forget(this.#upload.url);
  }

  #begun(): Promise<UploadedFile> {
    this.#failure = false;
    const done = new Promise<UploadedFile>((resolve, reject) => { this.#settle = { resolve, reject }; });
    done.catch(() => {}); // whoever only listens to events has not forgotten it
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
        this.#tick();
        this.#progress(sent, total);
      },
      onShouldRetry: (error, attempt) => {
        if (!worthRetrying(error)) return false;
        const problem = toProblem(error);
        if (problem.status !== 429) this.#waits(problem, attempt + 1, retryDelays[attempt] ?? 0); // told already
        return true;
      },
      onSuccess: () => void this.#check().then(this.#settle.resolve, (error: unknown) => this.#failed(error)),
      onError: (error) => void this.#interrupted(error),
    });
  }

  async #start(): Promise<void> {
    if (this.previous && !(await this.#options.urlStorage.claim(this.previous))) throw new Problem(409, 'UPLOAD_001');
    const found = this.previous ?? (await this.#upload.findPreviousUploads()).at(-1);
    if (found) {
      this.#upload.resumeFromPreviousUpload(found);
      this.events.onFound?.(found.creationTime);
    }
    if (!this.#paused && !this.#ended.signal.aborted) this.#upload.start();
  }

  // A line that stands still reports nothing: without this the last speed would stay on show.
  #tick(): void {
    this.#ticker ??= setInterval(() => this.#progress(this.#sent, this.file.size), 1000);
  }

  #waits(problem: Problem, attempt: number, delay: number): void {
    this.#rest();
    this.events.onRetry?.(problem, attempt, delay);
  }

  #rest(): void {
    clearInterval(this.#ticker);
    this.#ticker = undefined;
    this.#speed.reset();
  }

  #progress(sent: number, total: number): void {
    if (sent > this.#sent) this.#refused = 0;
    this.#sent = sent;
    const speed = this.#speed.at(sent);
    this.events.onProgress?.({ sent, total, speed, left: speed ? (total - sent) / speed : null });
  }

  async #interrupted(error: Error | DetailedError): Promise<void> {
    this.#rest();
    const problem = toProblem(error);
    if (problem.status !== 401 || ++this.#refused > renewals) return this.#failed(problem);
    try {
      await renewed(this.service.credentials, this.#options.presented());
      if (!this.#paused && !this.#ended.signal.aborted) this.#upload.start();
    } catch (reason) {
      this.#failed(reason);
    }
  }

  #failed(error: unknown): void {
    this.#rest();
    this.#failure = true;
    this.#options.urlStorage.release();
    this.#settle.reject(toProblem(error));
  }

  async #check(): Promise<UploadedFile> {
    const id = (this.#upload.url ?? '').split('/').pop() ?? '';
    this.#rest();
    this.events.onCheck?.();
    const sum = await this.#sum;
    const verified = await verify(this.service, { id, name: this.name }, sum);
    return { id, url: `${this.service.base}/${id}`, name: this.name, type: this.file.type, size: this.file.size, sha256: sum, verified };
  }
}
