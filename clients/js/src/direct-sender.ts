/** Sends the parts of a file to the service's store. */

import { defaultOptions, type PreviousUpload } from 'tus-js-client';
import { Claims } from './claims.js';
import { createUpload, complete, fetchState, storeUpload, type SignedPart, type State, sign, sizeOfPart } from './direct.js';
import type { Service } from './http.js';
import { isGone, Problem, toProblem } from './problem.js';
import { putPart } from './put-part.js';
import { sleep } from './rate-limit.js';
import type { NamedFile, Sender, SenderEvents } from './sender.js';
import { retryDelays, worthRetrying } from './tus-options.js';

const parallel = 4; // parts that are sent at the same time
const batch = 4; // parts whose URLs are asked for at once
const maxCreations = 3; // in a run: a service that loses uploads at once will lose the next one, too
const maxUnreachable = 3; // tries, while the service answers

/** The page can't send to the store: it is not reachable from here, or has no rules (CORS) that let it. */
export class StoreUnreachable extends Error {}

const fingerprintOf = ({ base }: Service, { file, name }: NamedFile) =>
  ['tus-br-direct', name, file.type, file.size, file.lastModified, base].join('-');

export class DirectSender implements Sender {
  #url: string | null = null;
  #completed = ''; // the URL of the upload whose completion was asked for
  readonly #claims = new Claims();
  readonly #fingerprint: string;
  #current: AbortController | null = null; // of the run that has not ended
  #running: Promise<void> = Promise.resolve(); // ends with the last run
  readonly #sent = new Map<number, number>(); // part -> its bytes that have arrived, or are on the way
  #arrived = 0; // parts that the store took in this page
  #looked = false; // for an upload to continue
  #creations = 0; // in this run
  #unreachable = 0;

  /** `previous` is the upload to continue; by default the newest of this file. */
  constructor(
    private readonly service: Service,
    private readonly named: NamedFile,
    private readonly events: SenderEvents,
    private readonly previous: PreviousUpload | null = null,
  ) {
    this.#fingerprint = fingerprintOf(service, named);
  }

  /** Whether this browser has an unfinished direct upload of a file. */
  static async isListed(service: Service, named: NamedFile): Promise<boolean> {
    return (await defaultOptions.urlStorage.findUploadsByFingerprint(fingerprintOf(service, named))).length > 0;
  }

  get url(): string | null {
    return this.#url;
  }

