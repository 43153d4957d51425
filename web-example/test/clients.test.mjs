// The snippets of docs/CLIENTS.md that live in a browser, as they stand there, against the real program behind a
// line that is cut. Those of the command line are run by internal/doctest/clients_test.go.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { after, before } from 'node:test';
import { promisify } from 'node:util';
import { build } from 'vite';
import { sha256OfFile, sha256OfUrl, writeContent } from './files.mjs';
import { download, MiB, setStage, shots } from './stage.mjs';

const stage = setStage();
const { scene } = stage;

let text;
let folder;

before(async () => {
  text = await readFile(resolve(import.meta.dirname, '../../docs/CLIENTS.md'), 'utf8');
  await mkdir(shots, { recursive: true });
  folder = await mkdtemp(join(shots, 'clients-')); // within web-example, where imports find its node_modules
});
after(() => folder && rm(folder, { recursive: true, force: true }));

function snippet(name) {
  const found = new RegExp(`<!-- test: ${name} -->\n\`\`\`[a-z]+\n([^]*?)\`\`\``).exec(text);
  assert.ok(found, `docs/CLIENTS.md has no ${name}`);
  return found[1];
}

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

/** Opens a page of the service's own origin that has the snippet in it, bundled as a product would. */
async function open(page, name, { body = '', script = '', values }) {
  const root = await mkdtemp(join(folder, `${name}-`));
  const given = JSON.stringify({ url: stage.holdfast.base, token: stage.holdfast.token, ...values });
  await writeFile(join(root, 'index.html'), `<!doctype html><html lang="en"><meta charset="utf-8"><title>${name}</title>
    <body><script>window.holdfast = ${given};</script>${body}<script type="module" src="./main.js"></script></body></html>`);
  await writeFile(join(root, 'main.js'), script || 'export {};');
  await build({ root, base: './', logLevel: 'error', configFile: false, build: { target: 'es2022', modulePreload: false } });
  await page.route(`${stage.site}/clients/**`, async (route) => {
    const path = new URL(route.request().url()).pathname.replace('/clients/', '') || 'index.html';
    await route.fulfill({ contentType: types[extname(path)], body: await readFile(join(root, 'dist', path)) });
  });
  await page.goto(`${stage.site}/clients/`);
}

const uploaders = {
  'tus-js-client': { body: '<input type="file" id="file">', choose: (page, file) => page.locator('#file').setInputFiles(file), goOn: async () => {} },
  'uppy': {
    body: '<div id="uppy"></div>',
    choose: (page, file) => page.locator('.uppy-Dashboard-input').first().setInputFiles(file),
    goOn: (page) => page.locator('.uppy-StatusBar-actionBtn--upload').click(),
  },
};

for (const [name, { body, choose, goOn }] of Object.entries(uploaders)) {
  scene(`${name} over a line that is cut, and after a reload`, async (page, seen) => {
    const file = await writeContent(join(stage.folder, `${name}.mp4`), 24 * MiB, name.length);
    await open(page, name, { body, script: snippet(name) });

    let standing = stage.proxy.limit(8 * MiB);
    await choose(page, file);
    await goOn(page);
    await standing;
    const noticed = page.waitForEvent('requestfailed');
    stage.proxy.cut();
    await noticed;
    stage.proxy.restore();
    standing = stage.proxy.limit(8 * MiB);
    await standing;

    await page.reload();
    stage.proxy.restore();
    await choose(page, file);
    await goOn(page);
    const stored = await page.waitForFunction(() => document.body.dataset.file).then((handle) => handle.jsonValue());
    assert.equal(stored, `${stage.holdfast.base}/${seen.id}`);
    assert.equal(await sha256OfUrl(stored, stage.holdfast.token), await sha256OfFile(file));
    assert.equal(seen.creations, 1, 'one upload was begun');
    assert.ok(seen.offsets.length >= 3 && seen.offsets.at(-1) > seen.offsets.at(-2) && seen.offsets.at(-2) > 0, `it went on from ${seen.offsets}`);
  });
}

scene('a film plays and seeks by a signed link, and is saved', async (page) => {
  const path = join(stage.folder, 'film.webm');
  await promisify(execFile)('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=12:duration=12,noise=alls=60:allf=t',
    '-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-b:v', '6M', path]);
  const id = await stage.put('film.webm', 'video/webm', await readFile(path));
  await open(page, 'page', { body: snippet('page'), values: { file: `${stage.holdfast.base}/${id}` } });
  await page.locator('#save[href*=signature]').waitFor();
  const at = await page.locator('#film').evaluate(async (video) => {
    const until = (event) => new Promise((happened) => { video.addEventListener(event, happened, { once: true }); });
    if (video.readyState < 1) await until('loadedmetadata');
    video.currentTime = 10;
    await until('seeked');
    return video.currentTime;
  });
  assert.equal(at, 10);
  assert.equal(await download(page, page.locator('#save')), await sha256OfFile(path));
});
