// Uploads that are disturbed: by a second tab, a slow connection, a reload, an expired token, a changed file.

import assert from 'node:assert/strict';
import { readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sha256OfFile, sha256OfUrl, writeContent } from './files.mjs';
import { accessible, bare, MiB, pick, setStage, uppy, watchRequests } from './stage.mjs';

const stage = setStage();
const { scene, withToken, stored } = stage;

scene('a token that is revoked in the middle is replaced, and the upload goes on', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'revoked.bin'), 24 * MiB, 66);
  const create = async (name) => (await stage.holdfast.command('token', 'create', '--user', '1', '--account', '1', '--name', name)).trim();
  const [first, second] = [await create('first'), await create('second')];
  await page.goto(`${stage.site}/tus.html#token=${first}`);
  await page.locator('#chunk').selectOption({ label: '5 MB' });
  const standing = stage.proxy.limit(13 * MiB);
  await bare.choose(page, file);
  await bare.start(page);
  await standing;
  const line = (await stage.holdfast.command('token', 'list')).split('\n').find((one) => one.includes(' first '));
  await stage.holdfast.command('token', 'revoke', line.split(/\s+/)[0]);
  stage.proxy.restore();
  await page.getByTestId('token-why').filter({ hasText: 'Token refused' }).waitFor();
  await page.locator('#token').fill(second);
  await page.getByTestId('token-submit').click();
  await bare.finished(page);
  assert.equal(seen.creations, 1, 'the same upload went on');
  assert.equal(await sha256OfUrl(`${stage.site}/files/${seen.id}`, second), await sha256OfFile(file));
});

scene('two tabs send the same file: neither takes the other’s upload', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'twice.bin'), 20 * MiB, 62);
  await page.goto(withToken('/tus.html'));
  const other = await page.context().newPage();
  const others = watchRequests(other);
  await other.goto(`${stage.site}/tus.html`);
  const standing = stage.proxy.limit(8 * MiB);
  await bare.choose(page, file);
  await bare.start(page);
  await standing;
  await bare.choose(other, file);
  const begun = other.waitForRequest((request) => request.method() === 'POST' && new URL(request.url()).pathname === '/files/tus/');
  await bare.start(other);
  await begun; // before the first goes on: an upload that has ended belongs to no tab
  const third = await page.context().newPage();
  await third.goto(`${stage.site}/tus.html`);
  await third.getByTestId('unfinished').waitFor({ state: 'attached' });
  assert.ok(await third.locator('#unfinished').isHidden(), 'what a tab is at work on is not offered to another');
  stage.proxy.restore();
  await Promise.all([bare.finished(page), bare.finished(other)]);
  assert.deepEqual([seen.creations, others.creations], [1, 1]);
  assert.notEqual(seen.id, others.id);
  for (const { id } of [seen, others]) {
    assert.equal(await sha256OfUrl(`${stage.site}/files/${id}`, stage.holdfast.token), await sha256OfFile(file));
  }
});

scene('a paused upload is offered to other tabs, and to nobody while it goes on', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'paused and offered.bin'), 12 * MiB, 71);
  await page.goto(withToken('/tus.html'));
  const standing = stage.proxy.limit(9 * MiB);
  await bare.choose(page, file);
  await bare.start(page);
  await standing;
  await page.locator('#pause').click();
  const second = await page.context().newPage();
  await second.goto(`${stage.site}/tus.html`);
  await second.getByTestId('discard').waitFor();
  const stalled = stage.proxy.limit(MiB);
  const again = page.waitForRequest((request) => request.method() === 'PATCH');
  await page.locator('#resume').click();
  await Promise.all([again, stalled]);
  await second.getByTestId('discard').click(); // its list is an old one
  await second.locator('#notice', { hasText: 'Another window is sending' }).waitFor();
  await page.locator('#pause').click();
  await pick(second, second.getByTestId('go-on'), file);
  await second.locator('#upload[data-state=running]').waitFor();
  await page.locator('#stop').click();
  await page.getByTestId('confirm-yes').click();
  await page.getByTestId('log').getByText('Stopped').waitFor();
  stage.proxy.drop();
  stage.proxy.restore();
  await bare.finished(second);
  assert.equal(seen.creations, 1);
  assert.equal(await sha256OfUrl(`${stage.site}/files/${seen.id}`, stage.holdfast.token), await sha256OfFile(file));
});

scene('a file that another tab made of a paused upload stays when that is stopped', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'paused and finished.bin'), 12 * MiB, 75);
  await page.goto(withToken('/tus.html'));
  stage.proxy.limit(9 * MiB);
  await bare.choose(page, file);
  await bare.start(page);
  await stage.committed(8 * MiB);
  const second = await page.context().newPage();
  await page.locator('#pause').click();
  stage.proxy.drop();
  stage.proxy.restore();
  await second.goto(`${stage.site}/tus.html`);
  await pick(second, second.getByTestId('go-on'), file);
  await bare.finished(second);
  await page.locator('#stop').click();
  await page.getByTestId('confirm-yes').click();
  await page.getByTestId('log').getByText('Stopped').waitFor();
  assert.equal(await sha256OfUrl(`${stage.site}/files/${seen.id}`, stage.holdfast.token), await sha256OfFile(file));
});