  start(): void {
    if (this.#current && !this.#current.signal.aborted) return;
    const current = new AbortController();
    this.#current = current;
    this.#running = this.#after(this.#running, current);
  }

  async stop(): Promise<void> {
    this.#current?.abort();
    await this.#running;
  }

  release(): void {
    this.#claims.release();
  }

  claim(): Promise<boolean> {
    return this.#claims.claim(this.#url);
  }

  isOver(): Promise<boolean> {
    return this.#claims.isOver(this.#url);
  }

  async forget(): Promise<void> {
    await this.#claims.forget(this.#url);
  }

  async #after(before: Promise<void>, current: AbortController): Promise<void> {
    await before;
    try {
      if (!current.signal.aborted) await this.#run(current.signal);
    } catch (error) {
      if (!current.signal.aborted) this.events.onError(error);
    } finally {
      if (this.#current === current) this.#current = null;
    }
  }

  /** Continues until the file is stored. With every part that arrives the tries are counted anew. */
  async #run(signal: AbortSignal): Promise<void> {
    this.#creations = 0;
    for (let attempt = 0; ; attempt++) {
      const before = this.#arrived;
      try {
        if (await this.#sendMissing(signal)) break;
        attempt = -1;
      } catch (error) {
        signal.throwIfAborted();
        if (this.#arrived > before) attempt = 0;
        const problem = toProblem(error);
        const delay = retryDelays[attempt];
        if (error instanceof StoreUnreachable || delay === undefined || !worthRetrying(problem)) throw error;
        this.events.onRetry(problem, attempt + 1, delay);
        await sleep(delay, signal);
      }
    }
    await this.forget(); // sending the same file again on purpose creates a second file
    this.events.onSuccess();
  }

  /** Sends what is missing. False if there is more to do. */
  async #sendMissing(signal: AbortSignal): Promise<boolean> {
    if (this.#url === null) this.#url = await this.#find();
    else if (!(await this.claim())) throw new Problem(409, 'UPLOAD_001'); // released after a failure or a pause
    const state = await fetchState(this.service, this.#url, signal);
    signal.throwIfAborted();
    if (state === 'ended' && this.#completed === this.#url) return this.#complete(this.#url, signal); // its answer says why
    if (state === 'ended') await this.forget(); // it has expired, for instance
    if (state === 'foreign') this.release(); // its user may continue it in another tab
    if (state === 'ended' || state === 'foreign') { // begin another one
      this.#url = null;
      return false;
    }
    if (state.state === 'open') await this.#send(this.#missing(state), state, signal);
    return this.#complete(this.#url, signal);
  }

  /** True if the upload is a file. One that was refused is sent again only if somebody starts it again. */
  async #complete(url: string, signal: AbortSignal): Promise<boolean> {
    this.#completed = url;
    try {
      const end = await complete(this.service, url, signal);
      if ('done' in end) return true;
      await sleep(end.again * 1000, signal);
      return false;
    } catch (error) {
      if (isGone(error) || (error instanceof Problem && error.status === 422)) {
        await this.forget();
        this.#url = null;
      }
      throw error;
    }
  }

  async #find(): Promise<string> {
    if (this.#creations === maxCreations) throw new Problem(410, 'UPLOAD_014');
    const found = this.#looked ? undefined : await this.#claimPrevious();
    this.#looked = true;
    if (found?.uploadUrl) {
      this.events.onFound(found.creationTime);
      this.events.onUrl(found.uploadUrl);
      return found.uploadUrl;
    }
    const url = await createUpload(this.service, this.named);
    this.#creations++;
    await storeUpload(this.#claims, this.#fingerprint, url, this.named);
    this.events.onUrl(url);
    return url;
  }

  /** The upload to continue, if any. */
  async #claimPrevious(): Promise<PreviousUpload | undefined> {
    if (!this.previous) return (await this.#claims.findUploadsByFingerprint(this.#fingerprint))[0];
    if (!(await this.#claims.claim(this.previous.uploadUrl))) throw new Problem(409, 'UPLOAD_001');
    return this.previous;
  }

  #missing(state: State): number[] {
    this.#sent.clear();
    for (const { number, size } of state.sent) { // some stores keep a part that broke off
      if (size === sizeOfPart(state, this.named.file.size, number)) this.#sent.set(number, size);
    }
    this.#reportProgress();
    return Array.from({ length: state.parts }, (_, i) => i + 1).filter((number) => !this.#sent.has(number));
  }

  #reportProgress(): void {
    let sent = 0;
    for (const bytes of this.#sent.values()) sent += bytes;
    this.events.onProgress(Math.min(sent, this.named.file.size), this.named.file.size);
  }

  /** Sends parts, several at the same time. After a failure the parts that are on their way are still sent, and no others. */
  async #send(missing: number[], state: State, signal: AbortSignal): Promise<void> {
    const before = this.#arrived;
    const failures: unknown[] = [];
    let signed: SignedPart[] = [];
    const next = async (): Promise<SignedPart | undefined> => {
      if (failures.length > 0) return undefined;
      if (signed.length === 0 && missing.length > 0) signed = await sign(this.service, this.#url ?? '', state, this.named.file, missing.splice(0, batch), signal);
      return signed.shift();
    };
    let asking: Promise<unknown> = Promise.resolve();
    const worker = async () => {
      try {
        for (;;) {
          const asked = asking.then(next);
          asking = asked.catch(() => {});
          const part = await asked;
          if (!part) return;
          await this.#put(part, state.part_size, signal);
        }
      } catch (error) {
        failures.push(error);
      }
    };
    await Promise.all(Array.from({ length: parallel }, worker));
    signal.throwIfAborted();
    if (failures.length === 0) return;
    const nothing = this.#arrived === before && this.#sent.size === 0;
    const unanswered = failures.every((one) => one instanceof Problem && one.code === 'store_unreachable');
    this.#unreachable = nothing && unanswered ? this.#unreachable + 1 : 0;
    throw this.#unreachable === maxUnreachable ? new StoreUnreachable() : failures[0];
  }

  async #put(part: SignedPart, size: number, signal: AbortSignal): Promise<void> {
    const from = (part.number - 1) * size;
    try {
      await putPart(part, this.named.file.slice(from, from + part.size), signal, (sent) => {
        this.#sent.set(part.number, sent);
        this.#reportProgress();
      });
      this.#sent.set(part.number, part.size);
      this.#arrived++;
    } catch (error) {
      this.#sent.delete(part.number);
      throw error;
    }
  }
}
