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
      onSuccess: () => events.onSuccess(),
      onError: (error) => events.onError(error),
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
    const run = ++this.#run;
    this.#ready ??= this.#findPrevious();
    this.#ready.then(() => run === this.#run && this.#upload.start()).catch((error: unknown) => {
      this.#ready = null;
      this.events.onError(error);
    });
  }

  async stop(): Promise<void> {
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
