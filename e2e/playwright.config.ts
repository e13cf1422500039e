import { defineConfig } from '@playwright/test';

import { browser } from './browser';

export default defineConfig({
  testDir: 'tests',
  globalSetup: './demo.ts',
  // All tests look at one manager; they follow each other, so that the machine is not overloaded.
  workers: 1,
  fullyParallel: false,
  retries: 0,
  timeout: 120_000,
  expect: { timeout: 30_000 },
  reporter: 'list',
  use: { ...browser, trace: 'retain-on-failure' },
});
