import { readFileSync } from 'node:fs';

import { expect, open, test, url } from './support';

test('twelve nodes are in the table, consistent, and nobody is missing', async ({ page }) => {
  await open(page, 'pools/demo');
  await expect(page.locator('[data-freshness=live]')).toBeVisible();
  const strip = page.locator('dl').first();
  await expect(strip).toContainText(/Nodes answering\s*12\s*\/12/);
  await expect(strip).toContainText(/Consistency\s*100 %/);
  await expect(strip).toContainText(/Hosts missing\s*0/);

  await page.getByRole('navigation', { name: 'Pool' }).getByRole('link', { name: 'Nodes' }).click();
  const table = page.getByRole('region', { name: 'Nodes' });
  await expect(table.getByText('Answering')).toHaveCount(12);
  await expect(table.getByText('100 %')).toHaveCount(12);
});

test('the map has all twelve nodes and remembers its place', async ({ page }) => {
  await open(page, 'pools/demo/map');
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '12');
  await expect(page.getByText('12 of 12 nodes')).toBeVisible();
  await page.getByRole('application').focus();
  await page.keyboard.press('+');
  await page.keyboard.press('+');
  await expect(page).toHaveURL(/place=/);
  const place = page.url();
  await page.reload();
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '12');
  expect(page.url()).toBe(place);
  await page.getByRole('link', { name: 'View as table' }).click();
  await expect(page.getByRole('region', { name: 'Nodes' })).toBeVisible();
});

test('the table filters, sorts, opens a node and keeps all of it in its address', async ({ page }) => {
  await open(page, 'pools/demo/nodes');
  const table = page.getByRole('region', { name: 'Nodes' });
  await expect(table.getByText('Answering')).toHaveCount(12);
  await table.getByRole('button', { name: 'RTT' }).click();
  await expect(page).toHaveURL(/sort=rtt_ms&order=desc/);
  await expect(table.getByRole('columnheader', { name: 'RTT' })).toHaveAttribute('aria-sort', 'descending');

  const address = (await table.locator('code').first().getAttribute('title')) ?? '';
  await page.keyboard.press('/');
  await page.keyboard.insertText(address);
  await expect(page).toHaveURL(new RegExp(`q=${address}`));
  await expect(page.getByText('1 of 12 nodes')).toBeVisible();

  await table.locator('button[data-row]').first().click();
  const panel = page.getByRole('complementary');
  await expect(panel.getByRole('heading', { name: 'Closest neighbours' })).toBeVisible();
  await page.reload();
  await expect(panel.getByRole('heading', { name: 'Closest neighbours' })).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(panel).toHaveCount(0);
});

test('the nodes can be had as CSV, one line each', async ({ page }) => {
  await open(page, 'pools/demo/nodes');
  await expect(page.getByRole('region', { name: 'Nodes' }).getByText('Answering')).toHaveCount(12);
  await page.getByRole('button', { name: 'Download' }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'CSV', exact: true }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/^demo-.*\.csv$/);
  const lines = readFileSync(await download.path(), 'utf8').trim().split(/\r?\n/);
  expect(lines).toHaveLength(13);
  expect(lines[0]).toContain('consistency');
});

test('columns can be chosen and are kept', async ({ page }) => {
  await open(page, 'pools/demo/nodes');
  const table = page.getByRole('region', { name: 'Nodes' });
  await page.getByText('Columns', { exact: true }).click();
  await page.getByLabel('Load', { exact: true }).check();
  await expect(table.getByRole('columnheader', { name: 'Load' })).toBeVisible();
  await page.goto(`${url}/pools/demo/nodes`);
  await expect(table.getByRole('columnheader', { name: 'Load' })).toBeVisible();
});

test('statistics are drawn and tabled', async ({ page }) => {
  await open(page, 'pools/demo/stats');
  await expect(page.locator('.uplot canvas')).toHaveCount(4);
  await expect(page.getByRole('region', { name: 'Statistics of the crawls' })).toContainText('100 %');
});

test('a program can be connected by a ready configuration', async ({ page }) => {
  await open(page, 'pools/demo/connect');
  await expect(page.locator('pre').first()).toContainText('demo');
});
