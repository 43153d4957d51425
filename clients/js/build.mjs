// Builds dist/ and packs it: holdfast-client.tgz is what the pages and the tests use, and what would be published.
// marked and @noble/hashes are part of the bundle, so that a product gets one dependency with it, tus-js-client.

import { execFileSync } from 'node:child_process';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const root = import.meta.dirname;
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });

const run = (file, ...args) => execFileSync(process.execPath, [file, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
run(join(root, 'node_modules/typescript/bin/tsc'));

// The worker stays a file of its own: the product's bundler finds it by `new URL('./checksum.worker.js', import.meta.url)`.
for (const input of ['index', 'checksum.worker']) {
  const bundle = await rolldown({ input: join(root, `src/${input}.ts`), external: ['tus-js-client'], platform: 'browser' });
  await bundle.write({ file: join(dist, `${input}.js`), format: 'esm', minify: { compress: true, mangle: false, codegen: false } });
  await bundle.close();
}

const licences = ['marked/LICENSE', '@noble/hashes/LICENSE'].map((name) => `${name}\n\n${readFileSync(join(root, 'node_modules', name), 'utf8')}`);
writeFileSync(join(dist, 'THIRD-PARTY.txt'), licences.join('\n'));

const packed = JSON.parse(execFileSync('npm', ['pack', '--json', '--ignore-scripts'], { cwd: root, encoding: 'utf8' }));
renameSync(join(root, packed[0].filename), join(root, 'holdfast-client.tgz'));
