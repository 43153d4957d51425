// Pages of other origins that show a picture by a signed link, in a real Chromium: with
// Cross-Origin-Embedder-Policy (COEP) a browser shows only resources whose headers allow embedding.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { picture } from './files.mjs';
import { startHoldfast } from './holdfast.mjs';
import { launch } from './stage.mjs';

let browser;
let front; // serves an empty page, at /coep with that header
const services = {};

before(async () => {
  front = createServer((request, response) => {
    response.writeHead(200, {
      'Content-Type': 'text/html',
      ...(request.url === '/coep' && { 'Cross-Origin-Embedder-Policy': 'require-corp' }),
    });
    response.end('<!doctype html><title>page</title>');
  }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  browser = await launch();
});

after(async () => {
  await browser?.close();
  front?.close();
  for (const service of Object.values(services)) assert.equal(await service.stop(), 0, 'SIGTERM ends the server cleanly');
});

/** Starts a service with this RESOURCE_POLICY, and creates a link to a picture there. */
async function linkTo(policy) {
  services[policy] ??= await startHoldfast({ env: policy ? { RESOURCE_POLICY: policy } : {} });
  const service = services[policy];
  const encode = (text) => Buffer.from(text).toString('base64');
  const bytes = picture(64, 48);
  const created = await fetch(service.tus, {
    method: 'POST',
    headers: {
      'Authorization': `Bearer ${service.token}`,
      'Tus-Resumable': '1.0.0',
      'Content-Type': 'application/offset+octet-stream',
      'Upload-Length': String(bytes.length),
      'Upload-Metadata': `filename ${encode('a.png')},filetype ${encode('image/png')}`,
    },
    body: bytes,
  });
  assert.equal(created.status, 201, await created.text());
  const file = `${service.base}/${created.headers.get('Location').split('/').pop()}`;
  const link = await fetch(`${file}/links`, {
    method: 'POST',
    headers: { 'Authorization': `Bearer ${service.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ expires_in: 600, disposition: 'inline' }),
  });
  assert.equal(link.status, 201);
  // A browser resolves any name below localhost to this machine. Two IP addresses are never same-site.
  return (await link.json()).url.replace('127.0.0.1', 'files.example.localhost');
}

/** Reports whether a page at this host shows the picture. */
async function shows(host, coep, link) {
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    await page.goto(`http://${host}:${front.address().port}${coep ? '/coep' : '/'}`);
    return await page.evaluate(
      (src) =>
        new Promise((done) => {
          const img = new Image();
          img.onload = () => done(img.naturalWidth > 0);
          img.onerror = () => done(false);
          img.src = src;
        }),
      link,
    );
  } finally {
    await context.close();
  }
}

const scene = (name, run) => test(name, { timeout: 90_000 }, run);

scene('a page of the same site shows a picture under COEP', async () => {
  const link = await linkTo('');
  assert.equal(await shows('app.example.localhost', true, link), true);
});

scene('a page of another site shows none unless the setting says so', async () => {
  for (const coep of [false, true]) {
    assert.equal(await shows('app.other.localhost', coep, await linkTo('')), false, `by default, COEP ${coep}`);
    assert.equal(await shows('app.other.localhost', coep, await linkTo('cross-origin')), true, `cross-origin, COEP ${coep}`);
  }
});

scene('same-origin keeps pages of the same site away', async () => {
  assert.equal(await shows('app.example.localhost', false, await linkTo('same-origin')), false);
});
