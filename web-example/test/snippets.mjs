// The browser snippets of docs/CLIENTS.md, each in a page of its own.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { extname, join, resolve } from 'node:path';
import { after, before } from 'node:test';
import { build } from 'vite';
import { shots } from './stage.mjs';

const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css' };

/** Reads the document before the tests of a file. `stage` has the service that the pages use. */
export function setSnippets(stage) {
  let text;
  let folder;
  const bundles = new Map(); // by script: a bundle takes a second of a processor

  before(async () => {
    text = await readFile(resolve(import.meta.dirname, '../../docs/CLIENTS.md'), 'utf8');
    await mkdir(shots, { recursive: true });
    folder = await mkdtemp(join(shots, 'clients-')); // within web-example, where imports find its node_modules
  });
  after(() => folder && rm(folder, { recursive: true, force: true }));

  async function bundle(name, script) {
    const root = await mkdtemp(join(folder, `${name}-`));
    // Uppy's wheel turns also where no motion is wanted, and each of its frames takes the time of a busy machine.
    await writeFile(join(root, 'index.html'), `<!doctype html><html lang="en"><meta charset="utf-8"><title>${name}</title>
      <style>* { animation: none !important }</style><body><!-- body --><script type="module" src="./main.jsx"></script></body></html>`);
    await writeFile(join(root, 'main.jsx'), script || 'export {};');
    await build({ root, base: './', logLevel: 'error', configFile: false, build: { target: 'es2022', modulePreload: false } });
    return root;
  }

  return {
    snippet(name) {
      const found = new RegExp(`<!-- test: ${name} -->\n\`\`\`[a-z]+\n([^]*?)\`\`\``).exec(text);
      assert.ok(found, `docs/CLIENTS.md has no ${name}`);
      return found[1];
    },

    /** Opens a page of the service's own origin that contains the snippet, bundled as in a product. */
    async open(page, name, { body = '', script = '', values }) {
      const root = bundles.get(script) ?? await bundle(name, script);
      bundles.set(script, root);
      const given = JSON.stringify({ url: stage.holdfast.base, token: stage.holdfast.token, ...values });
      const index = (await readFile(join(root, 'dist', 'index.html'), 'utf8'))
        .replace('<!-- body -->', () => `<script>window.holdfast = ${given};</script>${body}`);
      await page.route(`${stage.site}/clients/**`, async (route) => {
        const path = new URL(route.request().url()).pathname.replace('/clients/', '') || 'index.html';
        await route.fulfill({ contentType: types[extname(path)], body: path === 'index.html' ? index : await readFile(join(root, 'dist', path)) });
      });
      await page.goto(`${stage.site}/clients/`);
    },
  };
}

const dashboard = {
  body: '<div id="uppy"></div>',
  choose: (page, files) => page.locator('.uppy-Dashboard-input').first().setInputFiles(files),
  goOn: (page) => page.locator('.uppy-StatusBar-actionBtn--upload').click(),
};

/** How a user uploads with each of them. */
export const uploaders = {
  'tus-js-client': {
    body: '<input type="file" id="file" multiple>',
    choose: (page, files) => page.locator('#file').setInputFiles(files),
    goOn: async () => {},
  },
  'react': {
    body: '<div id="root"></div>',
    choose: (page, files) => page.locator('#file').setInputFiles(files),
    goOn: async () => {},
  },
  'uppy': dashboard,
  'uppy direct': dashboard,
};
