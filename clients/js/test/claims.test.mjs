// Who may continue and delete which upload, with the locks and the list of a browser that answer as they are told.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { resolve } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import * as tus from 'tus-js-client';
import { createServer } from 'vite';

const root = resolve(import.meta.dirname, '..');
const base = 'https://files.example.com/files';
const url = `${base}/tus/6fa459ea-ee8a-3ca4-894e-db77e160355e`;
const real = { fetch: globalThis.fetch, navigator: Object.getOwnPropertyDescriptor(globalThis, 'navigator') };
const json = { 'Content-Type': 'application/json' };

let vite;
let lib;
let Claims;
let tusOptions;
let held; // the locks of all tabs
let listed; // the uploads in the browser's list

before(async () => {
  vite = await createServer({ root, configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false }, appType: 'custom', optimizeDeps: { noDiscovery: true } });
  lib = await vite.ssrLoadModule('/src/index.ts');
  ({ Claims } = await vite.ssrLoadModule('/src/claims.ts'));
  ({ tusOptions } = await vite.ssrLoadModule('/src/tus-options.ts'));
});

beforeEach(() => {
  held = new Set();
  listed = [];
  tus.defaultOptions.urlStorage = {
    findAllUploads: async () => [...listed],
    findUploadsByFingerprint: async () => [...listed],
    removeUpload: async (key) => { listed = listed.filter((one) => one.urlStorageKey !== key); },
    addUpload: async (_, upload) => { listed.push({ ...upload, urlStorageKey: 'tus::tus-br-1' }); return 'tus::tus-br-1'; },
  };
  setLocks({
    query: async () => ({ held: [...held].map((name) => ({ name })) }),
    async request(name, _, use) {
      if (held.has(name)) return use(null);
      held.add(name);
      return Promise.resolve(use({ name })).finally(() => held.delete(name));
    },
  });
});

after(() => {
  globalThis.fetch = real.fetch;
  delete globalThis.navigator;
  if (real.navigator) Object.defineProperty(globalThis, 'navigator', real.navigator);
  return vite?.close();
});

const setLocks = (locks) => Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
const kept = (of = url) => ({ size: 8, metadata: { filename: 'a' }, creationTime: new Date().toString(), uploadUrl: of, urlStorageKey: 'tus::tus-br-1' });
const service = () => ({ base, maxFileSize: 100, credentials: lib.bearer(() => 'hf_x') });

/** Lists the only unfinished upload. `asked` has the methods of the requests. */
async function list() {
  const asked = [];
  listed = [kept()];
  globalThis.fetch = async (_, { method }) => {
    asked.push(method);
    return new Response(null, { status: method === 'HEAD' ? 200 : 204, headers: { 'Upload-Offset': '5' } });
  };
  const [upload] = await lib.connect(service()).resumeUploads('tus');
  return { upload, asked };
}

test('an upload of the list is deleted, and given back', async () => {
  const { upload, asked } = await list();
  await upload.discard();
  assert.deepEqual([asked, listed.length, held.size], [['HEAD', 'DELETE'], 0, 0]);
});

test('a file that another tab made of an upload is not deleted by an old list', async () => {
  const { upload, asked } = await list();
  listed = []; // who finishes an upload removes it from the list
  await upload.discard();
  assert.deepEqual([asked, held.size], [['HEAD'], 0]);
});

test('an upload that another tab sends is not deleted by an old list', async () => {
  const { upload, asked } = await list();
  await new Claims().claim(url);
  await assert.rejects(upload.discard(), { code: 'UPLOAD_001' });
  assert.deepEqual([asked, held.size], [['HEAD'], 1]);
});

test('who has claimed an upload knows later that another tab has finished it', async () => {
  const [ours, others] = [new Claims(), new Claims()];
  await ours.addUpload('f', kept());
  assert.equal(await ours.isOver(url), false);
  ours.release();
  await others.findUploadsByFingerprint('f');
  assert.equal(await ours.isOver(url), false, 'it is being sent');
  await others.removeUpload('tus::tus-br-1');
  assert.equal(await ours.claim(url), true);
  assert.equal(await ours.isOver(url), true);
  assert.equal(await new Claims().isOver(url), false, 'it was never listed: nobody else can have it');
});

test('a list that is full, and locks that are forbidden, end no upload', async () => {
  tus.defaultOptions.urlStorage.addUpload = () => { throw new DOMException('full', 'QuotaExceededError'); };
  const refuse = async () => { throw new DOMException('not here', 'SecurityError'); };
  assert.equal(await new Claims().addUpload('f', kept()), '');
  setLocks({ request: refuse, query: refuse });
  assert.equal(await new Claims().claim(url), true);
  assert.equal(await Claims.isClaimed(kept()), false);
});

test('after its release nothing more is claimed', async () => {
  const claims = new Claims();
  listed = [kept(), kept(`${url}2`)];
  const found = claims.findUploadsByFingerprint('f');
  await null;
  claims.release();
  assert.deepEqual(await found, []);
  await new Promise((next) => setImmediate(next));
  assert.equal(held.size, 0);
});

