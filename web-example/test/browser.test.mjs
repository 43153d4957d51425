// The pages in a real Chromium, against the real server behind a line that breaks.

import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { picture, silence, sha256, sha256OfFile, sha256OfUrl, writeContent } from './files.mjs';
import { freePort, startHoldfast } from './holdfast.mjs';
import { startProxy } from './proxy.mjs';

const MiB = 1024 * 1024;
const executable = process.env.CHROMIUM ?? '/usr/bin/chromium';
const root = process.getuid?.() === 0;
const shots = resolve(import.meta.dirname, '../test-results');

let browser;
let holdfast;
let proxy;
let site; // what the browser sees: the proxy's address
let folder;

before(async () => {
  await access(executable).catch(() => {
    throw new Error(`${executable} is missing. These tests need a browser: apt-get install chromium (or set CHROMIUM)`);
  });
  folder = await mkdtemp(join(tmpdir(), 'holdfast-browser-'));
  await mkdir(shots, { recursive: true });
  const [port, front] = [await freePort(), await freePort()];
  site = `http://127.0.0.1:${front}`;
  // PUBLIC_URL is the proxy, so that uploads go through it too.
  holdfast = await startHoldfast({ port, env: { PUBLIC_URL: `${site}/files` } });
  proxy = await startProxy(front, port);
  browser = await chromium.launch({
    executablePath: executable,
    chromiumSandbox: !root,
    args: [
      ...(root ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync',
    ],
  });
});

after(async () => {
  await browser?.close();
  await proxy?.close();
  if (holdfast) assert.equal(await holdfast.stop(), 0, 'SIGTERM ends the server cleanly');
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** A test with a fresh browser profile. It fails on any error the page's own code throws. */
function scene(name, run) {
  test(name, { timeout: 90_000 }, async () => {
    proxy.restore();
    const context = await browser.newContext({ acceptDownloads: true, viewport: desktop });
    const page = await context.newPage();
    page.setDefaultTimeout(45_000);
    const thrown = [];
    page.on('pageerror', (error) => thrown.push(error));
    try {
      await run(page, watchRequests(page));
      assert.deepEqual(thrown, []);
    } catch (error) {
      await page.screenshot({ path: join(shots, `failed ${name}.png`), fullPage: true }).catch(() => {});
      throw error;
    } finally {
      await context.close();
    }
  });
}

/** What the page asks of the tus endpoint: creations, and the offset of each PATCH. */
function watchRequests(page) {
  const seen = { creations: 0, offsets: [], id: null };
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (!pathname.startsWith('/files/tus/')) return;
    if (request.method() === 'POST') seen.creations++;
    if (request.method() !== 'PATCH') return;
    seen.offsets.push(Number(request.headers()['upload-offset']));
    seen.id = pathname.split('/').pop();
  });
  return seen;
}

const withToken = (path) => `${site}${path}#token=${holdfast.token}`;

const desktop = { width: 1180, height: 900 };
const phone = { width: 390, height: 844 };

async function screenshots(page, name) {
  for (const [kind, viewport, colorScheme] of [['phone', phone, 'light'], ['dark', desktop, 'dark'], ['desktop', desktop, 'light']]) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(shots, `${name}-${kind}.png`), fullPage: true, animations: 'disabled' });
  }
}

async function download(page, link) {
  const [saved] = await Promise.all([page.waitForEvent('download'), link.click()]);
  return sha256OfFile(await saved.path());
}

/** Puts a file on the server without a browser. */
async function put(name, type, bytes) {
  const encode = (text) => Buffer.from(text).toString('base64');
  const response = await fetch(`${site}/files/tus/`, {
    method: 'POST',
    headers: {
      'Authorization': `Bearer ${holdfast.token}`,
      'Tus-Resumable': '1.0.0',
      'Content-Type': 'application/offset+octet-stream',
      'Upload-Length': String(bytes.length),
      'Upload-Metadata': `filename ${encode(name)},filetype ${encode(type)}`,
    },
    body: bytes,
  });
  assert.equal(response.status, 201, await response.text());
  return response.headers.get('Location').split('/').pop();
}

// Both upload pages, so that a scene can be played on each.

const uppy = {
  path: '/',
  choose: (page, file) => page.locator('.uppy-Dashboard-input').first().setInputFiles(file),
  start: (page) => page.locator('.uppy-StatusBar-actionBtn--upload').click(),
  finished: (page) => page.locator('.uppy-StatusBar.is-complete').waitFor(),
  link: (page) => page.getByTestId('download').first(),
};

const bare = {
  path: '/tus.html',
  choose: (page, file) => page.locator('#file').setInputFiles(file),
  start: (page) => page.locator('#start').click(),
  finished: (page) => page.locator('#upload[data-state=done]').waitFor(),
  link: (page) => page.getByTestId('result'),
};

