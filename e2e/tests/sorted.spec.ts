import { expect, open, test, url } from './support';

test('sessions and deployed hosts are sorted by the manager, as their address says', async ({ page }) => {
  const asked: URL[] = [];
  page.on('request', (request) => asked.push(new URL(request.url())));
  const last = (path: string) => asked.filter(({ pathname }) => pathname.endsWith(path)).at(-1)?.searchParams;

  await open(page, 'pools/demo/deployed');
  const hosts = page.getByRole('region', { name: 'Deployed and seen' });
  await hosts.getByRole('button', { name: 'Node', exact: true }).click();
  await expect(page).toHaveURL(/sort=node/);
  await expect(hosts.locator('th[aria-sort=ascending]')).toHaveText(/Node/);
  await hosts.getByRole('button', { name: 'Node', exact: true }).click();
  await expect(hosts.locator('th[aria-sort=descending]')).toHaveText(/Node/);
  await expect.poll(() => last('/deployed')?.get('order')).toBe('desc');
  expect(last('/deployed')?.get('sort')).toBe('node');
  const links = hosts.locator('tbody td:nth-child(3) a');
  await expect
    .poll(async () => {
      const shown = await links.evaluateAll((all) => all.map((a) => a.getAttribute('title') ?? ''));
      const sorted = [...shown].sort((a, b) => (a < b ? 1 : -1));
      return shown.length === 12 && shown.join() === sorted.join();
    })
    .toBe(true);
  await page.getByRole('button', { name: 'Download' }).click();
  await expect(page.getByRole('link', { name: 'CSV' })).toHaveAttribute('href', /deployed\.csv\?sort=node&order=desc$/);

  await page.goto(`${url}/pools/demo/sessions?sort=address&order=desc`);
  const sessions = page.getByRole('region', { name: 'Sessions' });
  const addresses = sessions.locator('tbody a[title]');
  await expect(addresses.first()).toBeVisible();
  const shown = await addresses.evaluateAll((all) => all.map((a) => a.getAttribute('title') ?? ''));
  expect(shown.length).toBeGreaterThan(1);
  expect(shown).toEqual([...shown].sort((a, b) => (a < b ? 1 : -1)));
  expect(last('/sessions')?.get('sort')).toBe('address');
  expect(last('/sessions')?.get('limit')).toBe('50');
  await page.getByRole('button', { name: 'Download' }).click();
  const href = await page.getByRole('link', { name: 'CSV' }).getAttribute('href');
  expect(href).toMatch(/sessions\.csv\?.*sort=address&order=desc$/);
  const csv = await (await page.request.get(new URL(href ?? '', url).href)).text();
  const exported = csv.trim().split('\r\n').slice(1);
  expect(exported.map((line) => line.split(',')[0])).toEqual(shown);
});
