import { readFileSync } from 'node:fs';

import { test as unwatched, type Page } from '@playwright/test';

import { problems } from './problems';
import { expect, open, signIn, test, url } from './support';

/** The overlay address of some node, and the name of its host. */
async function someNode(page: Page): Promise<{ address: string; host: string }> {
  const answer = await page.request.get(`${url}/api/v1/pools/demo/topology`);
  const { ids, hosts } = (await answer.json()) as { ids: string[]; hosts: string[] };
  return { address: ids[0]!, host: hosts[0]! };
}

test('the ring has every node, tells what is pointed at, and opens it', async ({ page }) => {
  await open(page, 'pools/demo/ring');
  const ring = page.locator('canvas[data-nodes="12"]');
  await expect(ring).toBeVisible();
  await page.getByRole('application').focus();
  await page.keyboard.press('ArrowRight');
  await expect(page.getByText(/Answering · consistency 100 % · names 11 · named by 11/)).toBeVisible();
  await page.keyboard.press('Enter');
  const panel = page.getByRole('complementary');
  await expect(panel.getByRole('heading', { name: 'Closest neighbours' })).toBeVisible();
  await expect(page).toHaveURL(/node=12D3Koo/);
  await page.keyboard.press('Escape');
  await expect(panel).toHaveCount(0);
});

test('the ring opens a node by the mouse, and zooms', async ({ page }) => {
  await open(page, 'pools/demo/ring');
  const canvas = page.locator('canvas.above');
  await expect(page.locator('canvas[data-nodes="12"]')).toBeVisible();
  const topology = await (await page.request.get(`${url}/api/v1/pools/demo/topology`)).json();
  const box = (await canvas.boundingBox())!;
  const angle = topology.ring[0] * 2 * Math.PI;
  const r = Math.min(box.width, box.height) / 2 - 22;
  const [x, y] = [box.x + box.width / 2 + r * Math.sin(angle), box.y + box.height / 2 - r * Math.cos(angle)];
  await page.mouse.move(x, y);
  await expect(page.getByText(`${topology.hosts[0]} · Answering`)).toBeVisible();
  await page.mouse.click(x, y);
  await expect(page).toHaveURL(new RegExp(`node=${topology.ids[0]}`));
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Zoom in' }).click();
  await expect(page.locator('canvas.base')).toHaveAttribute('data-settled', 'true');
});

test('the measures of the ring are those of twelve nodes that all know each other', async ({ page }) => {
  await open(page, 'pools/demo/ring');
  const measures = page.getByRole('region', { name: 'Measures' });
  await expect(measures).toContainText(/Components\s*1/);
  await expect(measures).toContainText(/Links\s*132/);
  await expect(measures).toContainText('1.00 links on average');
  await measures.getByText('Numbers').first().click();
  await expect(measures.getByRole('row', { name: '11 12' })).toBeVisible();
});

test('the ring has tables as twins', async ({ page }) => {
  await open(page, 'pools/demo/ring');
  await page.getByRole('link', { name: 'View as table' }).click();
  const table = page.getByRole('region', { name: 'Nodes of the ring' });
  await expect(table.locator('tbody tr')).toHaveCount(12);
  await table.getByRole('button', { name: 'Place' }).click();
  await expect(page).toHaveURL(/order=desc/);
  await table.locator('button[data-row]').first().click();
  await expect(page.getByRole('complementary')).toBeVisible();
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: 'Who disagrees' }).click();
  await expect(page.getByText('Everybody agrees')).toBeVisible();
});

for (const theme of ['light', 'dark'] as const) {
  test(`the page of a node is accessible in the ${theme} theme, also on a phone`, async ({ page }) => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    await signIn(page);
    const { address } = await someNode(page);
    await page.goto(`${url}/pools/demo/nodes/${address}`);
    await expect(page.locator('.uplot canvas').first()).toBeVisible();
    await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
    await page.getByText('Everything that is known, as JSON').click();
    expect(await problems(page)).toEqual([]);
    await page.setViewportSize({ width: 360, height: 740 });
    const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(over).toBeLessThanOrEqual(0);
  });
}

test('the page of a node tells who it is, when it was there, and leads to its neighbours and its host', async ({ page }) => {
  await signIn(page);
  const { address, host } = await someNode(page);
  await page.goto(`${url}/pools/demo/nodes`);
  await page.getByRole('region', { name: 'Nodes' }).getByRole('button', { name: host, exact: true }).click();
  await page.getByRole('complementary').getByRole('link', { name: 'Its page' }).click();
  await expect(page).toHaveURL(new RegExp(`nodes/${address}`));
  await expect(page.getByRole('heading', { level: 2, name: host })).toBeVisible();
  await expect(page.getByText('11 neighbours, nearest first')).toBeVisible();
  const sessions = page.getByRole('region', { name: 'Sessions of the node' });
  await expect(sessions.getByText('goes on')).toHaveCount(1);
  await expect(page.getByRole('group', { name: 'Status in each crawl' }).getByRole('button').first()).toBeVisible();
  await page.getByText('Everything that is known, as JSON').click();
  await expect(page.locator('pre')).toContainText(address);
  await page.locator('ol a').first().click();
  await expect(page).not.toHaveURL(new RegExp(address));
  await expect(page.getByText('11 neighbours, nearest first')).toBeVisible();
  await page.getByRole('link', { name: /^Host / }).click();
  await expect(page).toHaveURL(/hosts\?host=\d+/);
});

// The browser itself notes that there is no such node.
unwatched('who never saw a node says so', async ({ page }) => {
  await open(page, 'pools/demo/nodes/12D3KooWNobody');
  await expect(page.getByText('did not see this node')).toBeVisible();
  await expect(page.getByText('It never answered a crawl')).toBeVisible();
});

test('sessions are summed, sorted and come as CSV', async ({ page }) => {
  await open(page, 'pools/demo/sessions');
  const churn = page.getByRole('region', { name: 'Churn' });
  await expect(churn.getByRole('row', { name: /Online/ })).toContainText(/\d+/);
  const table = page.getByRole('region', { name: 'Sessions', exact: true });
  await expect(table.locator('tbody tr').first()).toBeVisible();
  await table.getByRole('button', { name: 'Length' }).click();
  await expect(page).toHaveURL(/sort=length/);
  await page.getByRole('button', { name: 'Download' }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'CSV', exact: true }).click(),
  ]);
  const lines = readFileSync(await download.path(), 'utf8').trim().split(/\r?\n/);
  expect(lines.length).toBeGreaterThanOrEqual(13);
  expect(lines[0]).toContain('began');
});
