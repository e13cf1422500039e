import { account, logIn, signInAs } from './accounts';
import { expect, open, test, url } from './support';
import { codeOf } from './totp';

test('an account is made, gets another role, is locked out, let in and deleted', async ({ page }) => {
  await open(page, 'users');
  await page.getByRole('button', { name: 'New account' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('olga');
  await dialog.getByRole('button', { name: 'Make the account' }).click();
  await expect(dialog.locator('[data-secret] code')).not.toBeEmpty();
  await dialog.getByRole('button', { name: 'Done' }).click();
  const row = page.getByRole('row', { name: /olga/ });
  await expect(row).toContainText('Viewer');

  await row.getByRole('button', { name: 'olga' }).click();
  const panel = page.getByRole('complementary');
  await panel.getByLabel('Role').selectOption('administrator');
  await expect(row).toContainText('Administrator');
  await panel.getByRole('button', { name: 'Lock out…' }).click();
  await dialog.getByRole('button', { name: 'Lock out', exact: true }).click();
  await expect(row).toContainText('Locked out');
  await panel.getByRole('button', { name: 'Let in again' }).click();
  await expect(row).toContainText('Allowed');
  await panel.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete the account' }).click();
  await expect(row).toHaveCount(0);
});

test('the last super administrator is told why the role must stay', async ({ page, watched }) => {
  await open(page, 'users?q=admin&user=1');
  const panel = page.getByRole('complementary');
  await panel.getByLabel('Role').selectOption('viewer');
  await expect(page.getByText('The role of admin could not be changed')).toBeVisible();
  await expect(page.getByRole('row', { name: /^admin/ })).toContainText('Super administrator');
  expect(watched.splice(0).every((line) => /4\d\d/.test(line))).toBe(true);
});

test('a person changes the password, and a wrong one is told at its field', async ({ page, watched }) => {
  const paul = await account('paul', 'viewer');
  await signInAs(page, paul);
  await page.goto(`${url}/settings/account`);
  const section = page.getByRole('region', { name: 'Password' });
  const fill = async (old: string) => {
    await section.getByLabel('Present password').fill(old);
    await section.getByLabel('New password', { exact: true }).fill('another long one');
    await section.getByLabel('New password again').fill('another long one');
    await section.getByRole('button', { name: 'Change the password' }).click();
  };
  await fill('not it');
  await expect(section.getByText('This is not your password.')).toBeVisible();
  expect(watched.splice(0).every((line) => line.includes('401'))).toBe(true);
  await fill(paul.password);
  await expect(page.getByText('Your password was changed')).toBeVisible();
  await page.getByRole('button', { name: 'Log out' }).click();
  await logIn(page, { name: 'paul', password: 'another long one' });
  await expect(page.getByRole('link', { name: 'paul' })).toBeVisible();
});

test('sessions are listed, and one of another browser is ended', async ({ page, browser }) => {
  const sam = await account('sam', 'viewer');
  const other = await browser.newContext({ userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0' });
  const elsewhere = await other.newPage();
  await signInAs(elsewhere, sam);
  await signInAs(page, sam);
  await page.goto(`${url}/settings/sessions`);
  const row = page.getByRole('row', { name: /Firefox on Linux/ });
  await row.getByRole('button', { name: /End the session of Firefox/ }).click();
  await expect(row).toHaveCount(0);
  await expect(page.getByText('this one')).toBeVisible();
  await elsewhere.goto(`${url}/settings/sessions`);
  await expect(elsewhere.locator('[data-forbidden], form').first()).toBeVisible();
  await expect(elsewhere.getByRole('link', { name: 'sam' })).toHaveCount(0);
  await other.close();
});

test('a second factor is set up by its QR code, asked for at login, helped by a recovery code, and ended', async ({ page, watched }) => {
  const tina = await account('tina', 'viewer');
  await signInAs(page, tina);
  await page.goto(`${url}/settings/account`);
  const section = page.getByRole('region', { name: 'Second factor' });
  await section.getByLabel('Your password').fill(tina.password);
  await section.getByRole('button', { name: 'Set up a second factor' }).click();
  await expect(section.getByRole('img', { name: 'QR code' })).toBeVisible();
  const secret = await section.locator('[data-totp-secret]').innerText();

  await section.getByLabel('Code that the app shows').fill('000000');
  await section.getByRole('button', { name: 'Ask for codes from now on' }).click();
  await expect(section.getByText('This is not the present code.')).toBeVisible();
  expect(watched.splice(0).every((line) => line.includes('422'))).toBe(true);
  await section.getByLabel('Code that the app shows').fill(codeOf(secret));
  await section.getByRole('button', { name: 'Ask for codes from now on' }).click();
  await expect(section.locator('.codes li').first()).toBeVisible();
  const recovery = await section.locator('.codes li').allInnerTexts();
  expect(recovery.length).toBeGreaterThan(4);
  await section.getByRole('button', { name: 'I have kept them' }).click();
  await expect(section.getByText(/recovery codes left/)).toBeVisible();

  const again = async (code: string) => {
    await page.getByRole('button', { name: 'Log out' }).click();
    await logIn(page, tina);
    const field = page.getByLabel('Code of your app, or a recovery code');
    await expect(field).toBeFocused();
    await field.fill(code);
    await page.getByRole('button', { name: 'Log in', exact: true }).click();
  };
  // Each code works once: the next one is that of the next half minute.
  await again(codeOf(secret, 1));
  await expect(page.getByRole('link', { name: 'tina' })).toBeVisible();
  await again('999999');
  await expect(page.getByRole('alert')).toBeVisible();
  await page.getByLabel('Code of your app, or a recovery code').fill(recovery[0] ?? '');
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await expect(page.getByRole('link', { name: 'tina' })).toBeVisible();
  expect(watched.splice(0).every((line) => line.includes('401'))).toBe(true);

  await page.goto(`${url}/settings/account`);
  await section.getByLabel('Your password').fill(tina.password);
  await section.getByRole('button', { name: 'End the second factor' }).click();
  await expect(section.getByRole('button', { name: 'Set up a second factor' })).toBeVisible();
});

test('somebody is given a pool to manage, and it is taken back', async ({ page }) => {
  await account('gina', 'publisher');
  await open(page, 'pools/demo/settings');
  const section = page.getByRole('region', { name: 'People' });
  await section.getByLabel('Name of an account').fill('gina');
  await section.getByRole('combobox').selectOption('manage');
  await section.getByRole('button', { name: 'Give', exact: true }).click();
  const row = section.getByRole('row', { name: /gina/ });
  await expect(row).toContainText('manage it');
  await row.getByRole('button', { name: 'Take the grant of gina back' }).click();
  await expect(row).toHaveCount(0);
});

test('the audit log is filtered by its address and comes as CSV', async ({ page }) => {
  await account('audited', 'viewer');
  await open(page, 'audit');
  const table = page.getByRole('region', { name: 'Audit log' });
  await expect(table.locator('tbody tr').first()).toBeVisible();
  await page.getByLabel('Action', { exact: true }).fill('POST /users');
  await expect(page).toHaveURL(/action=POST\+%2Fusers/);
  await page.getByRole('combobox', { name: 'Result' }).selectOption('ok');
  await expect(page).toHaveURL(/result=ok/);
  await expect(table.getByText('POST /users').first()).toBeVisible();
  await expect(table.getByText('POST /login')).toHaveCount(0);
  const href = (await page.getByRole('link', { name: 'Download CSV' }).getAttribute('href')) ?? '';
  const csv = await (await page.request.get(new URL(href, `${url}/`).href)).text();
  const lines = csv.trim().split(/\r?\n/);
  expect(lines.length).toBeGreaterThan(1);
  expect(lines.slice(1).every((line) => line.includes('POST /users'))).toBe(true);
  await page.reload();
  await expect(page.getByLabel('Action', { exact: true })).toHaveValue('POST /users');
});

test('the roles are those that the manager enforces', async ({ page }) => {
  await open(page, 'roles');
  const table = page.getByRole('region', { name: 'Permissions' });
  const told = (await (await page.request.get(`${url}/api/v1/permissions`)).json()) as { routes: unknown[] };
  await expect(table.locator('tbody td:first-child code')).toHaveCount(told.routes.length);
  await page.getByLabel('Filter by what it does').fill('GET /audit');
  const row = table.getByRole('row', { name: /The audit log, newest first\. Nobody/ });
  await expect(row.locator('td')).toHaveText([/GET \/audit/, '–no', '–no', '–no', '✓yes', '✓yes']);
});
