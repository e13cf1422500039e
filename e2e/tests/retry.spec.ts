import { readFileSync } from 'node:fs';

import { csrf, expect, open, test, url } from './support';

test('what all hosts of a task said comes as one file', async ({ page }) => {
  await open(page, 'tasks/1');
  await expect(page.getByRole('application')).toHaveAccessibleName(/12 hosts/);
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download all logs' }).click(),
  ]);
  expect(download.suggestedFilename()).toBe('task-1-logs.txt');
  const text = readFileSync(await download.path(), 'utf8');
  expect(text.match(/^==== /gm)).toHaveLength(12);
  expect(text).toMatch(/^==== 127\.\d+\.0\.12 · ok/m);
});

test('hosts are chosen in the matrix and in the table alike', async ({ page }) => {
  await open(page, 'tasks/1');
  const matrix = page.getByRole('application');
  await matrix.focus();
  await page.keyboard.press('Space');
  await expect(page.getByRole('button', { name: 'Retry the 1 chosen host' })).toBeVisible();
  const table = page.getByRole('region', { name: 'Hosts of the task' });
  await expect(table.getByRole('checkbox', { checked: true })).toHaveCount(1);
  await table.getByRole('checkbox', { checked: false }).first().check();
  await expect(page.getByRole('button', { name: 'Retry the 2 chosen hosts' })).toBeVisible();
  await page.getByRole('button', { name: 'Choose none' }).click();
  await expect(table.getByRole('checkbox', { checked: true })).toHaveCount(0);
});

test('hosts that were picked by hand, and only they, are done again', async ({ page }) => {
  await open(page, '');
  // Nothing listens there.
  const hosts = ['127.1.7.1:1', '127.1.7.2:1', '127.1.7.3:1', '127.1.7.4:1'];
  const name = 'picked-by-hand';
  const headers = await csrf(page);
  const made = await page.request.post(`${url}/api/v1/pools`, {
    headers,
    data: { name, ssh_user: 'nobody', hosts: hosts.join('\n') },
  });
  expect(made.status()).toBe(201);
  await page.request.post(`${url}/api/v1/pools/${name}/key/generate`, { headers });
  const asked = await page.request.post(`${url}/api/v1/pools/${name}/gather_usage`, { headers, data: {} });
  const { id } = await asked.json();
  await page.goto(`${url}/tasks/${id}`);
  await expect(page.getByText('4 of 4 hosts done')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Retry 4 hosts' })).toBeVisible();
  const table = page.getByRole('region', { name: 'Hosts of the task' });
  for (const host of [hosts[1]!, hosts[3]!]) await table.getByLabel(`Choose ${host.split(':')[0]}`).check();
  await page.getByRole('button', { name: 'Retry the 2 chosen hosts' }).click();
  await expect(page).not.toHaveURL(new RegExp(`tasks/${id}$`));
  await expect(page.getByText('2 of 2 hosts done')).toBeVisible();
  await expect(table.locator('tbody tr')).toHaveText([/127\.1\.7\.2/, /127\.1\.7\.4/]);
  const forgotten = await page.request.delete(`${url}/api/v1/pools/${name}`, { headers });
  expect(forgotten.ok()).toBe(true);
});
