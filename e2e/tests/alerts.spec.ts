import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { asAdmin } from './accounts';
import { expect, open, test, url } from './support';

/** What a web service that is told about alerts received. */
const received: string[] = [];
let server: Server;
let hook = '';

test.beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      received.push(body);
      response.end();
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  hook = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
});
test.afterAll(async () => {
  await (await asAdmin()).put('/api/v1/alert-settings', { data: { allowed_networks: [] } });
  await new Promise((closed) => server.close(closed));
});

test('a target is made, tested for real, kept quiet at night and told about an alert', async ({ page, watched }) => {
  await open(page, 'alerts/targets');
  const networks = page.getByRole('region', { name: 'Private networks' });
  await networks.getByLabel('Networks, one a line').fill('127.0.0.0/8');
  await networks.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();

  await page.getByRole('button', { name: 'New target…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Name').fill('lab hook');
  await dialog.getByLabel('Address').fill('not an address');
  await dialog.getByRole('button', { name: 'Make the target' }).click();
  await expect(dialog.locator('[aria-invalid=true], [role=alert]').first()).toBeVisible();
  expect(watched.splice(0), 'the manager refuses it').toEqual([expect.stringContaining('422')]);
  await dialog.getByLabel('Address').fill(hook);
  await dialog.getByRole('button', { name: 'Make the target' }).click();
  await expect(dialog.locator('[data-secret] code')).not.toBeEmpty();
  await dialog.getByRole('button', { name: 'Done' }).click();
  const row = page.getByRole('row', { name: /lab hook/ });
  await row.getByRole('button', { name: 'Test lab hook' }).click();
  await expect(page.getByText('The test message arrived at lab hook.')).toBeVisible();
  expect(received).toHaveLength(1);

  await row.getByRole('button', { name: 'lab hook', exact: true }).click();
  await dialog.getByLabel('Quiet hours').check();
  await dialog.getByLabel('from', { exact: true }).fill('23:30');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(row).toContainText('23:30 to 07:00');
  await row.getByRole('button', { name: 'lab hook', exact: true }).click();
  await dialog.getByLabel('Quiet hours').uncheck();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await expect(row).toContainText('never');

  // More free space than any disk has: true as soon as the hosts were measured.
  await page.goto(`${url}/pools/demo/alerts`);
  await page.getByRole('button', { name: 'New rule…' }).click();
  await dialog.getByLabel('When').selectOption('disk_below');
  await dialog.getByLabel('Less free than, GB').fill('0');
  await expect(dialog.getByRole('button', { name: 'Make the rule' })).toBeDisabled();
  await dialog.getByLabel('Less free than, GB').fill('900000');
  await dialog.getByLabel('lab hook').check();
  await dialog.getByLabel('Name').fill('disks');
  await dialog.getByRole('button', { name: 'Make the rule' }).click();
  const rule = page.getByRole('region', { name: 'Rules' }).getByRole('row', { name: /disks/ });
  await expect(rule).toContainText('lab hook');
  await (await asAdmin()).post('/api/v1/pools/demo/gather_usage', { data: {} });

  const alerts = page.getByRole('region', { name: 'Alerts', exact: true });
  await expect(alerts.getByRole('cell', { name: 'Open', exact: true }).first()).toBeVisible({ timeout: 90_000 });
  const badge = page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: /^Alerts/ });
  await expect(badge).toContainText(/\d+ open/);
  await expect.poll(() => received.length, { timeout: 60_000 }).toBeGreaterThan(1);

  await page.goto(`${url}/alerts?state=open`);
  const first = page.getByRole('region', { name: 'Alerts', exact: true }).locator('tbody tr').first();
  await first.getByRole('button', { name: /Say that it was seen/ }).click();
  await dialog.getByLabel('Comment').fill('I look after it');
  await dialog.getByRole('button', { name: 'Say so' }).click();
  await expect(page.getByText('admin: I look after it')).toBeVisible();

  await page.goto(`${url}/pools/demo/alerts`);
  await rule.getByRole('button', { name: 'disks: switch off' }).click();
  await expect(rule).toContainText('Off');
  await rule.getByRole('button', { name: 'Delete disks' }).click();
  await dialog.getByRole('button', { name: 'Delete the rule' }).click();
  await expect(page.getByText('No rules.')).toBeVisible();
  await expect(badge).not.toContainText('open');
  await page.goto(`${url}/alerts/targets`);
  await row.getByRole('button', { name: 'More for lab hook' }).click();
  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete the target' }).click();
  await expect(page.getByText('No targets.')).toBeVisible();
});
