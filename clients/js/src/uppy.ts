/** Sets Uppy's @uppy/aws-s3 up for direct uploads. It needs no changes, and is no dependency. */

import { Claims } from './claims.js';
import { renewed } from './credentials.js';
import { directUrl, isMultipart, fetchState, storeUpload, type Offer, fetchOffer, partSize, type State, sign } from './direct.js';
import type { Service } from './http.js';
import type { Language } from './i18n.js';
import { explain, Problem, toProblem } from './problem.js';
import { longestTurn, sleep, untilTurn } from './rate-limit.js';
import { retryDelays, worthRetrying } from './tus-options.js';
import { UploadTask } from './upload.js';

interface UppyFile {
  id: string;
  name?: string;
  type?: string;
  size: number | null;
  data: unknown;
  error?: string | null;
  progress: { uploadComplete?: boolean };
  s3Multipart?: { uploadId: string; key: string } | undefined;
}

/** What we use of Uppy. */
export interface UppyLike {
  getFile(id: string): UppyFile;
  setFileState(id: string, state: object): void;
  addUploader(upload: (ids: string[]) => Promise<unknown>): void;
  addPostProcessor(process: (ids: string[]) => Promise<unknown>): void;
  retryUpload(id: string): Promise<unknown> | undefined;
  on(event: string, listener: Listener): unknown;
  emit(event: string, ...args: unknown[]): unknown;
}

/** A request that @uppy/aws-s3 makes. */
export interface S3Request {
  method: string;
  /** The id of Uppy's file: generateObjectKey says so. */
  key: string;
  /** The id of the service's upload. */
  uploadId?: string;
  partNumber?: number;
}

interface SignedRequest {
  url: string;
  headers: Record<string, string>;
}

export interface AwsS3Options {
  signRequest(request: S3Request): Promise<SignedRequest>;
  generateObjectKey(file: { id: string }): string;
  getChunkSize(file: { size: number }): number;
  shouldUseMultipart: true;
}

const maxParallel = 3; // files by tus: browsers open six connections to a host; the page needs some of them itself

type Listener = (...args: never[]) => void;

/**
 * Options for @uppy/aws-s3. The parts of large files go to the service's store where it takes them; all other files go
 * by tus. Uploads go on after an interruption, and after a reload when the same file is added again.
 *
 *     uppy.use(AwsS3, connect({ base, maxFileSize, credentials }).awsS3Options(uppy));
 */
export function awsS3Options(service: Service, uppy: UppyLike, language: Language): AwsS3Options {
  const direct = new DirectFiles(service, uppy, language);
  const byTus = new TusFiles(service, uppy, language);
  uppy.addUploader(async (ids) => { // before that of @uppy/aws-s3, which leaves out what is done
    const others = await direct.prepare(ids);
    await byTus.send(others);
  });
  uppy.addPostProcessor((ids) => direct.retryFailed(ids));
  const on = (event: string, listener: (file: UppyFile, more: unknown) => unknown) => uppy.on(event, listener as unknown as Listener);
  on('s3-multipart:part-uploaded', ({ id }) => direct.arrived(id));
  on('upload-error', (file, error) => direct.failed(file.id, error));
  on('upload-success', (file) => direct.forget(file.id));
  on('file-removed', (file) => byTus.each((task) => task.abort(), file.id));
  on('cancel-all', () => byTus.each((task) => task.abort()));
  on('upload-pause', (file, pause) => byTus.each((task) => (pause ? task.pause() : task.resume()), file.id));
  on('pause-all', () => byTus.each((task) => task.pause()));
  on('resume-all', () => byTus.each((task) => task.resume()));
  return {
    signRequest: (request) => direct.signRequest(request),
    generateObjectKey: ({ id }) => id,
    getChunkSize: ({ size }) => direct.partSize(size),
    shouldUseMultipart: true,
  };
}

function fail(uppy: UppyLike, file: UppyFile, error: unknown, language: Language): void {
  uppy.emit('upload-error', file, new Error(explain(error, language), { cause: toProblem(error) }));
}

/** How long to wait after a 429, as its body says. */
function seconds(error: unknown): string {
  const [, wait = ''] = /"retry_after":\s*(\d+)/.exec(String((error as { body?: unknown }).body)) ?? [];
  return wait;
}

