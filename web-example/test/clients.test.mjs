// Runs the unchanged browser snippets of docs/CLIENTS.md against the real program behind a proxy that cuts
// connections. internal/doctest/clients_test.go runs those of the command line.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sha256OfFile, sha256OfUrl, writeContent } from './files.mjs';
import { setSnippets, uploaders } from './snippets.mjs';
import { download, MiB, setStage } from './stage.mjs';

const stage = setStage();
const { scene } = stage;
const { snippet, open } = setSnippets(stage);

for (const name of ['tus-js-client', 'react', 'uppy']) {
  const { body, choose, goOn } = uploaders[name];
  scene(`${name} over a line that is cut, and after a reload`, async (page, seen) => {
    const file = await writeContent(join(stage.folder, `${name}.mp4`), 24 * MiB, name.length);
    await open(page, name, { body, script: snippet(name) });

    stage.proxy.limit(9 * MiB);
    await choose(page, file);
    await goOn(page);
    await stage.committed(8 * MiB);
    const noticed = page.waitForEvent('requestfailed');
    stage.proxy.cut();
    await noticed;
    stage.proxy.restore();
    stage.proxy.limit(9 * MiB);
    await stage.committed(16 * MiB);

    await stage.reload(page);
    await choose(page, file);
    await goOn(page);
    const stored = await page.waitForFunction(() => document.body.dataset.file ?? document.querySelector('#uploaded')?.href).then((handle) => handle.jsonValue());
    assert.equal(stored, `${stage.holdfast.base}/${seen.id}`);
    assert.equal(await sha256OfUrl(stored, stage.holdfast.token), await sha256OfFile(file));
    assert.equal(seen.creations, 1, 'one upload was begun');
    const distinct = [...new Set(seen.offsets)];
    assert.ok(distinct.length === 3 && distinct[0] === 0 && distinct[1] >= 8 * MiB && distinct[2] >= 16 * MiB, `it went on from ${seen.offsets}`);
  });
}

scene('a film plays and seeks by a signed link, and is saved', async (page) => {
  const path = join(stage.folder, 'film.webm');
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=12:duration=12,noise=alls=60:allf=t',
    '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-threads', '1', '-b:v', '6M', path]);
  const id = await stage.put('film.webm', 'video/webm', await readFile(path));
  await open(page, 'page', { body: snippet('page'), values: { file: `${stage.holdfast.base}/${id}` } });
  await page.locator('#save[href*=signature]').waitFor();
  const at = await page.locator('#film').evaluate(async (video) => {
    const until = (event) => new Promise((happened) => { video.addEventListener(event, happened, { once: true }); });
    if (video.readyState < 1) await until('loadedmetadata');
    video.currentTime = 10;
    await until('seeked');
    return video.currentTime;
  });
  assert.equal(at, 10);
  assert.equal(await download(page, page.locator('#save')), await sha256OfFile(path));
});

scene('the React hook pauses, goes on and cancels', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'react.bin'), 24 * MiB, 7);
  await open(page, 'react', { body: uploaders.react.body, script: snippet('react') });
  stage.proxy.limit(9 * MiB);
  await uploaders.react.choose(page, file);
  await stage.committed(8 * MiB);
  const goesOn = page.waitForRequest((request) => request.method() === 'PATCH' && Number(request.headers()['upload-offset']) >= 8 * MiB);
  await uploaders.react.choose(page, []);
  await uploaders.react.choose(page, file); // a task of its own, which goes on where the first one was paused
  await goesOn;
  await page.getByRole('button', { name: 'Pause' }).click();
  await page.getByRole('button', { name: 'Resume' }).waitFor();
  stage.proxy.restore();
  await page.getByRole('button', { name: 'Resume' }).click();
  await page.locator('#uploaded').waitFor();
  assert.equal(seen.creations, 1, 'one upload was begun');

  stage.proxy.limit(9 * MiB);
  const deleted = page.waitForResponse((response) => response.request().method() === 'DELETE');
  await uploaders.react.choose(page, []);
  await uploaders.react.choose(page, file);
  await stage.committed(32 * MiB);
  await page.getByRole('button', { name: 'Cancel' }).click();
  stage.proxy.restore();
  assert.equal((await deleted).status(), 204);
  await page.locator('progress').waitFor({ state: 'detached' });
});
