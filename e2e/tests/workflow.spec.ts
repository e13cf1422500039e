import { asAdmin } from './accounts';
import { expect, open, test, url } from './support';

const TEXT = `description: Ask, then look
steps:
  - name: ask
    approve: Look at every host?
    within: 1h
    on: { failure: end }
  - name: look
    run: check
  - name: slow
    sleep: 1h
`;

test.afterAll(async () => {
  await (await asAdmin()).delete('/api/v1/workflows/e2e-flow');
});

test('a workflow is written with checks as one types, run, approved, watched and cancelled', async ({ page }) => {
  await open(page, 'workflows');
  await page.getByRole('button', { name: 'New workflow' }).click();
  await page.getByLabel('Name', { exact: true }).fill('e2e-flow');
  const area = page.getByLabel('Text of the workflow');
  const keep = page.getByRole('button', { name: 'Keep the workflow' });

  await area.fill(TEXT.replace('run: check', 'run: dance'));
  await expect(page.locator('.note[data-line="8"]')).toBeVisible();
  await expect(keep).toBeDisabled();
  await page.getByRole('button', { name: /^line 8, column/ }).click();
  await expect(area).toBeFocused();
  const caret = await area.evaluate((node: HTMLTextAreaElement) => node.value.slice(0, node.selectionStart).split('\n').length);
  expect(caret).toBe(8);
  await area.fill(TEXT);
  await expect(page.getByText('Nothing is wrong with this text.')).toBeVisible();
  await expect(page.locator('[data-step]')).toHaveCount(3);
  await keep.click();
  await expect(page).toHaveURL(`${url}/workflows/e2e-flow`);

  await page.getByRole('button', { name: 'Run…' }).click();
  await page.getByRole('dialog').getByLabel('Pool').selectOption('demo');
  await page.getByRole('dialog').getByRole('button', { name: 'Run it' }).click();
  await expect(page).toHaveURL(/\/workflow-runs\/\d+$/);
  const step = (name: string) => page.locator(`[data-step=${name}]`);
  await expect(step('ask')).toHaveAttribute('data-state', 'awaits_approval');
  await page.getByRole('region', { name: 'Look at every host?' }).getByLabel('Comment').fill('go ahead');
  await page.getByRole('button', { name: 'Yes, go on' }).click();
  await expect(step('ask')).toHaveAttribute('data-state', 'succeeded');
  await expect(step('look')).toHaveAttribute('data-state', 'succeeded');
  const table = page.getByRole('region', { name: 'Steps of the run' });
  await expect(table.getByRole('row', { name: /^ask/ })).toContainText('admin');
  await expect(table.getByRole('row', { name: /^look/ }).getByRole('link')).toHaveAttribute('href', /^tasks\/\d+$/);
  await expect(step('slow')).toHaveAttribute('data-state', 'running');
  await page.getByRole('button', { name: 'Cancel…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel the run' }).click();
  await expect(page.locator('header .badge')).toContainText('Cancelled');
  await page.goto(`${url}/workflow-runs?workflow=e2e-flow`);
  await expect(page.getByRole('region', { name: 'Runs' })).toContainText('Cancelled');
});

test('a workflow is scheduled, chosen for after installs, and deleted', async ({ page }) => {
  await (await asAdmin()).put('/api/v1/workflows/e2e-flow', { data: { text: TEXT } });
  await open(page, 'workflows/e2e-flow');
  await page.getByRole('button', { name: 'Schedule…' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByLabel('Starts')).toHaveValue('workflow:e2e-flow');
  await dialog.getByLabel('Pool').selectOption('demo');
  await dialog.getByLabel('Cron').fill('0 3 * * *');
  await expect(dialog.getByRole('listitem')).toHaveCount(5);
  await dialog.getByRole('button', { name: 'Make the schedule' }).click();
  await expect(page.getByText('e2e-flow was scheduled.')).toBeVisible();

  await page.getByRole('button', { name: 'After install…' }).click();
  await dialog.getByLabel('Pool').selectOption('demo');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('e2e-flow runs after each install of demo.')).toBeVisible();
  await page.goto(`${url}/pools/demo/settings`);
  const after = page.getByRole('region', { name: 'After each install' }).getByRole('combobox');
  await expect(after).toHaveValue('e2e-flow');
  await after.selectOption('');
  await expect(page.getByText('Nothing runs after an install.')).toBeVisible();
  const pool = (await (await page.request.get(`${url}/api/v1/pools/demo`)).json()) as { after_install: unknown };
  expect(pool.after_install).toBeNull();

  await page.goto(`${url}/pools/demo/schedules`);
  const row = page.getByRole('row', { name: /Workflow e2e-flow/ });
  await row.getByRole('button', { name: /More for/ }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete the schedule' }).click();
  await expect(row).toHaveCount(0);

  await page.goto(`${url}/workflows/e2e-flow`);
  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete the workflow' }).click();
  await expect(page).toHaveURL(`${url}/workflows`);
  await expect(page.getByRole('row', { name: /e2e-flow/ })).toHaveCount(0);
});