/** The files whose parts @uppy/aws-s3 sends. All maps are by the id of Uppy's file. */
class DirectFiles {
  readonly #claims = new Claims();
  readonly #urls = new Map<string, string>(); // of uploads that are noted
  readonly #states = new Map<string, State>(); // by the URL of the upload
  readonly #arrived = new Map<string, number>(); // parts
  readonly #toStore = new Map<string, boolean>(); // whether the last request was for a part
  readonly #failures = new Map<string, Problem>();
  readonly #turns = new Map<string, number>(); // milliseconds to wait, of files that came too soon after others
  readonly #retrying = new Set<string>();
  #credentials: Record<string, string> = {}; // of the last request
  #offer: Offer | null = null;

  constructor(
    private readonly service: Service,
    private readonly uppy: UppyLike,
    private readonly language: Language,
  ) {}

  partSize(size: number): number {
    return this.#offer ? partSize(this.#offer, size) : size;
  }

  /** Requests for parts go to the store, all others to the service, which answers as S3 does. */
  async signRequest({ method, key, uploadId, partNumber }: S3Request): Promise<SignedRequest> {
    const file = this.uppy.getFile(key);
    this.#toStore.set(key, false);
    if (uploadId === undefined) {
      const query = new URLSearchParams({ name: file?.name ?? '', type: file?.type ?? '', size: String(file?.size), checksum: 'crc32' });
      return this.#ownRequest(`${this.service.base}/direct/?${query}`);
    }
    const url = directUrl(this.service, uploadId);
    if (partNumber === undefined) {
      if (method === 'DELETE') await this.forget(key);
      return this.#ownRequest(method === 'POST' ? `${url}/complete` : url);
    }
    const state = this.#states.get(url) ?? await fetchState(this.service, url);
    if (!file || state === 'ended' || state === 'foreign') throw new Problem(410, 'UPLOAD_006');
    this.#states.set(url, state);
    await this.#storeUpload(file, url);
    const [part] = await sign(this.service, url, state, file.data as Blob, [partNumber]);
    if (!part) throw new Problem(0, 'unknown', { status: 0 });
    this.#toStore.set(key, true);
    return part;
  }

