import type { Page } from '@playwright/test';

import { expect, open, test, url } from './support';

interface Points {
  ids: string[];
  namespace: (number | null)[];
  namespaces: string[];
}

/** Every third node of the real answers is in another namespace, as in rings that carry several. */
async function mixed(page: Page): Promise<void> {
  await page.route(/\/api\/v1\/pools\/demo\/(map|topology)(\?|$)/, async (route) => {
    const answer = await route.fetch();
    const points = (await answer.json()) as Points;
    expect(points.namespaces).toEqual(['demo']);
    const json = { ...points, namespaces: ['demo', 'field'], namespace: points.ids.map((_, i) => (i % 3 === 0 ? 1 : 0)) };
    return route.fulfill({ response: answer, json });
  });
  await page.route(/\/pools\/demo\/nodes\?.*sort=namespace&order=desc&limit=1$/, async (route) => {
    const answer = await route.fetch();
    const nodes = (await answer.json()) as { items: { namespace: string }[] };
    expect(nodes.items[0]?.namespace).toBe('demo');
    return route.fulfill({ response: answer, json: { ...nodes, items: [{ ...nodes.items[0], namespace: 'field' }] } });
  });
}

test('a pool of one namespace has nothing to choose', async ({ page }) => {
  await open(page, 'pools/demo/map');
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '12');
  await expect(page.getByRole('combobox', { name: 'Namespace' })).toHaveCount(0);
  await page.getByRole('link', { name: 'View as table' }).click();
  await expect(page.getByRole('region', { name: 'Nodes' }).getByText('Answering')).toHaveCount(12);
  await expect(page.getByRole('combobox', { name: 'Namespace' })).toHaveCount(0);
});

test('the map shows one of several namespaces, keeps it in its address, and takes it to the table', async ({ page }) => {
  await mixed(page);
  await open(page, 'pools/demo/map');
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '12');
  const choice = page.getByRole('combobox', { name: 'Namespace' });
  await choice.selectOption('field');
  await expect(page).toHaveURL(/\?namespace=field$/);
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '4');
  await expect(page.getByText('4 of 12 located nodes in field')).toBeVisible();
  await page.reload();
  await expect(choice).toHaveValue('field');
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '4');
  await choice.selectOption('');
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '12');
  await page.goBack();
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '4');

  // The manager filters the table: no node is really there.
  await page.getByRole('link', { name: 'View as table' }).click();
  await expect(page).toHaveURL(/\/nodes\?namespace=field$/);
  await expect(page.getByText('0 of 12 nodes')).toBeVisible();
  await expect(page.getByText('No node matches the filter.')).toBeVisible();
  await page.getByRole('button', { name: 'Download' }).click();
  await expect(page.getByRole('link', { name: 'CSV', exact: true })).toHaveAttribute('href', /namespace=field/);
  await page.keyboard.press('Escape');
  await choice.selectOption('demo');
  await expect(page.getByRole('region', { name: 'Nodes' }).getByText('Answering')).toHaveCount(12);
});

test('whom places are from is said where they are shown, and nobody else is thanked', async ({ page }) => {
  await open(page, 'pools/demo/map');
  // The demo's hosts tell their own places.
  await expect(page.locator('[data-credits]')).toHaveText(/^\s*Positions are approximate · Map: Natural Earth\s*$/);
  await page.route(/\/api\/v1\/pools\/demo\/map(\?|$)/, async (route) => {
    const answer = await route.fetch();
    const credits = [{ text: 'IP geolocation by DB-IP', url: 'https://db-ip.com' }];
    return route.fulfill({ response: answer, json: { ...(await answer.json()), credits } });
  });
  await page.goto(`${url}/pools/demo`);
  const credit = page.locator('[data-credits]').getByRole('link', { name: 'IP geolocation by DB-IP' });
  await expect(credit).toHaveAttribute('href', 'https://db-ip.com');
});
