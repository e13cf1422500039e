import { expect, open, test, url } from './support';

test('a new pool: every wrong line of the host list is named while it is typed', async ({ page }) => {
  await open(page, 'pools/new');
  await page.getByLabel('One host per line').fill('planet1.example.org\nbad host!\nplanet1.example.org\n10.0.0.7:2222\n');
  await expect(page.getByText('2 hosts right')).toBeVisible();
  await expect(page.getByText(/^line 2:/)).toBeVisible();
  await expect(page.getByText(/^line 3:.*already on line 1/)).toBeVisible();

  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByText('must be 1 to 63 of a-z')).toBeVisible();

  await page.getByLabel('Name', { exact: true }).fill('planet');
  await page.getByLabel('One host per line').fill('planet1.example.org\n10.0.0.7:2222\n');
  await expect(page.getByText('2 hosts right')).toBeVisible();
  await page.getByLabel('User on the hosts').fill('ops');
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByText('Pool planet was created')).toBeVisible();
  await expect(page.locator('pre')).toContainText('ssh-ed25519 ');
  await page.getByRole('link', { name: 'To the pool' }).click();
  await expect(page.getByRole('heading', { name: 'planet' })).toBeVisible();
  await page.getByRole('navigation', { name: 'Pool' }).getByRole('link', { name: 'Hosts' }).click();
  await expect(page.getByRole('region', { name: 'Hosts' }).getByText('Not looked at')).toHaveCount(2);

  const gone = await page.request.delete(`${url}/api/v1/pools/planet`);
  expect(gone.status()).toBe(204);
});

test('a token is shown once, works, and ends when it is deleted', async ({ page, playwright }) => {
  await open(page, 'settings');
  await page.getByLabel('What it is for').fill('e2e');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const secret = await page.locator('.made code').innerText();
  const program = await playwright.request.newContext({ extraHTTPHeaders: { authorization: `Bearer ${secret}` } });
  expect((await program.get(`${url}/api/v1/tokens`)).status()).toBe(200);
  await page.getByRole('button', { name: 'Delete token e2e' }).click();
  await expect(page.getByText('Token “e2e” no longer works.')).toBeVisible();
  expect((await program.get(`${url}/api/v1/tokens`)).status()).toBe(401);
  await program.dispose();
});
