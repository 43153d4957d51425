// The library's own rules, without a browser or a server.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import http from 'node:http';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import * as tus from 'tus-js-client';
import { createServer } from 'vite';

const root = resolve(import.meta.dirname, '..');
const base = 'https://files.example.com/files';
const id = '6fa459ea-ee8a-3ca4-894e-db77e160355e';
const url = `${base}/${id}`;

let vite; // it compiles TypeScript, as it does for the pages
let lib;

before(async () => {
  vite = await createServer({ root, configFile: false, logLevel: 'error', server: { middlewareMode: true, ws: false }, appType: 'custom', optimizeDeps: { noDiscovery: true } });
  lib = await vite.ssrLoadModule('/src/index.ts');
});

after(() => vite?.close());

const service = () => lib.connect({ base: `${base}/`, maxFileSize: 100, credentials: lib.bearer(() => 'hf_x') });

/** Returns the names of a text's files; an image has a "!" before its name. */
const names = (text) => service().parseMarkdownFiles(text).map(({ name, image }) => (image ? `!${name}` : name));

for (const [what, text, ...want] of [
  ['a file', `[a.pdf](${url})`, 'a.pdf'],
  ['an image', `![a.png](${url})`, '!a.png'],
  ['brackets in a label', `[a [1] b.pdf](${url})`, 'a [1] b.pdf'],
  ['escaped brackets', `[a \\[1 b\\].pdf](${url})`, 'a [1 b].pdf'],
  ['escaped brackets of an image', `![a \\] \\*b\\*.png](${url})`, '!a ] *b*.png'],
  ['parentheses in a label', `[a (1).pdf](${url})`, 'a (1).pdf'],
  ['a backslash', `[a\\\\b.pdf](${url})`, 'a\\b.pdf'],
  ['emphasis in a label', `[**a** _b_ \`c&amp;*d*\`.pdf](${url})`, 'a b c&amp;*d*.pdf'],
  ['entities', `[a&amp;b&#33;&#x21;&lt;.pdf](${url})`, 'a&b!!<.pdf'],
  ['an escaped entity', `[a\\&amp;b.pdf](${url})`, 'a&amp;b.pdf'],
  ['an empty label', `[](${url})`, ''],
  ['a title', `[a.pdf](${url} "the (best) title")`, 'a.pdf'],
  ['a title in other quotes', `[a.pdf](${url} 'it')\n[b.pdf](${url}2 (it))`, 'a.pdf', 'b.pdf'],
  ['an address in angles', `[a.pdf](<${url}>)`, 'a.pdf'],
  ['several in a line', `x [a](${url}) and ![b](${url}2), [c](${url}3).`, 'a', '!b', 'c'],
  ['an image in a link', `[![a.png](${url})](${url}2)`, 'a.png', '!a.png'],
  ['the same file twice', `[a](${url}) [again](${url})`, 'a'],
  ['a reference', `see [a.pdf][1]\n\n[1]: ${url} "title"`, 'a.pdf'],
  ['a table, a list, a quote', `| x |\n|---|\n| [a](${url}) |\n\n- [b](${url}2)\n\n> [c](${url}3)`, 'a', 'b', 'c'],
  ['a path of the same host', `[a](/files/${id})`, 'a'],
  ['a signed link', `[a](${url}?disposition=inline&expires=1&signature=x)`, 'a'],
  ['Windows line ends', `[a](${url})\r\n\r\n[b](${url}2)`, 'a', 'b'],
  // These are not files:
  ['links elsewhere', `[a](https://example.com/files/${id}) [b](https://files.example.com/other/${id})`],
  ['a host that only begins alike', `[a](https://files.example.com.evil.org/files/${id})`],
  ['a path that only begins alike', `[a](https://files.example.com/filesystem/${id})`],
  ['an upload in progress', `[a](${base}/tus/${id})`],
  ['the base alone, and short ids', `[a](${base}/) [b](${base}) [c](${base}/abc)`],
  ['other schemes', `[a](javascript:alert(1)) [b](mailto:a@b.de) [c](http://files.example.com/files/${id})`],
  ['a path that climbs out', `[a](${base}/../${id})`],
  ['a bare address', `${url} <${url}>`],
  ['code', `\`[a](${url})\` and \`\`x \` [b](${url})\`\``],
  ['a fenced block', `~~~md\n[a](${url})\n~~~\n\n\`\`\`\n[b](${url})\n\`\`\``],
  ['an indented block', `text\n\n    [a](${url})`],
  ['an escaped link', `\\[a](${url}) [b\\](${url})`],
  ['a link that is not finished', `[a](${url}`],
  ['no text', ''],
]) {
  test(`markdown: ${what}`, () => assert.deepEqual(names(text), want));
}

