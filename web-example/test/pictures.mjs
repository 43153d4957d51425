// Takes the README's screenshot of the real program: `make pictures`.

import { mkdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { writeContent, picture } from './files.mjs';
import { startHoldfast } from './holdfast.mjs';
import { startProxy } from './proxy.mjs';
import { launch, MiB, uppy } from './stage.mjs';

const folder = resolve(import.meta.dirname, '../../docs/pictures');
await mkdir(folder, { recursive: true });
let holdfast;
const proxy = await startProxy(() => holdfast?.port);
const site = `http://127.0.0.1:${proxy.port}`;
holdfast = await startHoldfast({ env: { PUBLIC_URL: `${site}/files` } });
const browser = await launch();
const film = resolve(holdfast.dataDir, 'Interview, second take.mov');

/** Uploads a small file without a browser. */
async function put(name, type, bytes) {
  const encode = (text) => Buffer.from(text).toString('base64');
  await fetch(`${site}/files/tus/`, {
    method: 'POST',
    headers: {
      'Authorization': `Bearer ${holdfast.token}`, 'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream',
      'Upload-Length': String(bytes.length), 'Upload-Metadata': `filename ${encode(name)},filetype ${encode(type)}`,
    },
    body: bytes,
  });
}

try {
  await put('Harbour at dawn.png', 'image/png', picture(640, 400));
  await put('Contract, signed.pdf', 'application/pdf', Buffer.alloc(482_113));
  await put('Minutes of 12 May.md', 'text/markdown', Buffer.from('# Minutes\n'.repeat(180)));
  await writeContent(film, 90 * MiB, 1);
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ viewport: { width: 1080, height: 900 }, colorScheme, reducedMotion: 'reduce' });
    const page = await context.newPage();
    await page.goto(`${site}/#token=${holdfast.token}`);
    await uppy.choose(page, film);
    const standing = proxy.limit(58 * MiB);
    await uppy.start(page);
    await standing;
    await page.waitForTimeout(1500); // for the numbers on the page, which are updated at intervals
    await page.screenshot({ path: resolve(folder, `${colorScheme}.png`), fullPage: true, animations: 'disabled' });
    await context.close();
    proxy.restore();
  }
} finally {
  await browser.close();
  await proxy.close();
  await rm(film, { force: true });
  await holdfast.stop();
}
