// Direct uploads with a service that answers as it is told, and a store that takes every part.

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, test } from 'node:test';
import * as tus from 'tus-js-client';
import { createServer } from 'vite';

const root = resolve(import.meta.dirname, '..');
const base = 'https://files.example.com/files';
const url = `${base}/direct/6fa459ea-ee8a-3ca4-894e-db77e160355e`;
const real = { fetch: globalThis.fetch, XMLHttpRequest: globalThis.XMLHttpRequest };

let vite;
let lib;
let modules;

before(async () => {
  vite = await createServer({ root, configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false }, appType: 'custom', optimizeDeps: { noDiscovery: true } });
  lib = await vite.ssrLoadModule('/src/index.ts');
  modules = { ...await vite.ssrLoadModule('/src/direct-sender.ts'), ...await vite.ssrLoadModule('/src/direct.ts') };
});

after(() => {
  Object.assign(globalThis, real);
  return vite?.close();
});

const service = () => ({ base, maxFileSize: 100, credentials: lib.bearer(() => 'hf_x') });
const answer = (status, body) => new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } });
const refused = (status, code) => answer(status, { code, message: code });
const state = (sent, more) => answer(200, { state: 'open', part_size: 5, parts: 2, sent, ...more });

/** What a browser keeps of its unfinished uploads. */
class Kept {
  all = [];
  async findAllUploads() { return [...this.all]; }
  async findUploadsByFingerprint(fingerprint) { return this.all.filter((one) => one.fingerprint === fingerprint); }
  async removeUpload(key) { this.all = this.all.filter((one) => one.urlStorageKey !== key); }
  async addUpload(fingerprint, upload) {
    this.all.push({ ...upload, fingerprint, urlStorageKey: `${this.all.length} ${fingerprint}` });
    return this.all.at(-1).urlStorageKey;
  }
}

class TakesAll {
  upload = {};
  status = 200;
  open() {}
  setRequestHeader() {}
  send() { queueMicrotask(() => this.onload()); }
  abort() {}
}

/** Sends a file of 8 bytes. `answers` are the service's, by request, in their order; the last one is given again and again.
 * `between` is called with the sender after each start. */
async function send(answers, starts = 1, between = () => {}) {
  const asked = [];
  const signed = [];
  const kept = new Kept();
  tus.defaultOptions.urlStorage = kept;
  globalThis.XMLHttpRequest = TakesAll;
  globalThis.fetch = async (to, { method = 'GET', body } = {}) => {
    const what = `${method} ${String(to).slice(base.length).replace(url.slice(base.length), '')}`;
    asked.push(what);
    if (what === 'POST /parts') {
      const { parts } = JSON.parse(body);
      signed.push(...parts.map(({ number }) => number));
      return answer(200, { parts: parts.map(({ number }) => ({ number, size: 3, url: 'https://store.example.com/', headers: {} })) });
    }
    const list = answers[what];
    const give = list.length > 1 ? list.shift() : list[0];
    if (give === null) throw new TypeError('Failed to fetch');
    return give.clone();
  };
  const file = new File(['12345678'], 'a.bin');
  let done;
  const events = { onUrl() {}, onFound() {}, onProgress() {}, onRetry() {}, onSuccess: () => done('sent'), onError: ({ code }) => done(code) };
  const sender = new modules.DirectSender(service(), { file, name: 'a.bin' }, events);
  let result;
  for (let i = 0; i < starts; i++) {
    const ended = new Promise((resolve) => { done = resolve; });
    sender.start();
    result = await ended;
    await sender.stop();
    await between(sender);
  }
  return { result, asked, signed, kept: kept.all.length };
}

const whole = [{ number: 1, size: 5 }, { number: 2, size: 3 }];
const begun = () => answer(201, { id: url.split('/').pop() });

test('a direct upload that was refused is not sent again, also if the answer was lost', async () => {
  for (const completions of [[refused(422, 'UPLOAD_011')], [null, refused(422, 'UPLOAD_011')], [null, null, refused(422, 'UPLOAD_007')]]) {
    const code = completions.at(-1) && (await completions.at(-1).clone().json()).code;
    const { result, asked, kept } = await send({ 'POST /direct/': [begun()], 'GET ': [state(whole), refused(404, 'UPLOAD_006')], 'POST /complete': completions });
    assert.deepEqual([result, kept], [code, 0]);
    assert.equal(asked.filter((what) => what === 'POST /direct/').length, 1, `${asked}`);
  }
});

test('a part that the store has with another size is sent again', async () => {
  const { result, signed } = await send({
    'POST /direct/': [begun()], 'GET ': [state([{ number: 1, size: 5 }, { number: 2, size: 0 }])], 'POST /complete': [answer(201, {})] });
  assert.deepEqual([result, signed], ['sent', [2]]);
});

test('an upload that has expired, or is of another user, is left for another one', async () => {
  for (const [status, what] of [[403, 'foreign'], [404, 'ended'], [410, 'ended']]) {
    const { result, asked } = await send({ 'POST /direct/': [begun()], 'GET ': [refused(status, 'X'), state(whole)], 'POST /complete': [answer(201, {})] });
    assert.equal(result, 'sent');
    assert.equal(asked.filter((one) => one === 'POST /direct/').length, 2, `${asked}`);
    globalThis.fetch = async () => refused(status, 'X');
    assert.equal(await modules.fetchState(service(), url), what);
  }
});

