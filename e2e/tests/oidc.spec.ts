import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test as base, type Page } from '@playwright/test';

import { startManager, type Manager } from './manager';
import { problems } from './problems';
import { CLIENT, SECRET, startProvider, type Provider, type Somebody } from './provider';

const anna: Somebody = { name: 'anna', groups: ['lab', 'ops'] };
const PEOPLE: Somebody[] = [
  anna,
  { name: 'ben', groups: ['lab'] },
  { name: 'eve', groups: ['guests'] },
  // The first administrator's name, taken by somebody at the provider.
  { name: 'admin', groups: ['ops'] },
  { name: 'mallory', groups: ['ops'], wrong: 'state' },
  { name: 'trudy', groups: ['ops'], wrong: 'signature' },
];

let provider: Provider;
let manager: Manager;

base.beforeAll(async () => {
  base.setTimeout(180_000);
  provider = await startProvider(PEOPLE);
  const folder = mkdtempSync(join(tmpdir(), 'p2ppool-e2e-oidc-'));
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  manager = await startManager(
    ...['--oidc-issuer', provider.issuer, '--oidc-client-id', CLIENT],
    ...['--oidc-client-secret-file', join(folder, 'secret')],
    ...['--oidc-role', 'ops=administrator', '--oidc-role', 'lab=viewer'],
  );
  rmSync(folder, { recursive: true });
});
base.afterAll(async () => {
  await manager?.stop();
  await provider?.stop();
});

/** A page whose scripts fail or complain fails its test. */
const test = base.extend<{ watched: string[] }>({
  watched: [
    async ({ page }, use) => {
      const seen: string[] = [];
      page.on('pageerror', (error) => seen.push(`script: ${error.message}`));
      page.on('console', (message) => {
        // The browser asks every site for its icon.
        const icon = message.location().url.endsWith('/favicon.ico');
        if (['error', 'warning'].includes(message.type()) && !icon) seen.push(message.text());
      });
      await use(seen);
      expect(seen).toEqual([]);
    },
    { auto: true },
  ],
});

/** From the page of the login to the provider's, where a button is pressed. */
async function goOnAs(page: Page, name: string): Promise<void> {
  await page.getByRole('link', { name: `Log in with ${new URL(provider.issuer).host}` }).click();
  await expect(page).toHaveURL(new RegExp(`^${provider.issuer}/authorize`));
  await page.getByRole('button', { name: `Go on as ${name}` }).click();
}

/** The page of the login says these words and the number of the request, and nobody is logged in. */
async function refused(page: Page, code: string, words: string): Promise<void> {
  await expect(page).toHaveURL(new RegExp(`^${manager.url}/login\\?oidc=${code}&request=[0-9a-f]{16}$`));
  const request = new URL(page.url()).searchParams.get('request');
  await expect(page.getByRole('alert')).toHaveText(`${words} Request ${request}`);
  expect(await (await page.request.get(`${manager.url}/api/v1/me`)).json()).toEqual({ user: null });
}

test('a person logs in by the provider and has the role of their groups', async ({ page }) => {
  await page.goto(`${manager.url}/login`);
  await goOnAs(page, 'anna');
  await expect(page).toHaveURL(`${manager.url}/`);
  await expect(page.getByRole('heading', { name: 'Pools', level: 1 })).toBeVisible();
  await expect(page.getByRole('link', { name: 'anna' })).toBeVisible();
  const sections = page.getByRole('navigation', { name: 'Main' });
  await expect(sections.getByRole('link', { name: 'Audit log' })).toBeVisible();
  await expect(sections.getByRole('link', { name: 'Users' })).toHaveCount(0);
  const me = await (await page.request.get(`${manager.url}/api/v1/me`)).json();
  expect(me.user).toMatchObject({ name: 'anna', role: 'administrator' });

  await page.getByRole('button', { name: 'Log out' }).click();
  await expect(page.getByRole('button', { name: 'Log in', exact: true })).toBeVisible();
  anna.groups = ['lab'];
  await page.goto(`${manager.url}/login`);
  await goOnAs(page, 'anna');
  await expect(page.getByRole('link', { name: 'anna' })).toBeVisible();
  await expect(sections.getByRole('link', { name: 'Tasks' })).toBeVisible();
  await expect(sections.getByRole('link', { name: 'Audit log' })).toHaveCount(0);
  const less = await (await page.request.get(`${manager.url}/api/v1/me`)).json();
  expect(less.user).toMatchObject({ id: me.user.id, role: 'viewer' });
});

