import { expect, test } from '@playwright/test';

import { startManager, type Manager } from './manager';

let manager: Manager;
test.beforeAll(async () => {
  test.setTimeout(180_000);
  manager = await startManager(
    '--base-path',
    '/p2ppool/',
    '--oidc-issuer',
    'https://login.example.org/realms/lab',
    '--oidc-client-id',
    'p2ppool',
    '--oidc-role',
    '*=viewer',
  );
});
test.afterAll(() => manager?.stop());

/** Everything that the page asks for, and what its console says. */
function watch(page: import('@playwright/test').Page): string[] {
  const wrong: string[] = [];
  page.on('request', (request) => {
    const { origin, pathname } = new URL(request.url());
    if (origin !== manager.url || !/^\/p2ppool(\/|$)/.test(pathname)) wrong.push(`outside: ${request.url()}`);
  });
  page.on('pageerror', (error) => wrong.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().includes('401')) wrong.push(message.text());
  });
  return wrong;
}

test('below a folder, login, every link, file, event and share link stay inside it', async ({ page, browser }) => {
  const wrong = watch(page);
  const base = `${manager.url}/p2ppool`;
  await page.goto(`${manager.url}/p2ppool`);
  await expect(page).toHaveURL(`${base}/login`);
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(manager.password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await expect(page).toHaveURL(`${base}/`);
  await expect(page.locator('[data-freshness=live]')).toBeVisible();

  await page.getByRole('link', { name: 'New pool' }).click();
  await expect(page).toHaveURL(`${base}/pools/new`);
  await page.getByLabel('Name', { exact: true }).fill('lab');
  await page.getByRole('navigation', { name: 'Steps' }).getByRole('link', { name: /Access/ }).click();
  await page.getByLabel('as processes of its own machine').check();
  await page.getByRole('navigation', { name: 'Steps' }).getByRole('link', { name: /Review/ }).click();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await page.getByRole('link', { name: 'To the pool' }).click();
  await expect(page).toHaveURL(`${base}/pools/lab`);

  // Every page of the navigation and of the pool, by its own link; then straight from its address.
  for (const name of ['Main', 'Pool']) {
    const nav = page.getByRole('navigation', { name, exact: true });
    const links = await nav.getByRole('link').evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href));
    expect(links.length).toBeGreaterThan(5);
    for (const href of links) {
      expect(href).toContain(`${base}/`);
      await page.goto(href);
      await expect(page.locator('h1')).toHaveCount(1);
      await expect(page.locator('[data-freshness=live]')).toBeVisible();
    }
    await page.goto(`${base}/pools/lab`);
  }

  await page.goto(`${base}/pools/lab/map`);
  await page.getByRole('button', { name: 'Share…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  const link = (await dialog.locator('[data-secret] a').getAttribute('href')) ?? '';
  expect(link).toContain(`${base}/share/`);
  await dialog.getByRole('button', { name: 'Done' }).click();
  await page.goBack();

  const stranger = await browser.newContext();
  const guest = await stranger.newPage();
  const seen = watch(guest);
  await guest.goto(link);
  await expect(guest.getByRole('heading', { name: 'lab', level: 1 })).toBeVisible();
  await expect(guest.getByText('No crawl yet.')).toBeVisible();
  await expect(guest.locator('canvas')).toBeVisible();
  expect(seen).toEqual([]);
  await stranger.close();
  expect(wrong).toEqual([]);
});

test('the login page offers the provider that is configured, by its address below the folder', async ({ page }) => {
  await page.goto(`${manager.url}/p2ppool/login`);
  const provider = page.getByRole('link', { name: 'Log in with login.example.org' });
  await expect(provider).toHaveAttribute('href', `${manager.url}/p2ppool/api/v1/oidc/login`);
});
