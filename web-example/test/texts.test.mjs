// The texts of the pages, in English and German.

import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { createServer } from 'vite';
import { textsOfPages } from './texts.mjs';

test('each text of the pages is there in German, with the same places, and none is left over', async (t) => {
  const root = resolve(import.meta.dirname, '..');
  const vite = await createServer({ root, configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false }, appType: 'custom', optimizeDeps: { noDiscovery: true } });
  t.after(() => vite.close());
  const { de } = await vite.ssrLoadModule('/src/ui/de.ts');
  const texts = await textsOfPages();
  assert.ok(texts.size > 80, 'the sources were read');
  assert.deepEqual([...texts].filter((text) => !(text in de)), []);
  assert.deepEqual(Object.keys(de).filter((text) => !texts.has(text)), []);
  const places = (text) => (text.match(/\{\w+\}/g) ?? []).sort().join();
  for (const [english, german] of Object.entries(de)) assert.equal(places(german), places(english), english);
});
