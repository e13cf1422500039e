import { expect, test as base, type Page } from '@playwright/test';

export const url = process.env['E2E_URL'] ?? '';
export const password = process.env['E2E_PASSWORD'] ?? '';

/** Logs in by the API; the page then carries the session. */
export async function signIn(page: Page): Promise<void> {
  const answer = await page.request.post(`${url}/api/v1/login`, { data: { name: 'admin', password } });
  expect(answer.status()).toBe(200);
}

/** What the manager wants to be repeated with every change of somebody who has logged in. */
export async function csrf(page: Page): Promise<Record<string, string>> {
  const cookies = await page.context().cookies();
  return { 'x-csrf-token': cookies.find(({ name }) => name === 'p2ppool_csrf')?.value ?? '' };
}

/** Opens a page of the application as the administrator. */
export async function open(page: Page, path: string): Promise<void> {
  await signIn(page);
  await page.goto(`${url}/${path}`);
}

/**
 * A page that is watched: a message of the browser's console, an error of a script or a request to
 * another server fails the test, whatever else it is about.
 */
export const test = base.extend<{ watched: string[] }>({
  watched: [
    async ({ page }, use) => {
      const seen: string[] = [];
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) seen.push(`console: ${message.text()}`);
      });
      page.on('pageerror', (error) => seen.push(`script: ${error.message}`));
      page.on('request', (request) => {
        const { protocol, origin } = new URL(request.url());
        const own = origin === url || protocol === 'blob:' || protocol === 'data:';
        if (!own) seen.push(`foreign request: ${request.url()}`);
      });
      await use(seen);
      expect(seen).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
