import { expect, password, test, url } from './support';

test('a person logs in with the printed password and finds the demo', async ({ page, watched }) => {
  await page.goto(`${url}/pools/demo/nodes`);
  await expect(page).toHaveURL(/\/login\?next=pools%2Fdemo%2Fnodes$/);
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
