import { expect, password, test, url } from './support';

test('a person logs in with the printed password and finds the demo', async ({ page, watched }) => {
  await page.goto(`${url}/settings/tokens?a=b`);
  await expect(page.getByText('You can’t see your tokens.')).toBeVisible();
  await page.getByRole('note').getByRole('link', { name: 'Log in' }).click();
  await expect(page).toHaveURL(/\/login\?next=settings%2Ftokens%3Fa%3Db$/);
  expect(watched).toEqual([]);
  await page.goto(`${url}/login?next=pools%2Fdemo%2Fnodes`);
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page.getByRole('alert')).toBeVisible();
  expect(watched.splice(0).every((line) => line.includes('401'))).toBe(true);

  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page).toHaveURL(`${url}/pools/demo/nodes`);
  await expect(page).toHaveTitle('demo · Nodes — P2PPool');

  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Pools' }).click();
  const row = page.getByRole('row', { name: /demo/ });
  await expect(row).toContainText('Running');
  await expect(row).toContainText('12/12');

  await page.getByRole('button', { name: 'Log out' }).click();
  await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible();
  const me = await page.request.get(`${url}/api/v1/me`);
  expect(await me.json()).toEqual({ user: null });
});

test('who has no account looks at a public pool, and is told why nothing can be changed', async ({ page, watched }) => {
  await page.goto(`${url}/pools/demo/hosts`);
  await expect(page.getByRole('region', { name: 'Hosts' }).getByText('Running')).toHaveCount(12);
  const check = page.getByRole('button', { name: 'Check', exact: true });
  await expect(check).toHaveAttribute('aria-disabled', 'true');
  await check.click({ force: true });
  await expect(page.getByText('Log in to change this pool.')).toBeVisible();
  await expect(page.getByRole('navigation', { name: 'Main' }).getByRole('link')).toHaveText([/P2PPool/, 'Pools', 'Log in']);
  await page.getByRole('link', { name: 'Log in' }).click();
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
  await expect(page).toHaveURL(`${url}/pools/demo/hosts`);
  await expect(check).toHaveAttribute('aria-disabled', 'false');
  expect(watched).toEqual([]);
});