scene('another user of the same browser neither sees an unfinished upload nor ends it', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'of the first user.bin'), 12 * MiB, 73);
  await page.goto(withToken('/tus.html'));
  stage.proxy.limit(9 * MiB);
  await bare.choose(page, file);
  await bare.start(page);
  await stage.committed(8 * MiB);
  const first = seen.id;
  await page.goto('about:blank');
  stage.proxy.drop();
  stage.proxy.restore();
  await page.goto(`${stage.site}/tus.html#token=${await stage.holdfast.tokenFor(2)}`);
  await page.getByTestId('unfinished').waitFor({ state: 'attached' });
  assert.ok(await page.locator('#unfinished').isHidden());
  await bare.choose(page, file);
  await bare.start(page);
  await bare.finished(page);
  assert.notEqual(seen.id, first);
  await page.goto('about:blank');
  await page.goto(withToken('/tus.html'));
  await pick(page, page.getByTestId('go-on'), file);
  await bare.finished(page);
  assert.equal(seen.id, first, 'the first user went on');
  assert.ok(seen.offsets.at(-1) >= 8 * MiB, `${seen.offsets}`);
});

for (const [name, client] of [['Uppy', uppy], ['tus-js-client', bare]]) {
  scene(`a page that has much else to do, and a service that starts, find what is unfinished: ${name}`, async (page, seen) => {
    const file = await writeContent(join(stage.folder, `busy ${name}.bin`), 12 * MiB, 70);
    await page.goto(withToken(client.path));
    stage.proxy.limit(9 * MiB);
    await client.choose(page, file);
    await client.start(page);
    await stage.committed(8 * MiB);
    await page.addInitScript(() => { // each lock is asked for just before work that takes a while
      const { request } = navigator.locks;
      navigator.locks.request = function (...args) {
        const answer = request.apply(this, args);
        for (const end = performance.now() + 1500; performance.now() < end;);
        return answer;
      };
    });
    const byProxy = { status: 404, contentType: 'text/plain', body: '404 page not found' }; // it does not see the service yet
    const refusals = [{ status: 503, headers: { 'Retry-After': '1' }, body: '' }, byProxy];
    await page.route(`**/files/tus/${seen.id}`, (route) => (route.request().method() === 'HEAD' && refusals.length > 0
      ? route.fulfill(refusals.shift()) : route.continue()));
    await stage.reload(page);
    await page.getByTestId('unfinished').locator('li').waitFor();
    refusals.push(byProxy);
    await client.choose(page, file);
    await client.start(page);
    await client.finished(page);
    assert.equal(refusals.length, 0);
    assert.equal(seen.creations, 1, 'the same upload went on');
    assert.ok(seen.offsets.at(-1) >= 8 * MiB, `it went on: ${seen.offsets}`);
  });
}

scene('on slow 3G the page shows the speed and the time left, and the sum is compared at the end', async (page) => {
  const cdp = await page.context().newCDPSession(page);
  await page.goto(withToken('/tus.html'));
  await cdp.send('Network.enable');
  await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 });
  await bare.choose(page, await writeContent(join(stage.folder, 'slow.bin'), 300_000, 63));
  await bare.start(page);
  await page.getByTestId('speed').filter({ hasText: /^\d[\d.]* KB\/s$/ }).waitFor();
  await page.getByTestId('left').filter({ hasText: / s$/ }).waitFor();
  await bare.finished(page);
  assert.match(await page.getByTestId('status').innerText(), /compared: what is stored is the same/);
});

scene('a file that has changed while it was interrupted is not kept', async (page, seen) => {
  const path = await writeContent(join(stage.folder, 'changing.bin'), 12 * MiB, 64);
  await utimes(path, 1e9, 1e9);
  await page.goto(withToken('/tus.html'));
  stage.proxy.limit(9 * MiB);
  await bare.choose(page, path);
  await bare.start(page);
  await stage.committed(8 * MiB);
  await stage.reload(page);
  const bytes = await readFile(path);
  bytes[0] ^= 1; // name, size and date stay the same
  await writeFile(path, bytes);
  await utimes(path, 1e9, 1e9);
  await pick(page, page.getByTestId('go-on'), path);
  await page.locator('#notice', { hasText: 'It was not kept: upload it again.' }).waitFor();
  assert.ok(seen.offsets.at(-1) >= 8 * MiB, `it went on with what was there: ${seen.offsets}`);
  assert.equal((await stored(seen.id)).status, 404);
});

