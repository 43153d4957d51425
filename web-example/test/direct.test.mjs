// Direct uploads: a browser sends the parts of a file to the store, which has another origin than the service. Both are
// behind proxies that cut connections.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after } from 'node:test';
import { sha256OfFile, sha256OfUrl, writeContent } from './files.mjs';
import { startProxy } from './proxy.mjs';
import { startStore, storeKinds } from './s3.mjs';
import { setSnippets, uploaders } from './snippets.mjs';
import { MiB, setStage } from './stage.mjs';

const kind = process.env.DIRECT_STORE ?? storeKinds.at(-1);
const partSize = 8 * MiB;

let store; // the server
let toStore; // the proxy through which browsers reach it
const stage = setStage(async () => {
  store = await startStore(kind);
  toStore = await startProxy(() => store.port);
  return { ...store.settings, UPLOAD_DIRECT: 'on', UPLOAD_DIRECT_ENDPOINT: `http://127.0.0.1:${toStore.port}` };
});
after(async () => {
  await toStore?.close();
  await store?.stop();
});
const { scene } = stage;
const { snippet, open } = setSnippets(stage);

/** Asks the service as the signed-in user. */
async function ask(method, path) {
  const answer = await fetch(`${stage.site}/files/${path}`, { method, headers: { Authorization: `Bearer ${stage.holdfast.token}` } });
  return { status: answer.status, body: await answer.json().catch(() => null) };
}

/** Records a page's requests about direct uploads. A part that the store has must not be sent again: `again` are those that were. */
async function watchParts(page) {
  // The snippet's page is not served from an address, so Chromium asks whether it may send to one of this machine.
  await page.context().grantPermissions(['local-network-access']);
  const seen = { id: null, creations: 0, sent: [], stored: new Set(), again: [] };
  page.on('request', (request) => {
    const { origin, pathname, searchParams } = new URL(request.url());
    if (request.method() === 'POST' && pathname === '/files/direct/') seen.creations++;
    if (pathname.startsWith('/files/direct/') && pathname.split('/')[3]) seen.id = pathname.split('/')[3];
    if (origin !== `http://127.0.0.1:${toStore.port}` || request.method() !== 'PUT') return;
    const number = Number(searchParams.get('partNumber'));
    seen.sent.push(number);
    if (seen.stored.has(number)) seen.again.push(number);
  });
  return seen;
}

/** Waits until the browser stands in the middle of a part, and notes what the store has. */
async function midPart(seen, standing, atLeast) {
  await standing;
  const { body } = await ask('GET', `direct/${seen.id}`);
  for (const { number } of body.sent) seen.stored.add(number);
  assert.ok(seen.stored.size >= atLeast, `the store has ${[...seen.stored]}, not ${atLeast} parts`);
}

function restore() {
  toStore.drop();
  toStore.restore();
  stage.proxy.restore();
}

scene(`99 MiB with unmodified Uppy to ${kind}: the network goes away twice, a reload, the server killed`, async (page) => {
  const seen = await watchParts(page);
  const { body, choose, goOn } = uploaders['uppy direct'];
  const file = await writeContent(join(stage.folder, 'film.mp4'), 99 * MiB, 99);
  await open(page, 'uppy direct', { body, script: snippet('uppy direct') });

  let standing = toStore.limitTogether(2.5 * partSize);
  await choose(page, file);
  await goOn(page);
  for (let outage = 1; outage <= 2; outage++) {
    await midPart(seen, standing, 2 * outage);
    const noticed = page.waitForEvent('requestfailed');
    stage.proxy.cut();
    toStore.cut();
    await noticed;
    restore();
    standing = toStore.limitTogether(2.5 * partSize);
  }
  await midPart(seen, standing, 6);
  assert.match(await stage.holdfast.command('store', 'cors'), /: as it should be/);
  await page.reload();
  restore();

  standing = toStore.limitTogether(2.5 * partSize);
  await choose(page, file);
  await goOn(page);
  await midPart(seen, standing, 8);
  await stage.holdfast.kill9();
  const refused = page.waitForEvent('requestfailed');
  restore();
  await refused;
  await stage.holdfast.restart();

  const stored = await page.waitForFunction(() => document.body.dataset.file).then((handle) => handle.jsonValue());
  assert.deepEqual([seen.creations, seen.again], [1, []], `one upload, and no part that was there is sent again: ${seen.sent}`);
  assert.equal(stored, `${stage.site}/files/${seen.id}`);
  assert.equal(await sha256OfUrl(stored, stage.holdfast.token), await sha256OfFile(file));
});

