import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';

import { expect, open, test, url } from './support';

async function problems(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')}`));
}

/** Makes a link by the dialog of a pool's page, and tells its address. */
async function share(page: Page, path: string, name: string, choose: (dialog: ReturnType<Page['getByRole']>) => Promise<void>): Promise<string> {
  await open(page, path);
  await page.getByRole('button', { name: 'Share…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('What it is for').fill(name);
  await choose(dialog);
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  const address = (await dialog.locator('[data-secret] a').getAttribute('href')) ?? '';
  await dialog.getByRole('button', { name: 'Done' }).click();
  return address;
}

test('a link shows what was chosen, hides the rest, counts, may be embedded, and ends when it is revoked', async ({ page, browser, watched }) => {
  const link = await share(page, 'pools/demo/map', 'for the lab', async (dialog) => {
    await dialog.getByRole('checkbox', { name: /^Nodes/ }).check();
    await dialog.getByRole('checkbox', { name: /^Statistics/ }).check();
    await dialog.getByText('Show it inside other web sites').click();
    await dialog.getByLabel('Web sites that may embed it').fill('https://lab.example.org');
  });

  const stranger = await browser.newContext();
  const guest = await stranger.newPage();
  const answer = await guest.goto(link);
  expect(answer?.headers()['content-security-policy']).toContain('frame-ancestors https://lab.example.org');
  expect(answer?.headers()['x-frame-options']).toBeUndefined();
  await expect(guest.locator('canvas')).toHaveAttribute('data-nodes', '12');
  await expect(guest.getByText('12 of 12 nodes')).toBeVisible();
  await expect(guest.getByText('for the lab')).toBeVisible();
  await expect(guest.locator('[data-credits]')).toHaveText('Positions are approximate · Map: Natural Earth');

  await guest.getByRole('link', { name: 'View as table' }).click();
  const table = guest.getByRole('region', { name: 'Nodes' });
  await expect(table.getByText('Answering')).toHaveCount(12);
  await expect(table.getByRole('columnheader', { name: 'Host' })).toHaveCount(0);
  expect(await guest.locator('body').innerText()).not.toMatch(/127\.\d+\.0\.\d+/);
  await table.getByRole('button', { name: 'RTT' }).click();
  await expect(guest).toHaveURL(/sort=rtt_ms/);
  // Files were not chosen.
  await expect(guest.getByRole('link', { name: /Download/ })).toHaveCount(0);

  await guest.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Statistics' }).click();
  await expect(guest.locator('.uplot canvas')).toHaveCount(4);
  await expect(guest.getByRole('region', { name: 'Statistics of the crawls' })).toContainText('100 %');

  await page.goto(`${url}/pools/demo/settings`);
  const row = page.getByRole('region', { name: 'Share links' }).getByRole('row', { name: /for the lab/ });
  await expect(row).toContainText('Map, Nodes, Statistics');
  await expect(row.locator('td.number').first()).toContainText('1');
  await row.getByRole('button', { name: 'Revoke for the lab' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke the link' }).click();
  await expect(row).toContainText('Revoked');

  await guest.reload();
  await expect(guest.locator('[data-share=over]')).toContainText('This link shows nothing');
  await stranger.close();
  expect(watched).toEqual([]);
});

test('a link with files and hosts tells them', async ({ page, browser }) => {
  const link = await share(page, 'pools/demo/nodes', 'with hosts', async (dialog) => {
    await dialog.getByRole('checkbox', { name: /^Files/ }).check();
    await dialog.getByRole('checkbox', { name: /^Host names/ }).check();
  });
  const stranger = await browser.newContext();
  const guest = await stranger.newPage();
  await guest.goto(link);
  await expect(guest.getByRole('region', { name: 'Nodes' })).toContainText(/127\.\d+\.0\.12/);
  const [download] = await Promise.all([
    guest.waitForEvent('download'),
    guest.getByRole('link', { name: 'Download CSV' }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/\.csv$/);
  await stranger.close();
});

test('a link tells places and namespaces as was chosen, and a map without places is refused before it is made', async ({ page, browser, watched }) => {
  const link = await share(page, 'pools/demo/map', 'no places', async (dialog) => {
    const places = dialog.getByLabel('It tells where nodes are');
    const make = dialog.getByRole('button', { name: 'Make the link' });
    await expect(places).toHaveValue('degree');
    await dialog.getByRole('checkbox', { name: /^Host names/ }).check();
    await expect(places).toHaveValue('exact');
    await dialog.getByRole('checkbox', { name: /^Host names/ }).uncheck();
    await expect(places).toHaveValue('degree');
    await places.selectOption('none');
    await expect(dialog.getByText('A map without places shows nothing')).toBeVisible();
    await expect(make).toBeDisabled();
    await dialog.getByRole('checkbox', { name: /^Map/ }).uncheck();
    await dialog.getByRole('checkbox', { name: /^Nodes/ }).check();
    await expect(dialog.getByText('Visitors see no places.')).toBeVisible();
    await expect(dialog.getByText('The newest crawl has demo.')).toBeVisible();
    await dialog.getByLabel('Only nodes of these namespaces').fill('field\ndemo');
    await expect(make).toBeEnabled();
  });
  const elsewhere = await share(page, 'pools/demo/nodes', 'field only', async (dialog) => {
    await dialog.getByLabel('Only nodes of these namespaces').fill('field');
    await dialog.getByLabel('It tells where nodes are').selectOption('city');
  });

  const stranger = await browser.newContext();
  const guest = await stranger.newPage();
  await guest.goto(link);
  const table = guest.getByRole('region', { name: 'Nodes' });
  await expect(table.getByText('Answering')).toHaveCount(12);
  const nodesOf = async (address: string) => {
    const answer = await guest.request.get(`${url}/api/v1/share/${address.split('/').at(-1)}/nodes`);
    return ((await answer.json()) as { items: { location?: unknown }[] }).items;
  };
  expect((await nodesOf(link)).filter(({ location }) => location)).toEqual([]);
  expect(await nodesOf(link)).toHaveLength(12);
  expect(await nodesOf(elsewhere)).toEqual([]);
  await stranger.close();

  await page.goto(`${url}/pools/demo/settings`);
  const links = page.getByRole('region', { name: 'Share links' });
  await expect(links.getByRole('row', { name: /^no places/ })).toContainText('no places · only demo, field');
  await expect(links.getByRole('row', { name: /^field only/ })).toContainText('places to the city · only field');
  expect(watched).toEqual([]);
});

for (const theme of ['light', 'dark'] as const) {
  test(`share pages and their dialog are accessible and fit a phone in the ${theme} theme`, async ({ page, watched }) => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const link = await share(page, 'pools/demo/stats', `axe ${theme}`, async (dialog) => {
      await dialog.getByRole('checkbox', { name: /^Map/ }).check();
      await dialog.getByRole('checkbox', { name: /^Nodes/ }).check();
      expect(await problems(page)).toEqual([]);
    });
    const views: [query: string, ready: string][] = [
      ['', 'canvas[data-nodes="12"]'],
      ['?view=nodes', 'table td'],
      ['?view=stats', '.uplot canvas'],
    ];
    for (const [query, ready] of views) {
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.goto(`${link}${query}`);
      await expect(page.locator(ready).first()).toBeVisible();
      await expect(page.locator('h1')).toHaveCount(1);
      expect(await problems(page)).toEqual([]);
      await page.setViewportSize({ width: 360, height: 740 });
      const over = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      await expect.poll(over, query).toBeLessThanOrEqual(0);
    }
    expect(watched).toEqual([]);
    await page.goto(`${url}/share/not-a-link`);
    await expect(page.locator('[data-share=over]')).toBeVisible();
    expect(await problems(page)).toEqual([]);
    expect(watched.splice(0).every((line) => line.includes('404'))).toBe(true);
  });
}
