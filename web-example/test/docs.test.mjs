// The API page, which the service generates: it must work without scripts and be accessible.

import assert from 'node:assert/strict';
import { accessible, phone, screenshots, setStage } from './stage.mjs';

const stage = setStage();

stage.scene('the page of the API leads from the contents to an operation, and from there to an error', async (page) => {
  const said = [];
  page.on('console', (message) => said.push(message.text()));
  await page.goto(`${stage.site}/files/docs`);
  await page.getByRole('link', { name: 'PATCH Send bytes' }).click();
  const operation = page.getByRole('region', { name: 'Send bytes' });
  assert.ok(await operation.evaluate((section) => Math.abs(section.getBoundingClientRect().top) < innerHeight), 'the link leads there');
  await operation.getByText('204').click();
  await operation.getByText('Bytes that are stored.').filter({ visible: true }).first().waitFor();
  await operation.getByRole('link', { name: '409 Conflict' }).click();
  await page.getByRole('region', { name: '409 Conflict' }).getByText('UPLOAD_001').waitFor();
  assert.deepEqual(said, [], 'its policy forbids nothing that it has');
});

stage.scene('everybody can read the page of the API', async (page) => {
  await page.goto(`${stage.site}/files/docs`);
  await accessible(page, 'the page of the API');
  await screenshots(page, 'docs');
});

stage.scene('on a phone the contents of the page of the API are folded', async (page) => {
  await page.setViewportSize(phone);
  await page.goto(`${stage.site}/docs`);
  assert.equal(await page.getByRole('link', { name: 'PATCH Send bytes' }).isVisible(), false);
  await page.keyboard.press('Tab'); // skips the link to the content
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  await page.getByRole('link', { name: 'PATCH Send bytes' }).click();
  assert.match(page.url(), /#appendUpload$/);
});