scene('Uppy sends small and empty files by tus', async (page) => {
  const seen = await watchParts(page);
  const { body, choose, goOn } = uploaders['uppy direct'];
  await open(page, 'uppy direct', { body, script: snippet('uppy direct') });
  await choose(page, [{ name: 'note.txt', mimeType: 'text/plain', buffer: Buffer.from('a note') }, { name: 'empty.txt', mimeType: 'text/plain', buffer: Buffer.alloc(0) }]);
  await goOn(page);
  await page.locator('.uppy-StatusBar.is-complete').waitFor();
  const { body: { files } } = await ask('GET', '?limit=2');
  assert.deepEqual(files.map(({ name, size }) => [name, size]).sort(), [['empty.txt', 0], ['note.txt', 6]]);
  assert.deepEqual([seen.creations, seen.sent], [0, []]);
});

const uploadFile = `
  import { bearer, connect } from '@holdfast/client';
  const { uploadFile } = connect({ base: window.holdfast.url, maxFileSize: 1e9, credentials: bearer(() => window.holdfast.token) });
  document.querySelector('#file').addEventListener('change', ({ target: { files: [file] } }) => {
    const { dataset } = document.body;
    if (!file) return;
    window.task = uploadFile(file, { onProgress: ({ sent }) => { dataset.sent = sent; }, onFound: () => { dataset.found = 'yes'; } });
    window.task.done.then(({ url, verified }) => { dataset.file = url; dataset.verified = verified; }, ({ code }) => { dataset.code = code; });
  });`;

scene('uploadFile sends large files to the store, goes on after a reload, and cancels', async (page) => {
  const seen = await watchParts(page);
  const file = await writeContent(join(stage.folder, 'large.bin'), 5 * partSize, 40);
  await open(page, 'upload-file', { body: '<input type="file" id="file">', script: uploadFile });
  let standing = toStore.limitTogether(4.5 * partSize); // of four parts at once none is whole after four
  await page.locator('#file').setInputFiles(file);
  await midPart(seen, standing, 1);
  await page.reload();
  restore();
  await page.locator('#file').setInputFiles(file);
  await page.locator('body[data-file][data-found=yes]').waitFor();
  assert.deepEqual([seen.creations, seen.again], [1, []], `${seen.sent}`);
  assert.deepEqual(await page.evaluate(() => ({ ...document.body.dataset })), {
    file: `${stage.site}/files/${seen.id}`, found: 'yes', sent: String(5 * partSize), verified: 'true' });

  standing = toStore.limitTogether(partSize);
  await page.locator('#file').setInputFiles([]);
  await page.locator('#file').setInputFiles(file);
  await standing;
  await page.evaluate(() => window.task.abort());
  assert.equal(seen.creations, 2);
  assert.equal((await ask('GET', `direct/${seen.id}`)).status, 404);
  assert.equal(await page.locator('body').getAttribute('data-code'), 'aborted');
});

scene('uploadFile sends by tus where the page can’t reach the store', async (page) => {
  const seen = await watchParts(page);
  await open(page, 'upload-file', { body: '<input type="file" id="file">', script: uploadFile });
  toStore.cut();
  const file = await writeContent(join(stage.folder, 'away.bin'), 9 * MiB, 9);
  await page.locator('#file').setInputFiles(file);
  await page.locator('body[data-file]').waitFor();
  const stored = await page.locator('body').getAttribute('data-file');
  assert.equal(await sha256OfUrl(stored, stage.holdfast.token), await sha256OfFile(file));
  assert.ok(!stored.endsWith(seen.id), 'the direct upload has ended');
  assert.equal((await ask('GET', `direct/${seen.id}`)).status, 404);
  restore();
});