/** What tusOptions makes of an answer to HEAD. */
async function headed(status, headers = {}) {
  const answer = { getStatus: () => status, getHeader: (name) => headers[name] };
  const { onAfterResponse } = tusOptions(service());
  return onAfterResponse({ getMethod: () => 'HEAD', getURL: () => url }, answer).then(() => 'as it is', ({ code, status: of }) => `fails: ${of} ${code}`);
}

test('only the service’s own words end an upload', async () => {
  globalThis.fetch = async () => { throw new TypeError('offline'); };
  for (const [status, headers, want] of [
    [200, {}, 'as it is'], [423, {}, 'as it is'], [404, json, 'as it is'], [410, json, 'as it is'], [403, json, 'as it is'],
    [404, { 'Content-Type': 'text/html' }, 'fails: 404 proxy'], [410, {}, 'fails: 410 proxy'], [403, { 'Content-Type': 'text/html' }, 'fails: 403 '],
    [400, json, 'fails: 400 '], [401, json, 'fails: 401 '], [407, {}, 'fails: 407 '], [412, json, 'fails: 412 '], [431, {}, 'fails: 431 '], [503, json, 'fails: 503 '],
  ]) assert.equal(await headed(status, headers), want, `${status} ${JSON.stringify(headers)}`);
});

test('a proxy’s “not found” is believed when it is said twice while the proxy sees the service', async () => {
  let seen = true;
  globalThis.fetch = async (to, { method }) => {
    assert.deepEqual([to, method], [`${base}/tus/`, 'OPTIONS']);
    return seen ? new Response(null, { status: 204, headers: { 'Tus-Version': '1.0.0' } }) : new Response('no', { status: 404 });
  };
  const said = async () => headed(404, { 'Content-Type': 'text/html' });
  assert.equal(await said(), 'fails: 404 proxy');
  await headed(200);
  assert.equal(await said(), 'fails: 404 proxy', 'the upload was there meanwhile');
  seen = false;
  assert.equal(await said(), 'fails: 404 proxy');
  seen = true;
  assert.equal(await said(), 'fails: 404 proxy');
  assert.equal(await said(), 'as it is');
});

test('a request that is aborted while its token is fetched is not sent', async () => {
  let token;
  const credentials = lib.bearer(() => new Promise((answer) => { token = answer; }));
  const { onBeforeRequest } = tusOptions({ ...service(), credentials });
  let aborts = 0;
  const request = { abort: async () => { aborts++; }, setHeader() {} };
  const ready = onBeforeRequest(request).then(() => 'sent');
  await request.abort();
  token('hf_y');
  assert.equal(await Promise.race([ready, new Promise((next) => { setImmediate(next, 'not sent'); })]), 'not sent');
  assert.equal(aborts, 1);
});

test('a “not found” to @uppy/aws-s3 is the service’s only in JSON', async () => {
  const of = (status, body) => lib.toProblem(Object.assign(new Error(), { status, body })).code;
  assert.deepEqual([of(404, '404 page not found'), of(404, '{"code":"FILE_001"}'), of(400, '<html>')], ['proxy', 'FILE_001', '']);
});

test('an upload that is started while it runs has one series of requests', async () => {
  const { TusSender } = await vite.ssrLoadModule('/src/tus-sender.ts');
  const asked = [];
  const server = http.createServer((request, response) => {
    asked.push(request.method);
    request.resume().on('end', () => response.writeHead(request.method === 'POST' ? 201 : 204, request.method === 'POST'
      ? { Location: `http://${request.headers.host}/files/tus/1` } : { 'Upload-Offset': '8' }).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await new Promise((onSuccess, onError) => {
      // tus-js-client for Node takes a buffer for a file.
      const file = Object.assign(Buffer.from('12345678'), { name: 'a', type: '' });
      const events = { onUrl: () => sender.start(), onFound() {}, onProgress() {}, onRetry() {}, onSuccess, onError };
      const sender = new TusSender({ ...service(), base: `http://127.0.0.1:${server.address().port}/files` }, { file, name: 'a' }, Infinity, events);
      sender.start();
      sender.start();
    });
    assert.deepEqual(asked, ['POST', 'PATCH']);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('a file that can no longer be read has no sum, and nobody waits for it', async () => {
  const own = { addEventListener: globalThis.addEventListener, self: globalThis.self };
  let listen;
  let posted;
  Object.assign(globalThis, { addEventListener: (_, listener) => { listen = listener; }, self: { postMessage: (sum) => { posted = sum; } } });
  try {
    await vite.ssrLoadModule('/src/checksum.worker.ts');
    await listen({ data: new Blob(['abc']) });
    assert.equal(posted, 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    await listen({ data: { size: 3, slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }) } });
    assert.equal(posted, null);
  } finally {
    Object.assign(globalThis, own);
  }
});
