import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

/** Where `npm run dev` finds the manager's API. */
const manager = process.env['P2PPOOL_URL'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  // Relative: `<base href>` in index.html decides where the application lies, so that the manager
  // can serve it under any sub-path.
  base: './',
  plugins: [svelte()],
  build: {
    target: 'es2023',
    // Everything is its own file: a `data:` URL would need a hole in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 200,
  },
  server: { proxy: { '/api': { target: manager } } },
});
