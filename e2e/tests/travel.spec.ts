import { readFileSync } from 'node:fs';

import type { Page } from '@playwright/test';

import { expect, open, signIn, test, url } from './support';

interface Crawl {
  id: number;
  answering: number;
  started: string;
}

/** Crawls of the demo, newest first. */
async function crawls(page: Page): Promise<Crawl[]> {
  const answer = await page.request.get(`${url}/api/v1/pools/demo/snapshots?limit=200`);
  return ((await answer.json()) as { items: Crawl[] }).items;
}

/** Does what a person does with an action and waits until its task has ended well. */
async function ended(page: Page, task: number): Promise<void> {
  await expect
    .poll(async () => (await (await page.request.get(`${url}/api/v1/tasks/${task}`)).json()).state)
    .toMatch(/succeeded|partial|failed/);
  expect((await (await page.request.get(`${url}/api/v1/tasks/${task}`)).json()).state).toBe('succeeded');
}

async function crawl(page: Page): Promise<Crawl> {
  await page.getByRole('button', { name: 'Crawl', exact: true }).click();
  const link = page.getByRole('link', { name: 'Watch it' }).last();
  const task = Number(/\d+$/.exec((await link.getAttribute('href')) ?? '')?.[0]);
  await ended(page, task);
  return (await crawls(page))[0]!;
}

test('the slider leads into the past, which says so, and back', async ({ page }) => {
  await open(page, 'pools/demo/nodes');
  const slider = page.getByRole('slider', { name: 'Crawl' });
  await expect(slider).toBeVisible();
  await expect(page.getByText('You look at the past')).toHaveCount(0);
  await slider.focus();
  await page.keyboard.press('Home');
  const oldest = (await crawls(page)).at(-1)!;
  await expect(page).toHaveURL(new RegExp(`crawl=${oldest.id}`));
  await expect(page.getByText(`You look at the past: crawl ${oldest.id}`)).toBeVisible();
  const [seen] = await Promise.all([
    page.waitForResponse((response) => response.url().includes(`/topology?crawl=${oldest.id}`)),
    page.getByRole('navigation', { name: 'Pool' }).getByRole('link', { name: 'Ring' }).click(),
  ]);
  expect((await seen.json()).crawl.id).toBe(oldest.id);
  await expect(page.getByText('You look at the past')).toBeVisible();
  await page.getByRole('navigation', { name: 'Pool' }).getByRole('link', { name: 'Map' }).click();
  await expect(page.getByText('You look at the past')).toBeVisible();
  await page.getByRole('button', { name: 'Back to now' }).click();
  await expect(page).not.toHaveURL(/crawl=/);
  await expect(page.getByText('You look at the past')).toHaveCount(0);
});

test('an address with a time shows the crawl that began nearest to it', async ({ page }) => {
  await signIn(page);
  const oldest = (await crawls(page)).at(-1)!;
  const [seen] = await Promise.all([
    page.waitForResponse((response) => response.url().includes('/api/v1/pools/demo/nodes?')),
    page.goto(`${url}/pools/demo/nodes?at=${oldest.started}`),
  ]);
  expect((await seen.json()).crawl.id).toBe(oldest.id);
  await expect(page.getByText('You look at the past')).toBeVisible();
});

test('the crawls are played until the newest', async ({ page }) => {
  await open(page, 'pools/demo/map');
  const all = await crawls(page);
  const third = all[Math.min(2, all.length - 1)]!;
  await page.goto(`${url}/pools/demo/map?crawl=${third.id}`);
  await page.getByRole('button', { name: 'Play' }).click();
  await expect(page.getByText('Newest crawl')).toBeVisible();
  await expect(page).not.toHaveURL(/crawl=/);
  await expect(page.getByRole('button', { name: 'Play' })).toBeVisible();
});

