// Users without an account: a public form and a guest, and files that are granted to them.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { after } from 'node:test';
import { picture, writeContent } from './files.mjs';
import { startRedis } from './redis.mjs';
import { accessible, MiB, pick, screenshots, setStage } from './stage.mjs';

const secret = 'the secret that is shared with the backend';
const form = 'abcdefgh';

let redis;
const stage = setStage(async () => {
  redis = await startRedis();
  await redis.addForm(form, 1);
  return { AUTH_REDIS_URL: redis.url, DJANGO_SECRET_KEY: secret };
});
after(() => redis?.stop());
const { scene, withToken, put } = stage;

/** A guest's token, as Django signs it. */
function guestToken(claims) {
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ token_type: 'Guest', exp: Math.floor(Date.now() / 1000) + 3600, ...claims })}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

for (const [who, path, header, token] of [
  ['a public form', '/public.html', 'X-Public-Authorization', () => form],
  ['a guest', '/guest.html', 'X-Guest-Authorization', () => guestToken({ user_id: 7, account_id: 1 })],
]) {
  scene(`${who} sends files over a line that breaks`, async (page, seen) => {
    const file = await writeContent(join(stage.folder, 'film.bin'), 16 * MiB, 71);
    await page.goto(`${stage.site}${path}#token=${token()}`);
    await page.getByRole('textbox').fill('Here they are.');
    await page.getByTestId('send').click();
    await page.locator('#notice', { hasText: 'Choose a file first.' }).waitFor();
    await pick(page, page.getByTestId('choose'), file);
    await screenshots(page, `open${path.replace('.html', '').replace('/', '-')}`);
    const standing = stage.proxy.limit(6 * MiB);
    await page.getByTestId('send').click();
    await standing;
    stage.proxy.cut();
    stage.proxy.restore();
    await page.getByTestId('thanks').waitFor();
    assert.ok(await page.getByTestId('thanks').evaluate((title) => title === document.activeElement), 'it is read out');
    await accessible(page, path);
    assert.match(await page.getByTestId('open-form-sent').innerText(), /film\.bin\s+16 MB · compared, the same/);
    await page.locator('summary').click();
    assert.equal(await page.getByTestId('kept').innerText(), `Here they are.\n\n[film.bin](${stage.site}/files/${seen.id})`);
    assert.equal(seen.creations, 1);
    const answer = await fetch(`${stage.site}/files/${seen.id}`, { method: 'HEAD', headers: { [header]: header.includes('Public') ? `Token ${token()}` : token() } });
    assert.equal(answer.status, 200);
  });
}

scene('a file is opened to a form, to everybody, and to nobody again', async (page) => {
  const id = await put('granted.png', 'image/png', picture(64, 64));
  const status = async (headers = {}) => (await fetch(`${stage.site}/files/${id}`, { headers })).status;
  const asForm = { 'X-Public-Authorization': `Token ${form}` };
  assert.deepEqual([await status(), await status(asForm)], [401, 403]);
  await page.goto(withToken('/files.html'));
  await page.locator(`[data-id="${id}"]`).getByTestId('share-open').click();
  const save = async () => {
    await page.getByTestId('share-status').evaluate((told) => { told.textContent = ''; });
    await page.getByTestId('save-grants').click();
    await page.getByTestId('share-status').filter({ hasText: /\S/ }).waitFor();
    return page.getByTestId('share-status').innerText();
  };
  await page.getByTestId('access').selectOption('restricted');
  assert.match(await save(), /restricted access needs users, groups or tokens/);
  await page.getByLabel('Tokens of public forms').fill(` ${form} ,`);
  await page.getByLabel('Numbers of users').fill('8, 9');
  assert.equal(await save(), 'Saved.');
  assert.deepEqual([await status(), await status(asForm)], [401, 200]);
  await accessible(page, 'grants');
  await screenshots(page, 'grants');
  await page.getByTestId('access').selectOption('public');
  assert.equal(await save(), 'Saved.');
  assert.deepEqual([await status(), await status(asForm)], [200, 200]);
  await page.getByTestId('access').selectOption('private');
  assert.equal(await save(), 'Saved.');
  assert.deepEqual([await status(), await status(asForm)], [401, 403]);
});
