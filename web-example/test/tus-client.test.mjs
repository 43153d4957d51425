// tus-js-client, unmodified, from Node against the real server.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';
import * as tus from 'tus-js-client';
import { content, sha256, sha256OfUrl, writeContent } from './files.mjs';
import { startHoldfast } from './holdfast.mjs';
import { startProxy } from './proxy.mjs';

const KiB = 1024;
const MiB = 1024 * KiB;

let holdfast;
let proxy; // keeps the port while the server is restarted
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-tus-'));
  proxy = await startProxy(() => holdfast?.port);
  holdfast = await startHoldfast({ env: { PUBLIC_URL: `http://127.0.0.1:${proxy.port}/files` } });
});

after(async () => {
  await proxy?.close();
  if (holdfast) assert.equal(await holdfast.stop(), 0, 'SIGTERM ends the server cleanly');
  await rm(folder, { recursive: true, force: true });
});

/** Creates an Upload and a promise for its end; `start()` starts it and returns that promise. */
function prepare(source, options = {}) {
  const seen = []; // "PATCH 1024": each request and the offset it was for
  let upload;
  const ended = new Promise((resolve, reject) => {
    upload = new tus.Upload(source, {
      endpoint: holdfast.tus,
      headers: { Authorization: `Bearer ${holdfast.token}` },
      retryDelays: null, // without disturbances no request may need a retry
      onBeforeRequest: (request) => { seen.push(`${request.getMethod()} ${request.getHeader('Upload-Offset') ?? ''}`.trim()); },
      onSuccess: ({ lastResponse }) => resolve({ id: upload.url.split('/').pop(), lastResponse }),
      onError: reject,
      ...options,
    });
  });
  ended.catch(() => {});
  return { upload, seen, ended, start: () => { upload.start(); return ended; } };
}

const fileUrl = (id) => `${holdfast.base}/${id}`;

const sizes = [['empty', 0], ['1 byte', 1], ['8 MiB', 8 * MiB], ['20 MiB + 7', 20 * MiB + 7]];
const chunks = [['1 MiB', MiB], ['5 MiB', 5 * MiB], ['8 MiB + 1', 8 * MiB + 1], ['no limit', Infinity]];

for (const [size, bytes] of sizes) {
  const source = content(bytes, bytes + 1);
  for (const [chunk, chunkSize] of chunks) {
    test(`${size} in chunks of ${chunk} comes back the same`, async () => {
      const { seen, start } = prepare(source, { chunkSize, metadata: { filename: 'a.bin' } });
      const { id } = await start();
      assert.equal(await sha256OfUrl(fileUrl(id), holdfast.token), sha256(source));
      const patches = seen.filter((one) => one.startsWith('PATCH')).length;
      assert.equal(patches, chunkSize === Infinity ? Math.min(bytes, 1) : Math.ceil(bytes / chunkSize));
    });
  }
}

test('100 MiB exactly is accepted', async () => {
  const source = content(100 * MiB, 100);
  const { id, lastResponse } = await prepare(source, { chunkSize: 32 * MiB }).start();
  assert.equal(lastResponse.getHeader('Content-Location'), fileUrl(id));
  assert.equal(await sha256OfUrl(fileUrl(id), holdfast.token), sha256(source));
});

test('100 MiB + 1 is refused before a byte is sent, and the reason can be read', async () => {
  const { seen, start } = prepare(content(1), { uploadSize: 100 * MiB + 1 });
  const error = await start().then(() => assert.fail('it was accepted'), (refusal) => refusal);
  assert.equal(error.originalResponse.getStatus(), 413);
  const body = JSON.parse(error.originalResponse.getBody());
  assert.equal(body.code, 'FILE_003');
  assert.match(body.message, /\w/);
  assert.match(body.details.reason, /104857601.*104857600/);
  assert.deepEqual(seen, ['POST']);
});

test('a stream of unknown length comes back the same', async () => {
  const source = content(11 * MiB + 3, 11);
  const pieces = Array.from({ length: Math.ceil(source.length / (100 * KiB)) }, (_, i) => source.subarray(i * 100 * KiB, (i + 1) * 100 * KiB));
  const { id } = await prepare(Readable.from(pieces, { objectMode: false }), {
    uploadLengthDeferred: true,
    chunkSize: 4 * MiB,
    metadata: { filename: 'stream.bin' },
  }).start();
  assert.equal(await sha256OfUrl(fileUrl(id), holdfast.token), sha256(source));
});

