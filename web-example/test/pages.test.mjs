// Every page as users use it: with a mouse, with the keyboard only, on a phone, in dark mode, in German.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pdf, picture, silence, sha256OfFile, sha256OfUrl, writeContent } from './files.mjs';
import { accessible, bare, MiB, pick, screenshots, setStage } from './stage.mjs';

const stage = setStage();
const { scene, withToken, put, stored } = stage;

/** Drops or pastes a file onto an element, by the event that a browser would dispatch. */
async function give(page, selector, event, { name, type, bytes }) {
  await page.locator(selector).evaluate((target, { event, name, type, base64 }) => {
    const data = new DataTransfer();
    data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
    const init = { bubbles: true, cancelable: true };
    target.dispatchEvent(event === 'paste' ? new ClipboardEvent('paste', { ...init, clipboardData: data }) : new DragEvent('drop', { ...init, dataTransfer: data }));
  }, { event, name, type, base64: bytes.toString('base64') });
}

scene('files dropped and pasted into a text become links, and are shown by their types', async (page) => {
  const film = join(stage.folder, 'film.webm');
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=160x90:rate=8:duration=6', '-c:v', 'libvpx',
    '-deadline', 'realtime', '-cpu-used', '8', '-threads', '1', film]);
  await page.goto(withToken('/editor.html'));
  await page.getByTestId('text').fill('See  for more.');
  await page.getByTestId('text').evaluate((text) => text.setSelectionRange(4, 4));
  await give(page, '#text', 'drop', { name: 'sea [1] (a).png', type: 'image/png', bytes: picture(64, 40) });
  await page.waitForFunction(() => /^See !\[sea \\\[1\\\] \(a\)\.png\]\(http\S+\) {2}for more\.$/.test(document.querySelector('#text').value));
  await give(page, '#text', 'paste', { name: 'voice.wav', type: 'audio/wav', bytes: silence(2) });
  await give(page, '#text', 'drop', { name: 'letter.pdf', type: 'application/pdf', bytes: pdf('Hold fast.') });
  await pick(page, page.locator('#attach'), [film, await writeContent(join(stage.folder, 'data.bin'), 100)]);
  await page.locator('#count', { hasText: '5' }).waitFor();
  await page.getByTestId('sending-row').first().waitFor({ state: 'detached' });
  await page.getByTestId('text').pressSequentially(' And [elsewhere](https://example.com/a.png).');
  await accessible(page, 'the editor');
  await screenshots(page, 'editor');

  await page.locator('#tab-text').focus();
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.locator('#tab-attachments').getAttribute('aria-selected'), 'true');
  const types = await page.getByTestId('attachment').evaluateAll((all) => all.map((one) => one.dataset.type).sort());
  assert.deepEqual(types, ['audio', 'file', 'image', 'pdf', 'video']);
  const image = page.getByTestId('enlarge').locator('img');
  await page.waitForFunction((img) => img.naturalWidth === 64, await image.elementHandle());
  await page.waitForFunction((audio) => audio.duration === 2, await page.locator('[data-type=audio] audio').elementHandle());
  const at = await page.locator('[data-type=video] video').evaluate((video) => new Promise((resolve, reject) => {
    video.onerror = () => reject(new Error(video.error.message));
    video.onseeked = () => resolve(video.currentTime);
    const seek = () => { video.currentTime = 5; };
    if (video.readyState > 0) seek();
    else video.onloadedmetadata = seek;
  }));
  assert.equal(at, 5);
  await accessible(page, 'attachments');
  await screenshots(page, 'attachments');

  await page.getByTestId('enlarge').click();
  await page.getByTestId('preview-stage').locator('img').waitFor();
  await accessible(page, 'the lightbox');
  await screenshots(page, 'lightbox');
  await page.keyboard.press('ArrowRight');
  await page.locator('#preview-title', { hasText: 'sea' }).waitFor({ state: 'detached' });
  await page.keyboard.press('Escape');
  await page.getByTestId('preview').waitFor({ state: 'detached' });

  await page.reload();
  await page.waitForFunction(() => document.querySelector('#text').value.startsWith('See ![sea')); // the draft is kept
});

