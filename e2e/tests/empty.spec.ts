import { startManager, type Manager } from './manager';
import { problems } from './problems';
import { expect, test as base } from './support';

/** A manager that has nothing yet, as somebody sees it who has just installed it. */
const test = base.extend<{ manager: Manager }>({
  manager: async ({ page }, use) => {
    const manager = await startManager();
    const data = { name: 'admin', password: manager.password };
    expect((await page.request.post(`${manager.url}/api/v1/login`, { data })).status()).toBe(200);
    await use(manager);
    await manager.stop();
  },
  // Its pages have another origin than the demo's.
  watched: async ({ page }, use) => {
    const seen: string[] = [];
    page.on('pageerror', (error) => seen.push(`script: ${error.message}`));
    await use(seen);
    expect(seen).toEqual([]);
  },
});

test('a new manager says on every page what would be there', async ({ page, manager }) => {
  for (const [path, says] of [
    ['', 'No pools yet'],
    ['tasks', 'No task yet'],
    ['schedules', 'No schedules'],
    ['workflows', 'No workflows'],
    ['workflow-runs', 'No run yet'],
    ['alerts', 'No alerts'],
    ['alerts/targets', 'No targets'],
  ] as const) {
    await page.goto(`${manager.url}/${path}`);
    await expect(page.locator('.empty').first(), path).toContainText(says);
    expect(await problems(page), path).toEqual([]);
  }
});

test('somebody without hosts loads the demo and watches it form', async ({ page, manager }) => {
  test.slow();
  await page.goto(manager.url);
  await page.getByRole('button', { name: 'Load the demo' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'started: install' })).toBeVisible();
  await expect(page).toHaveURL(`${manager.url}/pools/demo`);
  await expect(page.locator('canvas[data-nodes="12"]')).toBeVisible({ timeout: 120_000 });

  await page.getByRole('button', { name: 'More actions for demo' }).click();
  await page.getByRole('button', { name: 'Stop…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').fill('demo');
  await dialog.getByRole('button', { name: 'Stop' }).click();
  await page.goto(manager.url);
  await expect(page.getByText('No pools yet')).toBeVisible({ timeout: 120_000 });
});
