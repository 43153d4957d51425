// TLS and HTTP/2 of the service itself, without a proxy: Chromium's fetch, the page, and tus-js-client from Node.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import * as tus from 'tus-js-client';
import { content, sha256, writeContent } from './files.mjs';
import { startHoldfast } from './holdfast.mjs';
import { launch, MiB, uppy } from './stage.mjs';

let folder;
let certificate; // PEM; it is its own issuer
let holdfast;
let browser;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-tls-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  await promisify(execFile)('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert]);
  certificate = await readFile(cert);
  holdfast = await startHoldfast({ env: { TLS_CERT: cert, TLS_KEY: key } });
  const trusted = createHash('sha256').update(new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
  browser = await launch({ args: [`--ignore-certificate-errors-spki-list=${trusted}`] });
});

after(async () => {
  await browser?.close();
  if (holdfast) assert.equal(await holdfast.stop(), 0, 'SIGTERM ends the server cleanly');
  await rm(folder, { recursive: true, force: true });
});

/** Downloads a file, and returns the SHA-256 of what came. */
function stored(id) {
  return new Promise((resolve, reject) => {
    const options = { ca: certificate, headers: { Authorization: `Bearer ${holdfast.token}` } };
    request(`${holdfast.base}/${id}`, options, async (response) => {
      const pieces = await response.toArray();
      assert.equal(response.statusCode, 200);
      resolve(sha256(Buffer.concat(pieces)));
    }).on('error', reject).end();
  });
}

async function inPage(run) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    await page.goto(`${new URL(holdfast.page).origin}/#token=${holdfast.token}`);
    await run(page);
  } finally {
    await context.close();
  }
}

/** Waits until the page knows of requests to these paths, and how they were sent: by HTTP/2. */
async function speaksHTTP2(page, ...paths) {
  const spoken = await page.waitForFunction((all) => {
    const seen = performance.getEntriesByType('resource').filter(({ name, nextHopProtocol }) => nextHopProtocol && all.some((path) => name.includes(path)));
    return all.every((path) => seen.some(({ name }) => name.includes(path))) && seen.map((entry) => entry.nextHopProtocol);
  }, paths);
  assert.deepEqual([...new Set(await spoken.jsonValue())], ['h2']);
}

test('Chromium sends plain and resumable uploads by fetch over HTTP/2, at the same addresses', { timeout: 300_000 }, () => inPage(async (page) => {
  const sizes = [1, 5000, 9 * MiB + 3]; // an empty POST without a type counts as an empty form
  const answers = await page.evaluate(async ([base, token, all]) => {
    const seen = [];
    for (const [method, path, more] of [
      ['PUT', '/a.bin', {}], ['POST', '/upload', {}],
      ['PUT', '/a.bin', { 'Upload-Complete': '?1', 'Upload-Draft-Interop-Version': '8' }],
      ['POST', '/upload', { 'Upload-Complete': '?1' }], ['POST', '/tus/', { 'Upload-Complete': '?1', 'Upload-Draft-Interop-Version': '6' }],
    ]) {
      for (const size of all) {
        const body = new Uint8Array(size).map((_, i) => i * 7 % 251);
        const response = await fetch(base + path, { method, body, headers: { Authorization: `Bearer ${token}`, ...more } });
        const text = await response.text(); // without it, the browser does not note how the request was sent
        seen.push([`${method} ${path} ${size}`, response.status, (response.headers.get('Content-Location') ?? text).split('/').pop()]);
      }
    }
    return seen;
  }, [holdfast.base, holdfast.token, sizes]);
  assert.equal(answers.length, 15);
  for (const [i, [name, status, id]] of answers.entries()) {
    assert.equal(status, 201, `${name}: ${id}`);
    assert.equal(await stored(id), sha256(new Uint8Array(sizes[i % 3]).map((_, n) => n * 7 % 251)), name);
  }
  await speaksHTTP2(page, '/files/a.bin', '/files/upload', '/files/tus/');
}));

test('the page uploads by tus-js-client over HTTP/2', { timeout: 300_000 }, () => inPage(async (page) => {
  const path = join(folder, 'film.bin');
  await writeContent(path, 20 * MiB + 7, 5);
  await uppy.choose(page, path);
  await uppy.start(page);
  await uppy.finished(page);
  const link = await uppy.link(page).getAttribute('href');
  const id = /[0-9a-f-]{36}/.exec(link)[0];
  assert.equal(await stored(id), sha256(await readFile(path)));
  await speaksHTTP2(page, '/files/tus/');
}));

for (const protocol of ['tus-v1', 'ietf-draft-03', 'ietf-draft-05']) {
  test(`tus-js-client from Node over TLS: ${protocol}`, { timeout: 300_000 }, async () => {
    const bytes = content(12 * MiB + 5, 9);
    const upload = await new Promise((resolve, reject) => {
      const one = new tus.Upload(Buffer.from(bytes), {
        endpoint: holdfast.tus, protocol, chunkSize: 5 * MiB, retryDelays: null, headers: { Authorization: `Bearer ${holdfast.token}` },
        httpStack: new tus.DefaultHttpStack({ ca: certificate }), onSuccess: () => resolve(one), onError: reject,
      });
      one.start();
    });
    assert.equal(await stored(upload.url.split('/').pop()), sha256(bytes));
  });
}