test('a stored upload goes on from its offset with another Upload object', async () => {
  const path = await writeContent(join(folder, 'stored.bin'), 12 * MiB + 5, 12);
  const urlStorage = new tus.FileUrlStorage(join(folder, 'uploads.json'));
  const options = { urlStorage, chunkSize: 2 * MiB, metadata: { filename: 'stored.bin' } };

  const first = prepare(createReadStream(path), {
    ...options,
    onChunkComplete: (_size, accepted) => {
      if (accepted >= 6 * MiB) first.paused(first.upload.abort());
    },
  });
  const paused = new Promise((resolve) => { first.paused = resolve; });
  await Promise.race([paused, first.start()]);

  const second = prepare(createReadStream(path), options);
  const previous = await second.upload.findPreviousUploads();
  assert.equal(previous.length, 1);
  second.upload.resumeFromPreviousUpload(previous[0]);
  const { id } = await second.start();

  assert.equal(second.upload.url, first.upload.url);
  assert.deepEqual(second.seen.slice(0, 2), ['HEAD', `PATCH ${6 * MiB}`]);
  assert.equal(await sha256OfUrl(fileUrl(id), holdfast.token), sha256(content(12 * MiB + 5, 12)));
});

test('an upload known by its address alone goes on after the server was killed', async () => {
  const source = content(10 * MiB + 9, 10);
  const first = prepare(source, {
    chunkSize: 3 * MiB,
    onChunkComplete: (_size, accepted) => {
      if (accepted === 6 * MiB) first.paused(first.upload.abort());
    },
  });
  const paused = new Promise((resolve) => { first.paused = resolve; });
  await Promise.race([paused, first.start()]);
  await holdfast.kill9();
  await holdfast.restart();

  const second = prepare(source, { uploadUrl: first.upload.url });
  const { id } = await second.start();
  assert.deepEqual(second.seen, ['HEAD', `PATCH ${6 * MiB}`], 'what was acknowledged is still there');
  assert.equal(await sha256OfUrl(fileUrl(id), holdfast.token), sha256(source));
});

test('abort with terminate deletes the upload on the server', async () => {
  const { upload, start } = prepare(content(6 * MiB, 6), {
    chunkSize: MiB,
    onChunkComplete: (_size, accepted) => {
      if (accepted === 2 * MiB) aborted(upload.abort(true));
    },
  });
  let aborted;
  const terminated = new Promise((resolve) => { aborted = resolve; });
  await Promise.race([terminated, start()]);
  const head = await fetch(upload.url, {
    method: 'HEAD',
    headers: { Authorization: `Bearer ${holdfast.token}`, 'Tus-Resumable': '1.0.0' },
  });
  assert.equal(head.status, 404);
});

// Names are sanitized at upload: letters of any script stay, spaces and symbols become "_".
for (const [name, kept] of [
  ['Zażółć gęślą jaźń.txt', 'Zażółć_gęślą_jaźń.txt'],
  ['报告_2026.pdf', '报告_2026.pdf'],
  ['naïve–été.png', 'naïve_été.png'],
  ['a😀b.bin', 'a_b.bin'],
]) {
  test(`the name ${name} comes back as ${kept}`, async () => {
    const { id } = await prepare(Buffer.from(name), { metadata: { filename: name, filetype: 'text/plain' } }).start();
    const response = await fetch(fileUrl(id), { method: 'HEAD', headers: { Authorization: `Bearer ${holdfast.token}` } });
    const [, encoded] = /filename\*=utf-8''([^;]+)/i.exec(response.headers.get('content-disposition') ?? '') ?? [];
    assert.equal(decodeURIComponent(encoded ?? ''), kept);
  });
}

test('a wrong token is told so', async () => {
  const { start } = prepare(content(1), { headers: { Authorization: 'Bearer hf_wrong' } });
  const error = await start().then(() => assert.fail('it was accepted'), (refusal) => refusal);
  assert.equal(error.originalResponse.getStatus(), 401);
  assert.equal(JSON.parse(error.originalResponse.getBody()).code, 'AUTH_001');
});