/** Runs a test with the locks of a browser in which nothing else happens; `delay` is when a lock's holder is called. */
async function withLocks(delay, run) {
  const held = new Set();
  const own = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  const locks = {
    query: async () => ({ held: [...held].map((name) => ({ name })), pending: [] }),
    async request(name, { ifAvailable }, use) {
      assert.ok(ifAvailable, 'no request waits');
      if (held.has(name)) return use(null);
      held.add(name);
      await delay;
      return Promise.resolve(use({ name })).finally(() => held.delete(name));
    },
  };
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  tus.defaultOptions.urlStorage = { findAllUploads: async () => [] };
  try {
    await run(held, (await vite.ssrLoadModule('/src/claims.ts')).Claims);
  } finally {
    delete globalThis.navigator;
    if (own) Object.defineProperty(globalThis, 'navigator', own);
  }
}

test('who looks whether an upload is claimed claims nothing', () => withLocks(null, async (held, Claims) => {
  const upload = { uploadUrl: url };
  assert.equal(await Claims.isClaimed(upload), false);
  assert.equal(held.size, 0);
  const claims = new Claims();
  assert.equal(await claims.claim(url), true);
  assert.equal(await Claims.isClaimed(upload), true);
  assert.equal(await new Claims().claim(url), false);
  claims.release();
  assert.equal(await new Claims().claim(url), true);
}));

test('a claim that comes after the release is given back', async () => {
  let answer;
  await withLocks(new Promise((resolve) => { answer = resolve; }), async (held, Claims) => {
    const claims = new Claims();
    const claimed = claims.claim(url);
    assert.equal(held.size, 1);
    claims.release();
    answer();
    await claimed;
    await new Promise((next) => setImmediate(next));
    assert.equal(held.size, 0);
  });
});

test('requests that are refused together renew the credentials once', async () => {
  const { renewed } = await vite.ssrLoadModule('/src/credentials.ts');
  let [token, renewals] = ['old', 0];
  const credentials = lib.bearer(() => token, async () => {
    await new Promise((next) => setImmediate(next));
    token = `new ${++renewals}`;
  });
  const refused = await credentials.headers();
  await Promise.all(Array.from({ length: 20 }, () => renewed(credentials, refused)));
  assert.equal(renewals, 1);
  await renewed(credentials, await credentials.headers());
  assert.equal(renewals, 2, 'a later refusal renews them again');
});

test('a computer’s clock that is set back makes no upload wait for longer', async () => {
  const { untilTurn } = await vite.ssrLoadModule('/src/rate-limit.ts');
  const refused = { getHeader: () => '2' };
  const wall = Date.now;
  assert.ok(untilTurn(base, refused) <= 2000);
  Date.now = () => wall() - 3_600_000;
  try {
    assert.ok(untilTurn(base, refused) <= 4000, 'behind the one before');
  } finally {
    Date.now = wall;
  }
});

test('any name that is written as a link is read back', () => {
  for (const name of ['a.pdf', 'a [1].pdf', 'a ] b [ c.pdf', 'a\\', '\\[x\\]', 'a*b*_c_~~d~~`e`.png', '<b>&amp;.txt', '![x](y)', 'http://a.de www.b.de c@d.de', '(1', 'Zażółć 报告 🙂.png']) {
    for (const image of [true, false]) {
      const [found, ...more] = service().parseMarkdownFiles(`before ${lib.markdownLink(name, url, image)} after`);
      assert.deepEqual([found?.name, found?.image, found?.url, more.length], [name, image, url, 0]);
    }
  }
});

test('a long and hostile text is read in no time', () => {
  for (const text of ['['.repeat(20_000), '![a'.repeat(10_000), `[a](${'('.repeat(10_000)}`, '`'.repeat(20_000), `[a](${url})\n`.repeat(5_000)]) {
    assert.ok(names(text).length <= 1);
  }
});

