// The environment of the browser tests: the real program behind a proxy that cuts connections, and a Chromium.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { access, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { sha256OfFile } from './files.mjs';
import { startHoldfast } from './holdfast.mjs';
import { fits } from './layout.mjs';
import { startProxy } from './proxy.mjs';

export const MiB = 1024 * 1024;

/** How long a test may take, in milliseconds, on a machine where everything else wants the processor, too. It ends what never would. */
const patience = 900_000;

const complete = process.env.CHROMIUM ?? '/usr/bin/chromium'; // has a PDF viewer
const shell = process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell'; // without windows: two thirds of the processor
const root = process.getuid?.() === 0;
export const shots = resolve(import.meta.dirname, '../test-results');

export const desktop = { width: 1180, height: 900 };
export const phone = { width: 390, height: 844 };

// Of several --disable-features the last one counts. First those that Playwright gives (its chromiumSwitches), then two of
// ours: the menu of the address bar is web pages with processes of their own, over half of what each window costs.
const disabledFeatures = [
  'AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'HttpsUpgrades', 'HttpsFirstBalancedModeAutoEnable',
  'LensOverlay', 'MediaRouter', 'PaintHolding', 'ThirdPartyStoragePartitioning', 'AvoidCorsURLLoaderRestartOnRedirect',
  'OptimizationHints', 'NetworkTimeServiceQuerying', 'AimEnabled', 'PreconnectToSearch',
  'WebUIOmniboxPopup', 'WebUIOmniboxAimPopup',
];

// At a SIGTERM Playwright would close the browser only, and the tests would go on. All that a test starts ends with its process.
process.once('SIGTERM', () => process.exit(143));

/** Starts a browser: the complete one if `headless` is false, or there is no other. */
export async function launch(options = {}) {
  const executable = options.headless === false || !existsSync(shell) ? complete : shell;
  await access(executable).catch(() => {
    throw new Error(`${executable} is missing. These tests need a browser: apt-get install chromium (or set CHROMIUM)`);
  });
  await mkdir(shots, { recursive: true });
  return chromium.launch({
    executablePath: executable,
    chromiumSandbox: !root,
    handleSIGTERM: false,
    ...options,
    args: [
      ...(options.args ?? []), ...(root ? ['--no-sandbox'] : []), '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--mute-audio',
      `--disable-features=${disabledFeatures.join(',')}`,
    ],
  });
}