  async #ownRequest(url: string): Promise<SignedRequest> {
    this.#credentials = await this.service.credentials.headers();
    return { url, headers: { ...this.#credentials, Accept: 'application/xml' } };
  }

  /** Finds unfinished uploads. Returns the files that go by tus. */
  async prepare(ids: string[]): Promise<UppyFile[]> {
    const files = ids.map((id) => this.uppy.getFile(id)).filter((file) => file && !file.error && !file.progress.uploadComplete);
    try {
      this.#offer = await fetchOffer(this.service);
      const [large, others] = [true, false].map((wanted) => files.filter(({ size }) => isMultipart(this.#offer, size ?? 0) === wanted));
      await Promise.all((large ?? []).map((file) => this.#find(file)));
      return others ?? [];
    } catch (error) {
      for (const file of files) {
        this.#toStore.set(file.id, false);
        fail(this.uppy, file, error, this.language);
      }
      return [];
    }
  }

  /** Has @uppy/aws-s3 continue an unfinished upload, if the service still has it. */
  async #find(file: UppyFile): Promise<void> {
    let url = this.#urls.get(file.id) ?? (file.s3Multipart && directUrl(this.service, file.s3Multipart.uploadId));
    url ??= (await this.#claims.findUploadsByFingerprint(this.#fingerprint(file)))[0]?.uploadUrl ?? undefined;
    if (!url) return;
    this.#urls.set(file.id, url);
    const state = await fetchState(this.service, url);
    if (state === 'ended') await this.forget(file.id);
    if (state === 'foreign') {
      this.#urls.delete(file.id);
      this.#claims.giveBack(url);
    }
    const there = state !== 'ended' && state !== 'foreign';
    this.uppy.setFileState(file.id, { s3Multipart: there ? { uploadId: state.id, key: file.id } : undefined });
  }

  #fingerprint({ id }: UppyFile): string {
    return ['tus-uppy-direct', id, this.service.base].join('-');
  }

  async #storeUpload(file: UppyFile, url: string): Promise<void> {
    if (this.#urls.get(file.id) === url) return;
    this.#urls.set(file.id, url);
    await storeUpload(this.#claims, this.#fingerprint(file), url, { file: { size: file.size ?? 0, type: file.type ?? '' }, name: file.name ?? '' });
  }

  async forget(id: string): Promise<void> {
    const url = this.#urls.get(id);
    this.#urls.delete(id);
    this.#states.delete(url ?? '');
    this.#toStore.delete(id);
    if (url !== undefined) await this.#claims.forget(url);
  }

  arrived(id: string): void {
    this.#arrived.set(id, (this.#arrived.get(id) ?? 0) + 1);
  }

  /** Keeps the failure, and has Uppy show what it means. */
  failed(id: string, error: unknown): void {
    if (!this.#toStore.has(id)) return; // it went by tus
    let problem = toProblem(error);
    if (this.#toStore.get(id)) problem = problem.status === 0 ? new Problem(0, 'store_unreachable') : new Problem(503, 'STORAGE_002');
    this.#failures.set(id, problem);
    if (problem.status === 429) this.#turns.set(id, untilTurn(`${this.service.base}/direct/`, { getHeader: () => seconds(error) }));
    this.uppy.setFileState(id, { error: explain(problem, this.language) });
  }

  /** Tries failed uploads again, as tus-js-client does: Uppy itself would wait for somebody to press a button. */
  async retryFailed(ids: string[]): Promise<void> {
    await Promise.all(ids.map(async (id) => {
      if (this.#retrying.has(id)) return; // this is one of the tries
      this.#retrying.add(id);
      await this.#retry(id).finally(() => this.#retrying.delete(id));
    }));
  }

  async #retry(id: string): Promise<void> {
    for (let attempt = 0, before = this.#arrived.get(id); ; attempt++) {
      const problem = this.#failures.get(id);
      if (!problem || !this.uppy.getFile(id)?.error) return;
      if (this.#arrived.get(id) !== before) [attempt, before] = [0, this.#arrived.get(id)];
      const turn = this.#turns.get(id);
      if (turn !== undefined) attempt--; // waiting for the rate limit is not a failed try
      this.#turns.delete(id);
      const delay = turn ?? retryDelays[attempt];
      const refused = problem.status === 401;
      if (delay === undefined || delay > longestTurn || !(refused || worthRetrying(problem))) return;
      if (refused && !(await renewed(this.service.credentials, this.#credentials).then(() => true, () => false))) return;
      await sleep(delay);
      if (!this.uppy.getFile(id)?.error) return; // it was removed, or somebody has pressed the button
      this.#failures.delete(id);
      await this.uppy.retryUpload(id);
    }
  }
}

/** The files that go by tus. */
class TusFiles {
  readonly #tasks = new Map<string, UploadTask>(); // by the id of Uppy's file
  readonly #files = new WeakMap<object, File>(); // of blobs: with another date each time, none would be found to go on with

  constructor(
    private readonly service: Service,
    private readonly uppy: UppyLike,
    private readonly language: Language,
  ) {}

  /** Does something with all uploads, or with that of one file. */
  each(act: (task: UploadTask) => Promise<unknown>, id?: string): void {
    for (const [of, task] of this.#tasks) {
      if (id === undefined || id === of) void act(task).catch(() => {}); // a failure is also that of the task's result
    }
  }

  async send(files: UppyFile[]): Promise<void> {
    if (files.length > 0) this.uppy.emit('upload-start', files);
    const worker = async () => {
      for (let file = files.shift(); file; file = files.shift()) {
        if (this.uppy.getFile(file.id)) await this.#send(file);
      }
    };
    await Promise.all(Array.from({ length: maxParallel }, worker));
  }

  #fileOf(blob: Blob, name: string, type = ''): File {
    const file = this.#files.get(blob) ?? new File([blob], name, { type });
    this.#files.set(blob, file);
    return file;
  }

  async #send(file: UppyFile): Promise<void> {
    const { data, name = '', id } = file;
    const body = data instanceof File ? data : this.#fileOf(data as Blob, name, file.type);
    const task = new UploadTask(this.service, body, {
      name, direct: false,
      onProgress: ({ sent, total }) => this.uppy.emit('upload-progress', file, { uploadStarted: Date.now(), bytesUploaded: sent, bytesTotal: total }),
    });
    this.#tasks.set(id, task);
    try {
      const { url, id: key } = await task.done;
      this.uppy.emit('upload-success', file, { status: 200, body: { location: url, key }, uploadURL: url });
    } catch (error) {
      if (toProblem(error).code !== 'aborted') fail(this.uppy, file, error, this.language);
    } finally {
      this.#tasks.delete(id);
    }
  }
}
