import { problems } from './problems';
import { expect, open, test, url } from './support';

test('a new pool: each step checks while one types, the draft is kept, and hosts are tried for real', async ({ page }) => {
  await open(page, 'pools/new');
  const next = page.getByRole('button', { name: /^Next/ });
  await page.getByLabel('One host per line').fill('planet1.example.org\nbad host!\nplanet1.example.org\n127.0.0.1:1\n');
  await expect(page.getByText('2 hosts right')).toBeVisible();
  await expect(page.getByText(/^line 2:/)).toBeVisible();
  await expect(page.getByText(/^line 3:.*already on line 1/)).toBeVisible();

  await page.getByRole('navigation', { name: 'Steps' }).getByRole('link', { name: /Review/ }).click();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByText('must be 1 to 63 of a-z')).toBeVisible();
  await expect(page).toHaveURL(`${url}/pools/new`);

  await page.getByLabel('Name', { exact: true }).fill('planet');
  // A file is as good as typing, whether it is dropped or chosen.
  const list = await page.evaluateHandle(() => {
    const data = new DataTransfer();
    data.items.add(new File(['127.0.0.1:1\n127.0.0.1:2\n'], 'hosts.txt', { type: 'text/plain' }));
    return data;
  });
  await page.getByRole('group', { name: 'Choose a file' }).dispatchEvent('drop', { dataTransfer: list });
  await expect(page.getByText('2 hosts right')).toBeVisible();
  await next.click();
  await page.getByLabel('User on the hosts').fill('ops');
  await page.reload();
  await expect(page.getByLabel('User on the hosts')).toHaveValue('ops');
  await next.click();
  await expect(page.getByLabel('Software')).toHaveValue('');
  await next.click();
  await page.getByLabel('TCP port').fill('70000');
  await next.click();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByText('must be between 1 and 65535')).toBeVisible();
  await page.getByLabel('TCP port').fill('4650');
  await next.click();
  await expect(page.getByText('2 hosts, as ops, by SSH')).toBeVisible();
  await page.getByRole('button', { name: 'Create', exact: true }).click();
  await expect(page.getByRole('heading', { name: 'Pool planet was created' })).toBeVisible();
  await expect(page.locator('pre')).toContainText('ssh-ed25519 ');

  await page.getByRole('button', { name: 'Test on 2 hosts' }).click();
  const results = page.getByRole('table', { name: 'Results of the test' });
  await expect(results.getByText('Unreachable')).toHaveCount(2);
  await expect(results).toContainText('refused');
  await expect(page.getByText('Not every host could be reached')).toBeVisible();

  await page.getByRole('link', { name: 'To the pool' }).click();
  await expect(page.getByRole('heading', { name: 'planet' })).toBeVisible();
  await page.getByRole('navigation', { name: 'Pool' }).getByRole('link', { name: 'Hosts' }).click();
  await expect(page.getByRole('region', { name: 'Hosts' }).getByText('Unreachable')).toHaveCount(2);

  const csrf = (await page.context().cookies()).find(({ name }) => name === 'p2ppool_csrf');
  const headers = { 'x-csrf-token': csrf?.value ?? '' };
  const gone = await page.request.delete(`${url}/api/v1/pools/planet`, { headers });
  expect(gone.status()).toBe(204);
});

test('a token is shown once, works, and ends when it is deleted', async ({ page, playwright }) => {
  await open(page, 'settings/tokens');
  await page.getByLabel('What it is for').fill('e2e');
  await page.getByRole('button', { name: 'Make a token' }).click();
  const secret = await page.locator('.made code').innerText();
  const program = await playwright.request.newContext({ extraHTTPHeaders: { authorization: `Bearer ${secret}` } });
  expect((await program.get(`${url}/api/v1/tokens`)).status()).toBe(200);
  await page.getByRole('button', { name: 'Delete token e2e', exact: true }).click();
  await expect(page.getByText('Token “e2e” no longer works.')).toBeVisible();
  expect((await program.get(`${url}/api/v1/tokens`)).status()).toBe(401);
  await program.dispose();
});

test('a token may less than its person: a role, some pools, an end', async ({ page, playwright }) => {
  await open(page, 'settings/tokens');
  await page.getByLabel('What it is for').fill('e2e dashboard');
  await page.getByLabel('It may at most what this role may').selectOption('viewer');
  await page.getByLabel('It ends').selectOption({ label: 'after a week' });
  await page.getByLabel('only some pools').check();
  const make = page.getByRole('button', { name: 'Make a token' });
  await expect(page.getByText('Choose at least one pool.')).toBeVisible();
  await expect(make).toBeDisabled();
  await page.getByRole('checkbox', { name: 'demo', exact: true }).check();
  await make.click();
  const secret = await page.locator('.made code').innerText();
  const row = page.getByRole('row', { name: /e2e dashboard/ });
  await expect(row).toContainText('Viewer');
  await expect(row).toContainText('demo');
  await expect(row).toContainText('in 7 d');

  const program = await playwright.request.newContext({ extraHTTPHeaders: { authorization: `Bearer ${secret}` } });
  expect((await program.get(`${url}/api/v1/pools/demo`)).status()).toBe(200);
  expect((await program.post(`${url}/api/v1/pools/demo/crawl`, { data: {} })).status()).toBe(403);
  await program.dispose();
  await page.getByRole('button', { name: 'Delete token e2e dashboard', exact: true }).click();
  await expect(row).toHaveCount(0);
});

