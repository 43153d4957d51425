// Every page with names of maximum length, from the smallest phone to a laptop, in the longer of the two
// languages: nothing is cut off, and nothing exceeds its container. Other states are measured where a test calls
// accessible(). If SHOTS is set, the screenshots are in test-results.

import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { after } from 'node:test';
import { pdf, picture, writeContent } from './files.mjs';
import { fits } from './layout.mjs';
import { startRedis } from './redis.mjs';
import { MiB, pick, screenshots, setStage, shots, uppy } from './stage.mjs';

const form = 'abcdefgh';
let redis;
const stage = setStage(async () => {
  redis = await startRedis();
  await redis.addForm(form, 1);
  return { AUTH_REDIS_URL: redis.url, DJANGO_SECRET_KEY: 'shared with the backend', QUOTA_BYTES: String(400 * MiB) };
});
after(() => redis?.stop());
const { withToken, put } = stage;

// One word, so that the browser finds no place to break the line.
const long = `Jahresabschlussprüfungsbericht_${'Konzernrechnungslegungsvorschriften_'.repeat(5)}2026`;
async function tooLarge() {
  const file = await open(join(stage.folder, `${long}.raw`), 'w');
  await file.truncate(101 * MiB);
  await file.close();
  return join(stage.folder, `${long}.raw`);
}

const german = { locale: 'de-DE' };

async function fit(page, name) {
  await fits(page, name);
  if (process.env.SHOTS) {
    await page.setViewportSize({ width: 320, height: 700 });
    await page.screenshot({ path: join(shots, `${name}-320.png`), fullPage: true, animations: 'disabled' });
  }
  await screenshots(page, name);
}

for (const options of [{ locale: 'en-US' }, german]) {
  const scene = (name, run) => stage.scene(`${name} (${options.locale.slice(0, 2)})`, (page) => run(page, options.locale.slice(0, 2)), options);

  scene('the lists, with long names', async (page, language) => {
    await put(`${long}.png`, 'image/png', picture(64, 64));
    await put('short.pdf', 'application/pdf', pdf('Hold fast.'));
    await page.goto(withToken('/files.html'));
    await page.getByTestId('file').first().waitFor();
    await page.getByTestId('usage').waitFor();
    await fit(page, `layout-files-${language}`);
    const row = page.locator('[data-testid=file]', { hasText: 'Jahresabschluss' }).first();
    await row.getByTestId('share-open').click();
    await page.getByTestId('make-link').click();
    await page.getByTestId('link').waitFor();
    await page.getByTestId('access').selectOption('restricted');
    await fit(page, `layout-share-${language}`);
    await page.keyboard.press('Escape');
    await row.getByTestId('delete').click();
    await page.getByTestId('confirm-yes').waitFor();
    await fit(page, `layout-delete-${language}`);
    await page.keyboard.press('Escape');
    await row.getByTestId('preview-open').click();
    await page.getByTestId('preview-stage').locator('img').waitFor();
    await fit(page, `layout-preview-${language}`);
  });

  scene('both upload pages, with an unfinished upload and a refused file', async (page, language) => {
    const path = await writeContent(join(stage.folder, `${long}.bin`), 12 * MiB, 72);
    await page.goto(withToken('/tus.html'));
    const standing = stage.proxy.limit(3 * MiB);
    await page.locator('#file').setInputFiles(path);
    await page.locator('#start').click();
    await standing;
    await fit(page, `layout-sending-${language}`);
    await stage.reload(page);
    await page.getByTestId('discard').waitFor();
    await page.locator('#file').setInputFiles(await tooLarge());
    await page.locator('#notice', { hasText: 'Konzern' }).waitFor();
    await fit(page, `layout-tus-${language}`);
    await put(`${long}.pdf`, 'application/pdf', pdf('Hold fast.'));
    await page.goto(withToken('/'));
    await page.getByTestId('file').first().waitFor();
    await uppy.choose(page, [path, await writeContent(join(stage.folder, 'short.bin'), 5, 74)]);
    await page.locator('.uppy-StatusBar-actionBtn--upload').waitFor();
    await fit(page, `layout-uppy-${language}`);
  });

  scene('the editor and its attachments', async (page, language) => {
    await page.goto(withToken('/editor.html'));
    await pick(page, page.locator('#attach'), [
      { name: `${long}.png`, mimeType: 'image/png', buffer: picture(64, 64) }, { name: 'a.pdf', mimeType: 'application/pdf', buffer: pdf('a') }]);
    await page.locator('#count', { hasText: '2' }).waitFor();
    const standing = stage.proxy.limit(3 * MiB);
    await pick(page, page.locator('#attach'), await writeContent(join(stage.folder, `${long}.txt`), 8 * MiB, 73));
    await standing;
    await fit(page, `layout-editor-${language}`);
    await page.getByTestId('sending-cancel').click();
    stage.proxy.restore();
    await page.locator('#tab-attachments').click();
    await page.getByTestId('attachment').first().waitFor();
    await fit(page, `layout-attachments-${language}`);
  });

  scene('the profile, and a form', async (page, language) => {
    await page.goto(withToken('/profile.html'));
    await pick(page, page.getByTestId('photo').getByRole('button'), { name: `${long}.png`, mimeType: 'image/png', buffer: picture(640, 400) });
    await page.getByTestId('crop').waitFor();
    await fit(page, `layout-crop-${language}`);
    await page.getByTestId('crop-done').click();
    await page.locator('#notice[data-kind=good]').waitFor();
    await fit(page, `layout-profile-${language}`);
    await page.goto(`${stage.site}/public.html#token=${form}`);
    await pick(page, page.getByTestId('choose'), [
      { name: `${long}.txt`, mimeType: 'text/plain', buffer: Buffer.from('x') }, { name: 'b.txt', mimeType: 'text/plain', buffer: Buffer.from('b') }]);
    await fit(page, `layout-form-${language}`);
    await page.getByTestId('send').click();
    await page.getByTestId('thanks').waitFor();
    await page.locator('summary').click();
    await fit(page, `layout-thanks-${language}`);
  });

  scene('who has no token is asked for one', async (page, language) => {
    await page.goto(`${stage.site}/files.html`);
    await page.locator('dialog[open]').waitFor();
    await fit(page, `layout-token-${language}`);
  });
}

stage.scene('the page of the API', async (page) => {
  await page.goto(`${stage.site}/files/docs`);
  await fit(page, 'layout-api');
  await page.evaluate(() => { for (const one of document.querySelectorAll('details')) one.open = true; });
  await fit(page, 'layout-api-open');
});

stage.scene('what does not fit is noticed', async (page) => {
  await page.goto(withToken('/files.html'));
  await page.getByTestId('usage').waitFor();
  for (const [css, fault] of [
    ['.top nav { flex-wrap: nowrap; overflow-x: auto; } .top nav a { padding: 20px }', /nav#pages .* is cut by/],
    ['#usage { white-space: nowrap; word-spacing: 90px; }', /sideways|over card/],
    ['#language { margin-right: -60px; }', /language.* lies under button#change-token/],
  ]) {
    const style = await page.addStyleTag({ content: css });
    await assert.rejects(fits(page, 'it'), (error) => fault.test(error.actual?.join('\n') ?? ''), css);
    await style.evaluate((element) => element.remove());
  }
});
