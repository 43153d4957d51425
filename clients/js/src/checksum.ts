/** The SHA-256 of a file of any size, computed in a worker without loading it into memory. */

/** Hexadecimal digits; null if it can't be computed: there are no workers, or the file is no longer readable. */
export function sha256(file: Blob, signal: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    let worker: Worker;
    try {
      worker = new Worker(new URL('./checksum.worker.js', import.meta.url), { type: 'module' });
    } catch {
      return resolve(null);
    }
    const end = (sum: string | null) => {
      worker.terminate();
      resolve(sum);
    };
    worker.addEventListener('message', ({ data }: MessageEvent<string | null>) => end(data));
    worker.addEventListener('error', () => end(null));
    worker.addEventListener('messageerror', () => end(null));
    signal.addEventListener('abort', () => end(null));
    worker.postMessage(file);
  });
}