scene('40 MB with Uppy while the network goes away twice', async (page, seen) => {
  const file = await writeContent(join(folder, 'holiday film.bin'), 40 * MiB, 40);
  await page.goto(withToken('/'));
  await screenshots(page, 'upload-empty');
  await uppy.choose(page, file);
  await screenshots(page, 'upload-ready');
  let standing = proxy.limit(14 * MiB);
  await uppy.start(page);
  for (let outage = 1; outage <= 2; outage++) {
    await standing;
    if (outage === 1) await screenshots(page, 'upload-running');
    const noticed = page.waitForEvent('requestfailed');
    proxy.cut();
    await noticed;
    proxy.restore();
    standing = outage === 1 ? proxy.limit(14 * MiB) : null;
  }
  await uppy.finished(page);
  await page.locator(`[data-id="${seen.id}"]`).waitFor();
  await screenshots(page, 'upload-done');

  assert.equal(seen.creations, 1, 'one upload from beginning to end');
  const distinct = [...new Set(seen.offsets)];
  assert.ok(distinct.length >= 3, `each outage is followed by another PATCH: ${seen.offsets}`);
  assert.ok(distinct[1] > 0 && distinct[2] > distinct[1], `each goes on where the last one ended: ${seen.offsets}`);
  assert.equal(await download(page, uppy.link(page)), await sha256OfFile(file));
});

for (const [name, client] of [['Uppy', uppy], ['tus-js-client', bare]]) {
  scene(`a reload in the middle, then the same file again, with ${name}`, async (page, seen) => {
    const file = await writeContent(join(folder, `report for ${name}.bin`), 40 * MiB, 41);
    await page.goto(withToken(client.path));
    await client.choose(page, file);
    const standing = proxy.limit(16 * MiB);
    await client.start(page);
    await standing;
    await page.reload();
    proxy.restore();

    const unfinished = page.getByTestId('unfinished').locator('li');
    await unfinished.waitFor();
    assert.match(await unfinished.innerText(), /of 40 MB arrived/);
    await screenshots(page, `${client === uppy ? 'upload' : 'tus'}-unfinished`);
    seen.offsets.length = 0;
    await client.choose(page, file);
    await client.start(page);
    await client.finished(page);

    assert.equal(seen.creations, 1, 'no second upload is made');
    assert.ok(seen.offsets[0] > 0, `goes on at an offset > 0: ${seen.offsets}`);
    assert.ok(await page.locator('#unfinished').isHidden());
    if (client === bare) assert.match(await page.getByTestId('log').innerText(), /unfinished. Going on with it/);
    assert.equal(await download(page, client.link(page)), await sha256OfFile(file));
  });
}

scene('the server is killed while Uppy sends, and started again', async (page, seen) => {
  const file = await writeContent(join(folder, 'killed with uppy.bin'), 40 * MiB, 42);
  await page.goto(withToken('/'));
  await uppy.choose(page, file);
  const standing = proxy.limit(26 * MiB);
  await uppy.start(page);
  await standing;
  await holdfast.kill9();
  proxy.restore();
  await holdfast.restart();
  await uppy.finished(page);

  assert.equal(seen.creations, 1, 'no second upload is made');
  await page.locator(`[data-id="${seen.id}"]`).waitFor();
  assert.equal(await download(page, uppy.link(page)), await sha256OfFile(file));
});

scene('the server is killed between chunks: no acknowledged byte is sent again', async (page, seen) => {
  const file = await writeContent(join(folder, 'killed with tus.bin'), 40 * MiB, 43);
  await page.goto(withToken('/tus.html'));
  await page.locator('#chunk').selectOption({ label: '5 MB' });
  await bare.choose(page, file);
  const standing = proxy.limit(18 * MiB); // three chunks are answered, the fourth is on its way
  await bare.start(page);
  await standing;
  await holdfast.kill9();
  await page.locator('#upload[data-state=waiting]').waitFor();
  const acknowledged = seen.offsets.at(-1);
  assert.equal(acknowledged, 15 * MiB);
  seen.offsets.length = 0;
  await screenshots(page, 'tus-waiting');
  proxy.restore();
  await holdfast.restart();
  await bare.finished(page);

  assert.equal(seen.creations, 1);
  assert.ok(seen.offsets[0] >= acknowledged, `what was answered is kept: ${seen.offsets}`);
  assert.equal(await download(page, bare.link(page)), await sha256OfFile(file));
});

