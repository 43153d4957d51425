import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vite';

// A server to try the pages against while working on them: `npm run dev` passes its calls on.
const server = process.env.HOLDFAST_URL ?? 'http://127.0.0.1:8000';

const root = import.meta.dirname;
const pages = readdirSync(root).filter((name) => name.endsWith('.html') && name !== 'frame.html');

/** Puts each page, which is its <main> only, into frame.html. index.html is the upload page. */
const frame = {
  name: 'frame',
  transformIndexHtml: {
    order: 'pre',
    handler(main, { path }) {
      const page = path.replace(/^\/|\.html$/g, '').replace('index', 'upload');
      return readFileSync(join(root, 'frame.html'), 'utf8').replace('{{page}}', page).replace('{{main}}', () => main.trimEnd());
    },
  },
};

export default defineConfig({
  base: './', // the pages may be served from any folder
  plugins: [frame],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    // How long each plugin takes is a warning on a machine that is busy, and nobody's fault.
    rollupOptions: { input: pages, checks: { bundlerTimings: false } },
  },
  // The development server would move the library away from its worker.
  optimizeDeps: { exclude: ['@holdfast/client'], include: ['tus-js-client'] },
  worker: { format: 'es' },
  server: { proxy: { '/example.json': server, '^/files/': server } },
});
