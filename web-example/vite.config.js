import { defineConfig } from 'vite';

// A server to try the pages against while working on them: `npm run dev` passes its calls on.
const server = process.env.HOLDFAST_URL ?? 'http://127.0.0.1:8000';

export default defineConfig({
  base: './', // the pages may be served from any folder
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    rollupOptions: { input: ['index.html', 'tus.html', 'files.html'] },
  },
  server: { proxy: { '/example.json': server, '^/files/': server } },
});
