// The pages in a real Chromium, against the real server behind a proxy that cuts connections.

import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { picture, silence, sha256, sha256OfFile, sha256OfUrl, writeContent } from './files.mjs';
import { bare, download, MiB, screenshots, setStage, uppy } from './stage.mjs';

const stage = setStage();
const { scene, withToken, put } = stage;

scene('40 MB with Uppy while the network goes away twice', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'holiday film.bin'), 40 * MiB, 40);
  await page.goto(withToken('/'));
  await screenshots(page, 'upload-empty');
  await uppy.choose(page, file);
  await screenshots(page, 'upload-ready');
  stage.proxy.limit(9 * MiB);
  await uppy.start(page);
  for (let outage = 1; outage <= 2; outage++) {
    await stage.committed(outage * 8 * MiB);
    if (outage === 1) await screenshots(page, 'upload-running');
    const noticed = page.waitForEvent('requestfailed');
    stage.proxy.cut();
    await noticed;
    stage.proxy.restore();
    if (outage === 1) stage.proxy.limit(9 * MiB);
  }
  await uppy.finished(page);
  await page.locator(`[data-id="${seen.id}"]`).waitFor();
  await screenshots(page, 'upload-done');

  assert.equal(seen.creations, 1, 'one upload from beginning to end');
  const distinct = [...new Set(seen.offsets)];
  assert.equal(distinct.length, 3, `each outage is followed by another PATCH: ${seen.offsets}`);
  assert.ok(distinct[1] >= 8 * MiB && distinct[2] >= 16 * MiB, `each goes on where the last one ended: ${seen.offsets}`);
  assert.equal(await download(page, uppy.link(page)), await sha256OfFile(file));
});

for (const [name, client] of [['Uppy', uppy], ['tus-js-client', bare]]) {
  scene(`a reload in the middle, then the same file again, with ${name}`, async (page, seen) => {
    const file = await writeContent(join(stage.folder, `report for ${name}.bin`), 40 * MiB, 41);
    await page.goto(withToken(client.path));
    await client.choose(page, file);
    stage.proxy.limit(17 * MiB);
    await client.start(page);
    await stage.committed(16 * MiB);
    await stage.reload(page);

    const unfinished = page.getByTestId('unfinished').locator('li');
    await unfinished.waitFor();
    assert.match(await unfinished.innerText(), /of 40 MB arrived/);
    await screenshots(page, `${client === uppy ? 'upload' : 'tus'}-unfinished`);
    seen.offsets.length = 0;
    await client.choose(page, file);
    await client.start(page);
    await client.finished(page);

    assert.equal(seen.creations, 1, 'no second upload is made');
    assert.ok(seen.offsets[0] >= 16 * MiB, `goes on where it was: ${seen.offsets}`);
    assert.ok(await page.locator('#unfinished').isHidden());
    if (client === bare) assert.match(await page.getByTestId('log').innerText(), /unfinished. Going on with it/);
    assert.equal(await download(page, client.link(page)), await sha256OfFile(file));
  });
}

scene('the server is killed while Uppy sends, and started again', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'killed with uppy.bin'), 40 * MiB, 42);
  await page.goto(withToken('/'));
  await uppy.choose(page, file);
  stage.proxy.limit(26 * MiB);
  await uppy.start(page);
  await stage.committed(24 * MiB);
  await stage.holdfast.kill9();
  stage.proxy.restore();
  await stage.holdfast.restart();
  await uppy.finished(page);

  assert.equal(seen.creations, 1, 'no second upload is made');
  assert.ok(seen.offsets.at(-1) >= 24 * MiB, `what was committed is kept: ${seen.offsets}`);
  await page.locator(`[data-id="${seen.id}"]`).waitFor();
  assert.equal(await download(page, uppy.link(page)), await sha256OfFile(file));
});

scene('the server is killed between chunks: no acknowledged byte is sent again', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'killed with tus.bin'), 40 * MiB, 43);
  await page.goto(withToken('/tus.html'));
  await page.locator('#chunk').selectOption({ label: '5 MB' });
  await bare.choose(page, file);
  const standing = stage.proxy.limit(18 * MiB); // some chunks were acknowledged, another is being sent
  await bare.start(page);
  await standing;
  await stage.holdfast.kill9();
  await page.locator('#upload[data-state=waiting]').waitFor();
  const acknowledged = seen.offsets.at(-1);
  assert.ok(acknowledged > 0 && acknowledged % (5 * MiB) === 0, `a chunk was acknowledged: ${acknowledged}`);
  seen.offsets.length = 0;
  await screenshots(page, 'tus-waiting');
  stage.proxy.restore();
  await stage.holdfast.restart();
  await bare.finished(page);

  assert.equal(seen.creations, 1);
  assert.ok(seen.offsets[0] >= acknowledged, `what was answered is kept: ${seen.offsets}`);
  assert.equal(await download(page, bare.link(page)), await sha256OfFile(file));
});

// By default tus-js-client treats either status as "the upload is gone" and starts again at byte 0.
for (const [name, client] of [['Uppy', uppy], ['tus-js-client', bare]]) {
  scene(`a busy server or an expired token in the middle costs no byte, with ${name}`, async (page, seen) => {
    const file = await writeContent(join(stage.folder, `busy with ${name}.bin`), 24 * MiB, 45);
    const answers = [503, 401];
    await page.goto(withToken(client.path));
    await page.route('**/files/tus/*', (route, request) => (
      request.method() === 'HEAD' && answers.length > 0 ? route.fulfill({ status: answers.shift() }) : route.continue()
    ));
    await client.choose(page, file);
    stage.proxy.limit(12 * MiB);
    await client.start(page);
    await stage.committed(8 * MiB);
    stage.proxy.cut();
    stage.proxy.restore();
    await page.locator('#token').fill(stage.holdfast.token);
    await page.getByTestId('token-submit').click();
    await client.finished(page);

    assert.equal(seen.creations, 1, 'the same upload goes on');
    assert.ok(seen.offsets.at(-1) >= 8 * MiB, `where it was: ${seen.offsets}`);
    assert.equal(await sha256OfUrl(`${stage.site}/files/${seen.id}`, stage.holdfast.token), await sha256OfFile(file));
  });
}