scene('an upload in the editor is paused, outlives the server, and can be cancelled', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'long.bin'), 24 * MiB, 61);
  await page.goto(withToken('/editor.html'));
  stage.proxy.limit(9 * MiB);
  await pick(page, page.locator('#attach'), file);
  await stage.committed(8 * MiB);
  assert.match(await page.getByTestId('text').inputValue(), /Uploading long\.bin…/);
  await page.getByTestId('sending-pause').click();
  await page.getByTestId('sending-state').filter({ hasText: 'Paused.' }).waitFor();
  stage.proxy.limit(9 * MiB);
  await page.getByTestId('sending-resume').click();
  await stage.committed(16 * MiB);
  await stage.holdfast.kill9();
  await page.getByTestId('sending-state').filter({ hasText: 'Interrupted' }).waitFor();
  await screenshots(page, 'editor-interrupted');
  stage.proxy.restore();
  await stage.holdfast.restart();
  await page.locator('#count', { hasText: '1' }).waitFor();
  assert.equal(seen.creations, 1);
  assert.ok(seen.offsets.at(-1) >= 16 * MiB, `what was committed is kept: ${seen.offsets}`);
  assert.equal(await sha256OfUrl(`${stage.site}/files/${seen.id}`, stage.holdfast.token), await sha256OfFile(file));

  const text = await page.getByTestId('text').inputValue();
  let standing = stage.proxy.limit(3 * MiB);
  await pick(page, page.locator('#attach'), file);
  await standing;
  await page.getByTestId('sending-cancel').click();
  stage.proxy.restore();
  await page.getByTestId('sending-row').waitFor({ state: 'detached' });
  assert.equal(await page.getByTestId('text').inputValue(), text, 'nothing is left in the text');

  standing = stage.proxy.limit(3 * MiB);
  await pick(page, page.locator('#attach'), file);
  await standing;
  await stage.reload(page);
  await page.locator('#count', { hasText: '1' }).waitFor();
  assert.equal(await page.getByTestId('text').inputValue(), text, 'nor after a reload');
});

scene('a signed link opens a file without a token', async (page) => {
  const bytes = picture(64, 64);
  const id = await put('shared.png', 'image/png', bytes);
  await page.goto(withToken('/files.html'));
  await page.locator(`[data-id="${id}"]`).getByTestId('share-open').click();
  await page.getByTestId('make-link').click();
  await page.getByTestId('share-status').filter({ hasText: 'works until' }).waitFor();
  await accessible(page, 'sharing');
  await screenshots(page, 'share');
  const answer = await fetch(await page.getByTestId('link').inputValue());
  assert.equal(answer.status, 200);
  assert.deepEqual(Buffer.from(await answer.arrayBuffer()), bytes);
});

scene('where the service has no grants and does not count, the page does not speak of them', async (page) => {
  const id = await put('alone.txt', 'text/plain', Buffer.from('x'));
  for (const path of ['grants', 'usage']) await page.route(`**/${path}`, (route) => route.fulfill({ status: 404 }));
  await page.goto(withToken('/files.html'));
  await page.locator(`[data-id="${id}"]`).getByTestId('share-open').click();
  await page.getByTestId('make-link').click();
  await page.getByTestId('link').waitFor();
  assert.equal(await page.getByTestId('grants').count(), 0);
  assert.ok(await page.locator('#usage').isHidden());
  assert.ok(await page.locator('#notice').isHidden());
});

