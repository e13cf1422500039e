import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** Where `npm run dev` finds the manager's API. */
const manager = process.env['P2PPOOL_URL'] ?? 'http://127.0.0.1:8080';

/** Smaller files gain nothing, in bytes. */
const PACKED_MIN = 1024;

/** Writes `<file>.br` and `<file>.gz` beside every hashed asset, so that the manager never compresses one. */
function precompress(): Plugin {
  let folder = '';
  return {
    name: 'precompress',
    apply: 'build',
    configResolved: (config) =>
      void (folder = join(config.root, config.build.outDir, config.build.assetsDir)),
    closeBundle() {
      for (const name of readdirSync(folder)) {
        const path = join(folder, name);
        if (/\.(br|gz)$/.test(name) || statSync(path).size < PACKED_MIN) continue;
        const plain = readFileSync(path);
        writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
        const params = { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
        writeFileSync(`${path}.br`, brotliCompressSync(plain, { params }));
      }
    },
  };
}

export default defineConfig({
  // Relative: `<base href>` in index.html decides where the application lies, so that the manager
  // can serve it under any sub-path.
  base: './',
  plugins: [svelte(), precompress()],
  build: {
    target: 'es2023',
    // Everything is its own file: a `data:` URL would need a hole in the content security policy.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 200,
  },
  server: { proxy: { '/api': { target: manager } } },
});
