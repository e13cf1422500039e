import { readFileSync } from 'node:fs';

import { expect, open, test } from './support';

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