for (const [type, ...given] of [
  ['image', 'a.PNG'], ['image', 'photo.heic'], ['image', 'drawing.svg'],
  ['video', 'film.webm'], ['audio', 'voice.m4a'], ['pdf', 'a.b.PDF'],
  ['file', 'archive.tar.gz'], ['file', 'png'], ['file', '.png'], ['file', ''], ['file', 'a.png.exe'],
  ['image', 'what? #1.png'],
  ['image', 'https://h/a.png?x=b.pdf#c.mp4'], ['file', 'https://h.png/a?name=b.png'], ['pdf', '/files/%61%2E%70df'],
  ['file', 'https://example.pdf'], ['pdf', 'https://h/100%.pdf'],
  ['pdf', 'scan', `${url}.pdf`], ['image', 'scan.png', `${url}.pdf`], ['file', 'scan', url],
]) {
  test(`attachmentType(${given.join(', ')}) is ${type}`, () => assert.equal(lib.attachmentType(...given), type));
}

test('a file’s own type is told by its name, then by its address', () => {
  const [a, b] = service().parseMarkdownFiles(`[scan](${url}.mp4) [b.pdf](${url}.png)`);
  assert.deepEqual([a.type, b.type], ['video', 'pdf']);
});

test('where a file lives', () => {
  assert.equal(service().fileUrl(id), url);
  assert.equal(service().fileUrl('a/b c'), `${base}/a%2Fb%20c`);
});

test('what is refused before it is sent', () => {
  const told = (name, size = 1) => lib.refusal({ name, size }, 100)?.code ?? null;
  assert.equal(told('a.txt', 100), null);
  assert.equal(told('a.txt', 101), 'too_large');
  for (const name of ['.DS_Store', 'thumbs.DB', '._a.png']) assert.equal(told(name), 'system_file');
  for (const name of ['', '...', '😀', '_ _']) assert.equal(told(name), 'bad_name');
  for (const name of ['é', '报告', '.env', 'a'.repeat(300)]) assert.equal(told(name), null);
});

const answer = (status, body) => new tus.DetailedError('refused', undefined, undefined, { getStatus: () => status, getBody: () => body });

for (const [what, error, english, german] of [
  ['a code', () => answer(413, '{"code":"FILE_003","message":"x"}'), /larger than this server takes. Choose/, /größer, als dieser Server annimmt/],
  ['a code that says the same as another', () => answer(503, '{"code":"DB_001","message":"x"}'), /not ready. Try again/, /nicht bereit/],
  ['a reason', () => answer(400, '{"code":"VAL_003","message":"x","details":{"reason":"expires_in must be a number"}}'), /Check what you entered. expires_in must be/, /Prüfen Sie Ihre Eingabe. expires_in must be/],
  ['a rate limit without a code', () => answer(429, '{"detail":"Rate limit exceeded","retry_after":9}'), /Too many requests/, /Zu viele Anfragen/],
  ['a proxy’s page', () => answer(502, '<html>Bad Gateway</html>'), /not ready/, /nicht bereit/],
  ['a status nobody knows', () => answer(418, ''), /status 418/, /Status 418/],
  ['a code nobody knows', () => answer(409, '{"code":"NEW_001"}'), /Another window/, /Ein anderes Fenster/],
  ['no answer', () => new tus.DetailedError('failed', new Error('x')), /can’t be reached/, /nicht zu erreichen/],
  ['fetch without a connection', () => new TypeError('Failed to fetch'), /can’t be reached/, /nicht zu erreichen/],
  ['our own, with numbers', () => new lib.Problem(0, 'too_large', { name: 'a', size: 104857601, most: 104857600 }),
    /“a” has 104,857,601 bytes; this server takes at most 104,857,600. Nothing was sent/, /104\.857\.601 Bytes.*104\.857\.600/],
  ['within another error', () => new Error('x', { cause: answer(404, '') }), /does not exist/, /gibt es nicht/],
  ['a mistake of the page', () => new RangeError('odd'), /^odd$/, /^odd$/],
]) {
  test(`a message for ${what}`, () => {
    assert.match(lib.explain(error()), english);
    assert.match(lib.explain(error(), 'de'), german);
  });
}