test('a bundle tells its files, sizes and digest also in an upgrade', async ({ page, watched }) => {
  await open(page, 'pools/demo');
  const menu = page.getByRole('button', { name: 'More actions for demo' });
  await menu.click();
  await page.getByRole('button', { name: /^Upgrade/ }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByLabel('Software')).toHaveValue('');
  // What runs now.
  const bundles = (await (await page.request.get(`${url}/api/v1/bundles`)).json()) as { digest: string; program: string }[];
  const bundle = bundles.find(({ program }) => program.includes('p2pnode'))!;
  await expect(dialog.locator('dl')).toContainText(bundle.digest);
  await dialog.getByText(/^\d+ files?$/).click();
  const files = dialog.getByRole('region', { name: /^Files of / });
  await expect(files.getByRole('row', { name: new RegExp(bundle.program) })).toContainText('MiB');
  expect(await problems(page)).toEqual([]);

  // What is no bundle says why, with the request that the manager's log knows it by.
  await dialog.locator('input[type=file]').setInputFiles({ name: 'x.zip', mimeType: 'application/zip', buffer: Buffer.from('no zip') });
  await expect(dialog.getByRole('alert')).toContainText(/zip/i);
  await expect(dialog.getByRole('button', { name: 'Copy request id' })).toBeVisible();
  expect(watched.splice(0).every((line) => line.includes('422'))).toBe(true);
});

test('another Brunet bundle asks for a namespace and says why, before it is submitted', async ({ page }) => {
  // The real pool, as if it ran an older Brunet bundle.
  await page.route(/\/api\/v1\/pools(\/demo)?(\?|$)/, async (route) => {
    const answer = await route.fetch();
    const told = (await answer.json()) as { name: string }[] | { name: string };
    const older = <T extends { name: string }>(pool: T) =>
      pool.name === 'demo' ? { ...pool, kind: 'brunet', bundle: `sha256:${'0'.repeat(64)}` } : pool;
    return route.fulfill({ response: answer, json: Array.isArray(told) ? told.map(older) : older(told) });
  });
  await open(page, 'pools/demo');
  await page.getByRole('button', { name: 'More actions for demo' }).click();
  await page.getByRole('button', { name: /^Upgrade/ }).click();
  const dialog = page.getByRole('dialog');
  const upgrade = dialog.getByRole('button', { name: 'Upgrade on 12 hosts' });
  await expect(upgrade).toBeEnabled();
  await expect(dialog.getByLabel('New namespace')).toHaveCount(0);

  await dialog.getByLabel('Software').selectOption({ index: 1 });
  await expect(dialog.getByText('would mix in one ring')).toBeVisible();
  await expect(upgrade).toBeDisabled();
  const namespace = dialog.getByLabel('New namespace');
  await namespace.fill('demo');
  await expect(dialog.getByText('is the namespace of the old bundle: choose another')).toBeVisible();
  await expect(upgrade).toBeDisabled();
  await namespace.fill('demo-2');
  await expect(upgrade).toBeEnabled();
  await namespace.fill('');
  await dialog.getByRole('checkbox', { name: /^Keep demo/ }).check();
  await expect(namespace).toBeDisabled();
  await expect(upgrade).toBeEnabled();
  expect(await problems(page)).toEqual([]);
});

test('how long nodes are kept is a setting of the pool, with bounds', async ({ page }) => {
  await open(page, 'pools/demo/settings');
  await page.getByText('More', { exact: true }).last().click();
  const days = page.getByLabel('Days for which nodes are kept');
  await expect(days).toHaveValue('365');
  await days.fill('0');
  await expect(page.getByText('must be 1 to 36500 days')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Save the settings' })).toBeDisabled();
  await days.fill('400');
  await page.getByRole('button', { name: 'Save the settings' }).click();
  await expect(page.getByText('Saved. An upgrade brings')).toBeVisible();
  const pool = await (await page.request.get(`${url}/api/v1/pools/demo`)).json();
  expect(pool.detail_days).toBe(400);
  await days.fill('365');
  await page.getByRole('button', { name: 'Save the settings' }).click();
  await expect
    .poll(async () => (await (await page.request.get(`${url}/api/v1/pools/demo`)).json()).detail_days)
    .toBe(365);
});
