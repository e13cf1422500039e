import type { Locator, Page } from '@playwright/test';

import { csrf, expect, open, test, url } from '../tests/support';
import { frames, measured, middle, untilDrawn, type Smoothness } from './measure';

const ROWS_MAX = 60;
/** What is wanted of a round trip; how long it takes is the machine's business and only printed. */
const ROUND_TRIP_MS = 300;
/** A screen shows 60 frames a second; a fraction of one is lost at each end of what is watched. */
const SMOOTH_FPS = 58;
/** Moves of the mouse in one pan. */
const MOVES = 120;

/** Drags the map about, in circles around its middle. */
async function pan(page: Page, canvas: Locator): Promise<void> {
  const box = (await canvas.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  for (let i = 0; i < MOVES; i++)
    await page.mouse.move(x + 150 * Math.sin(i / 10), y + 80 * Math.cos(i / 10));
  await page.mouse.up();
}

/** Tells how smoothly something moved. */
function moved(what: string, { fps, longestMs }: Smoothness): void {
  measured({ name: what, unit: 'frames/s', better: 'higher', ours: fps, limit: SMOOTH_FPS });
  console.log(`  longest pause: ${longestMs} ms`);
}

test('100,000 nodes are sorted, filtered and paged without holding more than a screen of rows', async ({
  page,
}) => {
  await open(page, 'pools/big/nodes');
  await expect(page.getByText('100,000 nodes')).toBeVisible();
  const table = page.getByRole('region', { name: 'Nodes' });
  await expect(table.locator('tbody tr').first()).toBeVisible();
  const filter = page.getByLabel('Filter by host, address, version or IP');
  const told = (what: string, times: number[]) => {
    const row = { unit: 'ms', better: 'lower', limit: ROUND_TRIP_MS } as const;
    const name = `100,000 nodes ${what}, to the drawn rows`;
    measured({ ...row, name, ours: middle(times) });
    measured({ ...row, name: `${name}, slowest`, ours: Math.max(...times) });
  };

  const sorts: number[] = [];
  // Twice each: both orders.
  for (const column of [
    'RTT',
    'RTT',
    'Overlay address',
    'Overlay address',
    'Uptime',
    'Uptime',
    'Consistency',
    'Consistency',
  ]) {
    const heading = table.getByRole('columnheader', { name: column, exact: true });
    sorts.push(await untilDrawn(table, () => heading.getByRole('button').click()));
  }
  told('sorted', sorts);

  const filters: number[] = [];
  for (const text of ['host777', '10.0.1.', '', 'host9', 'nothing has this', '']) {
    filters.push(await untilDrawn(table, () => filter.fill(text)));
  }
  told('filtered', filters);

  const choices: number[] = [];
  for (const status of ['dial_failed', 'answering', '']) {
    const choice = page.getByRole('combobox', { name: 'Status' });
    choices.push(await untilDrawn(table, () => choice.selectOption(status)));
  }
  told('of one status', choices);

  const pages: number[] = [];
  for (const button of ['Next', 'Next', 'Previous']) {
    pages.push(await untilDrawn(table, () => page.getByRole('button', { name: button }).click()));
  }
  told('turned to another page', pages);

  const keys = 'host98765';
  await filter.pressSequentially(keys.slice(0, -1));
  const until = await untilDrawn(table, () => filter.press('5'));
  const typed = '100,000 nodes filtered by typing, from the last key to the drawn rows';
  measured({ name: typed, unit: 'ms', better: 'lower', ours: until, limit: ROUND_TRIP_MS });
  await expect(table.locator('tbody tr')).toHaveCount(1);
  await untilDrawn(table, () => filter.fill('host'));
  const rows = await page.locator('tr').count();
  measured({
    name: 'rows in the page of 100,000 nodes',
    unit: 'rows',
    better: 'lower',
    ours: rows,
    limit: ROWS_MAX,
  });
  // A heading, and a page of nodes.
  expect(rows).toBeGreaterThan(2);
  expect(rows).toBeLessThan(ROWS_MAX);
});

test('100,000 nodes are on the map, which moves smoothly', async ({ page }) => {
  await open(page, 'pools/big');
  const begun = Date.now();
  await page.goto(`${url}/pools/big/map`);
  const canvas = page.locator('canvas[data-nodes="100000"]');
  await expect(canvas).toBeVisible();
  console.log(`the map is there after ${Date.now() - begun} ms`);
  let zoomed = 0;
  for (const zooms of [2, 2, 3]) {
    for (let i = 0; i < zooms; i++) await page.getByRole('button', { name: 'Zoom in' }).click();
    const before = page.url();
    const smooth = await frames(page, () => pan(page, canvas));
    zoomed += zooms;
    moved(`map of 100,000 nodes dragged, ${zoomed} steps nearer`, smooth);
    expect(page.url(), 'where the map is, is in the address').not.toBe(before);
    // It is drawn while it is dragged, not only where it is let go.
    expect(smooth.redrawn).toBeGreaterThan(1);
  }
});

test('10,000 nodes are on the ring, which is pointed at and moves smoothly', async ({ page }) => {
  await open(page, 'pools/ring');
  const begun = Date.now();
  await page.goto(`${url}/pools/ring/ring`);
  const ring = page.locator('canvas[data-nodes="10000"]');
  await expect(ring).toBeVisible();
  console.log(`the ring is there after ${Date.now() - begun} ms`);
  await expect(page.getByRole('region', { name: 'Measures' })).toContainText(/Components\s*1/);
  const box = (await page.locator('canvas.above').boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const r = Math.min(box.width, box.height) / 2 - 22;
  const pointed = await frames(page, async () => {
    for (let i = 0; i < 120; i++) await page.mouse.move(x + r * Math.sin(i / 20), y - r * Math.cos(i / 20));
  });
  moved('ring of 10,000 nodes pointed at', pointed);
  for (let i = 0; i < 4; i++) await page.getByRole('button', { name: 'Zoom in' }).click();
  const dragged = await frames(page, () => pan(page, page.locator('canvas.above')));
  moved('ring of 10,000 nodes dragged', dragged);
  await expect(page.locator('canvas.base')).toHaveAttribute('data-settled', 'true');
  await page.getByRole('link', { name: 'View as table' }).click();
  await expect(page.getByText('10,000 nodes').first()).toBeVisible();
  expect(await page.locator('tr').count()).toBeLessThan(ROWS_MAX);
  expect(Math.min(pointed.redrawn, dragged.redrawn)).toBeGreaterThan(1);
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
  moved('matrix of 10,000 hosts while its task runs', smooth);
  expect(await page.locator('tr').count()).toBeLessThan(ROWS_MAX);
  await page.getByLabel('Filter by address or message').fill('127.1.39.15');
  await expect(page.getByRole('application')).toHaveAccessibleName(/^1 host/);
});
