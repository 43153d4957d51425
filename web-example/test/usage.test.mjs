// An account's usage and its quota.

import assert from 'node:assert/strict';
import { accessible, MiB, screenshots, setStage } from './stage.mjs';
import { content } from './files.mjs';

const stage = setStage(async () => ({ QUOTA_BYTES: String(4 * MiB), QUOTA_FILES: '3' }));
const { scene, withToken, put } = stage;

scene('what is used is told, and what is too much for the account is refused in words', async (page) => {
  await put('first.bin', '', content(MiB));
  await put('second.bin', '', content(MiB));
  await page.goto(withToken('/files.html'));
  const usage = page.getByTestId('usage');
  await usage.filter({ hasText: '2 MB of 4 MB' }).filter({ hasText: '2 of 3' }).waitFor();
  await accessible(page, 'usage');
  await screenshots(page, 'usage');
  await page.getByTestId('delete').first().click();
  await page.getByTestId('confirm-yes').click();
  await usage.filter({ hasText: '1 MB of 4 MB' }).filter({ hasText: '1 of 3' }).waitFor();

  await page.goto(withToken('/tus.html'));
  await page.locator('#file').setInputFiles({ name: 'large.bin', mimeType: '', buffer: content(4 * MiB) });
  await page.locator('#start').click();
  await page.locator('#notice', { hasText: 'Your account has no room left for this file.' }).waitFor();
  assert.equal(await page.locator('#upload').getAttribute('data-state'), 'failed');
});