scene('pause, resume, and stop with tus-js-client', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'paused.bin'), 24 * MiB, 44);
  await page.goto(withToken('/tus.html'));
  await screenshots(page, 'tus-empty');
  stage.proxy.slow(12 * MiB); // so that there is a speed to see on the screenshots
  await bare.choose(page, file);
  stage.proxy.limit(9 * MiB);
  await bare.start(page);
  await stage.committed(8 * MiB);
  await page.locator('#pause').click();
  await page.locator('#upload[data-state=paused]').waitFor();
  const standing = stage.proxy.limit(6 * MiB); // which what is left of the first connection can use up
  const again = page.waitForRequest((request) => request.method() === 'PATCH');
  await page.locator('#resume').click();
  await Promise.all([standing, again]);
  await screenshots(page, 'tus-running');

  await page.locator('#stop').click(); // the connection is still stalled, so the upload can't have completed meanwhile
  assert.ok(seen.offsets[1] >= 8 * MiB, `goes on where it was paused: ${seen.offsets}`);
  await screenshots(page, 'tus-stop');
  await page.getByTestId('confirm-yes').click();
  await page.locator('#upload[data-state=ready]').waitFor();
  const head = await fetch(`${stage.site}/files/tus/${seen.id}`, {
    method: 'HEAD', headers: { 'Authorization': `Bearer ${stage.holdfast.token}`, 'Tus-Resumable': '1.0.0' },
  });
  assert.equal(head.status, 404);
});

scene('the token is taken from the address; files are listed, previewed, downloaded and deleted', async (page) => {
  const image = picture(640, 400);
  for (let i = 1; i <= 21; i++) await put(`note_${i}.txt`, 'text/plain', Buffer.from(`Note ${i}: hold fast.\n`.repeat(i)));
  await put('silence.wav', 'audio/wav', silence(2));
  const id = await put('Zachód_słońca.png', 'image/png', image);

  await page.goto(withToken('/files.html'));
  const row = page.locator(`[data-id="${id}"]`);
  await row.waitFor();
  assert.equal(page.url(), `${stage.site}/files.html`, 'the token is gone from the address');
  assert.equal(await page.getByTestId('file-name').first().innerText(), 'Zachód_słońca.png', 'newest first');
  assert.equal(await page.getByTestId('file').count(), 20);
  const thumbnail = await row.getByTestId('thumb').elementHandle();
  await page.waitForFunction((img) => img.complete && img.naturalWidth === 640, thumbnail);
  await screenshots(page, 'files');
  await page.getByTestId('load-more').click();
  await page.locator('[data-testid=file]').nth(22).waitFor();

  await row.getByTestId('preview-open').click();
  const shown = await page.getByTestId('preview-stage').locator('img').elementHandle();
  await page.waitForFunction((img) => img.complete && img.naturalWidth === 640, shown);
  await screenshots(page, 'preview-image');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Preview: note_21.txt' }).click();
  await page.getByTestId('preview-stage').locator('pre').waitFor();
  assert.match(await page.getByTestId('preview-stage').innerText(), /Note 21: hold fast/);
  await screenshots(page, 'preview-text');
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Preview: silence.wav' }).click();
  const sound = await page.getByTestId('preview-stage').locator('audio').elementHandle();
  await page.waitForFunction((audio) => audio.duration === 2, sound);
  await page.keyboard.press('Escape');

  assert.equal(await download(page, row.getByTestId('download')), sha256(image));

  await row.getByTestId('delete').click();
  await screenshots(page, 'delete');
  await page.getByTestId('confirm-yes').click();
  await row.waitFor({ state: 'detached' });
  await assert.rejects(sha256OfUrl(`${stage.site}/files/${id}`, stage.holdfast.token), /: 404 /);
});

scene('without a token the page asks; a wrong one is refused, and the page says so', async (page) => {
  await page.goto(`${stage.site}/files.html`);
  const form = page.getByTestId('token-form');
  await form.waitFor();
  await screenshots(page, 'token');
  await page.locator('#token').fill('hf_wrong');
  await page.keyboard.press('Enter');
  await page.getByText(/Token refused/).waitFor();
  await screenshots(page, 'token-refused');
  await page.locator('#token').fill(`${stage.site}/#token=${stage.holdfast.token}`); // the whole link is accepted, too
  await page.keyboard.press('Enter');
  await page.getByTestId('file').first().waitFor();
  assert.equal(await form.count(), 0);
});

for (const [name, client] of [['Uppy', uppy], ['tus-js-client', bare]]) {
  scene(`a file over the cap is refused before anything is sent, with a message that says why, with ${name}`, async (page, seen) => {
    const path = join(stage.folder, 'too large.bin');
    const file = await open(path, 'w');
    await file.truncate(100 * MiB + 1);
    await file.close();
    await page.goto(withToken(client.path));
    await client.choose(page, path);
    await page.locator('#notice', { hasText: '104,857,601' }).waitFor();
    assert.match(await page.locator('#notice').innerText(), /at most 104,857,600.*Nothing was sent/);
    await screenshots(page, `${client === uppy ? 'upload' : 'tus'}-too-large`);
    assert.equal(seen.creations, 0);
  });
}
