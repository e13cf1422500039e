import { expect, open, test, url } from './support';

test('a pool of one namespace has nothing to choose', async ({ page }) => {
  await open(page, 'pools/demo/map');
  await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '12');
  await expect(page.getByRole('combobox', { name: 'Namespace' })).toHaveCount(0);
  await page.getByRole('link', { name: 'View as table' }).click();
  await expect(page.getByRole('region', { name: 'Nodes' }).getByText('Answering')).toHaveCount(12);
  await expect(page.getByRole('combobox', { name: 'Namespace' })).toHaveCount(0);
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
