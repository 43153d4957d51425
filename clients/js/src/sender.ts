/** How the bytes of a file get to the service. */

import type { Problem } from './problem.js';

/** When a sender is stopped, the bytes that have arrived stay. start() continues from there, also after a reload. */
export interface Sender {
  /** The upload's URL once it has one. */
  readonly url: string | null;
  /** Sends what has not arrived. */
  start(): void;
  /** Stops sending. */
  stop(): Promise<void>;
  /** Lets other tabs continue the upload. */
  release(): void;
  /** Takes back what was released. False if another tab continues the upload by now. */
  claim(): Promise<boolean>;
  /** Whether another tab has finished or discarded the upload. */
  isOver(): Promise<boolean>;
  /** Removes the upload from this browser's list of unfinished ones. */
  forget(): Promise<void>;
}

export interface SenderEvents {
  /** The upload has a URL, for the first time or again after an interruption. */
  onUrl(url: string): void;
  /** An unfinished upload of the file was found, started at that time, and is resumed. */
  onFound(startedAt: string): void;
  /** In bytes. */
  onProgress(sent: number, total: number): void;
  /** The request failed, and is retried after `delay` milliseconds. */
  onRetry(problem: Problem, attempt: number, delay: number): void;
  /** The file is stored. */
  onSuccess(): void;
  /** The sender gives up. start() tries again. */
  onError(error: unknown): void;
}

/** The file to send, and the name under which it is stored. */
export interface NamedFile {
  file: File;
  name: string;
}