test('each code of the service has a message that ends, in each language', async () => {
  const { messages, sameAs } = await vite.ssrLoadModule('/src/messages.ts');
  const table = await readFile(join(root, '../../problem/problem.go'), 'utf8');
  const codes = [...table.matchAll(/Code: "(\w+)"/g)].map(([, code]) => code);
  assert.ok(codes.length > 20, 'the table was read');
  // Programming errors, which no user sees: the status is enough for them.
  const programs = ['UPLOAD_003', 'VAL_005', 'VAL_006', 'VAL_007'];
  for (const code of codes) assert.ok(messages[code] ?? sameAs[code] ?? programs.includes(code), `${code} has no message`);
  for (const target of Object.values(sameAs)) assert.ok(messages[target], target);
  for (const [code, texts] of Object.entries(messages)) {
    for (const language of lib.languages) assert.match(texts[language], /\w[.}]$/, `${code} in ${language}`);
  }
});

test('the language is the first that we have', () => {
  assert.equal(lib.pickLanguage(['fr-FR', 'de-AT', 'en']), 'de');
  assert.equal(lib.pickLanguage(['EN-gb', 'de']), 'en');
  assert.equal(lib.pickLanguage(['fr']), 'en');
  assert.equal(lib.pickLanguage([]), 'en');
});

test('sizes and durations as people read them', async () => {
  const { bytes, duration, dateTime } = await vite.ssrLoadModule('/src/format.ts');
  assert.deepEqual([0, 1023, 1536, 99.96 * 1024, 40 * 2 ** 20].map((n) => bytes(n)), ['0 B', '1,023 B', '1.5 KB', '100 KB', '40 MB']);
  assert.equal(bytes(1536, 'de'), '1,5 KB');
  assert.deepEqual([0.2, 59.6, 200, 7500, Infinity].map(duration), ['1 s', '1 min 0 s', '3 min 20 s', '2 h 5 min', '–']);
  assert.equal(dateTime('no date'), 'no date');
});

test('the speed is that of the last seconds', async () => {
  const { Speed } = await vite.ssrLoadModule('/src/speed.ts');
  const speed = new Speed();
  assert.equal(speed.at(0, 0), null);
  assert.equal(speed.at(1000, 1000), 1000);
  assert.equal(speed.at(1000, 20_000), null, 'what is long ago does not count');
  assert.equal(speed.at(3000, 21_000), 2000);
  assert.equal(speed.at(500, 22_000), null, 'an interrupted request is counted back');
});

test('refused credentials are renewed once for all who had them', async () => {
  const { renewed } = await vite.ssrLoadModule('/src/credentials.ts');
  let token = 'old';
  let asked = 0;
  const credentials = lib.bearer(() => token, async () => { asked++; token = 'new'; });
  const refused = await credentials.headers();
  await renewed(credentials, refused);
  await renewed(credentials, refused); // another request that was sent with the old token
  assert.deepEqual([asked, await credentials.headers()], [1, { Authorization: 'Bearer new' }]);
  await assert.rejects(renewed(lib.publicToken('x'), { 'X-Public-Authorization': 'Token x' }), { code: 'form_closed' });
  assert.deepEqual(await lib.guest('j.w.t').headers(), { 'X-Guest-Authorization': 'j.w.t' });
});

test('a request whose answer does not come, or breaks off, counts as lost after a minute', async (t) => {
  const { json } = await vite.ssrLoadModule('/src/http.ts');
  let began; // called when a request has got what the server sends
  const server = http.createServer((request, response) => {
    if (request.url === '/half') response.writeHead(200, { 'Content-Type': 'application/json' }).write('{"a":');
    began();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.mock.timers.enable({ apis: ['setTimeout'] });
  try {
    for (const path of ['/nothing', '/half']) {
      const asked = new Promise((resolve) => { began = resolve; });
      const answer = json({ base, maxFileSize: 100, credentials: lib.bearer(() => 'hf_x') }, `http://127.0.0.1:${server.address().port}${path}`);
      answer.catch(() => {});
      await asked;
      t.mock.timers.tick(59_999);
      assert.equal(await Promise.race([answer.catch(() => 'lost'), new Promise((resolve) => { setImmediate(resolve, 'waits'); })]), 'waits', path);
      t.mock.timers.tick(1);
      await assert.rejects(answer, { status: 0, code: 'offline' }, path);
    }
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('the library needs no page', async () => {
  for (const name of await readdir(join(root, 'src'))) {
    const code = await readFile(join(root, 'src', name), 'utf8');
    assert.doesNotMatch(code, /\bdocument\.|from '\.\.\//, `${name} reaches out of the library`);
  }
});