/** Starts everything before the tests of a file, and ends it after them. `settings` returns the program's settings. */
export function setStage(settings = async () => ({})) {
  let scene = { pid: 0, committed: 0 }; // the service's process when it began, and what that had committed

  async function played(name, run, options, signal) {
    stage.proxy.restore();
    scene = { pid: stage.holdfast.pid, committed: await stage.holdfast.committed() };
    const context = await stage.browser.newContext({ acceptDownloads: true, viewport: desktop, reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    context.setDefaultTimeout(120_000); // of all its pages
    page.on('filechooser', () => {}); // otherwise the first chooser may open before it is intercepted
    const thrown = [];
    context.on('weberror', (error) => thrown.push(error.error()));
    const open = new Set();
    context.on('request', (request) => open.add(request));
    for (const ended of ['requestfinished', 'requestfailed']) context.on(ended, (request) => open.delete(request));
    const tooLong = () => {
      // Without its page the rest of the scene fails at once, and does nothing to the proxies and the service of the next one.
      console.error(`${name}: too long; requests without an end: ${[...open].map((one) => `${one.method()} ${one.url().slice(0, 120)}`).join(', ')}`);
      context.close().catch(() => {});
    };
    signal.addEventListener('abort', tooLong);
    try {
      await run(page, watchRequests(page));
      assert.deepEqual(thrown, []);
    } catch (error) {
      await page.screenshot({ path: join(shots, `failed ${name}.png`), fullPage: true }).catch(() => {});
      throw error;
    } finally {
      signal.removeEventListener('abort', tooLong);
      await context.close();
    }
  }

  const stage = {
    withToken: (path) => `${stage.site}${path}#token=${stage.holdfast.token}`,

    /** A test with a new browser profile. It fails on any error that the page's own code throws. */
    scene(name, run, options = {}) {
      test(name, { timeout: patience }, ({ signal }) => played(name, run, options, signal));
    },

    /**
     * Waits until the service has committed this many bytes: since the scene began, or since its process was started.
     * It commits parts of 8 MiB, and what is left when a request ends.
     */
    async committed(bytes) {
      const { holdfast } = stage;
      const before = scene.pid === holdfast.pid ? scene.committed : 0;
      for (const end = Date.now() + 120_000; ; await new Promise((next) => setTimeout(next, 20))) {
        const sofar = await holdfast.committed() - before;
        if (sofar >= bytes) return;
        assert.ok(Date.now() < end, `the service has committed ${sofar} bytes, not ${bytes}`);
      }
    },

    /** Reloads a page whose upload is stalled. */
    async reload(page) {
      await page.reload();
      stage.proxy.drop();
      stage.proxy.restore();
    },

    /** Downloads a file without a browser. */
    stored: (id) => fetch(`${stage.site}/files/${id}`, { headers: { Authorization: `Bearer ${stage.holdfast.token}` } }),

    /** Uploads a file without a browser. */
    async put(name, type, bytes) {
      const encode = (text) => Buffer.from(text).toString('base64');
      const response = await fetch(`${stage.site}/files/tus/`, {
        method: 'POST',
        headers: {
          'Authorization': `Bearer ${stage.holdfast.token}`,
          'Tus-Resumable': '1.0.0',
          'Content-Type': 'application/offset+octet-stream',
          'Upload-Length': String(bytes.length),
          'Upload-Metadata': `filename ${encode(name)},filetype ${encode(type)}`,
        },
        body: bytes,
      });
      assert.equal(response.status, 201, await response.text());
      return response.headers.get('Location').split('/').pop();
    },
  };

  before(async () => {
    stage.folder = await mkdtemp(join(tmpdir(), 'holdfast-browser-'));
    stage.proxy = await startProxy(() => stage.holdfast?.port);
    stage.site = `http://127.0.0.1:${stage.proxy.port}`;
    // PUBLIC_URL is the proxy, so that uploads go through it too.
    stage.holdfast = await startHoldfast({ env: { ...await settings(), PUBLIC_URL: `${stage.site}/files` } });
    stage.browser = await launch();
  });

  after(async () => {
    await stage.browser?.close();
    await stage.proxy?.close();
    if (stage.holdfast) assert.equal(await stage.holdfast.stop(), 0, 'SIGTERM ends the server cleanly');
    if (stage.folder) await rm(stage.folder, { recursive: true, force: true });
  });
  return stage;
}

/** Records the page's requests to the tus endpoint: the number of creations, and the offset of each PATCH. */
export function watchRequests(page) {
  const seen = { creations: 0, offsets: [], id: null };
  page.on('request', (request) => {
    const { pathname } = new URL(request.url());
    if (!pathname.startsWith('/files/tus/')) return;
    if (request.method() === 'POST') seen.creations++;
    if (request.method() !== 'PATCH') return;
    seen.offsets.push(Number(request.headers()['upload-offset']));
    seen.id = pathname.split('/').pop();
  });
  return seen;
}

/**
 * Takes screenshots for people to look at, in test-results; they are no part of a test, so only if SHOTS is set.
 * Of each page: on a phone, in dark mode, on a desktop.
 */
export async function screenshots(page, name) {
  if (!process.env.SHOTS) return;
  for (const [kind, viewport, colorScheme] of [['phone', phone, 'light'], ['dark', desktop, 'dark'], ['desktop', desktop, 'light']]) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.screenshot({ path: join(shots, `${name}-${kind}.png`), fullPage: true, animations: 'disabled' });
  }
}

/** Fails on what does not fit on a screen, and on what axe-core finds to be serious or worse, in light and dark, on a desktop and a phone. */
export async function accessible(page, what) {
  await fits(page, what);
  await page.evaluate(await axe());
  for (const [viewport, colorScheme] of [[phone, 'dark'], [desktop, 'light']]) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await page.evaluate(() => document.getAnimations().filter((one) => one instanceof CSSTransition).forEach((one) => { one.finish(); })); // where no frame is drawn, none ends by itself
    const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
    const bad = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    assert.deepEqual(bad.map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)}: ${failureSummary}`)]), [], `${what}, ${colorScheme}`);
  }
}

let source;
const axe = () => (source ??= readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'));

export async function download(page, link) {
  const [saved] = await Promise.all([page.waitForEvent('download'), link.click()]);
  return sha256OfFile(await saved.path());
}

/** Chooses files in the file chooser that a click opens. A busy Chromium sometimes opens none: then it clicks again. */
export async function pick(page, button, files) {
  for (let tries = 3; ; tries--) {
    const opened = page.waitForEvent('filechooser', { timeout: 20_000 });
    const [chooser] = await Promise.allSettled([opened, button.click()]);
    if (chooser.status === 'fulfilled') return chooser.value.setFiles(files);
    if (tries === 1) throw chooser.reason;
  }
}

// Both upload pages, so that a scene can run on each.

export const uppy = {
  path: '/',
  choose: (page, file) => page.locator('.uppy-Dashboard-input').first().setInputFiles(file),
  start: (page) => page.locator('.uppy-StatusBar-actionBtn--upload').click(),
  finished: (page) => page.locator('.uppy-StatusBar.is-complete').waitFor(),
  link: (page) => page.getByTestId('download').first(),
};

export const bare = {
  path: '/tus.html',
  choose: (page, file) => page.locator('#file').setInputFiles(file),
  start: (page) => page.locator('#start').click(),
  finished: (page) => page.locator('#upload[data-state=done]').waitFor(),
  link: (page) => page.getByTestId('result'),
};
