import { readdirSync, readFileSync } from 'node:fs';

import { expect, open, test, url } from './support';

test('a crawl is started and watched until it ends, without a reload', async ({ page }) => {
  await open(page, 'pools/demo/stats?show=table');
  const table = page.getByRole('region', { name: 'Statistics of the crawls' });
  await expect(table.locator('tbody tr').first()).toContainText('100 %');
  const before = await table.locator('tbody tr').count();
  await page.getByRole('button', { name: 'Crawl', exact: true }).click();
  await expect(page.getByText(/Task #\d+ started: crawl/)).toBeVisible();
  await expect.poll(() => table.locator('tbody tr').count()).toBeGreaterThan(before);
  await page.getByRole('link', { name: 'Watch it' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toContainText('Crawl');
  await expect(page.locator('header').getByText('Succeeded')).toBeVisible();
});

test('a check fills the host matrix, and each host tells what it said', async ({ page }) => {
  await open(page, 'pools/demo');
  await page.getByRole('button', { name: 'Check', exact: true }).click();
  await page.getByRole('link', { name: 'Watch it' }).click();
  await expect(page.locator('header').getByText('Succeeded')).toBeVisible();
  await expect(page.getByText('12 of 12 hosts done')).toBeVisible();
  await expect(page.getByRole('region', { name: 'Hosts of the task' }).locator('tbody tr')).toHaveCount(12);

  const matrix = page.getByRole('application');
  await expect(matrix).toHaveAccessibleName(/12 hosts/);
  await matrix.focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  const panel = page.getByRole('complementary');
  await expect(panel.getByText('Last change')).toBeVisible();
  await expect(page).toHaveURL(/host=\d+/);

  await page.goto(`${url}/tasks`);
  await expect(page.getByRole('region', { name: 'Tasks' }).getByRole('link', { name: /check/ }).first()).toBeVisible();
});

test('stop asks for the name of the pool and does nothing without it', async ({ page }) => {
  await open(page, 'pools/demo');
  await page.getByRole('button', { name: 'More actions for demo' }).click();
  await page.getByRole('button', { name: 'Stop…' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog).toContainText('12 hosts');
  const confirm = dialog.getByRole('button', { name: 'Stop on 12 hosts' });
  await expect(confirm).toBeDisabled();
  await dialog.getByRole('textbox').fill('dem');
  await expect(confirm).toBeDisabled();
  await dialog.getByRole('textbox').fill('demo');
  await expect(confirm).toBeEnabled();
  await dialog.getByRole('button', { name: 'Keep as it is' }).click();
  await expect(dialog).toBeHidden();
  const tasks = await (await page.request.get(`${url}/api/v1/tasks?pool=demo`)).json();
  expect(tasks.items.some((task: { action: string }) => task.action === 'stop')).toBe(false);
});

test('a rolling upgrade pauses at a gate that is not passed, shows why, and goes on when told', async ({ page }) => {
  await open(page, 'pools/demo');
  await page.getByRole('button', { name: 'More actions for demo' }).click();
  await page.getByRole('button', { name: 'Upgrade…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('In batches, with a gate after each').check();
  await dialog.getByLabel('Hosts per batch').fill('0%');
  await expect(dialog.getByText('must be a number of hosts')).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Upgrade on 12 hosts' })).toBeDisabled();
  await dialog.getByLabel('Hosts per batch').fill('1');
  await expect(dialog.getByText('12 batches')).toBeVisible();
  await dialog.getByLabel('Nodes answering').fill('100%');
  await dialog.getByLabel('Within, minutes').fill('0.1');
  await dialog.getByRole('button', { name: 'Upgrade on 12 hosts' }).click();
  await page.getByRole('link', { name: 'Watch it' }).click();

  const panel = page.getByRole('region', { name: 'In batches' });
  await expect(panel.getByText('Passed').first()).toBeVisible();
  const stopped = nodeProcesses()[11] ?? 0;
  process.kill(stopped, 'SIGSTOP');
  try {
    await expect(panel.getByText('A gate was not passed.')).toBeVisible();
    const row = panel.getByRole('row', { name: /Nodes answering/ }).last();
    await expect(row).toContainText('✕ 11');
    await expect(row).toContainText('12');
  } finally {
    process.kill(stopped, 'SIGCONT');
  }
  await panel.getByRole('button', { name: 'Look again' }).click();
  await expect(page.locator('header').getByText('Succeeded')).toBeVisible();
  await expect(panel.getByText('Passed')).toHaveCount(12);
});

/** The demo's own nodes, by process id. */
function nodeProcesses(): number[] {
  const data = process.env['E2E_DATA'] ?? '/nowhere';
  const ids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return ids.map(Number).filter((id) => {
    try {
      const [program = ''] = readFileSync(`/proc/${id}/cmdline`, 'utf8').split('\0');
      return program.endsWith('p2pnode') && program.startsWith(`${data}/hosts/`);
    } catch {
      return false;
    }
  });
}
