/** The upload of one file. */

import type { DetailedError, PreviousUpload } from 'tus-js-client';
import { refusal } from './check.js';
import { sha256 } from './checksum.js';
import { renewals, renewed } from './credentials.js';
import { discard, isDirect, isMultipart, fetchOffer, minDirectSize } from './direct.js';
import { DirectSender, StoreUnreachable } from './direct-sender.js';
import type { Service } from './http.js';
import { Problem, toProblem } from './problem.js';
import type { Sender, SenderEvents } from './sender.js';
import { Speed } from './speed.js';
import { TusSender } from './tus-sender.js';
import { verify } from './verify.js';

const maxSumRequests = 30; // a second between them: the service reads a direct upload after it is stored

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
  /** Bytes per request by tus at most; unlimited by default. */
  chunkSize?: number;
  /** False: by tus, also where the service takes direct uploads. */
  direct?: boolean;
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

/**
 * An upload that can be paused. It resumes from what has arrived, after a reload too. Where the service takes direct
 * uploads, the parts of a large file go to its store; all others go to the service by tus.
 */
export class UploadTask {
  /** The result of the upload. After a failure, resume() replaces it by a new promise. */
  done: Promise<UploadedFile>;
  #sender: Sender | null = null; // until it is known what the service takes
  #choosing: Promise<Sender> | null = null;
  readonly #checksum: Promise<string | null>;
  readonly #refusal: Problem | null;
  readonly #cancelled = new AbortController();
  readonly #speed = new Speed();
  #sent = 0; // bytes
  #ticker: ReturnType<typeof setInterval> | undefined;
  #refusals = 0; // of credentials, in a row
  #failure = false;
  #arrived = false; // this task has sent all bytes
  #paused = false;
  #outcome!: { resolve(file: UploadedFile): void; reject(problem: Problem): void };

  constructor(
    private readonly service: Service,
    private readonly file: File,
    private readonly events: UploadOptions,
    private readonly previous: PreviousUpload | null = null,
  ) {
    this.done = this.#newResult();
    this.#refusal = refusal({ name: this.name, size: file.size }, service.maxFileSize);
    if (this.#refusal) {
      this.#checksum = Promise.resolve(null);
      this.#outcome.reject(this.#refusal);
      return;
    }
    this.#checksum = sha256(file, this.#cancelled.signal);
    this.#start();
  }

  get name(): string {
    return this.events.name ?? this.file.name;
  }

  /** The upload's URL once it has one. */
  get url(): string | null {
    return this.#sender?.url ?? null;
  }

  /** Stops sending. The server keeps what has arrived, and another task or tab may continue it. */
  async pause(): Promise<void> {
    this.#paused = true;
    this.#stopTicker();
    await this.#sender?.stop();
    if (this.#paused) this.#sender?.release();
  }

  /** Continues after a pause or a failure. What was cancelled stays so. */
  resume(): Promise<UploadedFile> {
    if (this.#refusal || this.#cancelled.signal.aborted) return this.done;
    this.#paused = false;
    if (this.#failure) this.done = this.#newResult();
    this.#start();
    return this.done;
  }

  /** Cancels the upload and deletes it on the server. `done` rejects with the code "aborted". */
  async abort(): Promise<void> {
    this.#cancelled.abort();
    await this.#sender?.stop();
    this.#fail(new Problem(0, 'aborted', { name: this.name }));
    await this.#discard();
  }

  /** Deletes the upload, unless another tab or task has taken it over since it was released. */
  async #discard(): Promise<void> {
    const sender = this.#sender;
    if (!sender?.url || !(await sender.claim())) return;
    try {
      if (!this.#arrived && (await sender.isOver())) return; // another tab has made a file of it
      await discard(this.service, sender.url);
      await sender.forget();
    } finally {
      sender.release();
    }
  }

  #newResult(): Promise<UploadedFile> {
    this.#failure = false;
    const done = new Promise<UploadedFile>((resolve, reject) => { this.#outcome = { resolve, reject }; });
    done.catch(() => {}); // a caller may listen to events only
    return done;
  }

  #start(): void {
    this.#choosing ??= this.#choose();
    this.#choosing.then((sender) => {
      this.#sender = sender;
      if (!this.#paused && !this.#cancelled.signal.aborted) sender.start();
    }).catch((error: unknown) => this.#fail(error));
  }

  async #choose(): Promise<Sender> {
    const { service, file, name, previous } = this;
    if (previous ? isDirect(previous.uploadUrl) : await this.#goesDirect()) return new DirectSender(service, { file, name }, this.#events(), previous);
    return this.#byTus(previous);
  }

  async #goesDirect(): Promise<boolean> {
    const { direct = true } = this.events;
    if (!direct || this.file.size <= minDirectSize) return false;
    const { service, file, name } = this;
    const offer = await fetchOffer(service).catch(() => undefined);
    if (offer === undefined) return DirectSender.isListed(service, { file, name }); // no answer: what was begun so goes on so
    return isMultipart(offer, file.size);
  }

  #byTus(previous: PreviousUpload | null = null): TusSender {
    const { service, file, name, events } = this;
    const sender: TusSender = new TusSender(service, { file, name }, events.chunkSize ?? Infinity, {
      ...this.#events(),
      onError: (error) => void this.#onTusError(error as Error, sender),
    }, previous);
    return sender;
  }

  #events(): SenderEvents {
    return {
      onUrl: (url) => this.events.onAddress?.(url),
      onFound: (startedAt) => this.events.onFound?.(startedAt),
      onProgress: (sent, total) => {
        this.#startTicker();
        this.#progress(sent, total);
      },
      onRetry: (problem, attempt, delay) => this.#retrying(problem, attempt, delay),
      onSuccess: () => {
        this.#arrived = true;
        void this.#compare().then(this.#outcome.resolve, (error: unknown) => this.#fail(error));
      },
      onError: (error) => void this.#onDirectError(error).catch((reason: unknown) => this.#fail(reason)),
    };
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

  async #onTusError(error: Error | DetailedError, sender: TusSender): Promise<void> {
    this.#stopTicker();
    const problem = toProblem(error);
    if (problem.status !== 401 || ++this.#refusals > renewals) return this.#fail(problem);
    try {
      await renewed(this.service.credentials, sender.lastCredentials());
      if (!this.#paused && !this.#cancelled.signal.aborted) sender.start();
    } catch (reason) {
      this.#fail(reason);
    }
  }

  /** By tus every file arrives, wherever the page can reach the service. */
  async #onDirectError(error: unknown): Promise<void> {
    if (!(error instanceof StoreUnreachable)) return this.#fail(error);
    await this.#discard();
    this.#choosing = Promise.resolve(this.#byTus());
    this.#start();
  }

  #fail(error: unknown): void {
    this.#stopTicker();
    this.#failure = true;
    this.#sender?.release();
    this.#outcome.reject(toProblem(error));
  }

  async #compare(): Promise<UploadedFile> {
    const id = (this.url ?? '').split('/').pop() ?? '';
    this.#stopTicker();
    this.events.onCheck?.();
    const sum = await this.#checksum;
    const verified = await verify(this.service, { id, name: this.name }, sum, isDirect(this.url) ? maxSumRequests : 1);
    return { id, url: `${this.service.base}/${id}`, name: this.name, type: this.file.type, size: this.file.size, sha256: sum, verified };
  }
}