test('a fault shows everywhere: on the ring, in the changes, beside the hosts; and is repaired', async ({ page }) => {
  await open(page, 'pools/demo');
  const before = (await crawls(page))[0]!;
  await page.getByRole('button', { name: 'More actions for demo' }).click();
  await page.getByRole('button', { name: 'Fault…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Kill: they vanish').check();
  await dialog.getByLabel('How many').fill('2');
  await dialog.getByLabel('Seed').fill('7');
  await expect(dialog).toContainText('Kills 2 nodes of 12 nodes');
  await dialog.getByRole('button', { name: 'Kill 2 nodes' }).click();
  await page.getByRole('link', { name: 'Watch it' }).click();
  await expect(page.locator('header').getByText('Succeeded')).toBeVisible();

  await page.goto(`${url}/pools/demo/deployed`);
  const after = await crawl(page);
  expect(after.answering).toBe(10);
  const states = page.getByRole('group', { name: 'States' });
  await expect(states.getByRole('button', { name: /Installed, not running/ })).toHaveText(/^2/);
  await expect(states.getByRole('button', { name: /Runs and was seen/ })).toHaveText(/^10/);

  // The crawls before and after differ by two nodes.
  await page.goto(`${url}/pools/demo/diff?from=${before.id}&to=${after.id}&kind=left`);
  await expect(page.getByRole('region', { name: 'Changes' }).locator('tbody tr')).toHaveCount(2);
  await expect(page.getByRole('button', { name: /Left/ })).toHaveText(/^2/);
  await page.goto(`${url}/pools/demo/ring?crawl=${after.id}&show=disagreements`);
  const rows = page.getByRole('region', { name: 'Who disagrees' }).locator('tbody tr');
  await expect(rows.first()).toContainText('does not answer');

  // One by hand, then whatever is left of the state.
  await page.goto(`${url}/pools/demo/deployed?state=installed_not_running`);
  const table = page.getByRole('region', { name: 'Deployed and seen' });
  await expect(table.locator('tbody tr')).toHaveCount(2);
  await expect(page.getByRole('button', { name: 'Repair all 2 hosts…' })).toBeVisible();
  await table.getByRole('checkbox').first().check();
  await page.getByRole('button', { name: 'Repair 1 host…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Repair 1 host' }).click();
  await expect(table.locator('tbody tr')).toHaveCount(1);
  await page.getByRole('button', { name: 'Repair all 1 host…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Repair 1 host' }).click();
  await expect(states.getByRole('button', { name: /Installed, not running/ })).toHaveText(/^0/);

  // The tests after this one want the overlay as it was.
  await expect(async () => {
    const now = await crawl(page);
    expect(now).toMatchObject({ answering: 12, consistency: 1 });
  }).toPass({ timeout: 90_000 });
});

test('statistics are drawn over a range, brushed, and come as files of the same range', async ({ page }) => {
  await open(page, 'pools/demo/stats');
  await expect(page.locator('.uplot canvas')).toHaveCount(4);
  await page.getByLabel('Range').selectOption('1d');
  await expect(page).toHaveURL(/range=1d/);
  const chart = page.getByRole('figure', { name: 'Nodes' }).locator('.u-over');
  await expect(chart).toBeVisible();
  await expect(page.locator('[aria-busy=true]')).toHaveCount(0);
  const box = (await chart.boundingBox())!;
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height / 2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.7, box.y + box.height / 2, { steps: 5 });
  await page.mouse.move(box.x + box.width, box.y + box.height / 2, { steps: 5 });
  await page.mouse.up();
  await expect(page).toHaveURL(/range=own&from=[^&]+&to=/);
  const status = page.locator('.toolbar').getByRole('status');
  await expect(status).toHaveText(/^\d+ crawls?/);
  const shown = Number(/^\d+/.exec((await status.textContent()) ?? '')?.[0]);
  expect(shown).toBeGreaterThan(0);

  await page.getByRole('button', { name: 'Download' }).click();
  const link = page.getByRole('link', { name: 'CSV', exact: true });
  const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
  const lines = readFileSync(await download.path(), 'utf8').trim().split(/\r?\n/);
  expect(lines).toHaveLength(shown + 1);

  await page.getByRole('button', { name: 'Zoom out' }).click();
  await expect(page).toHaveURL(/range=own/);
  await page.goBack();
  await page.goBack();
  await expect(page).toHaveURL(/range=1d/);
});

test('statistics are printed in the colours of paper and without what can be pressed', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await open(page, 'pools/demo/stats');
  await expect(page.locator('.uplot canvas')).toHaveCount(4);
  await page.emulateMedia({ media: 'print', colorScheme: 'dark' });
  await expect(page.getByText('System statistics from')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Download' })).toBeHidden();
  await expect(page.getByRole('slider')).toBeHidden();
  const paper = await page.evaluate(() => getComputedStyle(document.querySelector('h1')!).color);
  expect(paper).toBe('rgb(24, 33, 43)');
  // The green of the light theme: charts are drawn anew for paper.
  const isLight = () => {
    const canvas = document.querySelector<HTMLCanvasElement>('.uplot canvas')!;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) if (data[i] === 23 && data[i + 1] === 113 && data[i + 2] === 63) return true;
    return false;
  };
  await expect.poll(() => page.evaluate(isLight)).toBe(true);
});

test('the list of pools draws how many nodes answered the last crawls', async ({ page }) => {
  await open(page, 'pools/demo/nodes');
  for (let have = (await crawls(page)).length; have < 2; have++) await crawl(page);
  const { length } = await crawls(page);
  await open(page, '');
  const curve = page.getByRole('row', { name: /demo/ }).getByRole('img');
  await expect(curve).toHaveAccessibleName(
    new RegExp(`^Nodes answering in the last ${Math.min(length, 20)} crawls: `),
  );
});
