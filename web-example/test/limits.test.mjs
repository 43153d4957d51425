// More uploads at once than the rate limit of CONFIG=Production allows: none may be lost. Runs the unchanged
// snippets of docs/CLIENTS.md, the page with Uppy, and the library.

import assert from 'node:assert/strict';
import { setSnippets, uploaders } from './snippets.mjs';
import { setStage, uppy } from './stage.mjs';

// Ten uploads at once, as by default, and then one each second instead of one every six seconds.
const stage = setStage(async () => ({ CONFIG: 'Production', RATE_LIMIT_UPLOAD_WINDOW: '10s' }));
const { scene } = stage;
const { snippet, open } = setSnippets(stage);

const many = (count, size = 1) => Array.from({ length: count }, (_, i) => (
  { name: `photo${i}.jpg`, mimeType: 'image/jpeg', buffer: Buffer.from(`photo ${i}; `.repeat(size)) }));

let users = 100;
const newUser = () => stage.holdfast.tokenFor(users++); // each user has a separate limit

/** Counts the creations of a page that the rate limit refuses. */
function refusals(page) {
  const seen = { count: 0 };
  page.on('response', (response) => { if (response.status() === 429) seen.count++; });
  return seen;
}

/**
 * Uses up the user's limit from elsewhere until the page has been refused once: on a busy machine the page alone might be
 * too slow to reach it. Its uploads get no bytes, so they become no files.
 */
async function uploadElsewhere(token, refused) {
  const headers = { 'Authorization': `Bearer ${token}`, 'Tus-Resumable': '1.0.0', 'Upload-Length': '1' };
  for (const end = Date.now() + 120_000; refused.count === 0 && Date.now() < end;) {
    const { status } = await fetch(stage.holdfast.tus, { method: 'POST', headers });
    assert.ok(status === 201 || status === 429, `POST: ${status}`);
    if (status === 429) await new Promise((next) => setTimeout(next, 50));
  }
  assert.ok(refused.count > 0, 'the page reached the limit');
}

/** Waits until a user has all of these files, and checks the content of one. */
async function arrived(page, token, files) {
  const headers = { Authorization: `Bearer ${token}` };
  const list = async () => (await (await fetch(`${stage.holdfast.base}/?limit=100`, { headers })).json()).files;
  const names = files.map(({ name }) => name).sort();
  let stored = await list();
  for (const end = Date.now() + 120_000; stored.length < files.length && Date.now() < end; stored = await list()) await page.waitForTimeout(500);
  assert.deepEqual(stored.map(({ name }) => name).sort(), names, await page.title());
  const first = stored.find(({ name }) => name === files[0].name);
  assert.deepEqual(Buffer.from(await (await fetch(first.url, { headers })).arrayBuffer()), files[0].buffer);
}

for (const name of ['tus-js-client', 'uppy']) {
  scene(`${name} with twenty files at once`, async (page) => {
    const { body, choose, goOn } = uploaders[name];
    const [token, refused] = [await newUser(), refusals(page)];
    await open(page, name, { body, script: snippet(name), values: { token } });
    const limited = uploadElsewhere(token, refused);
    await choose(page, many(20));
    await goOn(page);
    await limited;
    await arrived(page, token, many(20));
  });
}

scene('tus-js-client with four files over four connections each', async (page) => {
  const { body, choose } = uploaders['tus-js-client'];
  const token = await newUser();
  const script = snippet('tus-js-client').replace('// parallelUploads: 4,', 'parallelUploads: 4,');
  assert.notEqual(script, snippet('tus-js-client'));
  await open(page, 'parallel', { body, script, values: { token } });
  await choose(page, many(4, 1000));
  await arrived(page, token, many(4, 1000));
});

scene('the page with Uppy takes forty files at once', async (page) => {
  const [token, refused] = [await newUser(), refusals(page)];
  await page.goto(`${stage.site}/#token=${token}`);
  const limited = uploadElsewhere(token, refused);
  await uppy.choose(page, many(40));
  await uppy.start(page);
  await limited;
  assert.deepEqual(await page.evaluate(() => document.getAnimations().filter(({ effect }) => effect.getTiming().iterations === Infinity)
    .map(({ effect }) => effect.target.className)), [], 'nothing moves where the visitor wants no motion');
  await arrived(page, token, many(40));
  await uppy.finished(page);
});

scene('the library with fifteen files at once', async (page, seen) => {
  const [token, refused] = [await newUser(), refusals(page)];
  const script = `
    import { bearer, connect } from '@holdfast/client';
    const { url, token } = window.holdfast;
    const { uploadFile } = connect({ base: url, maxFileSize: 1e6, credentials: bearer(() => token) });
    document.querySelector('#file').addEventListener('change', async ({ target }) => {
      const ends = await Promise.allSettled([...target.files].map((file) => uploadFile(file).done));
      document.title = ends.filter(({ status }) => status === 'fulfilled').length + ' of ' + ends.length;
    });`;
  await open(page, 'library', { body: uploaders['tus-js-client'].body, script, values: { token } });
  const limited = uploadElsewhere(token, refused);
  await uploaders['tus-js-client'].choose(page, many(15));
  await limited;
  await page.waitForFunction(() => / of /.test(document.title));
  assert.equal(await page.title(), '15 of 15');
  await arrived(page, token, many(15));
  assert.equal(seen.creations, 15 + refused.count, 'none was begun twice');
});
