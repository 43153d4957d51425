/** Sends a file by tus. */

import { type PreviousUpload, Upload } from 'tus-js-client';
import type { Service } from './http.js';
import { Problem, toProblem } from './problem.js';
import type { NamedFile, Sender, SenderEvents } from './sender.js';
import { type TusOptions, tusOptions, worthRetrying } from './tus-options.js';

export class TusSender implements Sender {
  readonly #upload: Upload;
  readonly #options: TusOptions;
  #ready: Promise<void> | null = null; // an unfinished upload of the file was looked for
  #run = 0; // of start() and stop(): only the last one counts
  #active = false; // started, and neither stopped nor ended

  /** `previous` is the upload to continue; by default the newest of this file. */
  constructor(
    service: Service,
    { file, name }: NamedFile,
    chunkSize: number,
    private readonly events: SenderEvents,
    private readonly previous: PreviousUpload | null = null,
  ) {
    this.#options = tusOptions(service, (delay) => events.onRetry(new Problem(429, 'RATE_001'), 1, delay));
    const { retryDelays } = this.#options;
    this.#upload = new Upload(file, {
      ...this.#options,
      chunkSize,
      metadata: { filename: name, filetype: file.type || 'application/octet-stream' },
      onUploadUrlAvailable: () => events.onUrl(this.#upload.url ?? ''),
      onProgress: (sent, total) => events.onProgress(sent, total),
      onShouldRetry: (error, attempt) => {
        if (!worthRetrying(error)) return false;
        const problem = toProblem(error);
        if (problem.status !== 429) events.onRetry(problem, attempt + 1, retryDelays[attempt] ?? 0); // onWait has reported a 429
        return true;
      },
      onSuccess: () => {
        this.#active = false;
        events.onSuccess();
      },
      onError: (error) => this.#fail(error),
    });
  }

  get url(): string | null {
    return this.#upload.url;
  }

  /** The credentials of the last request, which the service may have refused. */
  lastCredentials(): Record<string, string> {
    return this.#options.lastCredentials();
  }

  start(): void {
    if (this.#active) return; // a second series of requests would take the upload from the first
    this.#active = true;
    const run = ++this.#run;
    this.#ready ??= this.#findPrevious();
    this.#ready.then(() => run === this.#run && this.#upload.start()).catch((error: unknown) => {
      this.#ready = null;
      if (run === this.#run) this.#fail(error);
    });
  }

  #fail(error: unknown): void {
    this.#active = false;
    this.events.onError(error);
  }

  async stop(): Promise<void> {
    this.#active = false;
    this.#run++;
    await this.#upload.abort();
  }

  release(): void {
    this.#options.urlStorage.release();
    this.#ready = null; // start() claims it again
  }

  claim(): Promise<boolean> {
    return this.#options.urlStorage.claim(this.url);
  }

  isOver(): Promise<boolean> {
    return this.#options.urlStorage.isOver(this.url);
  }

  forget(): Promise<void> {
    return this.#options.urlStorage.forget(this.#upload.url);
  }

  async #findPrevious(): Promise<void> {
    const known = this.#upload.url ?? this.previous?.uploadUrl;
    if (known && !(await this.#options.urlStorage.claim(known))) throw new Problem(409, 'UPLOAD_001');
    if (this.#upload.url) return; // it was released after a failure or a pause
    const found = this.previous ?? (await this.#upload.findPreviousUploads()).at(-1);
    if (!found) return;
    this.#upload.resumeFromPreviousUpload(found);
    this.events.onFound(found.creationTime);
  }
}