test('a “not found” of a proxy that does not see the service ends no upload', async () => {
  const proxys = new Response('404 page not found', { status: 404, headers: { 'Content-Type': 'text/plain; charset=utf-8' } });
  const { result, asked } = await send({
    'POST /direct/': [begun()], 'GET ': [proxys, state(whole)], 'POST /complete': [proxys, answer(201, {})] });
  assert.equal(result, 'sent');
  assert.equal(asked.filter((one) => one === 'POST /direct/').length, 1, `${asked}`);
  globalThis.fetch = async () => proxys.clone();
  await assert.rejects(modules.fetchState(service(), url), { status: 404, code: 'proxy', message: /is not ready/ });
  await assert.rejects(lib.connect(service()).remove('6fa459ea'), { code: 'proxy' });
});

test('a direct upload that is refused again and again says why each time that somebody starts it', async () => {
  const { result, asked } = await send({ 'POST /direct/': [begun()], 'GET ': [state(whole)], 'POST /complete': [refused(422, 'UPLOAD_011')] }, 5);
  assert.equal(result, 'UPLOAD_011');
  assert.equal(asked.filter((one) => one === 'POST /direct/').length, 5, `${asked}`);
});

test('a service that can’t begin uploads for a while is asked again', async () => {
  const { result, asked } = await send({ 'POST /direct/': [refused(503, 'INFRA_002'), null, refused(503, 'INFRA_002'), begun()], 'GET ': [state(whole)], 'POST /complete': [answer(201, {})] });
  assert.equal(result, 'sent');
  assert.equal(asked.filter((one) => one === 'POST /direct/').length, 4, `${asked}`);
});

test('what the service takes is not known from a proxy’s “not found”', async () => {
  const of = service();
  globalThis.fetch = async () => new Response('404 page not found', { status: 404, headers: { 'Content-Type': 'text/plain' } });
  await assert.rejects(modules.fetchOffer(of), { code: 'proxy' });
  globalThis.fetch = async () => answer(200, { part_size: 5, max_parts: 10 });
  assert.deepEqual(await modules.fetchOffer(of), { part_size: 5, max_parts: 10 });
  globalThis.fetch = async () => refused(404, 'FILE_001');
  assert.equal(await modules.fetchOffer(service()), null);
});

test('a stop does not wait for an answer that does not come', async () => {
  tus.defaultOptions.urlStorage = new Kept();
  let asked;
  const asks = new Promise((resolve) => { asked = resolve; });
  globalThis.fetch = async (_, { method, signal }) => {
    if (method === 'POST') return begun();
    asked();
    return new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason)); });
  };
  const events = { onUrl() {}, onFound() {}, onProgress() {}, onRetry() {}, onSuccess() {}, onError: assert.fail };
  const sender = new modules.DirectSender(service(), { file: new File(['12345678'], 'a.bin'), name: 'a.bin' }, events);
  sender.start();
  await asks;
  let stopped = false;
  sender.stop().then(() => { stopped = true; });
  for (let turns = 100; turns > 0 && !stopped; turns--) await new Promise((next) => { setImmediate(next); });
  assert.ok(stopped, 'not only after the minute in which an answer may come');
});

test('what was cancelled stays so', async () => {
  globalThis.fetch = async () => refused(503, 'INFRA_002');
  const task = lib.connect(service()).uploadFile(new File(['12345678'], 'a.bin'));
  await task.abort();
  await assert.rejects(task.resume(), { code: 'aborted' });
});

test('a service that loses each upload at once is not asked for ever', async () => {
  const { result, asked } = await send({ 'POST /direct/': [begun()], 'GET ': [refused(404, 'FILE_001')] });
  assert.equal(result, 'UPLOAD_014');
  assert.equal(asked.filter((one) => one === 'POST /direct/').length, 3, `${asked}`);
});

test('the lock of another user’s upload is given back before the file is sent', async () => {
  const held = new Set();
  const locks = { async request(name, _, use) { held.add(name); try { return await use(); } finally { held.delete(name); } } };
  const own = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  try {
    const another = `${base}/direct/another`;
    let during;
    const completed = { clone: () => { during = [...held]; return answer(201, {}); } };
    const { result } = await send({ 'POST /direct/': [begun(), answer(201, { id: 'another' })], 'GET ': [refused(403, 'PERM_001')], 'GET /direct/another': [state(whole)],
      'POST /direct/another/complete': [completed] });
    assert.equal(result, 'sent');
    assert.deepEqual(during, [`holdfast upload ${another}`]);
  } finally {
    delete globalThis.navigator;
    if (own) Object.defineProperty(globalThis, 'navigator', own);
  }
});

test('a direct upload that goes on after a failure is claimed again', async () => {
  const held = new Set();
  const locks = { async request(name, _, use) { held.add(name); try { return await use({ name }); } finally { held.delete(name); } } };
  const own = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  try {
    let during;
    const completed = { clone: () => { during = [...held]; return answer(201, {}); } };
    const { result } = await send({ 'POST /direct/': [begun()], 'GET ': [state(whole)], 'POST /complete': [refused(403, 'PERM_001'), completed] }, 2,
      async (sender) => {
        sender.release();
        await new Promise((next) => setImmediate(next));
        assert.equal(held.size, 0);
      });
    assert.deepEqual([result, during], ['sent', [`holdfast upload ${url}`]]);
  } finally {
    delete globalThis.navigator;
    if (own) Object.defineProperty(globalThis, 'navigator', own);
  }
});

test('what this browser keeps of another user’s upload stays', async () => {
  const { result, kept } = await send({ 'POST /direct/': [begun(), answer(201, { id: 'another' })], 'GET ': [refused(403, 'PERM_001')], 'GET /direct/another': [state(whole)],
    'POST /direct/another/complete': [answer(201, {})] });
  assert.deepEqual([result, kept], ['sent', 1]);
});
