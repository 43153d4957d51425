// The package as it is published: what is in it, how large it is, and that a strict TypeScript project can use it.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';

const root = resolve(import.meta.dirname, '..');
const modules = join(root, 'node_modules');
const kB = 1000;

let project; // with the package in its node_modules, from the tarball
let unpacked;

before(() => {
  project = mkdtempSync(join(tmpdir(), 'holdfast-client-'));
  unpacked = join(project, 'node_modules/@holdfast/client');
  mkdirSync(unpacked, { recursive: true });
  execFileSync('tar', ['-xzf', join(root, 'holdfast-client.tgz'), '--strip-components=1', '-C', unpacked]);
  symlinkSync(join(modules, 'tus-js-client'), join(project, 'node_modules/tus-js-client'));
  writeFileSync(join(project, 'package.json'), '{"type": "module"}');
});

after(() => rmSync(project, { recursive: true, force: true }));

const read = (name) => readFileSync(join(unpacked, name), 'utf8');

test('the types are those of the description', () => {
  const made = execFileSync(process.execPath, [join(modules, 'openapi-typescript/bin/cli.js'), join(root, '../../openapi/openapi.yaml')], { encoding: 'utf8', maxBuffer: 1 << 24, stdio: ['ignore', 'pipe', 'ignore'] });
  assert.ok(made === readFileSync(join(root, 'src/openapi.ts'), 'utf8'), 'src/openapi.ts is another: npm run types');
});

test('it brings one dependency, and the licences of what is in it', () => {
  const { dependencies, peerDependencies } = JSON.parse(read('package.json'));
  assert.deepEqual([Object.keys(dependencies), peerDependencies], [['tus-js-client'], undefined]);
  for (const name of ['dist/index.js', 'dist/checksum.worker.js']) {
    const imported = [...read(name).matchAll(/^import .*? from "(.+)";$/gm)].map(([, from]) => from);
    assert.deepEqual(imported, name === 'dist/index.js' ? ['tus-js-client'] : []);
    assert.doesNotMatch(read(name), /\brequire\(/);
  }
  assert.match(read('dist/THIRD-PARTY.txt'), /marked[\s\S]*Permission is hereby granted[\s\S]*noble[\s\S]*MIT/);
  assert.match(read('LICENSE'), /Apache License/);
});

test('it is as small as the README says', () => {
  const readme = read('README.md');
  for (const name of ['dist/index.js', 'dist/checksum.worker.js']) {
    const size = Math.ceil(gzipSync(read(name)).length / kB);
    assert.ok(readme.includes(` ${size} kB `), `${name} has ${size} kB, and the README does not say that`);
    assert.ok(size <= 40, `${name} has ${size} kB`);
  }
});

test('the worker is where a bundler looks for it', () => {
  assert.ok(read('dist/index.js').includes('new URL("./checksum.worker.js", import.meta.url)'));
});

/** Checks a file of the project as strictly as TypeScript can. Returns the compiler's output. */
function check(source, resolution) {
  writeFileSync(join(project, 'use.ts'), source);
  const kind = resolution === 'bundler' ? 'esnext' : resolution;
  const { stdout } = spawnSync(process.execPath, [join(modules, 'typescript/bin/tsc'), '--noEmit', '--skipLibCheck', '--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess',
    '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable', '--module', kind, '--moduleResolution', resolution, 'use.ts'], { cwd: project, encoding: 'utf8' });
  return stdout;
}

for (const resolution of ['bundler', 'nodenext']) {
  test(`the README's example in a strict project (${resolution})`, () => {
    const [, example] = /```ts\n([\s\S]*?)```/.exec(read('README.md'));
    assert.equal(check(example, resolution), '');
    assert.match(check(example.replace('signedLink(id, 3600', "signedLink(id, 'long'"), resolution), /TS2345/);
  });
}

test('Node can import it', () => {
  const script = "import { connect, publicToken } from '@holdfast/client'; console.log(connect({ base: 'http://h/files/', maxFileSize: 1, credentials: publicToken('x') }).fileUrl('a b'))";
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: project, encoding: 'utf8' });
  assert.equal(said, 'http://h/files/a%20b\n');
});
