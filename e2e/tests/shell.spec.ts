import { expect, open, test, url } from './support';

test('Ctrl-K goes to any page by part of its name, without a mouse', async ({ page }) => {
  await open(page, 'pools/demo');
  await expect(page.locator('[data-freshness=live]')).toBeVisible();
  await page.keyboard.press('Control+k');
  const field = page.getByRole('combobox', { name: 'Page, pool or task' });
  await expect(field).toBeFocused();
  await page.keyboard.insertText('demo hosts');
  await expect(page.getByRole('option', { selected: true })).toContainText('demo hosts');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${url}/pools/demo/hosts`);
  await expect(page.locator('main')).toBeFocused();

  await page.keyboard.press('Control+k');
  await page.keyboard.insertText('#1');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${url}/tasks/1`);

  await page.keyboard.press('Control+k');
  await page.keyboard.press('Escape');
  await expect(field).toHaveCount(0);
});

test('without the manager the page says so, keeps what it shows, and goes on by itself', async ({ page, watched }) => {
  await open(page, 'pools/demo/hosts');
  const table = page.getByRole('region', { name: 'Hosts' });
  await expect(table.getByText('Running')).toHaveCount(12);
  await expect(page.locator('[data-freshness=live]')).toBeVisible();
  await page.context().setOffline(true);
  await page.evaluate(() => window.dispatchEvent(new Event('online')));
  await expect(page.locator('[data-freshness=reconnecting]')).toBeVisible();
  await expect(page.getByText('The manager can’t be reached.')).toBeVisible();
  await expect(table.getByText('Running')).toHaveCount(12);
  await page.getByLabel('State', { exact: true }).first().selectOption('running');
  await expect(page.getByText('Reading the hosts failed')).toBeVisible();
  await expect(page.getByText('the page tries again by itself')).toBeVisible();

  await page.context().setOffline(false);
  await expect(page.locator('[data-freshness=live]')).toBeVisible();
  await expect(page.getByText('Reading the hosts failed')).toHaveCount(0);
  await expect(table.getByText('Running')).toHaveCount(12);
  expect(watched.splice(0).every((line) => line.includes('ERR_INTERNET_DISCONNECTED'))).toBe(true);
});

test('what is not there says what was asked for, by which request, and offers a way on', async ({ page, watched }) => {
  await open(page, 'pools/nothing');
  const alert = page.getByRole('alert');
  await expect(alert).toContainText('There is no pool “nothing”');
  await expect(alert).toContainText('deleted or renamed');
  await expect(alert.getByRole('button', { name: 'Copy request id' })).toBeVisible();
  await page.getByRole('link', { name: 'Search the pools for “nothing”' }).click();
  await expect(page.getByText('No pool matches the filter.')).toBeVisible();
  expect(watched.splice(0).every((line) => line.includes('404'))).toBe(true);
});

test('the first load is small, packed beforehand, and kept for ever', async ({ page }) => {
  const sizes: Record<string, number> = {};
  page.on('response', async (response) => {
    const path = new URL(response.url()).pathname;
    if (!path.startsWith('/assets/')) return;
    const headers = await response.allHeaders();
    sizes[path] = Number(headers['content-length'] ?? (await response.body()).length);
    expect(headers['cache-control']).toContain('immutable');
    if (sizes[path] > 2_000) expect(headers['content-encoding'], path).toMatch(/^(gzip|br)$/);
  });
  await open(page, 'pools/demo');
  await expect(page.locator('canvas[data-nodes="12"]')).toBeVisible();
  await page.waitForLoadState('networkidle').catch(() => {});
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  console.log(`first load of the heaviest page: ${Object.keys(sizes).length} files, ${total} bytes packed`);
  expect(total).toBeGreaterThan(10_000);
  expect(total).toBeLessThan(200_000);
});