scene('a photo is cut to a square, and takes the old one’s place', async (page) => {
  await page.goto(withToken('/profile.html'));
  const card = page.getByTestId('photo');
  const ids = [];
  for (const [width, height] of [[640, 400], [300, 500]]) {
    await pick(page, card.getByRole('button'), { name: 'me.png', mimeType: 'image/png', buffer: picture(width, height) });
    await page.getByTestId('crop').focus();
    await page.keyboard.press('+');
    await page.keyboard.press('ArrowLeft');
    if (ids.length === 0) {
      await accessible(page, 'cutting');
      await screenshots(page, 'crop');
    }
    await page.getByTestId('crop-done').click();
    await page.waitForFunction((old) => ![old, null].includes(localStorage.getItem('holdfast.picture.photo')), ids[0] ?? null);
    await page.locator('#notice', { hasText: 'Saved.' }).waitFor();
    ids.push(await page.evaluate(() => localStorage.getItem('holdfast.picture.photo')));
  }
  await page.waitForFunction((img) => img.naturalWidth === 512, await card.locator('img').elementHandle());
  const png = Buffer.from(await (await stored(ids[1])).arrayBuffer());
  assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], [512, 512]);
  assert.equal((await stored(ids[0])).status, 404, 'the old one is gone');
  await accessible(page, 'the profile');
  await screenshots(page, 'profile');

  await pick(page, card.getByRole('button'), { name: 'no.png', mimeType: 'image/png', buffer: Buffer.from('no picture') });
  await page.locator('#notice', { hasText: '“no.png” is no picture' }).waitFor();
});

for (const path of ['/public.html', '/guest.html']) {
  scene(`${path} without a right says what to do`, async (page) => {
    await page.goto(`${stage.site}${path}`);
    await page.locator('#notice', { hasText: 'Copy the whole of it, or ask for a new one' }).waitFor();
    await page.goto(`${stage.site}${path}#token=outdated`);
    await page.reload();
    await page.getByTestId('open-form').waitFor();
    assert.ok(await page.locator('#pages').isHidden(), 'who has no account is not led around');
    await accessible(page, path);
    await pick(page, page.getByTestId('choose'), { name: 'cv.pdf', mimeType: 'application/pdf', buffer: pdf('CV') });
    await page.getByTestId('send').click();
    await page.getByTestId('sending-state').filter({ hasText: 'not valid any more. Ask whoever gave it to you' }).waitFor();
    await screenshots(page, `refused${path.replace('.html', '').replace('/', '-')}`);
  });
}

scene('everything is there in German', async (page) => {
  const path = join(stage.folder, 'zu groß.bin');
  const file = await open(path, 'w');
  await file.truncate(100 * MiB + 1);
  await file.close();
  for (const [name, title] of [['', 'Dateien hochladen'], ['tus.html', 'Eine Datei hochladen'], ['editor.html', 'Schreiben und Dateien hineinziehen'],
    ['files.html', 'Meine Dateien'], ['profile.html', 'Profil']]) {
    await page.goto(withToken(`/${name}`));
    await page.getByRole('heading', { name: title, level: 1 }).waitFor();
    assert.equal(await page.locator('html').getAttribute('lang'), 'de');
    assert.equal(await page.title(), `${title} · Holdfast`);
    assert.equal(await page.locator('#pages [aria-current=page]').count(), 1);
  }
  await page.goto(withToken('/tus.html'));
  await bare.choose(page, path);
  await page.locator('#notice', { hasText: '104.857.601 Bytes; dieser Server nimmt höchstens 104.857.600' }).waitFor();
  await screenshots(page, 'german');
  await page.getByTestId('language').click();
  await page.getByRole('heading', { name: 'Upload one file' }).waitFor();
}, { locale: 'de-DE' });

scene('the lists and the upload page are usable by everybody', async (page) => {
  await put('readme.txt', 'text/plain', Buffer.from('Hold fast.'));
  await page.goto(withToken('/'));
  await page.getByTestId('file').first().waitFor();
  await accessible(page, 'the upload page');
  await page.goto(withToken('/files.html'));
  await page.getByTestId('file').first().waitFor();
  await accessible(page, 'the files page');
  await page.getByTestId('delete').first().click();
  await accessible(page, 'the question');
  await page.keyboard.press('Escape');
  await page.keyboard.press('Home');
  await page.locator('body').press('Tab');
  await page.evaluate(() => document.querySelector('.skip').focus());
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => location.hash), '#main');
});
