import { defineConfig } from '@playwright/test';

import { browser } from './browser';

/** Writes pictures of every page in both themes into web/screenshots. */
export default defineConfig({
  testDir: 'screenshots',
  globalSetup: './demo.ts',
  workers: 1,
  timeout: 180_000,
  expect: { timeout: 30_000 },
  reporter: 'list',
  use: browser,
});
