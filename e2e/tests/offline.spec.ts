import { expect, test, type BrowserContext, type Page } from '@playwright/test';

import { logIn } from './accounts';
import { startManager, type Manager } from './manager';

let manager: Manager;
test.beforeAll(async () => {
  test.setTimeout(180_000);
  manager = await startManager();
});
test.afterAll(() => manager?.stop());

/** Pages that read in different ways, and what each of them shows. */
const PAGES: [path: string, shown: string][] = [
  ['', 'table td'],
  ['pools/lab', '[aria-label="Map of the nodes"] canvas'],
  ['pools/lab/nodes', '.empty'],
  ['pools/lab/hosts', 'table td'],
  ['pools/lab/map', '.empty'],
  ['pools/lab/ring', '.empty'],
  ['pools/lab/stats', '.empty'],
  ['pools/lab/settings', 'textarea'],
  ['tasks', 'table td, .empty'],
  ['schedules', 'table td, .empty'],
  ['workflows', 'table td, .empty'],
  ['alerts', 'table td, .empty'],
  ['users', 'table td'],
  ['roles', 'table td'],
  ['audit', 'table td'],
  ['settings/tokens', 'form'],
];

/** Pages that are open at once: each holds one of the six connections of a browser to one server. */
const TABS = 4;

const banner = (page: Page) => page.getByRole('alert').filter({ hasText: 'The manager can’t be reached.' });

test('a manager that is killed and comes back: each page keeps what it shows, says since when, and goes on by itself', async ({ browser }) => {
  test.setTimeout(300_000);
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  const first = await context.newPage();
  await first.goto(`${manager.url}/login`);
  await logIn(first, { name: 'admin', password: manager.password });
  await expect(first.getByRole('link', { name: 'New pool' })).toBeVisible();
  const csrf = (await context.cookies()).find(({ name }) => name === 'p2ppool_csrf')?.value ?? '';
  const headers = { 'x-csrf-token': csrf };
  const data = { name: 'lab', hosts: '127.0.0.1:1\n', transport: 'local', install_path: '/tmp/p2ppool-e2e-none/{host}' };
  expect((await first.request.post(`${manager.url}/api/v1/pools`, { data, headers })).status()).toBe(201);

  await first.close();

  for (let at = 0; at < PAGES.length; at += TABS) {
    const tabs = PAGES.slice(at, at + TABS);
    await test.step(tabs.map(([path]) => `/${path}`).join(' '), () => survives(context, tabs));
  }
  await context.close();
});

async function survives(context: BrowserContext, tabs: typeof PAGES): Promise<void> {
  const open: { page: Page; path: string; shown: string; errors: string[]; loads: () => number }[] = [];
  for (const [path, shown] of tabs) {
    const page = await context.newPage();
    const errors: string[] = [];
    let loads = 0;
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('load', () => (loads += 1));
    await page.goto(`${manager.url}/${path}`);
    await expect(page.locator(shown).first(), path).toBeVisible();
    await expect(page.locator('[data-freshness=live]'), path).toBeVisible();
    await expect(page.locator('[aria-busy=true]'), path).toHaveCount(0);
    open.push({ page, path, shown, errors, loads: () => loads });
  }
  await manager.kill();
  for (const { page, path, shown } of open) {
    await expect(page.locator('[data-freshness=stale]'), path).toBeVisible();
    await expect(banner(page), path).toContainText(/as it was at \d\d:\d\d/);
    await expect(page.locator(shown).first(), path).toBeVisible();
  }
  await manager.restart();
  for (const { page, path, shown, errors, loads } of open) {
    await expect(page.locator('[data-freshness=live]'), path).toBeVisible();
    await expect(banner(page), path).toHaveCount(0);
    await expect(page.locator('[data-status]'), path).toHaveCount(0);
    await expect(page.locator(shown).first(), path).toBeVisible();
    expect(loads(), path).toBe(1);
    expect(errors, path).toEqual([]);
    await page.close();
  }
}

test('a page that is opened while the manager is away says so, and opens when it is back', async ({ page }) => {
  await page.goto(`${manager.url}/login`);
  await logIn(page, { name: 'admin', password: manager.password });
  await expect(page.locator('[data-freshness=live]')).toBeVisible();
  let loads = 0;
  page.on('load', () => (loads += 1));
  await manager.kill();
  await page.getByRole('link', { name: 'Audit log' }).click();
  await expect(page.getByText('Opening the page failed')).toBeVisible();
  await expect(page.getByText('The manager can’t be reached. Is p2ppool still running?')).toBeVisible();
  // What was read before is still there.
  await page.getByRole('link', { name: 'Pools', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Pools', level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.getByText('Opening the page failed')).toBeVisible();
  await manager.restart();
  await expect(page.getByRole('heading', { name: 'Audit log', level: 1 })).toBeVisible();
  await expect(page.locator('table td').first()).toBeVisible();
  expect(loads).toBe(0);
});
