import { expect, test, type Page } from '@playwright/test';

import { problems } from './problems';
import { csrf, open, signIn, url } from './support';
import { startTileServer, TILE_COLOUR, type TileServer } from './tileServer';

let tiles: TileServer;
test.beforeAll(async () => {
  tiles = await startTileServer();
});
test.afterAll(async ({ browser }) => {
  const page = await browser.newPage();
  await signIn(page);
  const plain = { tiles: null, attribution: '', attribution_url: null, zoom_max: 18, hide_borders: false };
  const answer = await page.request.put(`${url}/api/v1/settings/map`, { data: plain, headers: await csrf(page) });
  expect(answer.status()).toBe(200);
  await page.close();
  await tiles?.stop();
});

/** What a page asks of others than the manager and the server of tiles, and what its console says. */
function watch(page: Page): string[] {
  const wrong: string[] = [];
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    const known = origin === url || origin === tiles.origin || protocol === 'blob:' || protocol === 'data:';
    if (!known) wrong.push(`foreign request: ${request.url()}`);
  });
  page.on('pageerror', (error) => wrong.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) wrong.push(message.text());
  });
  return wrong;
}

/** Colour of the map at its left edge, where the demo has no node, as it is seen: scripts can't read foreign pictures. */
async function colourOfMap(page: Page): Promise<number[]> {
  const seen = (await page.locator('canvas').first().screenshot()).toString('base64');
  return page.evaluate(async (seen) => {
    const image = new Image();
    image.src = `data:image/png;base64,${seen}`;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext('2d')!;
    context.drawImage(image, 0, 0);
    return [...context.getImageData(10, Math.round(image.height / 2), 1, 1).data.slice(0, 3)];
  }, seen);
}

test('a server of tiles is set, tried, and drawn below the points of maps', async ({ page }) => {
  const wrong = watch(page);
  await open(page, 'settings/map');
  await page.getByLabel('Address of a tile').fill('https://{s}.example.org/{z}/{x}/{y}');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByRole('alert').first()).toContainText('another placeholder');
  // a refused request stands in the console
  wrong.length = 0;

  await page.getByLabel('Address of a tile').fill(`${tiles.origin}/{z}/{x}/{y}.png`);
  await page.getByLabel('Attribution', { exact: true }).fill('Tiles by <b>nobody</b>');
  await page.getByLabel('Link of the attribution').fill('https://tiles.example.org/thanks');
  await page.getByRole('button', { name: 'Test' }).click();
  await expect(page.getByText('Save first, then load this page again')).toBeVisible();
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'Load the page again' }).click();
  await page.getByRole('button', { name: 'Test' }).click();
  await expect(page.getByText('The tile of the whole world came.')).toBeVisible();
  expect(tiles.asked).toContain('/0/0/0.png');
  expect(await problems(page)).toEqual([]);

  await page.goto(`${url}/pools/demo/map`);
  await expect(page.locator('canvas[data-nodes="12"]')).toBeVisible();
  await expect.poll(() => tiles.asked.filter((path) => /^\/[1-9]\//.test(path)).length).toBeGreaterThan(3);
  await expect.poll(() => colourOfMap(page)).toEqual([...TILE_COLOUR]);
  const thanks = page.getByRole('link', { name: 'Tiles by <b>nobody</b>' });
  await expect(thanks).toHaveAttribute('href', 'https://tiles.example.org/thanks');
  expect(wrong).toEqual([]);
});

test('tiles that do not come are told, and the map stays', async ({ page }) => {
  tiles.fail();
  await open(page, 'pools/demo/map');
  await expect(page.getByText('Some pictures of the map did not come.')).toBeVisible();
  await expect(page.locator('canvas[data-nodes="12"]')).toBeVisible();
  expect(await colourOfMap(page)).not.toEqual([...TILE_COLOUR]);
});

test('how hosts are reached is told in plain words', async ({ page }) => {
  await open(page, 'settings/ssh');
  await expect(page.getByText('is pinned')).toBeVisible();
  await expect(page.getByRole('table', { name: 'Limits' })).toContainText('256');
  await expect(page.getByRole('table', { name: 'Deadlines' })).toContainText('Connect and log in');
  expect(await problems(page)).toEqual([]);
});
