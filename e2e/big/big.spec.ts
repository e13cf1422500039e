import type { Page } from '@playwright/test';

import { csrf, expect, open, test, url } from '../tests/support';

const ROWS_MAX = 60;

/** Frames per second while `act` goes on, and the longest pause between two of them in milliseconds. */
async function frames(page: Page, act: () => Promise<void>): Promise<{ fps: number; longestMs: number }> {
  await page.evaluate(() => {
    const at: number[] = [];
    (window as unknown as { frames: number[] }).frames = at;
    const tick = (now: number) => {
      at.push(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await act();
  const at = await page.evaluate(() => (window as unknown as { frames: number[] }).frames);
  const gaps = at.slice(1).map((time, i) => time - (at[i] ?? time));
  const span = (at.at(-1) ?? 0) - (at[0] ?? 0);
  return { fps: (gaps.length / span) * 1000, longestMs: Math.max(...gaps) };
}

/** Milliseconds from an act until the table shows what it asked for. */
async function roundTrip(page: Page, act: () => Promise<unknown>): Promise<number> {
  const answered = page.waitForResponse((response) => response.url().includes('/api/v1/pools/big/nodes?'));
  const begun = Date.now();
  await act();
  await answered;
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
  return Date.now() - begun;
}

test('100,000 nodes are sorted, filtered and paged without holding more than a screen of rows', async ({ page }) => {
  await open(page, 'pools/big/nodes');
  await expect(page.getByText('100,000 nodes')).toBeVisible();
  const table = page.getByRole('region', { name: 'Nodes' });
  const times: Record<string, number> = {};
  times['sort'] = await roundTrip(page, () => table.getByRole('button', { name: 'RTT' }).click());
  times['sort again'] = await roundTrip(page, () => table.getByRole('button', { name: 'RTT' }).click());
  times['filter'] = await roundTrip(page, () => page.getByLabel('Filter by host, address, version or IP').fill('host777'));
  times['status'] = await roundTrip(page, () => page.getByRole('combobox', { name: 'Status' }).selectOption('dial_failed'));
  await expect(table.locator('tbody tr').first()).toBeVisible();
  console.log('round trips, ms:', JSON.stringify(times));
  expect(await page.locator('tr').count()).toBeLessThan(ROWS_MAX);
});

test('100,000 nodes are on the map, which moves smoothly', async ({ page }) => {
  await open(page, 'pools/big');
  const begun = Date.now();
  await page.goto(`${url}/pools/big/map`);
  await expect(page.locator('canvas[data-nodes="100000"]')).toBeVisible();
  console.log('map is there after, ms:', Date.now() - begun);
  const box = (await page.locator('canvas').boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  for (let i = 0; i < 4; i++) await page.getByRole('button', { name: 'Zoom in' }).click();
  const smooth = await frames(page, async () => {
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (let i = 0; i < 120; i++) await page.mouse.move(x + 150 * Math.sin(i / 10), y + 80 * Math.cos(i / 10));
    await page.mouse.up();
  });
  console.log('pan:', JSON.stringify(smooth));
  expect(smooth.fps).toBeGreaterThan(30);
});

test('10,000 nodes are on the ring, which is pointed at and moves smoothly', async ({ page }) => {
  await open(page, 'pools/ring');
  const begun = Date.now();
  await page.goto(`${url}/pools/ring/ring`);
  const ring = page.locator('canvas[data-nodes="10000"]');
  await expect(ring).toBeVisible();
  console.log('ring is there after, ms:', Date.now() - begun);
  await expect(page.getByRole('region', { name: 'Measures' })).toContainText(/Components\s*1/);
  const box = (await page.locator('canvas.above').boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const r = Math.min(box.width, box.height) / 2 - 22;
  const pointed = await frames(page, async () => {
    for (let i = 0; i < 120; i++) await page.mouse.move(x + r * Math.sin(i / 20), y - r * Math.cos(i / 20));
  });
  console.log('pointing:', JSON.stringify(pointed));
  for (let i = 0; i < 4; i++) await page.getByRole('button', { name: 'Zoom in' }).click();
  const moved = await frames(page, async () => {
    await page.mouse.move(x, y);
    await page.mouse.down();
    for (let i = 0; i < 120; i++) await page.mouse.move(x + 150 * Math.sin(i / 10), y + 80 * Math.cos(i / 10));
    await page.mouse.up();
  });
  console.log('ring pan:', JSON.stringify(moved));
  await expect(page.locator('canvas.base')).toHaveAttribute('data-settled', 'true');
  await page.getByRole('link', { name: 'View as table' }).click();
  await expect(page.getByText('10,000 nodes').first()).toBeVisible();
  expect(await page.locator('tr').count()).toBeLessThan(ROWS_MAX);
  expect(Math.min(pointed.fps, moved.fps)).toBeGreaterThan(30);
});

test('a task of 10,000 hosts fills its matrix while it is watched', async ({ page }) => {
  await open(page, '');
  const hosts = Array.from({ length: 10_000 }, (_, i) => `127.1.${i >> 8}.${i & 255}:1`).join('\n');
  const headers = await csrf(page);
  const made = await page.request.post(`${url}/api/v1/pools`, {
    headers,
    data: { name: 'many', ssh_user: 'nobody', hosts },
  });
  expect(made.status()).toBe(201);
  expect((await page.request.post(`${url}/api/v1/pools/many/key/generate`, { headers })).ok()).toBe(true);
  const asked = await page.request.post(`${url}/api/v1/pools/many/gather_usage`, { headers, data: {} });
  expect(asked.status()).toBe(202);
  const { id } = await asked.json();
  await page.goto(`${url}/tasks/${id}`);
  await expect(page.getByRole('application')).toHaveAccessibleName(/10,000 hosts/);
  const smooth = await frames(page, async () => {
    await expect(page.getByText('10,000 of 10,000 hosts done')).toBeVisible({ timeout: 240_000 });
  });
  console.log('matrix:', JSON.stringify(smooth));
  expect(await page.locator('tr').count()).toBeLessThan(ROWS_MAX);
  await page.getByLabel('Filter by address or message').fill('127.1.39.15');
  await expect(page.getByRole('application')).toHaveAccessibleName(/^1 host/);
});
