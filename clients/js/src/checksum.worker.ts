/** Worker: reads a file once and posts its SHA-256. */

import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

const step = 4 * 1024 * 1024; // bytes in memory at a time; crypto.subtle would want all of them

async function sum(file: Blob): Promise<string> {
  const hash = sha256.create();
  for (let at = 0; at < file.size; at += step) {
    hash.update(new Uint8Array(await file.slice(at, at + step).arrayBuffer()));
  }
  return bytesToHex(hash.digest());
}

addEventListener('message', async ({ data: file }: MessageEvent<Blob>) => {
  const answer = await sum(file).catch(() => null); // it can no longer be read; a rejection would reach nobody
  (self as unknown as Worker).postMessage(answer);
});
