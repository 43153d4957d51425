// Files from the server, shown in a real Chromium: a video, a picture, an SVG that tries to run a script,
// a PDF.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { inflateSync } from 'node:zlib';
import { pdf, picture } from './files.mjs';
import { startHoldfast } from './holdfast.mjs';
import { launch, shots } from './stage.mjs';

let browser;
let holdfast;
let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-download-'));
  holdfast = await startHoldfast({ env: { PDF_FRAME_OPTIONS: 'SAMEORIGIN' } });
  // The new headless mode, which is the complete browser: the other has no PDF viewer.
  browser = await launch({ headless: false, args: ['--headless=new', '--autoplay-policy=no-user-gesture-required'] });
});

after(async () => {
  await browser?.close();
  if (holdfast) assert.equal(await holdfast.stop(), 0, 'SIGTERM ends the server cleanly');
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** A test with a new browser profile, and a list of the browser's requests. */
function scene(name, run) {
  test(name, { timeout: 300_000 }, async () => {
    const context = await browser.newContext({ viewport: { width: 800, height: 600 } });
    const page = await context.newPage();
    page.setDefaultTimeout(120_000);
    const seen = [];
    page.on('response', async (response) => {
      seen.push({ url: response.url(), status: response.status(), headers: response.headers() });
    });
    try {
      await run(page, seen, (shot) => page.screenshot({ path: join(shots, `${shot}.png`) }));
    } finally {
      await context.close();
    }
  });
}

/** Uploads a file and creates a link that shows it. */
async function shown(name, type, bytes) {
  const encode = (text) => Buffer.from(text).toString('base64');
  const created = await fetch(holdfast.tus, {
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
  assert.equal(created.status, 201, await created.text());
  const file = `${holdfast.base}/${created.headers.get('Location').split('/').pop()}`;
  const link = await fetch(`${file}/links`, {
    method: 'POST',
    headers: { 'Authorization': `Bearer ${holdfast.token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ expires_in: 600, disposition: 'inline' }),
  });
  assert.equal(link.status, 201);
  return (await link.json()).url;
}

/** Opens an empty page of the server's origin, without a Content-Security-Policy. */
async function blank(page) {
  const { origin } = new URL(holdfast.base);
  await page.route(`${origin}/blank`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>blank</title>' }));
  await page.goto(`${origin}/blank`);
}

/** A video of twelve seconds with noise, so that it is large enough to be fetched in several ranges. */
async function film() {
  const path = join(folder, 'film.webm');
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=12:duration=12,noise=alls=60:allf=t',
    '-f', 'lavfi', '-i', 'sine=frequency=440:duration=12', '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-threads', '1', '-b:v', '6M',
    '-c:a', 'libopus', path]);
  return readFile(path);
}

scene('a film plays, and seeks to where its end is', async (page, seen, shot) => {
  const bytes = await film();
  const link = await shown('film.webm', 'video/webm', bytes);
  await blank(page);
  const played = await page.evaluate(async (src) => {
    const video = Object.assign(document.createElement('video'), { src, muted: true, preload: 'metadata' });
    document.body.append(video);
    const happens = (event) => new Promise((resolve, reject) => {
      video.addEventListener(event, resolve, { once: true });
      video.addEventListener('error', () => reject(new Error(video.error.message)), { once: true });
    });
    await happens('loadedmetadata');
    const { duration, videoWidth } = video;
    await video.play();
    await new Promise((resolve) => { video.ontimeupdate = () => video.currentTime > 0.5 && resolve(); });
    const sought = happens('seeked');
    video.currentTime = 10;
    await sought;
    await new Promise((resolve) => { video.ontimeupdate = () => video.currentTime > 10.3 && resolve(); });
    video.pause();
    return { duration, videoWidth, at: video.currentTime };
  }, link);
  await shot('download-film');
  assert.ok(Math.abs(played.duration - 12) < 0.5 && played.videoWidth === 320 && played.at > 10.3, JSON.stringify(played));
  const pieces = seen.filter(({ url, status }) => url === link && status === 206).map(({ headers }) => headers['content-range']);
  assert.ok(pieces.some((range) => Number(/bytes (\d+)-/.exec(range)[1]) > 0), `a piece from within the file was fetched: ${pieces}`);
  assert.ok(pieces.every((range) => range.endsWith(`/${bytes.length}`)), `${pieces}`);
});

scene('a film opened by itself plays under its policy', async (page, _seen, shot) => {
  await page.goto(await shown('alone.webm', 'video/webm', await readFile(join(folder, 'film.webm'))));
  const video = page.locator('video');
  await video.evaluate((element) => new Promise((resolve, reject) => {
    element.addEventListener('error', () => reject(new Error('it does not play')));
    const look = () => (element.readyState >= 2 && element.videoWidth === 320 ? resolve() : setTimeout(look, 50));
    look();
  }));
  await shot('download-film-alone');
});

scene('a picture is shown, in a page and by itself', async (page, _seen, shot) => {
  const link = await shown('sea.png', 'image/png', picture(640, 400));
  await blank(page);
  assert.equal(await width(page, link), 640);
  await page.goto(link);
  assert.equal(await page.locator('img').evaluate((img) => img.naturalWidth), 640);
  await shot('download-picture');
});

/** Adds an <img> to the page and returns its natural width. */
const width = (page, src) => page.evaluate(async (src) => {
  const img = Object.assign(document.createElement('img'), { src });
  document.body.append(img);
  await img.decode();
  return img.naturalWidth;
}, src);

scene('a drawing is shown and what is in it runs nowhere', async (page, seen, shot) => {
  const { origin } = new URL(holdfast.base);
  const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200" onload="ran('onload')">
    <rect width="300" height="200" fill="#0b6e76"/><circle cx="150" cy="100" r="60" fill="#ffd68c"/>
    <script>function ran(how) { document.title = 'ran'; new Image().src = '${origin}/ran?' + how; } ran('script');</script>
    <image href="${origin}/ran?image" width="1" height="1"/>
    <foreignObject width="10" height="10"><iframe xmlns="http://www.w3.org/1999/xhtml" src="${origin}/ran?frame"></iframe></foreignObject>
  </svg>`;
  const link = await shown('drawing.svg', 'image/svg+xml', Buffer.from(drawing));
  await blank(page);
  assert.equal(await width(page, link), 300);
  await shot('download-drawing-in-page');
  await page.goto(link);
  await page.locator('circle').waitFor();
  await page.waitForTimeout(500); // so that a script that must not run would have run
  await shot('download-drawing');
  assert.equal(await page.title(), '');
  assert.equal(await page.evaluate(() => typeof ran), 'undefined');
  assert.equal(await page.evaluate(() => globalThis.origin), 'null', 'it has no origin, and so no cookies');
  assert.deepEqual(seen.filter(({ url }) => url.includes('/ran')), [], 'nothing it names was fetched');
  assert.ok(seen.some(({ url, headers }) => url === link && headers['content-security-policy'].startsWith('sandbox;')));
});

scene('a PDF is shown by itself, and in a frame of the same origin', async (page, seen, shot) => {
  const link = await shown('letter.pdf', 'application/pdf', pdf('Hold fast.'));
  await page.goto(link);
  await paper(page, 560, 400);
  await shot('download-pdf');
  await blank(page);
  await page.evaluate((src) => document.body.append(Object.assign(document.createElement('iframe'), { src, width: 700, height: 500 })), link);
  await paper(page, 350, 300);
  await shot('download-pdf-in-frame');
  const { headers } = seen.find(({ url }) => url === link);
  assert.equal(headers['x-frame-options'], 'SAMEORIGIN');
});

/** Waits until Chromium's viewer has drawn a page of the PDF at this position. */
async function paper(page, x, y) {
  for (const end = Date.now() + 120_000; ;) {
    const colour = await pixel(page, x, y);
    if (colour.join() === '255,255,255') return;
    assert.ok(Date.now() < end, `no paper at ${x}, ${y}, but ${colour}; frames: ${page.frames().map((frame) => frame.url())}`);
    await page.waitForTimeout(100);
  }
}

/** Returns the colour of one pixel of a screenshot: the only row of the PNG is a filter byte and the colour. */
async function pixel(page, x, y) {
  const png = await page.screenshot({ clip: { x, y, width: 1, height: 1 } });
  const data = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  return [...inflateSync(Buffer.concat(data)).subarray(1, 4)];
}

scene('text and a table: one is shown, the other saved', async (page) => {
  await page.goto(await shown('note.txt', 'text/plain', Buffer.from('<b>Hold</b> fast.')));
  assert.equal(await page.locator('body').innerText(), '<b>Hold</b> fast.');
  const link = await shown('table.csv', 'text/csv', Buffer.from('a,b'));
  const [saved] = await Promise.all([page.waitForEvent('download'), page.goto(link).catch(() => {})]);
  assert.equal(saved.suggestedFilename(), 'table.csv');
});
