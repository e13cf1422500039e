import type { Page } from '@playwright/test';

import { expect, open, password, test, url } from './support';

/** More stops than any page has before what is looked for. */
const TABS_MAX = 80;

/** Goes on with the tabulator until this has the focus, as somebody without a mouse does. */
async function tabTo(page: Page, name: string | RegExp, role: 'link' | 'button'): Promise<void> {
  const wanted = page.getByRole(role, { name }).first();
  await expect(wanted).toBeVisible();
  for (let stops = 0; stops < TABS_MAX; stops += 1) {
    await page.keyboard.press('Tab');
    if (await wanted.evaluate((node) => node === document.activeElement)) return;
  }
  throw new Error(`${role} ${name} can't be reached with the tabulator`);
}

test('without a mouse one logs in, opens a pool and a node, closes it and goes on', async ({ page }) => {
  await page.goto(`${url}/login`);
  await expect(page.getByLabel('Name')).toBeFocused();
  await page.keyboard.type('admin');
  await page.keyboard.press('Tab');
  await expect(page.getByLabel('Password')).toBeFocused();
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${url}/`);

  await expect(page.getByRole('link', { name: 'demo' })).toBeVisible();
  await page.keyboard.press('j');
  await expect(page.getByRole('link', { name: 'demo' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${url}/pools/demo`);
  await expect(page.locator('main')).toBeFocused();

  await tabTo(page, 'Nodes', 'link');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/pools\/demo\/nodes$/);
  const rows = page.locator('[data-row]');
  await expect(rows).toHaveCount(12);
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  await expect(rows.nth(1)).toBeFocused();
  await page.keyboard.press('k');
  await expect(rows.first()).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('heading', { name: 'Closest neighbours' })).toBeVisible();
  await expect(page).toHaveURL(/node=/);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('heading', { name: 'Closest neighbours' })).toHaveCount(0);
  await expect(page).not.toHaveURL(/node=/);
  await expect(rows.first()).toBeFocused();

  await page.keyboard.press('/');
  await expect(page.locator('[data-filter]')).toBeFocused();
  const name = (await rows.last().textContent()) ?? '';
  await page.keyboard.type(name);
  await expect(rows.first()).toHaveText(name);
  await expect(page).toHaveURL(/[?&]q=/);

  await page.keyboard.press('Control+k');
  await page.keyboard.insertText('demo map');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(`${url}/pools/demo/map`);
  await expect(page.locator('main')).toBeFocused();
  await page.keyboard.press('g');
  await page.keyboard.press('t');
  await expect(page).toHaveURL(`${url}/tasks`);
});

test('the first stop leads past the navigation', async ({ page }) => {
  await open(page, '');
  await expect(page.getByRole('link', { name: 'demo' })).toBeVisible();
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Skip to the content' })).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(page.locator('main')).toBeFocused();
});