scene('an upload that comes too soon after others waits as long as the service says', async (page, seen) => {
  let limited = true;
  await page.route('**/files/tus/', (route) => (limited
    ? route.fulfill({ status: 429, headers: { 'Retry-After': '2' }, json: { detail: 'Rate limit exceeded', retry_after: 2 } })
    : route.continue()));
  await page.goto(withToken('/tus.html'));
  await bare.choose(page, await writeContent(join(stage.folder, 'soon.bin'), 1000, 68));
  await bare.start(page);
  await page.getByTestId('log').getByText('Too many requests. Wait a moment and try again. Attempt 1 in 2 s.').waitFor();
  limited = false;
  await bare.finished(page);
  assert.equal(seen.creations, 2);
});

scene('an upload that is paused and resumed while it waits is begun once', async (page, seen) => {
  let answer;
  const held = new Promise((resolve) => { answer = resolve; });
  await page.route('**/files/tus/', async (route) => {
    if (seen.creations === 1) return route.fulfill({ status: 429, headers: { 'Retry-After': '2' }, body: '' });
    await held;
    return route.continue();
  });
  await page.clock.install();
  await page.goto(withToken('/tus.html'));
  await bare.choose(page, await writeContent(join(stage.folder, 'paused.bin'), 1000, 69));
  await bare.start(page);
  await page.getByTestId('log').getByText('Attempt 1 in 2 s.').waitFor();
  await page.locator('#pause').click();
  const second = page.waitForRequest('**/files/tus/');
  await page.locator('#resume').click();
  await second;
  await page.clock.runFor(5000); // the first request's delay is over
  answer();
  await bare.finished(page);
  assert.equal(seen.creations, 2);
});

scene('Uppy goes on with an unfinished upload from the list, and leaves system files out', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'listed.bin'), 12 * MiB, 67);
  await page.goto(withToken('/'));
  await uppy.choose(page, { name: 'Thumbs.db', mimeType: '', buffer: Buffer.from('x') });
  await page.locator('#notice', { hasText: 'belongs to the operating system' }).waitFor();
  stage.proxy.limit(9 * MiB);
  await uppy.choose(page, file);
  await uppy.start(page);
  await stage.committed(8 * MiB);
  await stage.reload(page);
  await page.getByTestId('go-on').waitFor();
  await uppy.choose(page, file);
  await page.getByTestId('go-on').waitFor({ state: 'hidden' });
  await page.locator('.uppy-Dashboard-Item-action--remove').click(); // it was not sent
  await utimes(file, 1e9, 1e9); // a copy of the file, from elsewhere
  await pick(page, page.getByTestId('go-on'), file);
  await uppy.finished(page);
  assert.equal(seen.creations, 1);
  assert.ok(seen.offsets.at(-1) >= 8 * MiB, `it went on: ${seen.offsets}`);
  assert.ok(await page.locator('#unfinished').isHidden());
  assert.equal(await sha256OfUrl(`${stage.site}/files/${seen.id}`, stage.holdfast.token), await sha256OfFile(file));
});

scene('Uppy leaves an upload of an old list to the tab that goes on with it', async (page, seen) => {
  const file = await writeContent(join(stage.folder, 'listed twice.bin'), 12 * MiB, 74);
  await page.goto(withToken('/'));
  stage.proxy.limit(9 * MiB);
  await uppy.choose(page, file);
  await uppy.start(page);
  await stage.committed(8 * MiB);
  await stage.reload(page);
  const second = await page.context().newPage();
  await second.goto(`${stage.site}/`);
  await second.getByTestId('go-on').waitFor();
  const stalled = stage.proxy.limit(MiB);
  await pick(page, page.getByTestId('go-on'), file);
  await stalled;
  await pick(second, second.getByTestId('go-on'), file);
  await second.locator('#notice', { hasText: 'Another window is sending' }).waitFor();
  await second.getByTestId('go-on').waitFor();
  assert.equal(await second.locator('.uppy-Dashboard-Item').count(), 0);
  stage.proxy.drop();
  stage.proxy.restore();
  await uppy.finished(page);
  assert.equal(seen.creations, 1);
});

scene('an unfinished upload is discarded', async (page, seen) => {
  await page.goto(withToken('/tus.html'));
  const standing = stage.proxy.limit(3 * MiB);
  await bare.choose(page, await writeContent(join(stage.folder, 'discarded.bin'), 8 * MiB, 65));
  await bare.start(page);
  await standing;
  await stage.reload(page);
  await pick(page, page.getByTestId('go-on'), { name: 'another.bin', mimeType: '', buffer: Buffer.from('x') });
  await page.locator('#notice', { hasText: 'Choose “discarded.bin” again' }).waitFor();
  await accessible(page, 'an unfinished upload');
  await page.getByTestId('discard').click();
  await page.locator('#unfinished').waitFor({ state: 'hidden' });
  const head = await fetch(`${stage.site}/files/tus/${seen.id}`, {
    method: 'HEAD', headers: { 'Authorization': `Bearer ${stage.holdfast.token}`, 'Tus-Resumable': '1.0.0' },
  });
  assert.equal(head.status, 404);
});