// tus-js-client alone takes either answer as "the upload is gone" and begins at byte 0.
for (const [name, client] of [['Uppy', uppy], ['tus-js-client', bare]]) {
  scene(`a busy server or an expired token in the middle costs no byte, with ${name}`, async (page, seen) => {
    const file = await writeContent(join(folder, `busy with ${name}.bin`), 24 * MiB, 45);
    const answers = [503, 401];
    await page.goto(withToken(client.path));
    await page.route('**/files/tus/*', (route, request) => (
      request.method() === 'HEAD' && answers.length > 0 ? route.fulfill({ status: answers.shift() }) : route.continue()
    ));
    await client.choose(page, file);
    const standing = proxy.limit(12 * MiB);
    await client.start(page);
    await standing;
    proxy.cut();
    proxy.restore();
    await page.locator('#token').fill(holdfast.token);
    await page.getByTestId('token-submit').click();
    await client.finished(page);

    assert.equal(seen.creations, 1, 'the same upload goes on');
    assert.ok(seen.offsets.at(-1) > 0, `at an offset > 0: ${seen.offsets}`);
    assert.equal(await sha256OfUrl(`${site}/files/${seen.id}`, holdfast.token), await sha256OfFile(file));
  });
}

scene('pause, resume, and stop with tus-js-client', async (page, seen) => {
  const file = await writeContent(join(folder, 'paused.bin'), 24 * MiB, 44);
  await page.goto(withToken('/tus.html'));
  await screenshots(page, 'tus-empty');
  proxy.slow(12 * MiB); // so that there is a speed to see on the screenshots
  await bare.choose(page, file);
  let standing = proxy.limit(9 * MiB);
  await bare.start(page);
  await standing;
  await page.locator('#pause').click();
  await page.locator('#upload[data-state=paused]').waitFor();
  standing = proxy.limit(6 * MiB);
  await page.locator('#resume').click();
  await standing;
  await screenshots(page, 'tus-running');
  assert.ok(seen.offsets[1] > 0, `goes on where it was paused: ${seen.offsets}`);

  await page.locator('#stop').click(); // the line still stands: it can't have finished meanwhile
  await screenshots(page, 'tus-stop');
  await page.getByTestId('confirm-yes').click();
  await page.locator('#upload[data-state=ready]').waitFor();
  const head = await fetch(`${site}/files/tus/${seen.id}`, {
    method: 'HEAD', headers: { 'Authorization': `Bearer ${holdfast.token}`, 'Tus-Resumable': '1.0.0' },
  });
  assert.equal(head.status, 404);
});

scene('the token is taken from the address; files are shown, looked at, downloaded and deleted', async (page) => {
  const image = picture(640, 400);
  for (let i = 1; i <= 21; i++) await put(`note_${i}.txt`, 'text/plain', Buffer.from(`Note ${i}: hold fast.\n`.repeat(i)));
  await put('silence.wav', 'audio/wav', silence(2));
  const id = await put('Zachód_słońca.png', 'image/png', image);

  await page.goto(withToken('/files.html'));
  const row = page.locator(`[data-id="${id}"]`);
  await row.waitFor();
  assert.equal(page.url(), `${site}/files.html`, 'the token is gone from the address');
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
  await page.getByRole('button', { name: 'Preview note_21.txt' }).click();
  await page.getByTestId('preview-stage').locator('pre').waitFor();
  assert.match(await page.getByTestId('preview-stage').innerText(), /Note 21: hold fast/);
  await screenshots(page, 'preview-text');
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Preview silence.wav' }).click();
  const sound = await page.getByTestId('preview-stage').locator('audio').elementHandle();
  await page.waitForFunction((audio) => audio.duration === 2, sound);
  await page.keyboard.press('Escape');

  assert.equal(await download(page, row.getByTestId('download')), sha256(image));

  await row.getByTestId('delete').click();
  await screenshots(page, 'delete');
  await page.getByTestId('confirm-yes').click();
  await row.waitFor({ state: 'detached' });
  await assert.rejects(sha256OfUrl(`${site}/files/${id}`, holdfast.token), /: 404 /);
});

scene('without a token the page asks; a wrong one is refused in words', async (page) => {
  await page.goto(`${site}/files.html`);
  const form = page.getByTestId('token-form');
  await form.waitFor();
  await screenshots(page, 'token');
  await page.locator('#token').fill('hf_wrong');
  await page.keyboard.press('Enter');
  await page.getByText(/Token refused/).waitFor();
  await screenshots(page, 'token-refused');
  await page.locator('#token').fill(`${site}/#token=${holdfast.token}`); // the whole link is fine too
  await page.keyboard.press('Enter');
  await page.getByTestId('file').first().waitFor();
  assert.equal(await form.count(), 0);
});

for (const [name, client] of [['Uppy', uppy], ['tus-js-client', bare]]) {
  scene(`a file over the cap is refused in words before anything is sent, with ${name}`, async (page, seen) => {
    const path = join(folder, 'too large.bin');
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
