// Many uploads at once, with unmodified tus-js-client and Uppy, to a service whose replicas are killed all
// the time. Not a test by itself: TestReplicasKilled in internal/e2e runs it and checks the result.
//
// It is configured by environment variables, prints one JSON line on standard output for each completed
// upload ({url, sha256, size, client}), and exits with 0 when all are complete.

import { globalAgent } from 'node:http';
import { content, sha256 } from './files.mjs';
import Uppy from '@uppy/core';
import UppyTus from '@uppy/tus';
import * as tus from 'tus-js-client';

const KiB = 1024;
const MiB = 1024 * KiB;

const { TUS_ENDPOINT: endpoint, TUS_TOKEN: token } = process.env;
const seed = Number(process.env.TUS_SEED);
const count = Number(process.env.TUS_UPLOADS);
const clients = process.env.TUS_CLIENTS.split(' ');

const limit = setTimeout(() => fail(new Error('not all uploads have ended in time')), Number(process.env.TUS_LIMIT) * 1000);

// The sum of the delays is longer than the lease of a replica that died (15 s). There are
// many, since tus-js-client starts again at byte 0 when a HEAD gets nginx's 502, and resets its count of
// retries only when it has exceeded its highest offset so far.
const options = {
  endpoint,
  headers: { Authorization: `Bearer ${token}` },
  chunkSize: MiB,
  retryDelays: [100, 300, ...Array(100).fill(1000)],
};

let state = seed >>> 0;
function random(below) { // mulberry32
  state = (state + 0x6d2b79f5) >>> 0;
  let x = Math.imul(state ^ (state >>> 15), state | 1);
  x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
  return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * below);
}

/** Mostly small files; the first few are large, so that the upload that ends last did not start last. */
function size(i) {
  if (i < Math.ceil(count * 0.03)) return 20 * MiB + random(20 * MiB);
  const kind = random(10);
  if (kind < 1) return random(5); // also less than a byte for each parallel upload
  if (kind < 5) return random(64 * KiB);
  if (kind < 8) return random(MiB);
  return random(4 * MiB);
}

const files = Array.from({ length: count }, (_, i) => ({
  name: `${i}.bin`, size: size(i), seed: random(2 ** 31), client: clients[i % clients.length], parallel: 2 + random(3),
}));
const running = new Set();

function tell(file, uploadUrl, bytes) {
  running.delete(file);
  console.log(JSON.stringify({
    url: uploadUrl.replace('/tus/', '/'), sha256: sha256(bytes), size: file.size, client: file.client, parallel: file.parallel,
  }));
}

function fail(error) {
  console.error(error.stack);
  console.error('running:', [...running]);
  const sockets = Object.values(globalAgent.sockets).flat();
  console.error('without an answer:', sockets.map(({ _httpMessage: request }) => `${request.method} ${request.path}`));
  process.exit(1);
}

function withTus(file, parallelUploads, protocol = 'tus-v1') {
  running.add(file);
  const bytes = content(file.size, file.seed);
  return new Promise((resolve, reject) => {
    const upload = new tus.Upload(bytes, {
      ...options,
      parallelUploads,
      protocol,
      metadata: { filename: file.name },
      onError: reject,
      onSuccess: () => resolve(tell(file, upload.url, bytes)),
    });
    upload.start();
  });
}

async function withUppy(batch, parallelUploads) {
  // Uppy's own limit of concurrent uploads (20) must not be reached: if a retry waits in Uppy's queue, and another
  // partial upload of the same file fails meanwhile, Uppy 6.0 loses the retry and never ends.
  const uppy = new Uppy({ logger: { debug() {}, warn() {}, error() {} } }).use(UppyTus, { ...options, parallelUploads });
  const sent = new Map();
  for (const file of batch) {
    running.add(file);
    const data = content(file.size, file.seed); // a Buffer is what tus-js-client takes in Node
    sent.set(uppy.addFile({ name: file.name, type: 'application/octet-stream', data }), { file, data });
  }
  uppy.on('upload-success', (file, { uploadURL }) => tell(sent.get(file.id).file, uploadURL, sent.get(file.id).data));
  const { successful, failed } = await uppy.upload();
  if (failed.length > 0 || successful.length !== batch.length) {
    throw new Error(`Uppy gave up ${failed.map((file) => `${file.name}: ${file.error}`)}`);
  }
  uppy.destroy();
}

const jobs = [];
const batches = new Map(); // Uppy takes several files at once
for (const file of files) {
  if (file.client === 'tus') jobs.push(() => withTus(file, 1));
  if (file.client === 'tus-parallel') jobs.push(() => withTus(file, file.parallel));
  if (file.client === 'tus-draft') jobs.push(() => withTus(file, 1, 'ietf-draft-05'));
  if (!file.client.startsWith('uppy')) continue;
  const parallel = file.client === 'uppy-parallel' ? file.parallel : 1;
  if (!batches.get(parallel)?.length || batches.get(parallel).length === 4) {
    const batch = [];
    batches.set(parallel, batch);
    jobs.push(() => withUppy(batch, parallel));
  }
  batches.get(parallel).push(file);
}

async function worker() {
  for (let job = jobs.shift(); job; job = jobs.shift()) await job();
}

try {
  await Promise.all(Array.from({ length: 6 }, worker));
} catch (error) {
  fail(error);
}
clearTimeout(limit);
