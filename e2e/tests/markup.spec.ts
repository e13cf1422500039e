import type { Page } from '@playwright/test';

import { account, asAdmin } from './accounts';
import { expect, open, test, url } from './support';

/** Text that becomes an element, or runs, wherever somebody forgets that it is text. */
const MARKUP = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>';
/** What nodes and hosts say of themselves. */
const TOLD = ['version', 'host_name', 'namespace', 'ip', 'error', 'message', 'agent', 'problem', 'text', 'subject'];

/** Puts markup wherever a node or host has its say, into the manager's real answers. */
function poisoned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(poisoned);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (key === 'hosts' && Array.isArray(inner) && inner.every((one) => typeof one === 'string')) {
        return [key, inner.map(() => MARKUP)];
      }
      const told = TOLD.includes(key) && (typeof inner === 'string' || inner === null);
      return [key, told ? MARKUP : poisoned(inner)];
    }),
  );
}

async function staysText(page: Page, where: string): Promise<void> {
  await expect(page.getByText('<img src=x').first(), where).toBeVisible();
  const ran = await page.evaluate(() => ({
    pwned: (window as unknown as { pwned?: number }).pwned,
    images: document.querySelectorAll('#app img').length,
    scripts: document.querySelectorAll('#app script').length,
  }));
  expect(ran, where).toEqual({ pwned: undefined, images: 0, scripts: 0 });
}

test('what nodes and hosts say is text on every page that shows it', async ({ page }) => {
  await page.route(/\/api\/v1\/(pools\/demo\/(nodes|deployed|map|topology)|tasks\/\d+\/hosts)/, async (route) => {
    const answer = await route.fetch();
    const type = answer.headers()['content-type'] ?? '';
    if (!type.includes('json')) return route.fulfill({ response: answer });
    return route.fulfill({ response: answer, json: poisoned(await answer.json()) });
  });
  await open(page, 'pools/demo/nodes');
  await staysText(page, 'nodes');
  await page.locator('button[data-row]').first().click();
  await expect(page.getByRole('complementary')).toContainText('<img src=x');
  await staysText(page, 'panel of a node');
  await page.goto(`${url}/pools/demo/deployed`);
  await staysText(page, 'deployed');
  await page.goto(`${url}/tasks/1`);
  await staysText(page, 'hosts of a task');
});

test('what people type is text on every page that shows it', async ({ page }) => {
  const api = await asAdmin();
  const text = `description: '${MARKUP}'\nsteps:\n  - name: tell\n    notify: '${MARKUP}'\n`;
  await api.put('/api/v1/workflows/markup', { data: { text } });
  const mark = await account(MARKUP.slice(0, 38), 'viewer');
  const share = await api.post('/api/v1/pools/demo/shares', { data: { name: MARKUP, views: ['map'] } });
  const { id, token } = (await share.json()) as { id: number; token: string };
  try {
    await open(page, 'workflows');
    await staysText(page, 'workflows');
    await page.goto(`${url}/workflows/markup`);
    await staysText(page, 'a workflow');
    for (const path of ['users', 'pools/demo/settings', `share/${token}`]) {
      await page.goto(`${url}/${path}`);
      await staysText(page, path);
    }
  } finally {
    await api.delete('/api/v1/workflows/markup');
    await api.delete(`/api/v1/users/${mark.id}`);
    await api.delete(`/api/v1/pools/demo/shares/${id}`);
  }
});