test('a login by the provider ends at the page it began at', async ({ page }) => {
  await page.goto(`${manager.url}/login?next=${encodeURIComponent('tasks?q=lab')}`);
  await goOnAs(page, 'anna');
  await expect(page).toHaveURL(`${manager.url}/tasks?q=lab`);
  await expect(page.getByRole('link', { name: 'anna' })).toBeVisible();
});

const REFUSED: [title: string, name: string, code: string, words: string][] = [
  [
    'whom the provider refuses',
    'nobody',
    'denied',
    'The provider did not log you in. Try again, or log in by name and password.',
  ],
  [
    'whose login comes back with a forged state',
    'mallory',
    'expired',
    'That login was not begun in this browser, or too long ago. Begin again.',
  ],
  [
    'whose token is signed by another key',
    'trudy',
    'not_accepted',
    'What the provider answered was not accepted. Begin again, or ask an administrator.',
  ],
  [
    'whose groups have no role',
    'eve',
    'no_role',
    'None of your groups at the provider may use this manager. Ask an administrator.',
  ],
  [
    'whose name another account has',
    'admin',
    'name_taken',
    'Another account here has your name already. Ask an administrator.',
  ],
];

for (const [title, name, code, words] of REFUSED) {
  test(`somebody ${title} is told so on the page of the login, and can begin again`, async ({ page }) => {
    await page.goto(`${manager.url}/login`);
    await goOnAs(page, name);
    await refused(page, code, words);
    expect(await problems(page)).toEqual([]);
    // The next one, from there, is not in the way of the last.
    await goOnAs(page, 'ben');
    await expect(page).toHaveURL(`${manager.url}/`);
    await expect(page.getByRole('link', { name: 'ben' })).toBeVisible();
  });
}

test('a login that somebody else began is not finished in another browser', async ({ page, browser }) => {
  await page.goto(`${manager.url}/login`);
  await page.getByRole('link', { name: `Log in with ${new URL(provider.issuer).host}` }).click();
  await expect(page.getByRole('button', { name: 'Go on as ben' })).toBeVisible();
  // The provider has logged in who began it, who does not go on but hands the address to somebody else.
  const answer = await page.request.post(page.url(), { form: { person: 'ben' }, maxRedirects: 0 });
  const theirs = answer.headers()['location'] ?? '';
  expect(theirs).toMatch(new RegExp(`^${manager.url}/api/v1/oidc/callback\\?`));
  const victim = await browser.newContext();
  const other = await victim.newPage();
  await other.goto(theirs);
  await refused(other, 'expired', 'That login was not begun in this browser, or too long ago. Begin again.');
  await victim.close();
});

test('who is locked out here is not let in by the provider either', async ({ page, playwright }) => {
  await page.goto(`${manager.url}/login`);
  await goOnAs(page, 'ben');
  await expect(page.getByRole('link', { name: 'ben' })).toBeVisible();
  const admin = await playwright.request.newContext({ baseURL: manager.url });
  await admin.post('/api/v1/login', { data: { name: 'admin', password: manager.password } });
  const token = (await admin.storageState()).cookies.find(({ name }) => name === 'p2ppool_csrf')?.value ?? '';
  const headers = { 'x-csrf-token': token };
  const users = (await (await admin.get('/api/v1/users')).json()) as { id: number; name: string }[];
  const ben = users.find(({ name }) => name === 'ben')?.id;
  const lock = (disabled: boolean) =>
    admin.patch(`/api/v1/users/${ben}`, { headers, data: { disabled, role: null } });
  expect((await lock(true)).status()).toBe(200);
  await page.goto(`${manager.url}/login`);
  await goOnAs(page, 'ben');
  await refused(page, 'locked_out', 'Your account is locked out. Ask an administrator.');
  expect((await lock(false)).status()).toBe(200);
  await admin.dispose();
});

test('a provider that is down is told, and the password is still a way in', async ({ page }) => {
  await page.goto(`${manager.url}/login`);
  const link = page.getByRole('link', { name: `Log in with ${new URL(provider.issuer).host}` });
  await expect(link).toBeVisible();
  await provider.stop();
  await link.click();
  await refused(
    page,
    'unavailable',
    'The provider can not be reached at the moment. Try again later, or log in by name and password.',
  );
  await page.getByLabel('Name').fill('admin');
  await page.getByLabel('Password').fill(manager.password);
  await page.getByRole('button', { name: 'Log in', exact: true }).click();
  await expect(page).toHaveURL(`${manager.url}/`);
  await expect(page.getByRole('link', { name: 'admin' })).toBeVisible();
});
