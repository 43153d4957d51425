// Finds the English texts of the pages: those of t('…') in the sources, and of [data-t] in HTML.

import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

export async function textsOfPages() {
  const texts = new Set();
  for (const folder of ['src/ui', 'src/pages']) {
    for (const name of await readdir(join(root, folder))) {
      for (const text of called(await readFile(join(root, folder, name), 'utf8'))) texts.add(text);
    }
  }
  for (const name of (await readdir(root)).filter((one) => one.endsWith('.html'))) {
    const html = await readFile(join(root, name), 'utf8');
    for (const [, text] of html.matchAll(/ data-t>([^<]*)</g)) texts.add(text);
    for (const [tag] of html.matchAll(/<[^>]* data-t-label[^>]*>/g)) texts.add(/aria-label="([^"]*)"/.exec(tag)[1]);
  }
  return texts;
}

/** The strings in the first argument of each call of t: one, or those of a condition. */
function* called(code) {
  for (const { index } of code.matchAll(/(?<![\w.])t\(/g)) {
    let depth = 0;
    for (const { 0: token } of code.slice(index + 2).matchAll(/'((?:[^'\\]|\\.)*)'|[(),]/g)) {
      if (token.startsWith("'") && token.length > 2) yield token.slice(1, -1);
      else if (token.startsWith("'")) continue;
      else if (token === '(') depth++;
      else if (depth === 0) break;
      else if (token === ')') depth--;
    }
  }
}
