/** The SHA-256 of a file of any size, without holding it in memory or the page up. */

/** Hexadecimal digits; null where it can't be had: no workers here, or the file can't be read any more. */
export function sha256(file: Blob, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    let worker: Worker;
    try {
      worker = new Worker(new URL('./checksum.worker.ts', import.meta.url), { type: 'module' });
    } catch {
      return resolve(null);
    }
    const end = (sum: string | null) => {
      worker.terminate();
      resolve(sum);
    };
    worker.addEventListener('message', ({ data }: MessageEvent<string>) => end(data));
    worker.addEventListener('error', () => end(null));
    worker.addEventListener('messageerror', () => end(null));
    signal.addEventListener('abort', () => end(null));
    worker.postMessage(file);
  });
}
