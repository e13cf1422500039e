import { readFileSync } from 'node:fs';

import { asAdmin, logIn } from './accounts';
import { expect, open, test, url } from './support';

/** Real p2pnode processes, each on a loopback address that no demo and no other run of this test takes. */
const NETWORK = `127.${140 + (process.pid % 100)}.0`;
const PLACES = ['48.14,11.58', '35.68,139.69', '-33.45,-70.67', '40.71,-74.01'];
const HOSTS = PLACES.map((place, i) => `${NETWORK}.${i + 1},,${place}`);

/** Nodes are processes of this machine: none may be left, whatever became of the test. */
test.afterEach(async () => {
  const api = await asAdmin();
  const users = (await (await api.get('/api/v1/users')).json()) as { id: number; name: string }[];
  for (const { id, name } of users) if (name === 'nora') await api.delete(`/api/v1/users/${id}`);
  const stopped = await api.post('/api/v1/pools/story/stop', { data: {} });
  if (!stopped.ok()) return;
  await expect.poll(async () => (await api.get('/api/v1/pools/story')).status(), { timeout: 120_000 }).toBe(404);
});

test('from the first login to the last host: a pool is made, watched, shared, upgraded and stopped', async ({ page, browser, watched }) => {
  test.setTimeout(600_000);
  const ended = page.locator('header').getByText('Succeeded');

  await test.step('an administrator makes an account', async () => {
    await open(page, 'users');
    await page.getByRole('button', { name: 'New account' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('nora');
    await dialog.getByLabel('Role').selectOption('publisher');
    await dialog.getByRole('button', { name: 'Make the account' }).click();
    const password = await dialog.locator('[data-secret] code').innerText();
    await dialog.getByRole('button', { name: 'Done' }).click();
    await expect(page.getByRole('row', { name: /nora/ })).toContainText('Publisher');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.goto(`${url}/login`);
    await logIn(page, { name: 'nora', password });
    await expect(page.getByRole('heading', { name: 'Pools', level: 1 })).toBeVisible();
    watched.splice(0);
  });

  await test.step('the wizard makes a pool', async () => {
    await page.getByRole('link', { name: 'New pool' }).click();
    const next = page.getByRole('button', { name: /^Next/ });
    await page.getByLabel('Name', { exact: true }).fill('story');
    await page.getByLabel('One host per line').fill(HOSTS.join('\n'));
    await expect(page.getByText('4 hosts right')).toBeVisible();
    await next.click();
    await page.getByLabel('as processes of its own machine').check();
    await page.getByLabel('Install path').fill(`${process.env['E2E_DATA'] ?? '/nowhere'}/story/{host}`);
    await next.click();
    await next.click();
    await page.getByText('More', { exact: true }).click();
    await page.getByLabel('The crawl may dial private and loopback addresses').check();
    await next.click();
    await expect(page.getByText('4 hosts, as processes of the manager’s machine')).toBeVisible();
    await page.getByRole('button', { name: 'Create', exact: true }).click();
    await expect(page.getByRole('heading', { name: 'Pool story was created' })).toBeVisible();
  });

  await test.step('the install fills the host matrix', async () => {
    await page.getByRole('button', { name: 'Install on 4 hosts' }).click();
    await expect(page.getByRole('application')).toHaveAccessibleName(/4 hosts/);
    await expect(ended).toBeVisible();
    await expect(page.getByText('4 of 4 hosts done')).toBeVisible();
  });

  await test.step('crawls find the nodes: map, ring and table', async () => {
    await page.goto(`${url}/pools/story`);
    const strip = page.locator('dl').first();
    await expect(strip).toContainText(/Nodes answering\s*4\s*\/4/, { timeout: 120_000 });
    const tabs = page.getByRole('navigation', { name: 'Pool', exact: true });
    await tabs.getByRole('link', { name: 'Map' }).click();
    await expect(page.locator('canvas')).toHaveAttribute('data-nodes', '4');
    await tabs.getByRole('link', { name: 'Ring' }).click();
    await expect(page.getByRole('region', { name: 'Ring', exact: true }).locator('canvas[data-nodes="4"]')).toBeVisible();
    await tabs.getByRole('link', { name: 'Nodes' }).click();
    await expect(page.getByRole('region', { name: 'Nodes' }).getByText('Answering')).toHaveCount(4);
  });

  await test.step('the table comes as CSV', async () => {
    await page.getByRole('button', { name: 'Download' }).click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('link', { name: 'CSV', exact: true }).click(),
    ]);
    const lines = readFileSync(await download.path(), 'utf8').trim().split(/\r?\n/);
    expect(lines).toHaveLength(5);
  });

  const link = await test.step('the map is shared', async () => {
    await page.goto(`${url}/pools/story/map`);
    await page.getByRole('button', { name: 'Share…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('button', { name: 'Make the link' }).click();
    const address = (await dialog.locator('[data-secret] a').getAttribute('href')) ?? '';
    await dialog.getByRole('button', { name: 'Done' }).click();
    return address;
  });

  const stranger = await browser.newContext();
  const guest = await stranger.newPage();
  await test.step('somebody without an account opens the link', async () => {
    await guest.goto(link);
    await expect(guest.getByRole('heading', { name: 'story', level: 1 })).toBeVisible();
    await expect(guest.locator('canvas')).toHaveAttribute('data-nodes', '4');
    await expect(guest.getByText('4 of 4 nodes')).toBeVisible();
    await expect(guest.getByRole('navigation', { name: 'Main' })).toHaveCount(0);
    expect(await guest.content()).not.toContain(`${NETWORK}.`);
  });

  const act = async (action: string) => {
    await page.goto(`${url}/pools/story`);
    await page.getByRole('button', { name: 'More actions for story' }).click();
    await page.getByRole('button', { name: `${action}…` }).click();
  };
  await test.step('it is upgraded', async () => {
    await act('Upgrade');
    await page.getByRole('dialog').getByRole('button', { name: 'Upgrade on 4 hosts' }).click();
    await page.getByRole('link', { name: 'Watch it' }).click();
    await expect(ended).toBeVisible();
    await expect(page.getByText('4 of 4 hosts done')).toBeVisible();
  });

  await test.step('it is suspended and resumed', async () => {
    await act('Suspend');
    await page.getByRole('dialog').getByRole('button', { name: 'Suspend on 4 hosts' }).click();
    const state = page.locator('header .badge').first();
    await expect(state).toContainText('Suspended');
    await page.getByRole('button', { name: 'Resume', exact: true }).click();
    await expect(state).toContainText('Running');
    await expect(page.locator('dl').first()).toContainText(/Hosts running\s*4\s*\/4/);
  });

  await test.step('it is stopped, and nothing is left', async () => {
    await act('Stop');
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('textbox').fill('story');
    await dialog.getByRole('button', { name: 'Stop on 4 hosts' }).click();
    await expect(page.getByText('There is no pool “story”')).toBeVisible();
    // The page's own look at a pool that is gone.
    watched.splice(0, watched.length, ...watched.filter((line) => !line.includes('404')));
    await guest.reload();
    await expect(guest.locator('[data-share=over]')).toBeVisible();
  });
  await stranger.close();
});
