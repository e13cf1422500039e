import { defineConfig } from '@playwright/test';

import { browser } from './browser';

/** Looks at a crawl of 100,000 nodes and a task of 10,000 hosts, and prints how fast they are. */
export default defineConfig({
  testDir: 'big',
  globalSetup: './big.ts',
  workers: 1,
  timeout: 300_000,
  expect: { timeout: 60_000 },
  reporter: 'list',
  use: { ...browser, actionTimeout: 30_000 },
});
