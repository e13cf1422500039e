import { expect, open, test, url } from './support';

test('a schedule is made with its times in words, run, switched off and deleted', async ({ page, watched }) => {
  await open(page, 'pools/demo/schedules');
  await page.getByRole('button', { name: 'New schedule' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Starts').selectOption('gather_usage');
  await dialog.getByLabel('Cron').fill('not a cron');
  await expect(dialog.locator('input[aria-invalid=true]')).toBeVisible();
  await expect(dialog.getByRole('button', { name: 'Make the schedule' })).toBeDisabled();
  expect(watched.splice(0).every((line) => line.includes('422'))).toBe(true);
  await dialog.getByLabel('Cron').fill('17 3 * * *');
  await dialog.getByLabel('Time zone').fill('Europe/Berlin');
  await expect(dialog.getByRole('listitem')).toHaveCount(5);
  await expect(dialog.getByRole('listitem').first()).toContainText('03:17');
  const told = (await dialog.locator('.preview strong').innerText()).trim();
  await dialog.getByRole('button', { name: 'Make the schedule' }).click();
  await expect(dialog).toBeHidden();

  const row = page.getByRole('row', { name: /Gather usage/ });
  await expect(row).toContainText(told);
  await row.getByRole('button', { name: /More for Gather usage/ }).click();
  await page.getByRole('button', { name: 'Run now' }).click();
  await expect(page.getByText(/Task #\d+ started/)).toBeVisible();
  await expect(row.locator('a.run')).toHaveCount(1);
  await expect(row.locator('a.run.ok')).toHaveCount(1);

  await row.getByRole('button', { name: /switch off/ }).click();
  await expect(row.locator('.badge')).toContainText('Off');
  await page.goto(`${url}/schedules?show=off`);
  await expect(page.getByRole('row', { name: /Gather usage/ })).toContainText('demo');
  await page.getByRole('row', { name: /Gather usage/ }).getByRole('button', { name: /More for/ }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete the schedule' }).click();
  await expect(page.getByText('The schedule was deleted')).toBeVisible();
  await expect(page.getByRole('row', { name: /Gather usage/ })).toHaveCount(0);
});
